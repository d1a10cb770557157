// Network: the simulator's wires between members. Delay, loss, duplication, reordering, one-way and two-way partitions,
// broken connections. Owned by the cluster. It knows members by position and messages as values; it decides nothing but
// whether and when one arrives. What must not be delivered twice (forwarded proposals and their refusals: the transport
// writes a frame once) never is.
#pragma once

#include <functional>
#include <vector>

#include "base/rng.hpp"
#include "core/messages.hpp"
#include "sim/options.hpp"
#include "sim/scheduler.hpp"

namespace whitewater::sim {

class Network {
 public:
  using Deliver = std::function<void(std::size_t to, core::Message message)>;

  Network(const SimOptions& options, Scheduler& scheduler, base::Rng rng, Deliver deliver);

  void send(std::size_t from, std::size_t to, const core::Message& message);
  void set_blocked(std::size_t from, std::size_t to, bool blocked) { link(from, to).is_blocked = blocked; }
  // Everything under way between the two is lost.
  void break_connection(std::size_t a, std::size_t b);
  // The receiver ended. What is under way to it is lost, unless messages outlive restarts in this run.
  void on_member_down(std::size_t member);
  // No partition, no loss, no duplication from now on.
  void heal();
  [[nodiscard]] bool is_blocked(std::size_t from, std::size_t to) const {
    return links_[from * member_count(options_) + to].is_blocked;
  }

 private:
  struct Link {
    bool is_blocked = false;
    std::uint64_t connection = 0;    // grows when it breaks
    base::Duration last_arrival{0};  // for links that keep their order
  };
  Link& link(std::size_t from, std::size_t to) { return links_[from * member_count(options_) + to]; }
  [[nodiscard]] base::Duration draw_delay();
  void schedule(std::size_t from, std::size_t to, const core::Message& message);

  const SimOptions& options_;
  Scheduler& scheduler_;
  base::Rng rng_;
  Deliver deliver_;
  std::vector<Link> links_;
  bool is_healed_ = false;
};

}  // namespace whitewater::sim

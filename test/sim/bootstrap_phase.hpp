// BootstrapPhase: how the members of a simulated run become one cluster when the run does not begin with one: a real
// BootstrapFsm each, over the simulated time and wires, with discovery that answers by halves and remembers nothing,
// crashes around the writes of the meta record, and in half of the runs one disk that is lost, before or after the
// founding. Once a member founds or joins, its SimMember starts; its BootstrapFsm goes on answering while that is up.
// Owned by the cluster; single-threaded. It decides nothing about founding.
//
// Rules: there is one cluster; a set of founders is decided when all of them whose disk is still there have promised
// it; it has the number that was stated, or no fewer than three, and ordinal 0.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "discovery/bootstrap_fsm.hpp"
#include "sim/member.hpp"

namespace whitewater::sim {

class BootstrapPhase {
 public:
  // `on_started` is called whenever a SimMember has started.
  BootstrapPhase(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng,
                 std::function<void(std::size_t)> on_started);

  // Everybody with an empty disk, at some time within a second.
  void start();
  // A Raft message met a member that belongs to no cluster yet: its handshake was refused.
  void on_refused(std::size_t to, std::size_t from);
  void heal();
  // Everybody belongs to the cluster.
  [[nodiscard]] bool is_formed() const;

 private:
  struct Node {
    discovery::BootstrapOptions options;
    discovery::BootstrapMeta disk;
    std::optional<discovery::BootstrapMeta> writing;
    std::unique_ptr<discovery::BootstrapFsm> fsm;
    std::uint64_t run = 0;
    std::optional<base::Instant> tick_at;
  };

  [[nodiscard]] base::Instant now() const { return base::Instant(base::seconds(1)) + world_.scheduler.now(); }
  [[nodiscard]] bool answers(std::size_t i) const;
  [[nodiscard]] bool is_cut(std::size_t from, std::size_t to);
  void after(std::size_t i, base::Duration delay, std::function<void()> what);
  void start_node(std::size_t i);
  void crash_node(std::size_t i, bool keeps_write);
  void lose_disk(std::size_t i);
  void restart_who_asks_for_it();
  void start_member(std::size_t i);
  void check_decision(const discovery::FounderSet& set) const;
  void discover(std::size_t i);
  void pump(std::size_t i);
  void perform(std::size_t i, discovery::BootstrapAction action);
  void persist(std::size_t i, const discovery::Persist& action);
  void exchange(std::size_t i, const discovery::SendExchange& action);
  [[nodiscard]] base::Duration draw_delay();

  SimWorld& world_;
  std::vector<std::unique_ptr<SimMember>>& members_;
  base::Rng rng_;
  std::function<void(std::size_t)> on_started_;
  std::vector<Node> nodes_;
  std::map<std::uint64_t, std::function<void(const discovery::BootstrapReply&)>> replies_;
  std::uint64_t next_request_ = 1;
  std::optional<base::ClusterId> cluster_;
  bool is_healed_ = false;
};

}  // namespace whitewater::sim

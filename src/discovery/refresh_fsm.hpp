// RefreshFsm: when to ask for the peers again (kubernetes.md §3.1). While looking for peers: 0.25 s doubling to 2 s;
// once the cluster is formed: max(5 s, TTL) with jitter, so that members and caches do not beat in step. A wait is
// never longer than 5 s while looking. Pure; owned by the PeerRefresher. Does not ask anything itself.
#pragma once

#include <cstdint>
#include <string>

#include "base/rng.hpp"
#include "base/time.hpp"

namespace whitewater::discovery {

struct RefreshOptions {
  base::Duration first_delay{0};  // a pod's own record usually appears last; an early NXDOMAIN is cached for up to 30 s
  base::Duration looking_min = base::milliseconds(250);
  base::Duration looking_max = base::seconds(2);
  base::Duration looking_cap = base::seconds(5);  // whatever else is configured
  base::Duration formed_min = base::seconds(5);
  base::Duration formed_max = base::seconds(300);  // a TTL above this is not believed
  std::uint32_t jitter_percent = 20;               // a wait is drawn from [1 - j, 1 + j] of itself, below the cap
};

class RefreshFsm {
 public:
  RefreshFsm(RefreshOptions options, base::Rng rng);

  // The member belongs to a cluster; or, with false, looks for peers again.
  void on_formed(bool is_formed);
  // A good answer; `is_changed` restarts the back-off while looking.
  void on_answer(base::Duration ttl, bool is_changed);
  void on_failure();
  // How long to wait before the next question; draws the jitter.
  [[nodiscard]] base::Duration next_delay();
  [[nodiscard]] bool is_formed() const { return is_formed_; }

 private:
  [[nodiscard]] base::Duration with_jitter(base::Duration delay);

  RefreshOptions options_;
  base::Rng rng_;
  bool is_formed_ = false;
  bool is_first_ = true;
  bool has_failed_ = false;
  base::Duration back_off_{0};
  base::Duration ttl_{0};
};

[[nodiscard]] std::string describe(const RefreshOptions& options);
[[nodiscard]] std::string describe(const RefreshFsm& fsm);

}  // namespace whitewater::discovery

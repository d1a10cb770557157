// Watchdog: one coarse ticker for the deadlines of every connection. Arming and disarming a Deadline is two stores; a
// tick looks at each armed one. Deadlines fire up to one tick late, never early, which is enough to end idle and stuck
// connections. Lives on the reactor thread; owned by the server that owns the connections. Not for protocol timers.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>

#include "net/reactor.hpp"

namespace whitewater::net {

inline constexpr base::Duration watchdog_tick = base::milliseconds(100);

class Deadline;

class Watchdog {
 public:
  Watchdog() = default;
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Ticks until cancelled. Spawn it once.
  Awaitable<void> run();
  // One look at every deadline.
  void on_tick(base::Instant time);

 private:
  friend class Deadline;
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  boost::intrusive::list<Deadline, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>
      armed_;
};

// One connection's deadline. `on_expired` cancels the connection's socket; it runs on a tick and must not destroy the
// Deadline.
class Deadline : public Watchdog::Hook {
 public:
  Deadline(Watchdog& watchdog, std::function<void()> on_expired);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  // Replaces an earlier limit. Does not forget that it expired.
  void arm(base::Duration limit);
  void disarm();
  [[nodiscard]] bool has_expired() const { return has_expired_; }

 private:
  friend class Watchdog;
  Watchdog& watchdog_;
  std::function<void()> on_expired_;
  base::Instant at_;
  bool has_expired_ = false;
};

}  // namespace whitewater::net

#include "net/watchdog.hpp"

#include <utility>

#include "base/assert.hpp"

namespace whitewater::net {

Watchdog::~Watchdog() { WW_ASSERT_MSG(armed_.empty(), "a Watchdog outlives the connections that it watches"); }

Awaitable<void> Watchdog::run() {
  for (;;) {
    co_await sleep_for(watchdog_tick);
    on_tick(now());
  }
}

void Watchdog::on_tick(base::Instant time) {
  // The expired ones leave first: what they call may arm, disarm or destroy any other deadline.
  decltype(armed_) expired;
  for (auto deadline = armed_.begin(); deadline != armed_.end();) {
    auto& current = *deadline++;
    if (current.at_ > time) continue;
    current.unlink();
    expired.push_back(current);
  }
  while (!expired.empty()) {
    auto& deadline = expired.front();
    deadline.unlink();
    deadline.has_expired_ = true;
    deadline.on_expired_();
  }
}

Deadline::Deadline(Watchdog& watchdog, std::function<void()> on_expired)
    : watchdog_(watchdog), on_expired_(std::move(on_expired)) {}

void Deadline::arm(base::Duration limit) {
  at_ = now() + limit;
  if (!is_linked()) watchdog_.armed_.push_back(*this);
}

void Deadline::disarm() {
  if (is_linked()) unlink();
}

}  // namespace whitewater::net

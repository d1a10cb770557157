// Event: lets one coroutine sleep until another part of the same thread has news for it. A notification that comes
// while nobody waits is kept (one, not a count). Cheaper than a timer used as a condition variable: a notification is
// one post. Owned by whoever notifies or waits; must outlive its waiter. Not for threads other than the reactor's.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <memory>

#include "net/reactor.hpp"

namespace whitewater::net {

class Event {
 public:
  explicit Event(Executor executor) : executor_(executor) {}
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Wakes the waiter at the reactor's next turn, or lets the next wait() return at once.
  void notify();
  // At most one waiter at a time. Throws operation_aborted when the waiting coroutine is cancelled.
  Awaitable<void> wait();
  // The same without the exception: false when it was cancelled. Needs this_coro::throw_if_cancelled(false).
  Awaitable<bool> wait_no_throw();

  [[nodiscard]] bool has_waiter() const { return static_cast<bool>(waiter_); }

 private:
  using Handler = asio::any_completion_handler<void(error_code)>;
  struct Initiation;
  void start_wait(Handler handler);
  void complete(error_code error);

  Executor executor_;
  Handler waiter_;
  bool is_notified_ = false;
};

}  // namespace whitewater::net

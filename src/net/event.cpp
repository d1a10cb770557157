#include "net/event.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::net {

struct Event::Initiation {
  Event* event;
  template <class CompletionHandler>
  void operator()(CompletionHandler&& handler) const {
    event->start_wait(Handler(std::forward<CompletionHandler>(handler)));
  }
};

Event::~Event() { WW_ASSERT_MSG(!waiter_, "an Event outlives the coroutine that waits for it"); }

void Event::start_wait(Handler handler) {
  WW_ASSERT_MSG(!waiter_, "one coroutine waits for an Event at a time");
  if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
    // The coroutine clears its slot before it goes on, so this is never called for a later wait.
    slot.assign([this](asio::cancellation_type) { complete(asio::error::operation_aborted); });
  }
  waiter_ = std::move(handler);
}

void Event::complete(error_code error) {
  if (!waiter_) return;
  // Posted, never called in place: the notifier and the emitter of a cancellation are in the middle of something.
  asio::post(executor_, asio::append(std::exchange(waiter_, Handler()), error));
}

void Event::notify() {
  if (waiter_) {
    complete({});
  } else {
    is_notified_ = true;
  }
}

Awaitable<void> Event::wait() {
  if (std::exchange(is_notified_, false)) co_return;
  co_await asio::async_initiate<const UseAwaitable, void(error_code)>(Initiation{this}, use_awaitable);
}

Awaitable<bool> Event::wait_no_throw() {
  if (std::exchange(is_notified_, false)) co_return true;
  const auto [error] = co_await asio::async_initiate<const asio::as_tuple_t<UseAwaitable>, void(error_code)>(
      Initiation{this}, as_result);
  co_return !error;
}

}  // namespace whitewater::net

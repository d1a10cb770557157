#include "net/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::net {
namespace {

bool is_cancellation(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    return net::is_cancelled(error.code());
  } catch (...) {
    return false;
  }
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : executor_(executor), ended_(executor) {}

TaskGroup::~TaskGroup() { WW_ASSERT_MSG(tasks_.empty(), "a TaskGroup is joined before it dies"); }

void TaskGroup::spawn(Awaitable<void> task) {
  if (is_cancelled_) return;
  const auto entry = tasks_.emplace(tasks_.end());
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(
                     entry->slot(), [this, entry](const std::exception_ptr& failure) { on_task_end(entry, failure); }));
}

void TaskGroup::on_task_end(Tasks::iterator task, const std::exception_ptr& failure) {
  WW_ASSERT(!tasks_.empty());
  tasks_.erase(task);
  if (failure != nullptr && !is_cancellation(failure)) {
    if (first_failure_ == nullptr) first_failure_ = failure;
    cancel();
  }
  if (tasks_.empty()) ended_.notify();
}

void TaskGroup::cancel() {
  is_cancelled_ = true;
  // No operation completes inside emit(): sockets and timers complete at the next turn, Event posts. So no task ends,
  // and leaves the list, while it is walked; the next element is taken first all the same.
  for (auto task = tasks_.begin(); task != tasks_.end();) {
    auto& signal = *task++;
    signal.emit(asio::cancellation_type::terminal);
  }
}

Awaitable<void> TaskGroup::join() {
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  bool was_cancelled = false;
  while (!tasks_.empty()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (!was_cancelled && state.cancelled() != asio::cancellation_type::none) {
      was_cancelled = true;
      cancel();
      // A second cancellation must not cut the wait short.
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      continue;
    }
    co_await ended_.wait_no_throw();
  }
  if (was_cancelled) co_await asio::this_coro::reset_cancellation_state();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (first_failure_ != nullptr) std::rethrow_exception(std::exchange(first_failure_, nullptr));
  if (was_cancelled) throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace whitewater::net

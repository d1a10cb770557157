// TaskGroup: owns running coroutines. The first task that throws cancels its siblings and its exception comes out of
// join(). A group is joined before it dies; nothing is ever detached. Lives on the reactor thread.
// A cancelled task ends with operation_aborted, which is not a failure. Work that a task does after it was cancelled
// must not await (every further await throws): clean up in destructors. Does not restart tasks.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <exception>
#include <list>

#include "net/event.hpp"
#include "net/reactor.hpp"

namespace whitewater::net {

class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  // Asserts that no task runs any more.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts the task at the reactor's next turn. A group that is local to a coroutine is joined without another await in
  // between: a cancellation that arrived there would leave its tasks without an owner. After cancel() the task is
  // dropped without having run.
  void spawn(Awaitable<void> task);
  // Asks every running task to end, and refuses new ones. Safe to call from a task of the group and more than once.
  void cancel();
  // Waits until every task has ended, then rethrows the first failure. Exactly one coroutine may join at a time. When
  // the joining coroutine is itself cancelled the tasks are cancelled too, and it still waits for their end before it
  // throws operation_aborted: so nothing that a task refers to dies under it.
  Awaitable<void> join();

  [[nodiscard]] std::size_t running_count() const { return tasks_.size(); }
  [[nodiscard]] bool is_cancelled() const { return is_cancelled_; }
  [[nodiscard]] bool has_failed() const { return first_failure_ != nullptr; }
  [[nodiscard]] Executor executor() const { return executor_; }

 private:
  using Tasks = std::list<asio::cancellation_signal>;
  void on_task_end(Tasks::iterator task, const std::exception_ptr& failure);

  Executor executor_;
  Tasks tasks_;
  std::exception_ptr first_failure_;
  bool is_cancelled_ = false;
  Event ended_;
};

}  // namespace whitewater::net

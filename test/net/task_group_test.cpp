// Tasks have an owner: they end before it, the first failure wins, and cancellation reaches everyone.
#include "net/task_group.hpp"

#include <stdexcept>

#include "net/reactor_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::run_on_reactor;

namespace {

Awaitable<void> sleep_and_count(base::Duration duration, int* ended_count) {
  struct OnExit {
    int* count;
    ~OnExit() { ++*count; }
  } const on_exit{ended_count};
  co_await sleep_for(duration);
}

Awaitable<void> fail_after(base::Duration duration, std::string why) {
  co_await sleep_for(duration);
  throw std::runtime_error(why);
}

Awaitable<void> spawn_children(Executor executor, int child_count, int* ended_count) {
  TaskGroup group(executor);
  for (int i = 0; i < child_count; ++i) group.spawn(sleep_and_count(base::seconds(20), ended_count));
  co_await group.join();
}

Awaitable<void> wait_for(Event* event, int* woken_count) {
  for (;;) {
    co_await event->wait();
    ++*woken_count;
  }
}

Awaitable<base::Result<int>> answer_after(base::Duration duration, int value) {
  co_await sleep_for(duration);
  co_return value;
}

Awaitable<base::Result<int>> throw_after(base::Duration duration) {
  co_await sleep_for(duration);
  throw std::runtime_error("inside");
}

Awaitable<void> wait_with_timeout(base::Duration limit, bool* was_timed_out) {
  const auto result = co_await with_timeout(answer_after(base::seconds(20), 1), limit);
  *was_timed_out = result.has_error();
}

}  // namespace

TEST_CASE("the reactor names what it was compiled for") {
  CHECK((reactor_name() == "io_uring" || reactor_name() == "epoll"));
}

TEST_CASE("join returns when every task has ended") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    TaskGroup group(executor);
    for (int i = 0; i < 5; ++i) group.spawn(sleep_and_count(base::milliseconds(i * 3), &ended_count));
    co_await group.join();
    CHECK(ended_count == 5);
    CHECK(group.running_count() == 0);
    co_await group.join();  // an empty group joins at once
  });
}

TEST_CASE("the first failure cancels the siblings and comes out of join") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    TaskGroup group(executor);
    group.spawn(sleep_and_count(base::seconds(20), &ended_count));
    group.spawn(fail_after(base::milliseconds(5), "first"));
    group.spawn(sleep_and_count(base::seconds(20), &ended_count));
    std::string what;
    const auto before = now();
    try {
      co_await group.join();
    } catch (const std::runtime_error& failure) {
      what = failure.what();
    }
    CHECK(what == "first");
    CHECK(ended_count == 2);
    CHECK(now() - before < base::seconds(5));
  });
}

TEST_CASE("a later failure does not replace the first") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TaskGroup group(executor);
    group.spawn(fail_after(base::milliseconds(1), "first"));
    group.spawn(fail_after(base::milliseconds(1), "second"));
    std::string what;
    try {
      co_await group.join();
    } catch (const std::runtime_error& failure) {
      what = failure.what();
    }
    CHECK(what == "first");
  });
}

TEST_CASE("cancel ends every task and is not a failure; a task spawned after it never runs") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    TaskGroup group(executor);
    for (int i = 0; i < 3; ++i) group.spawn(sleep_and_count(base::seconds(20), &ended_count));
    co_await sleep_for(base::milliseconds(2));
    group.cancel();
    group.cancel();
    int late_count = 0;
    group.spawn(sleep_and_count(base::milliseconds(0), &late_count));
    co_await group.join();
    CHECK(ended_count == 3);
    CHECK(late_count == 0);
  });
}

TEST_CASE("tasks cancelled before their first step end too") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    TaskGroup group(executor);
    group.spawn(sleep_and_count(base::seconds(20), &ended_count));
    group.cancel();
    co_await group.join();
    CHECK(group.running_count() == 0);
  });
}

TEST_CASE("cancelling a coroutine that joins reaches its tasks, and it waits for their end") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    TaskGroup outer(executor);
    for (int i = 0; i < 4; ++i) outer.spawn(spawn_children(executor, 10, &ended_count));
    co_await sleep_for(base::milliseconds(5));
    outer.cancel();
    co_await outer.join();
    CHECK(ended_count == 40);
  });
}

TEST_CASE("a cancel storm of nested groups leaves nothing running") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    int ended_count = 0;
    int expected = 0;
    for (int round = 0; round < 100; ++round) {
      TaskGroup outer(executor);
      for (int i = 0; i < 5; ++i) outer.spawn(spawn_children(executor, i, &ended_count));
      if (round % 3 != 0) {
        co_await sleep_for(base::microseconds(round * 10));
        expected += 10;
      }
      const auto before = ended_count;
      outer.cancel();
      co_await outer.join();
      if (round % 3 != 0) CHECK(ended_count >= before);
      CHECK(outer.running_count() == 0);
    }
    CHECK(ended_count <= expected + 34 * 10);
  });
}

TEST_CASE("an event wakes its waiter once per notification, and keeps one that came early") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Event event(executor);
    int woken_count = 0;
    TaskGroup group(executor);
    event.notify();
    event.notify();
    group.spawn(wait_for(&event, &woken_count));
    co_await sleep_for(base::milliseconds(5));
    CHECK(woken_count == 1);
    for (int i = 2; i <= 20; ++i) {
      event.notify();
      co_await sleep_for(base::milliseconds(1));
      CHECK(woken_count == i);
    }
    group.cancel();
    co_await group.join();
    CHECK(!event.has_waiter());
  });
}

TEST_CASE("a notification and a cancellation at once end the waiter exactly once") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    for (int round = 0; round < 200; ++round) {
      Event event(executor);
      int woken_count = 0;
      TaskGroup group(executor);
      group.spawn(wait_for(&event, &woken_count));
      co_await sleep_for(base::microseconds(50));
      if (round % 2 == 0) event.notify();
      group.cancel();
      if (round % 2 == 1) event.notify();
      co_await group.join();
      CHECK(woken_count <= 1);
    }
  });
}

TEST_CASE("a time-out ends what takes longer, and only that") {
  run_on_reactor([](Executor) -> Awaitable<void> {
    const auto in_time = co_await with_timeout(answer_after(base::milliseconds(1), 5), base::seconds(10));
    CHECK(in_time.value() == 5);
    const auto before = now();
    const auto late = co_await with_timeout(answer_after(base::seconds(20), 5), base::milliseconds(20));
    CHECK(late.error() == base::Errc::timed_out);
    CHECK(now() - before >= base::milliseconds(19));
    CHECK(now() - before < base::seconds(5));
    bool has_thrown = false;
    try {
      (void)co_await with_timeout(throw_after(base::milliseconds(1)), base::seconds(10));
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    CHECK(has_thrown);
  });
}

TEST_CASE("a cancellation from outside is no time-out") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    bool was_timed_out = false;
    TaskGroup group(executor);
    group.spawn(wait_with_timeout(base::seconds(10), &was_timed_out));
    co_await sleep_for(base::milliseconds(5));
    group.cancel();
    co_await group.join();
    CHECK(!was_timed_out);
  });
}

TEST_CASE("timers fire again and again") {
  run_on_reactor([](Executor) -> Awaitable<void> {
    const auto before = now();
    for (int i = 0; i < 100; ++i) co_await sleep_for(base::milliseconds(1));
    CHECK(now() - before >= base::milliseconds(100));
    CHECK(now() - before < base::seconds(10));
  });
}

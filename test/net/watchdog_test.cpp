// Deadlines: fired once their time has passed, never earlier, and whatever they do to each other.
#include "net/watchdog.hpp"

#include "net/reactor_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;

TEST_CASE("a deadline fires on the first tick after its time, and once") {
  Watchdog watchdog;
  int fired_count = 0;
  Deadline deadline(watchdog, [&] { ++fired_count; });
  deadline.arm(base::seconds(1));
  const auto start = now();
  watchdog.on_tick(start);
  CHECK(fired_count == 0);
  CHECK(!deadline.has_expired());
  watchdog.on_tick(start + base::seconds(2));
  watchdog.on_tick(start + base::seconds(3));
  CHECK(fired_count == 1);
  CHECK(deadline.has_expired());
}

TEST_CASE("arming again replaces the limit, disarming drops it") {
  Watchdog watchdog;
  int fired_count = 0;
  Deadline deadline(watchdog, [&] { ++fired_count; });
  deadline.arm(base::seconds(1));
  deadline.arm(base::seconds(100));
  watchdog.on_tick(now() + base::seconds(10));
  CHECK(fired_count == 0);
  deadline.disarm();
  deadline.disarm();
  watchdog.on_tick(now() + base::seconds(1000));
  CHECK(fired_count == 0);
}

TEST_CASE("a deadline that fires may disarm or arm any other") {
  Watchdog watchdog;
  int fired_count = 0;
  Deadline* second_address = nullptr;
  Deadline first(watchdog, [&] {
    ++fired_count;
    second_address->disarm();
  });
  Deadline second(watchdog, [&] {
    ++fired_count;
    first.disarm();
  });
  second_address = &second;
  first.arm(base::seconds(1));
  second.arm(base::seconds(1));
  watchdog.on_tick(now() + base::seconds(2));
  CHECK(fired_count == 1);
}

TEST_CASE("the running watchdog ticks") {
  fixture::run_on_reactor([](Executor executor) -> Awaitable<void> {
    Watchdog watchdog;
    int fired_count = 0;
    Deadline deadline(watchdog, [&] { ++fired_count; });
    deadline.arm(base::milliseconds(50));
    TaskGroup tasks(executor);
    tasks.spawn(watchdog.run());
    const auto before = now();
    CHECK(co_await fixture::eventually([&] { return fired_count == 1; }));
    CHECK(now() - before >= base::milliseconds(50));
    tasks.cancel();
    co_await tasks.join();
  });
}

// The arithmetic of the open loop: nothing is sent early, nothing is lost without being counted.
#include "load/schedule.hpp"

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::bench;
using base::Instant;
using base::milliseconds;
using base::seconds;

namespace {

const Instant start{seconds(1000)};

}  // namespace

TEST_CASE("put k is meant for k / rate, and only those before the end exist") {
  Schedule schedule(start, 100, start + seconds(1), start + seconds(3));
  CHECK(schedule.is_due(start));
  std::uint64_t count = 0;
  while (!schedule.is_over()) {
    CHECK_FALSE(schedule.is_due(schedule.next() - base::Duration(1)));
    CHECK(schedule.take() == start + milliseconds(10) * count++);
  }
  CHECK(count == 300);
}

TEST_CASE("a backlog over ten seconds loses its oldest, and only those of the measured part are counted") {
  Schedule schedule(start, 100, start + seconds(5), start + seconds(60));
  CHECK(schedule.drop_before(start + seconds(10)) == 0);
  CHECK(schedule.drop_before(start + seconds(12)) == 0);  // the first two seconds, of the warm-up
  CHECK(schedule.next() == start + seconds(2));
  CHECK(schedule.drop_before(start + seconds(20)) == 500);
  CHECK(schedule.next() == start + seconds(10));
}

TEST_CASE("what is left at the end is counted once") {
  Schedule schedule(start, 3, start + seconds(1), start + seconds(11));
  for (int i = 0; i < 13; ++i) schedule.take();  // three of the warm-up, ten measured
  CHECK(schedule.left_before(start + seconds(11)) == 20);
  CHECK(schedule.left_before(start + seconds(3)) == 0);
}

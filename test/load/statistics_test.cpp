// What belongs to the measured part, and the silences between acknowledgements.
#include "load/statistics.hpp"

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::bench;
using base::Instant;
using base::milliseconds;
using base::seconds;

namespace {

const Instant begin{seconds(50)};
const Instant from = begin + seconds(1);
const Instant until = begin + seconds(3);

}  // namespace

TEST_CASE("an operation counts by the time it was meant for, whenever it ended") {
  Statistics statistics(begin, from, until);
  statistics.on_end(Outcome::acknowledged, from - milliseconds(1), from + milliseconds(20));
  statistics.on_end(Outcome::acknowledged, from, from + milliseconds(30));
  statistics.on_end(Outcome::unknown, from + milliseconds(10), from + milliseconds(250));
  statistics.on_end(Outcome::failed, from + milliseconds(10), from + milliseconds(260));
  statistics.on_end(Outcome::acknowledged, until - milliseconds(1), until + milliseconds(399));
  statistics.on_end(Outcome::acknowledged, until, until + milliseconds(1));
  const LoadResult result = statistics.take_result(until);
  CHECK(result.completed == 2);
  CHECK(result.failed == 1);
  CHECK(result.unknown == 1);
  CHECK(result.seconds == Approx(2));
  CHECK(result.latency.max() == milliseconds(400));
  REQUIRE(result.series.size() == 24);
  CHECK(result.series[0].completed == 1);
  CHECK(result.series[0].max == milliseconds(30));
  CHECK(result.series[2].failed == 2);
  CHECK(result.series[23].completed == 1);
}

TEST_CASE("the ten longest silences are kept, longest first, the one up to the end too") {
  Statistics statistics(begin, from, until);
  statistics.on_end(Outcome::acknowledged, begin, begin + milliseconds(10));  // of the warm-up: no silence
  Instant time = from;
  for (int i = 1; i <= 15; ++i) {
    time = time + milliseconds(i);
    statistics.on_end(Outcome::acknowledged, time, time);
  }
  const LoadResult result = statistics.take_result(until);
  REQUIRE(result.gaps.size() == gaps_max);
  CHECK(result.gaps[0].length == seconds(2) - milliseconds(120));
  CHECK(result.gaps[0].start == milliseconds(120));
  for (std::size_t i = 1; i < gaps_max; ++i) {
    CHECK(result.gaps[i].length == milliseconds(16 - static_cast<int>(i)));
  }
}

TEST_CASE("a load without any acknowledgement is one silence") {
  Statistics statistics(begin, from, until);
  const LoadResult result = statistics.take_result(until);
  REQUIRE(result.gaps.size() == 1);
  CHECK(result.gaps[0].length == seconds(2));
  CHECK(result.series.size() == 20);
}

TEST_CASE("a progress line shows what came since the one before, the warm-up too") {
  Statistics statistics(begin, from, until);
  statistics.on_end(Outcome::acknowledged, begin, begin + milliseconds(100));
  statistics.on_end(Outcome::unknown, begin, begin + milliseconds(100));
  const Progress first = statistics.take_progress(begin + milliseconds(500));
  CHECK(first.per_second == Approx(2));
  CHECK(first.p50_us == Approx(100'000).epsilon(0.01));
  CHECK(first.unknown == 1);
  CHECK(statistics.take_progress(begin + seconds(1)).unknown == 0);
}

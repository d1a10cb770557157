// The rate limit: a burst at once, then never more than the rate, whatever the sizes and the pauses.
#include "net/token_bucket.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::milliseconds;
using base::seconds;

namespace {

base::Instant at(base::Duration time) { return {time}; }

}  // namespace

TEST_CASE("a burst goes at once, what follows waits for its share of a second") {
  TokenBucket bucket(1000, 500);
  CHECK(bucket.take(500, at(seconds(5))) == base::Duration(0));
  CHECK(bucket.take(100, at(seconds(5))) == milliseconds(100));
  CHECK(bucket.take(100, at(seconds(5))) == milliseconds(200));
  CHECK(bucket.take(100, at(seconds(5) + milliseconds(200))) == milliseconds(100));
}

TEST_CASE("a pause earns no more than one burst") {
  TokenBucket bucket(1000, 500);
  CHECK(bucket.take(500, at(seconds(1))) == base::Duration(0));
  CHECK(bucket.take(500, at(seconds(1000))) == base::Duration(0));
  CHECK(bucket.take(500, at(seconds(1000))) == milliseconds(500));
}

TEST_CASE("without a burst every byte is waited for") {
  TokenBucket bucket(1 << 20, 0);
  CHECK(bucket.take(1 << 20, at(seconds(0))) == seconds(1));
  CHECK(bucket.take(1 << 20, at(seconds(1))) == seconds(1));
}

TEST_CASE("over any run of waits the rate is met, neither more nor less") {
  base::Rng rng(3);
  for (const std::uint64_t rate : {4096ULL, 1'000'000ULL, 123'456'789ULL, 1'000'000'000'000ULL}) {
    const std::size_t burst = 10'000;
    TokenBucket bucket(rate, burst);
    auto time = at(seconds(100));
    const auto begin = time;
    std::uint64_t sent = 0;
    for (int i = 0; i < 10'000; ++i) {
      const auto size = rng.in_range(1, 5000);
      time = time + bucket.take(size, time);
      sent += size;
    }
    const double expected_s = static_cast<double>(sent - burst) / static_cast<double>(rate);
    const double took_s = static_cast<double>((time - begin).count()) / 1e9;
    CHECK(took_s >= expected_s * 0.999);
    CHECK(took_s <= expected_s * 1.01 + 1e-4);
  }
}

TEST_CASE("a clock that steps back makes it wait, and the largest sizes do not overflow") {
  TokenBucket bucket(1, 0);
  CHECK(bucket.take(1UL << 30, at(seconds(1))) == seconds(1L << 30));
  TokenBucket stepped(1000, 0);
  CHECK(stepped.take(1000, at(seconds(10))) == seconds(1));
  CHECK(stepped.take(1000, at(seconds(9))) == seconds(3));
}

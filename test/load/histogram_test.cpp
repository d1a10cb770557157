// Quantiles against the sorted values themselves.
#include "load/histogram.hpp"

#include <algorithm>
#include <cmath>

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::bench;
using base::Duration;

TEST_CASE("every quantile of the histogram is at most 1 % above the true one, from nanoseconds to minutes") {
  base::Rng rng(7);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(rng.in_range(1, std::uint64_t{1} << rng.in_range(1, 38))));
    histogram.add(Duration(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(std::ceil(q * 20'000)) - 1]);
    const auto shown = static_cast<double>(histogram.quantile(q).count());
    CHECK(shown >= exact);
    CHECK(shown <= exact * 1.01);
  }
  CHECK(histogram.quantile(1).count() == values.back());
  CHECK(histogram.max().count() == values.back());
}

TEST_CASE("the buckets of the histogram hold every value, in order, each below its upper end") {
  Histogram histogram;
  for (const std::int64_t value : {0, 1, 511, 512, 513, 514, 1023, 1024, 1'000'000}) histogram.add(Duration(value));
  std::uint64_t count = 0;
  Duration last(-1);
  for (const auto& bucket : histogram.buckets()) {
    CHECK(bucket.upper > last);
    last = bucket.upper;
    count += bucket.count;
  }
  CHECK(count == 9);
  CHECK(histogram.mean().count() == (511 + 512 + 513 + 514 + 1023 + 1024 + 1'000'001) / 9);
}

TEST_CASE("an empty histogram says 0, a negative and an endless time are counted at its ends") {
  Histogram histogram;
  CHECK(histogram.quantile(0.5).count() == 0);
  CHECK(histogram.mean().count() == 0);
  histogram.add(Duration(-5));
  histogram.add(Duration::max());
  CHECK(histogram.quantile(0.5).count() == 0);
  CHECK(histogram.quantile(1) == Histogram::longest);
  histogram.clear();
  CHECK(histogram.count() == 0);
  CHECK(histogram.buckets().empty());
}

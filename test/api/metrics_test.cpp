// The registry and its exposition. The validator is tested on bad text first, so that its silence means something.
#include "api/metrics.hpp"

#include <cmath>

#include "base/rng.hpp"
#include "catch.hpp"
#include "exposition_validator.hpp"

using namespace whitewater;
using api::Histogram;
using api::Registry;

TEST_CASE("the validator finds what promtool finds") {
  for (const char* text : {
           "# HELP a_total x\n# TYPE a_total counter\na_total 1",
           "# HELP a x\n# TYPE a counter\na 1\n",
           "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
           "# HELP a_total \n# TYPE a_total counter\na_total 1\n",
           "# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n",
           "# HELP a x\n# TYPE a gauge\na{b=\"c} 1\n",
           "# HELP a x\n# TYPE a gauge\na{b=\"\\q\"} 1\n",
           "# HELP a x\n# TYPE a gauge\na 1\na 2\n",
           "# HELP a x\n# TYPE a gauge\na one\n",
           "# HELP b x\n# TYPE b gauge\nb 1\n# HELP a x\n# TYPE a gauge\na 1\n",
           "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
           "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
           "# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
           "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
           "# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
       }) {
    INFO(text);
    CHECK_FALSE(test::ExpositionValidator().validate(text).empty());
  }
  CHECK(test::ExpositionValidator().validate("# HELP a x\n# TYPE a gauge\na{b=\"c\",d=\"\"} 1e-06\n").empty());
}

TEST_CASE("the exposition of each kind, families by name and children by label values") {
  Registry registry;
  registry.gauge("b_gauge", "A gauge.").set(-1.5);
  registry.counter("a_total", "A counter.\nOf two lines \\.", {{"who", "z"}}).add(3);
  registry.counter("a_total", "A counter.\nOf two lines \\.", {{"who", "a\"b\\c\nd"}}).add();
  auto& histogram = registry.histogram("c_seconds", "A histogram.", {0.001, 0.5, 1}, {{"To", "x"}});
  histogram.record(0.0005);
  histogram.record(0.001);
  histogram.record(0.75);
  histogram.record(30);
  int scrapes = 0;
  registry.on_scrape([&scrapes] { ++scrapes; });
  registry.gauge_callback("d_scrapes", "Read at scrape time.", [&scrapes] { return scrapes; });
  registry.counter_callback("e_total", "Too.", [] { return 1e20; });
  const std::string text = registry.expose();
  CHECK(text ==
        "# HELP a_total A counter.\\nOf two lines \\\\.\n# TYPE a_total counter\n"
        "a_total{who=\"a\\\"b\\\\c\\nd\"} 1\na_total{who=\"z\"} 3\n"
        "# HELP b_gauge A gauge.\n# TYPE b_gauge gauge\nb_gauge -1.5\n"
        "# HELP c_seconds A histogram.\n# TYPE c_seconds histogram\n"
        "c_seconds_bucket{To=\"x\",le=\"0.001\"} 2\nc_seconds_bucket{To=\"x\",le=\"0.5\"} 2\n"
        "c_seconds_bucket{To=\"x\",le=\"1\"} 3\nc_seconds_bucket{To=\"x\",le=\"+Inf\"} 4\n"
        "c_seconds_sum{To=\"x\"} 30.7515\nc_seconds_count{To=\"x\"} 4\n"
        "# HELP d_scrapes Read at scrape time.\n# TYPE d_scrapes gauge\nd_scrapes 1\n"
        "# HELP e_total Too.\n# TYPE e_total counter\ne_total 1e+20\n");
  CHECK(test::ExpositionValidator().validate(text).empty());
  CHECK(registry.expose().find("d_scrapes 2\n") != std::string::npos);
}

TEST_CASE("numbers that are none are printed in Prometheus's words") {
  Registry registry;
  registry.gauge("a", "x").set(std::nan(""));
  registry.gauge("b", "x").set(INFINITY);
  registry.gauge("c", "x").set(-INFINITY);
  registry.gauge("d", "x").set(9007199254740991.0);
  const std::string text = registry.expose();
  CHECK(text.find("\na NaN\n") != std::string::npos);
  CHECK(text.find("\nb +Inf\n") != std::string::npos);
  CHECK(text.find("\nc -Inf\n") != std::string::npos);
  CHECK(text.find("\nd 9007199254740991\n") != std::string::npos);
  CHECK(test::ExpositionValidator().validate(text).empty());
}

TEST_CASE("the same name and labels are the same child, and handles stay valid") {
  Registry registry;
  auto& first = registry.counter("a_total", "x", {{"l", "1"}});
  for (int i = 0; i < 300; ++i) registry.counter("a_total", "x", {{"l", std::to_string(i)}});
  for (int i = 0; i < 300; ++i) registry.gauge("g" + std::to_string(i), "x");
  first.add(2.5);
  CHECK(&registry.counter("a_total", "x", {{"l", "1"}}) == &first);
  CHECK(registry.expose().find("a_total{l=\"1\"} 2.5\n") != std::string::npos);
}

TEST_CASE("a family's children are bounded: later label values share the child \"other\"") {
  Registry registry;
  for (std::size_t i = 0; i < api::family_children_max; ++i) {
    registry.counter("a_total", "x", {{"l", std::to_string(i)}}).add();
  }
  for (int i = 0; i < 1000; ++i) registry.counter("a_total", "x", {{"l", "late" + std::to_string(i)}}).add();
  const std::string text = registry.expose();
  CHECK(text.find("late") == std::string::npos);
  CHECK(text.find("a_total{l=\"other\"} 1000\n") != std::string::npos);
}

TEST_CASE("a histogram puts a value into the first bucket whose bound is not below it") {
  base::Rng rng(7);
  for (const auto& bounds : {api::latency_buckets_seconds(), api::exponential_buckets(0.001, 2, 14),
                             api::exponential_buckets(1, 2, 11), api::Buckets{0.3}, api::Buckets{1e-12, 1e15}}) {
    Histogram histogram(bounds);
    std::vector<std::uint64_t> expected(bounds.size() + 1);
    const auto record = [&](double value) {
      histogram.record(value);
      ++expected[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin())];
    };
    for (const double bound : bounds) {
      record(bound);
      record(std::nextafter(bound, 0));
      record(std::nextafter(bound, INFINITY));
    }
    for (const double value : {0.0, -0.0, -1.0, 1e-300, 1e300, 1e-9}) record(value);
    record(INFINITY);
    for (int i = 0; i < 10'000; ++i) {
      record(std::pow(10, static_cast<double>(rng.next() % 20'000) / 1000 - 12));
    }
    CHECK(std::vector<std::uint64_t>(histogram.counts().begin(), histogram.counts().end()) == expected);
  }
}

TEST_CASE("a histogram's sum, count and quantiles") {
  Histogram histogram({1, 2, 4});
  CHECK(std::isnan(histogram.quantile(0.5)));
  for (int i = 0; i < 10; ++i) histogram.record(1.5);
  histogram.record_ns(3'000'000'000);
  CHECK(histogram.count() == 11);
  CHECK(histogram.sum() == Approx(18.0));
  CHECK(histogram.quantile(0.5) == Approx(1.55));
  CHECK(histogram.quantile(1) == Approx(4));
  CHECK(histogram.quantile(0) == Approx(1));
  histogram.record(100);
  CHECK(histogram.quantile(1) == Approx(4));
}

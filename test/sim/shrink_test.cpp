// Shrinking with a made-up failure: what it needs stays, all else goes, within the runs that it may take.
#include "sim/shrink.hpp"

#include "catch.hpp"

using namespace whitewater::sim;

namespace {

SimOptions big_options() {
  SimOptions options = draw_options(7, 5);
  options.crash_interval_ms = 300;
  options.partition_interval_ms = 200;
  options.loss_per_mille = 50;
  options.duration_ms = 8000;
  options.spares = 2;
  options.clients = 8;
  return options;
}

}  // namespace

TEST_CASE("shrinking keeps what the failure needs and drops the rest") {
  std::uint64_t runs = 0;
  const SimOptions smallest = shrink(big_options(), 400, [&](const SimOptions& o, const std::string& change) {
    ++runs;
    CHECK_FALSE(change.empty());
    return o.partition_interval_ms == 200 && o.members >= 3 && o.duration_ms >= 1500 && o.clients >= 2;
  });
  CHECK(runs < 300);
  CHECK(smallest.seed == 7);
  CHECK(smallest.partition_interval_ms == 200);
  CHECK(smallest.crash_interval_ms == 0);
  CHECK(smallest.loss_per_mille == 0);
  CHECK(smallest.members == 3);
  CHECK(smallest.spares == 0);
  CHECK(smallest.clients == 2);
  CHECK(smallest.duration_ms >= 1500);
  CHECK(smallest.duration_ms < 2000);
}

TEST_CASE("a failure that is lost by every change is given back as it was") {
  const SimOptions options = big_options();
  const SimOptions smallest = shrink(options, 200, [](const SimOptions&, const std::string&) { return false; });
  CHECK(describe(smallest) == describe(options));
}

TEST_CASE("a failure that everything keeps shrinks to nothing in a few runs") {
  std::uint64_t runs = 0;
  const SimOptions smallest =
      shrink(big_options(), 60, [&](const SimOptions&, const std::string&) { return ++runs > 0; });
  CHECK(runs < 40);
  CHECK(smallest.members == 1);
  CHECK(smallest.crash_interval_ms == 0);
  CHECK(smallest.duration_ms == 100);
}

TEST_CASE("what the seed itself no longer shows, one of the next seeds may") {
  const SimOptions smallest = shrink(big_options(), 400, [&](const SimOptions& o, const std::string&) {
    return o.seed % 5 == 0 && o.loss_per_mille != 0;
  });
  CHECK(smallest.seed % 5 == 0);
  CHECK(smallest.loss_per_mille == 50);
  CHECK(smallest.crash_interval_ms == 0);
  CHECK(smallest.members == 1);
}

TEST_CASE("shrinking asks about no more runs than it may, and about none twice") {
  std::vector<std::string> asked;
  (void)shrink(big_options(), 10, [&](const SimOptions& o, const std::string&) {
    asked.push_back(describe(o));
    return asked.size() % 2 == 0;
  });
  CHECK(asked.size() == 10);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) CHECK(asked[i] != asked[k]);
  }
}

TEST_CASE("the differences between two runs are the settings that make one of the other") {
  SimOptions drawn = draw_options(9);
  SimOptions wanted = drawn;
  CHECK(differences(drawn, wanted).empty());
  wanted.loss_per_mille = drawn.loss_per_mille + 1;
  wanted.clients = drawn.clients + 1;
  const auto settings = differences(drawn, wanted);
  CHECK(settings.size() == 2);
  for (const std::string& setting : settings) REQUIRE(set_option(drawn, setting));
  CHECK(describe(drawn) == describe(wanted));
}

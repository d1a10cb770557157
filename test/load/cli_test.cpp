// The command line: what it prints, what it exits with, and that it names what is wrong.
#include "load/cli.hpp"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "load/fake_server.hpp"

using namespace whitewater::bench;
namespace json = boost::json;

namespace {

struct Run {
  int exit_code = 0;
  std::string out;
  std::string err;
};

Run run(std::vector<std::string> arguments, bool is_stopped = false) {
  std::ostringstream out;
  std::ostringstream err;
  const std::atomic<bool> stop = is_stopped;
  const int code = run_cli(std::move(arguments), out, err, stop);
  return {code, out.str(), err.str()};
}

std::string record_path() {
  return (std::filesystem::temp_directory_path() / ("whitewater-cli-" + std::to_string(::getpid()))).string();
}

std::uint64_t sum_of(const json::value& numbers) {
  std::uint64_t sum = 0;
  for (const auto& number : numbers.as_array()) sum += json::value_to<std::uint64_t>(number);
  return sum;
}

}  // namespace

TEST_CASE("the JSON of a load holds every field, and its parts agree") {
  FakeServer server;
  server.start();
  const Run load = run({"put", "--endpoints", server.endpoint(), "--connections", "2", "--rate", "300", "--seconds",
                        "0.4", "--warmup", "0.1", "--value-bytes", "10", "--json", "-", "--quiet"});
  REQUIRE(load.exit_code == 0);
  CHECK(load.err.empty());
  const auto result = json::parse(load.out).as_object();
  CHECK(result.at("tool") == "whitewater-load");
  CHECK(result.at("mode") == "open");
  CHECK(result.at("endpoints").as_array().at(0).as_string() == server.endpoint());
  CHECK(result.at("connections") == 2);
  CHECK(result.at("rate").to_number<double>() == 300);
  CHECK(result.at("value_bytes") == 10);
  CHECK(result.at("seconds").to_number<double>() == Approx(0.4));
  // All of them, but for what this process was too late with on a busy machine.
  const auto completed = json::value_to<std::uint64_t>(result.at("completed"));
  CHECK(completed + json::value_to<std::uint64_t>(result.at("dropped")) == 120);
  CHECK(completed > 20);
  for (const char* name : {"failed", "unknown", "connect_failures"}) CHECK(result.at(name) == 0);
  CHECK(result.at("per_second").to_number<double>() == Approx(static_cast<double>(completed) / 0.4).epsilon(0.001));
  CHECK(result.at("started_unix_ms").as_int64() > 1'600'000'000'000);
  CHECK(result.at("cpu_seconds").to_number<double>() > 0);
  CHECK(result.at("first_error") == "");
  double last = 0;
  for (const char* name : {"p50", "p90", "p99", "p999", "max"}) {
    const auto value = result.at("latency_us").at(name).to_number<double>();
    CHECK(value >= last);
    last = value;
  }
  CHECK(result.at("latency_us").at("mean").to_number<double>() <= last);
  std::uint64_t count = 0;
  for (const auto& bucket : result.at("histogram_us").as_array()) count += json::value_to<std::uint64_t>(bucket.at(1));
  CHECK(count == completed);
  const auto& series = result.at("series").as_object();
  CHECK(series.at("interval_ms") == 100);
  CHECK(sum_of(series.at("completed")) == completed);
  CHECK(sum_of(series.at("failed")) == 0);
  CHECK(series.at("max_us").as_array().size() == series.at("completed").as_array().size());
  CHECK(result.at("gaps").as_array().size() == 10);
  CHECK(result.at("gaps").at(0).at("ms").to_number<double>() >= result.at("gaps").at(9).at("ms").to_number<double>());
  CHECK(result.at("gaps").at(0).at("start_s").to_number<double>() < 0.5);
}

TEST_CASE("a load and its check: exit codes 0, 1 after a loss, 3 when nobody answers or nothing is recorded") {
  const std::string path = record_path();
  auto server = std::make_unique<FakeServer>();
  server->start();
  const std::string endpoint = server->endpoint();
  const Run load = run({"put", "--endpoints", endpoint, "--seconds", "0.1", "--warmup", "0", "--record", path});
  CHECK(load.exit_code == 0);
  CHECK_THAT(load.out, contains_text("puts in 0.1 s"));
  const std::vector<std::string> check{"check", "--endpoints", endpoint, "--record", path};
  const Run good = run(check);
  CHECK(good.exit_code == 0);
  const auto all = json::parse(good.out).as_object();
  CHECK(all.at("acknowledged").as_int64() > 0);
  CHECK(all.at("found") == all.at("acknowledged"));
  CHECK(all.at("lost").as_array().empty());
  CHECK(all.at("lost_count") == 0);
  {
    const std::lock_guard lock(server->store().mutex);
    server->store().entries.erase(server->store().entries.begin());
  }
  const Run lossy = run(check);
  CHECK(lossy.exit_code == 1);
  CHECK(json::parse(lossy.out).at("lost_count") == 1);
  CHECK(json::parse(lossy.out).at("lost").as_array().size() == 1);

  CHECK(run({"put", "--endpoints", endpoint, "--seconds", "0.1", "--record", path}, true).exit_code ==
        1);  // stopped at once
  const Run nothing = run(check);
  CHECK(nothing.exit_code == 3);
  CHECK_THAT(nothing.err, contains_text("nothing to check"));
  std::filesystem::remove(path);
  CHECK(run(check).exit_code == 3);
}

TEST_CASE("a load that nobody answers exits with 1 and says why") {
  const std::string endpoint = FakeServer().endpoint();
  const Run load = run({"put", "--endpoints", endpoint, "--seconds", "0.1", "--warmup", "0", "--quiet"});
  CHECK(load.exit_code == 1);
  CHECK_THAT(load.err, contains_text(endpoint));
  CHECK_THAT(load.err, contains_text("refused"));
}

TEST_CASE("a bad argument is named, with exit code 2") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> lines{
      {{}, "put or check?"},
      {{"put"}, "--endpoints"},
      {{"put", "--endpoints", "nowhere"}, "\"nowhere\" is not HOST:PORT"},
      {{"put", "--endpoints", "a:1,b:99999"}, "\"b:99999\" is not HOST:PORT"},
      {{"put", "--endpoints", "a:1", "--rate", "0"}, "--rate"},
      {{"put", "--endpoints", "a:1", "--connections", "many"}, "--connections"},
      {{"put", "--endpoints", "a:1", "--seconds", "-1"}, "--seconds"},
      {{"put", "--endpoints", "a:1", "--value-bytes", "1000000000"}, "--value-bytes"},
      {{"put", "--endpoints", "a:1", "--timeout-ms", "0"}, "--timeout-ms"},
      {{"put", "--endpoints", "a:1", "--colour"}, "--colour"},
      {{"check", "--endpoints", "a:1"}, "--record"},
      {{"pull", "--endpoints", "a:1"}, "pull"},
  };
  for (const auto& [arguments, named] : lines) {
    const Run result = run(arguments);
    INFO(named);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, contains_text(named));
  }
}

TEST_CASE("--help teaches by examples") {
  const Run help = run({"--help"});
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, contains_text("whitewater-load check --endpoints"));
  const Run put_help = run({"put", "--help"});
  CHECK(put_help.exit_code == 0);
  CHECK_THAT(put_help.out, contains_text("it certainly did not happen"));
}

// The load against a server that misbehaves: what it measures, what it counts, and that nothing but time ends it.
#include "load/put_load.hpp"

#include <set>
#include <thread>

#include "catch.hpp"
#include "load/fake_server.hpp"

using namespace whitewater;
using namespace whitewater::bench;
using std::chrono::milliseconds;

namespace {

constexpr double stall_us = 500e3;

LoadOptions options_for(std::vector<std::string> endpoints, double seconds) {
  LoadOptions options;
  options.endpoints = std::move(endpoints);
  options.connections = 4;
  options.seconds = seconds;
  options.warmup_seconds = 0;
  return options;
}

// A port on which nobody listens.
std::string dead_endpoint() { return FakeServer().endpoint(); }

LoadResult run_through_a_stall(double rate) {
  FakeServer server;
  server.stall(milliseconds(100), milliseconds(500));
  server.start();
  LoadOptions options = options_for({server.endpoint()}, 0.8);
  options.rate = rate;
  if (rate == 0) options.connections = 1;
  return run_puts(options);
}

}  // namespace

TEST_CASE("a stall of the server shows in the latency of an open loop, for every put that it delayed") {
  const LoadResult result = run_through_a_stall(500);
  CHECK(result.completed + result.dropped == 400);
  CHECK(result.completed > 200);
  CHECK(result.failed + result.unknown == 0);
  // 250 of 400 puts were meant for the time of the stall; half of these waited for more than half of it.
  CHECK(result.quantile_us(0.99) > 0.9 * stall_us);
  CHECK(result.quantile_us(0.80) > 0.5 * stall_us);
  CHECK(result.gaps.at(0).length > milliseconds(450));
}

TEST_CASE("a stall of the server hides in the latency of a closed loop") {
  const LoadResult result = run_through_a_stall(0);
  CHECK(result.quantile_us(0.99) < 0.5 * stall_us);
  CHECK(micros_of(result.latency.max()) > 0.9 * stall_us);
  CHECK(result.gaps.at(0).length > milliseconds(450));
}

TEST_CASE("a put is failed only when it certainly did not happen, else unknown, and the load goes on") {
  const std::map<std::uint64_t, Deed> deeds{{5, Deed::no_leader},  {10, Deed::hang_up},  {15, Deed::no_answer},
                                            {20, Deed::timed_out}, {25, Deed::too_many}, {26, Deed::hang_up}};
  FakeServer server;
  server.on_put = [&](std::uint64_t number) { return deeds.contains(number) ? deeds.at(number) : Deed::write; };
  server.start();
  LoadOptions options = options_for({server.endpoint()}, 0.5);
  options.connections = 1;
  options.timeout = milliseconds(100);
  const LoadResult result = run_puts(options);
  CHECK(result.failed == 2);
  CHECK(result.unknown == 4);
  CHECK(result.completed == server.puts() - deeds.size());
  CHECK(result.completed > 20);
  CHECK(result.connect_failures == 0);
  CHECK(server.connections() == 1 + deeds.size());
  CHECK_THAT(result.first_error, contains_text("no leader"));
}

TEST_CASE("a server that says good-bye with its last answer loses no put") {
  FakeServer server;
  server.on_put = [](std::uint64_t number) { return number % 10 == 9 ? Deed::good_bye : Deed::write; };
  server.start();
  const LoadResult result = run_puts(options_for({server.endpoint()}, 0.3));
  CHECK(result.failed + result.unknown == 0);
  CHECK(result.completed > 50);
  CHECK(server.connections() > 5);
}

TEST_CASE("connections of a server that ends go to the next one, from a name as from an address") {
  const auto store = std::make_shared<FakeStore>();
  auto first = std::make_unique<FakeServer>(store);
  FakeServer second(store);
  first->start();
  second.start();
  const LoadOptions options = options_for({first->endpoint(), "localhost:" + std::to_string(second.port())}, 0.6);
  std::thread ender([&] {
    std::this_thread::sleep_for(milliseconds(200));
    first.reset();
  });
  const LoadResult result = run_puts(options);
  ender.join();
  CHECK(result.failed == 0);
  CHECK(result.unknown <= 2);  // those under way on the two connections of the first
  CHECK(second.connections() >= 4);
  REQUIRE(result.series.size() >= 6);
  CHECK(result.series[5].completed > 0);
  CHECK(result.gaps.at(0).length < milliseconds(400));
}

TEST_CASE("a load without a server lasts as long as it was told, and counts every put") {
  const auto begin = std::chrono::steady_clock::now();
  LoadOptions options = options_for({dead_endpoint()}, 0.2);
  const LoadResult closed = run_puts(options);
  CHECK(closed.completed == 0);
  CHECK(closed.failed >= 8);  // four connections, each again after at most 100 ms
  CHECK(closed.failed == closed.connect_failures);
  CHECK_THAT(closed.first_error, contains_text("refused"));
  options.rate = 100;
  const LoadResult open = run_puts(options);
  CHECK(open.completed + open.failed + open.unknown == 0);
  CHECK(open.dropped == 20);
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(400));
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(3000));
}

TEST_CASE("puts of an open loop wait for a server that comes back") {
  std::unique_ptr<FakeServer> server = std::make_unique<FakeServer>();
  const std::uint16_t port = server->port();
  const std::string endpoint = server->endpoint();
  server.reset();
  std::thread starter([&] {
    std::this_thread::sleep_for(milliseconds(200));
    server = std::make_unique<FakeServer>(std::make_shared<FakeStore>(), port);
    server->start();
  });
  LoadOptions options = options_for({endpoint}, 0.5);
  options.rate = 200;
  const LoadResult result = run_puts(options);
  starter.join();
  CHECK(result.completed + result.dropped == 100);
  CHECK(result.completed > 40);
  CHECK(result.connect_failures > 0);
  CHECK(result.quantile_us(0.99) > 150e3);
}

TEST_CASE("what is still under way at the end is waited for, as long as its time-out") {
  FakeServer server;
  server.stall(milliseconds(200), milliseconds(300));
  server.start();
  LoadOptions options = options_for({server.endpoint()}, 0.3);
  const LoadResult answered = run_puts(options);
  CHECK(answered.unknown == 0);
  CHECK(answered.latency.max() > milliseconds(200));
  FakeServer silent;
  silent.on_put = [](std::uint64_t) { return Deed::no_answer; };
  silent.start();
  options.endpoints = {silent.endpoint()};
  options.seconds = 0.1;
  options.timeout = milliseconds(200);
  CHECK(run_puts(options).unknown == 4);
}

TEST_CASE("a value of a megabyte and one of no bytes arrive whole") {
  for (const std::size_t size : {0UL, 5UL, 1'000'000UL}) {
    FakeServer server;
    server.start();
    LoadOptions options = options_for({server.endpoint()}, 0.3);
    options.value_bytes = size;
    options.keys = 3;
    CHECK(run_puts(options).completed > 0);
    std::set<std::string> keys;
    for (const auto& [key, entry] : server.store().entries) {
      keys.insert(key);
      CHECK(entry.value.size() == size);
    }
    for (const auto& key : keys) CHECK((key == "load/1" || key == "load/2" || key == "load/3"));
  }
}

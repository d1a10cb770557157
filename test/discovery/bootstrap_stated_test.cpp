#include "bootstrap_bench.hpp"
#include "bootstrap_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// The number of founders where the options give none and the own StatefulSet can be read.

namespace {

Bench without_count(std::uint32_t ordinal) {
  Bench bench(ordinal, 0);
  bench.options.poll_max = seconds(1);
  bench.start();
  return bench;
}

// A peer that has read the same number.
PeerInfo stated(const Bench& bench, std::uint32_t ordinal, std::uint32_t expect) {
  auto info = bench.peer(ordinal);
  info.expect = expect;
  info.observed_hash = 0;
  return info;
}

}  // namespace

TEST_CASE("the StatefulSet's replicas are the number of founders, and nothing has to settle for ten seconds",
          "[bootstrap]") {
  auto bench = without_count(0);
  REQUIRE(bench.fsm->on_expect_stated(bench.now, 3));
  REQUIRE_FALSE(bench.fsm->status().is_inferred);
  const auto begin = bench.now;
  while (bench.all<Persist>().empty()) {
    REQUIRE(bench.now - begin < seconds(5));
    bench.round({stated(bench, 1, 3), stated(bench, 2, 3)});
  }
}

TEST_CASE("with the StatefulSet's replicas known a set that is too small founds nothing", "[bootstrap]") {
  auto bench = without_count(0);
  REQUIRE(bench.fsm->on_expect_stated(bench.now, 4));
  for (int i = 0; i < 30; ++i) bench.round({stated(bench, 1, 4), stated(bench, 2, 4)});
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.reason().find("waiting for 4 peers") == 0);
}

TEST_CASE("the options' number counts for more than the StatefulSet's, and one or none are no number of founders",
          "[bootstrap]") {
  Bench given(0, 3);
  given.start();
  REQUIRE_FALSE(given.fsm->on_expect_stated(given.now, 5));
  auto bench = without_count(0);
  REQUIRE_FALSE(bench.fsm->on_expect_stated(bench.now, 0));
  REQUIRE_FALSE(bench.fsm->on_expect_stated(bench.now, 1));
  REQUIRE_FALSE(bench.fsm->on_expect_stated(bench.now, founders_max + 1));
  REQUIRE(bench.fsm->on_expect_stated(bench.now, 2));
  REQUIRE_FALSE(bench.fsm->on_expect_stated(bench.now, 2));
}

// What was counted while the number was inferred proves nothing about the stated one.
TEST_CASE("an answer to a question from before the number was known is not counted", "[bootstrap]") {
  auto bench = without_count(0);
  bench.now = bench.now + milliseconds(1100);
  bench.fsm->on_tick(bench.now);
  const auto sent = bench.all<SendExchange>();
  REQUIRE_FALSE(sent.empty());
  REQUIRE(bench.fsm->on_expect_stated(bench.now, 3));
  for (const auto& send : sent) {
    bench.fsm->on_reply(bench.now, send.id, HelloReply{stated(bench, *ordinal_of(pod_name_of(send.address.host)), 3)});
  }
  REQUIRE(bench.phase() != BootstrapPhase::settling);
}

// The pods read it one after the other: no reason to call for a person.
TEST_CASE("a member that has read the number waits for one that has not, without an alarm", "[bootstrap]") {
  auto bench = without_count(0);
  REQUIRE(bench.fsm->on_expect_stated(bench.now, 3));
  bench.round({stated(bench, 1, 3), stated(bench, 2, 0)});
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-2 is not told how many founders there are") == 0);
  bench.round({stated(bench, 1, 3), stated(bench, 2, 3)});
  REQUIRE(bench.phase() == BootstrapPhase::settling);
}

TEST_CASE(
    "a coordinator takes an inferred set of another size back once the number is known, a follower keeps its promise",
    "[bootstrap]") {
  auto coordinator = without_count(0);
  while (coordinator.fsm->meta().state == MemberState::fresh) {
    coordinator.round({coordinator.peer(1), coordinator.peer(2)});
    for (const auto& action : coordinator.seen) {
      if (!std::holds_alternative<Persist>(action)) continue;
      coordinator.persist();
      break;
    }
    REQUIRE(coordinator.now < base::Instant(seconds(60)));
  }
  REQUIRE(coordinator.fsm->on_expect_stated(coordinator.now, 5));
  REQUIRE_FALSE(coordinator.fsm->on_expect_stated(coordinator.now, 5));
  coordinator.round({stated(coordinator, 1, 5), stated(coordinator, 2, 5)});
  REQUIRE(coordinator.persist().state == MemberState::fresh);

  auto follower = without_count(1);
  for (int i = 0; i < 20; ++i) follower.round({follower.peer(0), follower.peer(2)});
  REQUIRE(follower.ask(follower.prepare(follower.set()), true).accepted);
  REQUIRE_FALSE(follower.fsm->on_expect_stated(follower.now, 5));
  REQUIRE(follower.fsm->meta().state == MemberState::prepared);
}

TEST_CASE("five pods that read replicas: 5 found as soon as all five answer", "[bootstrap]") {
  WorldOptions options;
  options.expect = 0;
  options.members = 5;
  options.replicas = 5;
  BootstrapWorld world(options);
  const auto begin = world.now();
  for (std::size_t i = 0; i < 5; ++i) world.start(i);
  REQUIRE(world.run_until_formed(seconds(60)));
  REQUIRE(world.now() - begin < seconds(5));
  for (std::size_t i = 0; i < 5; ++i) REQUIRE(world.member(i).found->configuration.voters.size() == 5);
}

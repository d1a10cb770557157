#include "core/progress.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

namespace whitewater::core::test {
namespace {

constexpr WindowLimits limits{3, 1000};

Progress make_replicating(std::uint64_t match) {
  Progress p(Index(match + 1), {});
  p.on_accepted(Index(match));
  return p;
}

}  // namespace

TEST_CASE("a probe sends one append and then waits") {
  Progress p(Index(5), {});
  CHECK(p.state() == Progress::State::probe);
  CHECK(p.can_send(limits));
  p.on_sent(Index(7), 100, Index(2), 0);
  CHECK_FALSE(p.can_send(limits));
  CHECK(p.next() == Index(5));
  SECTION("the answer to a heartbeat allows another") {
    p.on_heartbeat_response(limits, 1);
    CHECK(p.can_send(limits));
  }
  SECTION("acceptance opens the pipeline") {
    CHECK(p.on_accepted(Index(7)));
    CHECK(p.state() == Progress::State::replicate);
    CHECK(p.match() == Index(7));
    CHECK(p.next() == Index(8));
    CHECK(p.in_flight_messages() == 0);
  }
  SECTION("rejection probes further back, never at the same place") {
    CHECK(p.on_rejected(Index(4), Index(9)));
    CHECK(p.next() == Index(4));
    CHECK(p.can_send(limits));
  }
  SECTION("a rejection of another probe is no news") {
    CHECK_FALSE(p.on_rejected(Index(2), Index(1)));
    CHECK(p.next() == Index(5));
  }
}

TEST_CASE("the pipeline stops at the limit of messages and at that of bytes") {
  Progress p = make_replicating(1);
  for (std::uint64_t i = 2; i <= 4; ++i) {
    CHECK(p.can_send(limits));
    p.on_sent(Index(i), 10, Index(0), 0);
  }
  CHECK_FALSE(p.can_send(limits));
  p.on_accepted(Index(3));
  CHECK(p.in_flight_messages() == 1);
  p.on_sent(Index(5), 1000, Index(0), 0);
  CHECK(p.in_flight_messages() == 2);
  CHECK_FALSE(p.can_send(limits));
}

TEST_CASE("an append without entries takes no place in the window") {
  Progress p = make_replicating(3);
  p.on_sent(Index(3), 0, Index(3), 0);
  CHECK(p.in_flight_messages() == 0);
  CHECK(p.commit_sent() == Index(3));
}

TEST_CASE("an acceptance that is old does not go back") {
  Progress p = make_replicating(8);
  CHECK_FALSE(p.on_accepted(Index(5)));
  CHECK(p.match() == Index(8));
  CHECK(p.next() == Index(9));
}

TEST_CASE("a rejection at or below the match is a late one") {
  Progress p = make_replicating(8);
  p.on_sent(Index(10), 10, Index(0), 0);
  CHECK_FALSE(p.on_rejected(Index(8), Index(2)));
  CHECK(p.state() == Progress::State::replicate);
  CHECK(p.on_rejected(Index(9), Index(3)));
  CHECK(p.state() == Progress::State::probe);
  CHECK(p.next() == Index(9));  // never before what is known to match
}

TEST_CASE("S23: rejection, snapshot and reconnect leave nothing in flight") {
  Progress p = make_replicating(1);
  p.on_sent(Index(2), 400, Index(0), 0);
  p.on_sent(Index(3), 400, Index(0), 0);
  SECTION("rejection") { p.on_rejected(Index(2), Index(1)); }
  SECTION("snapshot") { p.become_snapshot(); }
  SECTION("reconnect") { p.become_probe(); }
  CHECK(p.in_flight_messages() == 0);
  CHECK(p.in_flight_bytes() == 0);
}

TEST_CASE("S23: a reconnect keeps the place of a probe that has no match yet") {
  Progress p(Index(50), {});
  p.on_sent(Index(49), 0, Index(0), 0);
  p.become_probe();
  CHECK(p.next() == Index(50));
  CHECK(p.can_send(limits));
}

TEST_CASE("S23: a full window whose answers were lost opens by one on a heartbeat's answer") {
  Progress p = make_replicating(1);
  for (std::uint64_t i = 2; i <= 4; ++i) p.on_sent(Index(i), 10, Index(0), 0);
  p.on_heartbeat_response(limits, 1);
  CHECK(p.in_flight_messages() == 2);
  CHECK(p.can_send(limits));
}

TEST_CASE("S23: over any course of events the bytes in flight are those of the messages in flight") {
  base::Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    Progress p(Index(1), {});
    for (int i = 0; i < 60; ++i) {
      switch (rng.in_range(0, 5)) {
        case 0:
        case 1:
        case 2:
          if (p.can_send(limits)) p.on_sent(p.next(), rng.in_range(1, 300), Index(0), 0);
          break;
        case 3:
          p.on_accepted(Index(rng.in_range(p.match().value, p.next().value - 1)));
          break;
        case 4:
          p.on_heartbeat_response(limits, 1);
          break;
        default:
          if (p.next() > Index(1)) p.on_rejected(p.next().prev(), Index(rng.in_range(1, p.next().value)));
      }
      REQUIRE(p.match() < p.next());
      REQUIRE((p.in_flight_messages() == 0) == (p.in_flight_bytes() == 0));
      REQUIRE(p.in_flight_messages() <= limits.messages_max);
    }
    if (p.next() == Index(1)) p.on_accepted(Index(1));
    p.on_accepted(p.next().prev());
    CHECK(p.in_flight_bytes() == 0);
    p.on_heartbeat_response(limits, 1);  // a probe that was not taken whole waits for it
    CHECK(p.can_send(limits));
  }
}

TEST_CASE("a probe that was taken only in part is repeated after a heartbeat, not at once") {
  // Intent: a follower whose log is full acknowledges what it has; answering it at once would be a loop of round trips.
  Progress p(Index(5), {});
  p.on_sent(Index(9), 50, Index(0), 0);
  CHECK(p.on_accepted(Index(4)));
  CHECK(p.match() == Index(4));
  CHECK(p.state() == Progress::State::probe);
  CHECK_FALSE(p.can_send(limits));
  p.on_heartbeat_response(limits, 1);
  CHECK(p.can_send(limits));
  p.on_sent(Index(9), 50, Index(0), 0);
  CHECK(p.on_accepted(Index(9)));
  CHECK(p.state() == Progress::State::replicate);
}

TEST_CASE("nothing is sent while the log is being read or a snapshot is needed") {
  Progress p = make_replicating(1);
  p.set_reading_log(true);
  CHECK_FALSE(p.can_send(limits));
  p.set_reading_log(false);
  CHECK(p.can_send(limits));
  p.become_snapshot();
  CHECK_FALSE(p.can_send(limits));
  CHECK_FALSE(p.on_rejected(Index(9), Index(1)));
  p.on_heartbeat_response(limits, 1);
  CHECK_FALSE(p.can_send(limits));
}

TEST_CASE("an answer to heartbeats that left before the probe says nothing about the probe") {
  Progress p(Index(5), {});
  p.on_sent(Index(7), 100, Index(2), 3);
  p.on_heartbeat_response(limits, 3);
  CHECK_FALSE(p.can_send(limits));
  p.on_heartbeat_response(limits, 4);
  CHECK(p.can_send(limits));
}

TEST_CASE("a log that cannot serve a read is asked again after the next heartbeats, not at once") {
  Progress p = make_replicating(1);
  p.set_reading_log(true);
  p.on_log_read_failed(7);
  CHECK_FALSE(p.can_send(limits));
  p.on_heartbeat_response(limits, 7);
  CHECK_FALSE(p.can_send(limits));
  p.on_heartbeat_response(limits, 8);
  CHECK(p.can_send(limits));
  CHECK(p.next() == Index(2));
}

TEST_CASE("progress is described with its state and its window") {
  CHECK(describe(make_replicating(4)) == "replicate match=4 next=5 in_flight=0");
}

}  // namespace whitewater::core::test

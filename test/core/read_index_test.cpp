#include "core/read_index.hpp"

#include "catch.hpp"

namespace whitewater::core::test {

TEST_CASE("one round confirms every read that waited before it, at the index of its start") {
  ReadRounds rounds;
  rounds.add({NodeId(1), 10});
  rounds.add({NodeId(2), 11});
  rounds.start(Index(7));
  rounds.next_round();
  rounds.add({NodeId(1), 12});  // too late for this round
  const auto done = rounds.finish();
  REQUIRE(done.size() == 2);
  CHECK(done[0].request.tag == 10);
  CHECK(done[1].request.origin == NodeId(2));
  CHECK(done[1].index == Index(7));
  CHECK(rounds.waiting_count() == 1);
  CHECK_FALSE(rounds.is_running());
}

TEST_CASE("S50: only answers to rounds that left after the read count, and no id is used again") {
  ReadRounds rounds;
  const std::uint64_t before = rounds.next_round();
  rounds.add({NodeId(1), 1});
  rounds.start(Index(1));
  CHECK_FALSE(rounds.on_ack(NodeId(2), before));  // left before the read was asked
  const std::uint64_t first = rounds.next_round();
  CHECK(rounds.on_ack(NodeId(2), first));
  CHECK(rounds.has_ack(NodeId(2)));
  rounds.finish();
  CHECK_FALSE(rounds.on_ack(NodeId(3), first));
  rounds.add({NodeId(1), 2});
  rounds.start(Index(1));
  const std::uint64_t second = rounds.next_round();
  CHECK(second > first);
  CHECK_FALSE(rounds.has_ack(NodeId(2)));
  CHECK_FALSE(rounds.on_ack(NodeId(2), first));
  CHECK_FALSE(rounds.on_ack(NodeId(2), second + 1));
  CHECK_FALSE(rounds.has_ack(NodeId(2)));
  CHECK(rounds.on_ack(NodeId(2), rounds.next_round()));  // a later broadcast proves as much
}

TEST_CASE("S50: losing leadership empties the rounds but keeps their count") {
  ReadRounds rounds;
  rounds.add({NodeId(1), 1});
  rounds.start(Index(1));
  const std::uint64_t first = rounds.next_round();
  rounds.add({NodeId(3), 2});
  const auto all = rounds.take_all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].tag == 1);
  CHECK(all[1].tag == 2);
  CHECK(rounds.is_idle());
  rounds.add({NodeId(1), 3});
  rounds.start(Index(1));
  CHECK(rounds.next_round() > first);
}

}  // namespace whitewater::core::test

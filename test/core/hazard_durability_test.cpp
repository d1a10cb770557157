// Hazards of the catalogue that concern terms, votes and the durability of the log. docs/hazards.md names the mutation
// that each of these catches.
#include "catch.hpp"
#include "core/cluster_env.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

AppendRequest append(std::uint64_t prev_index, std::uint64_t prev_term, std::vector<Entry> entries) {
  return {Index(prev_index), Term(prev_term), Index(0), std::move(entries)};
}

SoloStart single() {
  SoloStart start;
  start.configuration = make_configuration({1});
  return start;
}

}  // namespace

TEST_CASE("S1: a granted vote leaves only together with its durability, and is not given twice after a crash") {
  SoloEnv env;
  const Output output = env.receive(2, 1, VoteRequest{});
  CHECK(find_body<VoteResponse>(output.messages) == nullptr);
  REQUIRE(find_body<VoteResponse>(output.after_persist, 2) != nullptr);
  REQUIRE(output.persist.has_value());
  // Crash right after the write: the vote is what the disk holds.
  SoloStart again;
  again.hard_state = *output.persist->hard_state;
  SoloEnv restarted(again);
  const Output second = restarted.receive(3, 1, VoteRequest{});
  CHECK_FALSE(find_body<VoteResponse>(second.after_persist, 3)->granted);
}

TEST_CASE("S1: a candidate's own vote counts only when it is durable") {
  SoloEnv env;
  env.campaign();
  env.receive(2, 1, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  env.receive(2, 1, VoteResponse{false, true});
  CHECK(env.node.role() == Role::candidate);
  env.persist_all();
  CHECK(env.node.role() == Role::leader);
}

TEST_CASE("S1: the votes of all others do not make a leader whose own term is not durable") {
  // Otherwise a crash forgets the term, the same voters vote for it again, and it leads the term twice.
  SoloEnv env;
  env.campaign();
  env.receive(2, 1, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  env.receive(2, 1, VoteResponse{false, true});
  env.receive(3, 1, VoteResponse{false, true});
  CHECK(env.node.role() == Role::candidate);
  env.persist_all();
  CHECK(env.node.role() == Role::leader);
}

TEST_CASE("S1: votes are not asked for with a log that a crash would shorten") {
  SoloStart start;
  start.hard_state.term = Term(1);
  SoloEnv env(start);
  env.receive(2, 1, append(0, 0, {make_command(1, 1)}));  // still being written
  env.campaign();
  const Output output = env.receive(3, 2, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  CHECK(find_body<VoteRequest>(output.messages) == nullptr);
  REQUIRE(find_body<VoteRequest>(output.after_persist, 3) != nullptr);
  CHECK(find_body<VoteRequest>(output.after_persist, 3)->last_index == Index(1));
}

TEST_CASE("S1: votes are asked for at once when only the own vote is being written") {
  SoloEnv env;
  env.campaign();
  const Output output = env.receive(3, 1, VoteResponse{true, true});
  CHECK(output.persist.has_value());
  CHECK(find_body<VoteRequest>(output.messages, 3) != nullptr);
}

TEST_CASE("S2: a term that was taken over is persisted even when no vote is given in it") {
  SoloStart start;
  start.log = make_log({3});
  SoloEnv env(start);
  const Output output = env.receive(2, 8, VoteRequest{});  // refused: its log is older
  REQUIRE(output.persist.has_value());
  CHECK(*output.persist->hard_state == HardState{Term(8), NodeId(0)});
}

TEST_CASE("S3: a cluster of one commits nothing before its own disk has it") {
  SoloEnv env(single());
  env.become_leader();
  REQUIRE(env.node.committed() == Index(1));
  const Output first = env.propose();
  CHECK(first.committed.empty());
  const Output second = env.propose();
  CHECK(env.persist(first.persist->token).committed.size() == 1);
  CHECK(env.node.committed() == Index(2));
  CHECK(env.persist(second.persist->token).committed.size() == 1);
}

TEST_CASE("S4: an acknowledgement waits for every write before it, also when it brings nothing new") {
  SoloEnv env;
  const AppendRequest request = append(0, 0, {make_command(1, 1)});
  env.receive(2, 1, request);
  const Output again = env.receive(2, 1, request);  // the same once more, while the write is under way
  CHECK_FALSE(again.persist.has_value());
  CHECK(find_body<AppendResponse>(again.messages) == nullptr);
  CHECK(find_body<AppendResponse>(again.after_persist, 2) != nullptr);
}

TEST_CASE("S17: the late completion of a write does not vouch for the entries that replaced it") {
  SoloEnv env;
  const auto first = env.receive(2, 1, append(0, 0, {make_command(1, 1), make_command(1, 2)})).persist->token;
  const auto second = env.receive(3, 2, append(0, 0, {make_command(2, 1), make_command(2, 2)})).persist->token;
  env.persist(first);
  CHECK(env.node.log().durable_index() == Index(0));
  env.persist(second);
  CHECK(env.node.log().durable_index() == Index(2));
}

// The disk holds what was written last: between the second write and the third the entry that is back is not on it. The
// transcript write_of_returned_entry shows what keeps a leader from bringing it back so early.
TEST_CASE("S17: an entry that was replaced and came back is durable only with its last write") {
  SoloEnv env;
  const auto first = env.receive(2, 1, append(0, 0, {make_command(1, 1), make_command(1, 2)})).persist->token;
  const auto second = env.receive(3, 2, append(1, 1, {make_command(2, 2)})).persist->token;
  const auto third = env.receive(2, 3, append(1, 1, {make_command(1, 2), make_command(3, 3)})).persist->token;
  env.persist(first);
  CHECK(env.node.log().durable_index() == Index(1));
  env.persist(second);
  CHECK(env.node.log().durable_index() == Index(1));
  env.persist(third);
  CHECK(env.node.log().durable_index() == Index(3));
}

TEST_CASE("S17: what was replaced is written again from its first index") {
  SoloEnv env;
  env.receive(2, 1, append(0, 0, {make_command(1, 1), make_command(1, 2), make_command(1, 3)}));
  env.persist_all();
  const Output output = env.receive(3, 2, append(1, 1, {make_command(2, 2)}));
  REQUIRE(output.persist.has_value());
  REQUIRE(output.persist->entries.size() == 1);
  CHECK(output.persist->entries.front().index == Index(2));
  CHECK(env.node.log().durable_index() == Index(1));
}

TEST_CASE("S59: counters near the end of their range neither crash a member nor move it") {
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  SoloStart start;
  start.log = make_log({1, 1, 1});
  for (const std::uint64_t index : {huge, huge - 1, huge / 2, huge / 2 + 1}) {
    SoloEnv follower(start);
    follower.receive(2, 1, AppendRequest{Index(index), Term(1), Index(index), {make_command(1, index + 1)}});
    follower.receive(2, 1, AppendRequest{Index(0), Term(0), Index(index), {make_command(1, huge)}});
    follower.receive(2, 1, Heartbeat{Index(index), index, Index(index)});
    CHECK(follower.node.log().last_index() == Index(3));
    CHECK(follower.node.committed() == Index(0));

    SoloEnv leader(start);
    leader.become_leader();
    leader.receive(2, 2, AppendResponse{false, Index(index), {}, {}});
    leader.receive(2, 2, AppendResponse{true, Index(index), Index(index), Term(index)});
    leader.receive(2, 2, AppendResponse{true, Index(3), Index(index), Term(index)});
    leader.receive(2, 2, HeartbeatResponse{index});
    CHECK(leader.node.committed() == Index(0));
  }
}

TEST_CASE("S59: a term beyond any that an election can reach is not taken over") {
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t term : {huge, huge - 1, term_max.value + 1}) {
    SoloEnv env;
    env.receive(2, term, Heartbeat{});
    env.receive(2, term, VoteRequest{false, false, Index(1), Term(1)});
    env.receive(2, term, VoteRequest{true, false, Index(1), Term(1)});
    CHECK(env.node.term() == Term(0));
  }
  SoloEnv env;
  env.receive(2, term_max.value, AppendResponse{});
  CHECK(env.node.term() == term_max);
  env.campaign();  // nobody would listen, but it must not wrap around
  env.receive(2, term_max.value + 1, VoteResponse{true, true});
  CHECK(env.node.term() == term_max);
}

}  // namespace whitewater::core::test

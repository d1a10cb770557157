// Hazards of the catalogue that concern snapshots, and changes of the configuration while one is on its way.
// docs/hazards.md names the mutation that each of these catches.
#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

AppendRequest append_request(std::uint64_t prev_index, std::uint64_t prev_term, std::vector<Entry> entries) {
  return {Index(prev_index), Term(prev_term), Index(0), std::move(entries)};
}

SnapshotPoint point(std::uint64_t index, std::uint64_t term, Configuration configuration) {
  return {Index(index), Term(term), std::move(configuration)};
}

const Configuration three = make_configuration({1, 2, 3});

// A leader of three with ten durable entries, of which 2 holds all; 3 has asked for what is released.
SoloEnv leader_with_snapshot_under_way() {
  SoloStart start;
  start.log = make_log({1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  start.applied = 10;
  SoloEnv env(start);
  env.become_leader();
  env.acknowledge(2);
  env.node.on_released(Index(9));
  env.receive(3, 2, AppendResponse{true, Index(10), Index(4), Term(1)});
  REQUIRE(env.node.progress().at(NodeId(3)).state() == Progress::State::snapshot);
  env.node.on_snapshot_started(NodeId(3), Index(10));
  return env;
}

}  // namespace

// The disk still holds what was before the snapshot, at the same indexes.
TEST_CASE("S18: a write from before a snapshot does not vouch for what follows the snapshot") {
  SoloEnv env;
  const auto before = env.receive(2, 1, append_request(0, 0, make_log({1, 1, 1, 1, 1}))).persist->token;
  env.receive(3, 2, Heartbeat{});
  env.node.install_snapshot(env.now, point(3, 2, three));
  env.take();
  env.receive(3, 2, append_request(3, 2, {make_command(2, 4), make_command(2, 5)}));
  REQUIRE(env.node.log().last_index() == Index(5));
  env.persist(before);
  CHECK(env.node.log().durable_index() == Index(3));
  env.persist_all();
  CHECK(env.node.log().durable_index() == Index(5));
}

TEST_CASE("S38: a snapshot that was taken in a joint configuration is left by the next leader") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  env.node.install_snapshot(env.now, point(5, 1, make_configuration({1, 2}, {1, 2, 3})));
  env.take();
  env.persist_all();
  CHECK(env.node.configuration().is_joint());
  env.become_leader();
  CHECK(env.node.configuration().is_joint());
  env.acknowledge(2);
  env.take();
  CHECK(env.node.configuration() == make_configuration({1, 2}));
}

TEST_CASE("S39: a snapshot's configuration takes the place of the log that it replaces, and of no other") {
  const Configuration four = make_configuration({1, 2, 3, 4});
  SoloStart start;
  start.log = {make_command(1, 1), make_command(1, 2), make_configuration_entry(1, 3, four)};
  SECTION("the log leads to the snapshot: its newer configuration stays") {
    SoloEnv env(start);
    CHECK_FALSE(env.node.needs_snapshot(Index(2), Term(1)));
    CHECK(env.node.configuration() == four);
  }
  SECTION("the log ends in another history: what it held is gone") {
    SoloEnv env(start);
    env.receive(2, 2, Heartbeat{});
    REQUIRE(env.node.needs_snapshot(Index(2), Term(2)));
    env.node.install_snapshot(env.now, point(2, 2, three));
    CHECK(env.node.configuration() == three);
    CHECK_FALSE(env.node.has_uncommitted_change());
  }
}

TEST_CASE("S41: a member that is removed while a snapshot is on its way to it is forgotten") {
  SoloEnv env = leader_with_snapshot_under_way();
  const ConfigurationChange removal{{{ChangeKind::remove, make_members({3})[0]}}};
  REQUIRE(env.node.on_propose_change(env.now, {}, removal));
  env.take();
  env.persist_all();
  env.acknowledge(2);
  CHECK_FALSE(env.node.progress().contains(NodeId(3)));
  env.node.on_snapshot_sent(env.now, NodeId(3), Index(10));
  env.node.on_snapshot_started(NodeId(3), Index(11));
  CHECK(env.take().messages.empty());
  CHECK(env.node.releasable_behind_healthy() == env.node.log().last_index());
}

TEST_CASE("5: what a snapshot brought counts when the follower's log says so, not when its transfer is done") {
  SoloEnv env = leader_with_snapshot_under_way();
  env.node.on_snapshot_sent(env.now, NodeId(3), Index(10));
  const Progress& progress = env.node.progress().at(NodeId(3));
  CHECK(progress.state() == Progress::State::probe);
  CHECK(progress.match() == Index(0));
  CHECK(progress.next() == Index(11));
  const auto output = env.take();
  const auto* probe = find_body<AppendRequest>(output.messages, 3);
  REQUIRE(probe != nullptr);
  CHECK(probe->prev_index == Index(10));
  env.receive(3, 2, AppendResponse{false, Index(11), Index(0), Term(0)});
  CHECK(progress.match() == Index(11));
}

TEST_CASE("S44: a second snapshot may come before the log behind the first one is durable") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  env.persist_all();
  env.node.install_snapshot(env.now, point(5, 1, three));
  const auto first = env.take().persist;
  REQUIRE(first.has_value());
  env.node.install_snapshot(env.now, point(9, 1, three));
  const Output output = env.take();
  REQUIRE(output.persist.has_value());
  CHECK(output.persist->reset == TermRun{Index(9), Term(1)});
  env.persist(first->token);
  CHECK(env.node.log().first_index() == Index(10));
  CHECK(env.node.committed() == Index(9));
  env.persist(output.persist->token);
  CHECK(env.node.log().durable_index() == Index(9));
  // The sender of the first one is late.
  CHECK_FALSE(env.node.needs_snapshot(Index(5), Term(1)));
}

TEST_CASE("S46: a snapshot is judged by its index and whether the log leads there, not by its term alone") {
  SoloStart start;
  start.log = make_log({1, 1, 3, 3});
  start.applied = 2;
  start.hard_state.term = Term(3);
  SoloEnv env(start);
  CHECK(env.node.needs_snapshot(Index(3), Term(2)));        // an older term, another history
  CHECK(env.node.needs_snapshot(Index(9), Term(2)));        // an older term, farther
  CHECK_FALSE(env.node.needs_snapshot(Index(4), Term(3)));  // the log leads there
  CHECK_FALSE(env.node.needs_snapshot(Index(2), Term(1)));  // applied
  CHECK_FALSE(env.node.needs_snapshot(Index(1), Term(3)));  // stale, whatever its term
}

}  // namespace whitewater::core::test

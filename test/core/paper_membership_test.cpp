// The thesis's rules for changes of the configuration (§4), for leases (§6.4.1) and for snapshots (§5), on one node.
#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

constexpr RequestId request{NodeId(1), 7};

ConfigurationChange change(ChangeKind kind, const Ids& ids) {
  ConfigurationChange value;
  for (const Member& member : make_members(ids)) value.changes.push_back({kind, member});
  return value;
}

// Leads, and everything in the log is committed and acknowledged by all.
void lead(SoloEnv& env) {
  env.become_leader();
  for (const Member& member : env.node.configuration().members()) {
    if (member.id != env.node.id()) env.acknowledge(member.id.value);
  }
  REQUIRE(env.node.has_committed_in_term());
}

base::Result<void> propose(SoloEnv& env, ConfigurationChange value) {
  return env.node.on_propose_change(env.now, request, std::move(value));
}

SoloStart with(const Configuration& configuration) {
  SoloStart start;
  start.configuration = configuration;
  return start;
}

}  // namespace

TEST_CASE("4.1: a configuration is in force as soon as it is in the log") {
  SoloEnv env;
  lead(env);
  REQUIRE(propose(env, change(ChangeKind::add_learner, {4})));
  const Output output = env.take();
  CHECK(env.node.configuration() == make_configuration({1, 2, 3}, {}, {4}));
  CHECK(env.node.has_uncommitted_change());
  CHECK(find_body<AppendRequest>(output.messages, 4) != nullptr);
}

TEST_CASE("4.1: one change at a time") {
  SoloEnv env;
  lead(env);
  REQUIRE(propose(env, change(ChangeKind::add_learner, {4})));
  CHECK(propose(env, change(ChangeKind::add_learner, {5})).error() == base::Errc::change_in_progress);
  env.take();
  env.persist_all();
  env.acknowledge(2);
  CHECK_FALSE(env.node.has_uncommitted_change());
  CHECK(propose(env, change(ChangeKind::add_learner, {5})).has_value());
}

TEST_CASE("S34: no change before an entry of the own term is committed") {
  SoloEnv env;
  env.become_leader();
  CHECK(propose(env, change(ChangeKind::remove, {3})).error() == base::Errc::change_in_progress);
  env.acknowledge(2);
  CHECK(propose(env, change(ChangeKind::remove, {3})).has_value());
}

TEST_CASE("4.2.1: a learner gets a vote only when it has caught up and answers") {
  NodeOptions options = solo_options(1);
  options.promotion_lag_entries_max = 2;
  SoloEnv env(options, with(make_configuration({1, 2, 3}, {}, {4})));
  lead(env);
  for (int i = 0; i < 3; ++i) env.propose();
  CHECK(propose(env, change(ChangeKind::promote, {4})).error() == base::Errc::learner_not_ready);
  env.persist_all();
  env.acknowledge(2);
  env.acknowledge(4);
  SECTION("and still answers") { CHECK(propose(env, change(ChangeKind::promote, {4})).has_value()); }
  SECTION("and is silent for an election time-out") {
    for (int i = 0; i < 15; ++i) {
      env.tick(base::milliseconds(100));
      for (const std::uint64_t id : {2, 3}) env.receive(id, 1, HeartbeatResponse{});
    }
    REQUIRE(env.node.role() == Role::leader);
    CHECK(propose(env, change(ChangeKind::promote, {4})).error() == base::Errc::learner_not_ready);
  }
}

TEST_CASE("a change that the members which answer could not carry is refused") {
  SoloEnv env;
  lead(env);
  const auto silent = [&](const std::vector<std::uint64_t>& answering) {
    for (int i = 0; i < 12; ++i) {
      env.tick(base::milliseconds(100));
      for (const std::uint64_t id : answering) env.receive(id, 1, HeartbeatResponse{});
    }
    REQUIRE(env.node.role() == Role::leader);
  };
  silent({2});
  CHECK(propose(env, change(ChangeKind::remove, {2})).error() == base::Errc::quorum_at_risk);
  CHECK(propose(env, change(ChangeKind::remove, {1})).error() == base::Errc::quorum_at_risk);
  SECTION("taking the silent one out is not") { CHECK(propose(env, change(ChangeKind::remove, {3})).has_value()); }
  SECTION("nor is it once the silent one answers again") {
    silent({2, 3});
    CHECK(propose(env, change(ChangeKind::remove, {2})).has_value());
  }
}

TEST_CASE("4.3: a joint configuration needs both majorities and is left by itself") {
  SoloEnv env(with(make_configuration({1, 2, 3}, {}, {4, 5})));
  lead(env);
  ConfigurationChange swap = change(ChangeKind::promote, {4, 5});
  for (const MemberChange& removal : change(ChangeKind::remove, {2, 3}).changes) swap.changes.push_back(removal);
  REQUIRE(propose(env, swap));
  env.take();
  env.persist_all();
  const Index joint = env.node.log().last_index();
  CHECK(env.node.configuration().is_joint());
  env.acknowledge(4);
  env.acknowledge(5);
  CHECK(env.node.committed() < joint);  // all of the new, only the leader of the old
  Output output = env.acknowledge(2);
  CHECK(env.node.committed() == joint);
  CHECK(env.node.configuration() == make_configuration({1, 4, 5}));
  CHECK(env.node.log().at(joint).request == RequestId{});
  CHECK(env.node.log().at(joint.next()).request == request);  // the end of the change answers
  env.persist_all();
  env.acknowledge(4);
  CHECK(env.node.committed() == joint.next());
  CHECK_FALSE(env.node.progress().contains(NodeId(2)));
}

// An entry more would make the successor's log too short for anybody's vote.
TEST_CASE("4.3: a joint configuration is not left while leadership is handed over") {
  SoloEnv env(with(make_configuration({1, 2, 3}, {}, {4, 5})));
  lead(env);
  REQUIRE(propose(env, change(ChangeKind::promote, {4, 5})));
  env.take();
  env.persist_all();
  env.acknowledge(4);
  env.acknowledge(5);
  REQUIRE(env.node.transfer_leadership(env.now));
  env.take();
  const Output output = env.acknowledge(2);
  CHECK_FALSE(env.node.has_uncommitted_change());
  CHECK(env.node.configuration().is_joint());
  env.tick(solo_options(1).election_timeout);  // it has come to nothing
  CHECK_FALSE(env.node.configuration().is_joint());
}

TEST_CASE("4.3: a new leader leaves the joint configuration that an earlier one began") {
  SoloStart start = with(make_configuration({1, 2, 3}));
  start.log = {make_command(1, 1), make_configuration_entry(1, 2, make_configuration({1, 2}, {1, 2, 3}))};
  SoloEnv env(start);
  env.become_leader();
  CHECK(env.node.configuration().is_joint());
  env.acknowledge(2);
  env.take();
  CHECK(env.node.configuration() == make_configuration({1, 2}));
  CHECK(env.node.log().last_index() == Index(4));
}

TEST_CASE("4.2.2: a removed leader leads until its removal is committed, without counting itself") {
  SoloEnv env;
  lead(env);
  REQUIRE(propose(env, change(ChangeKind::remove, {1})));
  env.take();
  env.persist_all();
  env.acknowledge(2);
  CHECK(env.node.role() == Role::leader);  // of 2 and 3 one has it: no majority
  const Output output = env.acknowledge(3);
  CHECK(env.node.role() == Role::follower);
  CHECK(env.node.committed() == env.node.log().last_index());
  CHECK(find_body<TimeoutNow>(output.messages) != nullptr);
  env.tick(base::seconds(10));
  CHECK(env.node.role() == Role::follower);  // and never campaigns again
}

TEST_CASE("4.2.2: who is voted out by an uncommitted entry still campaigns, and does not count its own vote") {
  SoloStart start;
  start.log = {make_command(1, 1), make_configuration_entry(1, 2, make_configuration({2, 3}))};
  start.applied = 1;
  SoloEnv env(start);
  Output output = env.campaign();
  REQUIRE(env.node.role() == Role::pre_candidate);
  CHECK(find_body<VoteRequest>(output.messages, 2) != nullptr);
  env.receive(2, 2, VoteResponse{true, true});
  CHECK(env.node.role() == Role::pre_candidate);  // one of two
  env.receive(3, 2, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  env.persist_all();
  env.receive(2, 2, VoteResponse{false, true});
  CHECK(env.node.role() == Role::candidate);
  env.receive(3, 2, VoteResponse{false, true});
  CHECK(env.node.role() == Role::leader);
}

TEST_CASE("a follower hands a change to its leader and passes on the refusal") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  REQUIRE(propose(env, change(ChangeKind::add_learner, {4})));
  Output output = env.take();
  const auto* forwarded = find_body<ForwardedChange>(output.messages, 2);
  REQUIRE(forwarded != nullptr);
  CHECK(forwarded->change == change(ChangeKind::add_learner, {4}));
  output = env.receive(2, 1, ForwardRejected{{request}, base::Errc::change_in_progress});
  REQUIRE(output.rejected.size() == 1);
  CHECK(output.rejected.front().reason == base::Errc::change_in_progress);
}

TEST_CASE("a leader answers a forwarded change that it refuses") {
  SoloEnv env;
  lead(env);
  const Output output = env.receive(2, 1, ForwardedChange{{NodeId(2), 9}, change(ChangeKind::remove, {8})});
  const auto* rejected = find_body<ForwardRejected>(output.messages, 2);
  REQUIRE(rejected != nullptr);
  CHECK(rejected->reason == base::Errc::member_not_found);
}

TEST_CASE("an answer to an own request counts also when its sender is in an older term") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  env.receive(3, 4, Heartbeat{});
  CHECK(env.receive(2, 1, ForwardRejected{{request}, base::Errc::not_leader}).rejected.size() == 1);
  CHECK(env.receive(2, 1, ReadIndexResponse{5, false, Index(0)}).reads.size() == 1);
}

namespace {

NodeOptions leasing(std::uint64_t id) {
  NodeOptions options = solo_options(id);
  options.lease_reads = true;
  return options;
}

// The next heartbeats leave and `id` answers them.
void renew(SoloEnv& env, std::uint64_t id) {
  const Output output = env.tick(base::milliseconds(100));
  const auto* heartbeat = find_body<Heartbeat>(output.messages, id);
  REQUIRE(heartbeat != nullptr);
  env.receive(id, env.node.term().value, HeartbeatResponse{heartbeat->read_round});
}

}  // namespace

TEST_CASE("6.4.1: a lease answers reads at once and ends before anybody else may lead") {
  SoloEnv env(leasing(1), {});
  lead(env);
  CHECK_FALSE(env.node.holds_lease(env.now));
  CHECK(env.read(1).reads.empty());
  renew(env, 2);
  REQUIRE(env.node.holds_lease(env.now));
  const Output output = env.read(2);
  REQUIRE_FALSE(output.reads.empty());
  CHECK(output.reads.back().index == env.node.committed());
  // Anchored at the heartbeat's departure; a tenth of the time-out is kept for drifting clocks.
  CHECK(env.node.holds_lease(env.now + base::milliseconds(899)));
  CHECK_FALSE(env.node.holds_lease(env.now + base::milliseconds(900)));
}

// Until then its commit index may be older than what its predecessor acknowledged.
TEST_CASE("S49: a lease answers no read before an entry of the term is committed") {
  SoloEnv env(leasing(1), {});
  env.become_leader();
  renew(env, 2);
  CHECK_FALSE(env.node.holds_lease(env.now));
  CHECK(env.read(5).reads.empty());
  env.acknowledge(2);
  CHECK(env.node.holds_lease(env.now));
}

TEST_CASE("S51: an answer that took long extends the lease only from when the question left") {
  SoloEnv env(leasing(1), {});
  lead(env);
  const Output output = env.tick(base::milliseconds(100));
  const std::uint64_t round = find_body<Heartbeat>(output.messages, 2)->read_round;
  const base::Instant sent = env.now;
  for (int i = 0; i < 8; ++i) env.tick(base::milliseconds(100));
  env.receive(2, 1, HeartbeatResponse{round});
  CHECK_FALSE(env.node.holds_lease(sent + base::milliseconds(900)));
}

TEST_CASE("S52: a lease is void once leadership is being handed over, and stays so for the term") {
  SoloEnv env(leasing(1), {});
  lead(env);
  renew(env, 2);
  renew(env, 3);
  REQUIRE(env.node.transfer_leadership(env.now));
  CHECK_FALSE(env.node.holds_lease(env.now));
  env.take();
  for (int i = 0; i < 12; ++i) {
    renew(env, 2);
    renew(env, 3);
  }
  REQUIRE_FALSE(env.node.is_transferring());
  REQUIRE(env.node.role() == Role::leader);
  CHECK_FALSE(env.node.holds_lease(env.now));  // the TimeoutNow may still arrive
}

TEST_CASE("S52: a process that did not run for a while does not trust its lease") {
  SoloEnv env(leasing(1), {});
  lead(env);
  renew(env, 2);
  env.node.on_stall(env.now);
  CHECK_FALSE(env.node.holds_lease(env.now));
  renew(env, 2);
  CHECK(env.node.holds_lease(env.now));
}

TEST_CASE("S51: with leases a restarted member votes for nobody within an election time-out") {
  SoloEnv env(leasing(1), {});
  env.tick(base::milliseconds(990));
  Output output = env.receive(2, 5, VoteRequest{false, false, Index(9), Term(4)});
  CHECK(env.node.vote().is_zero());
  env.tick(base::milliseconds(10));
  if (env.node.role() == Role::follower) {
    output = env.receive(2, 5, VoteRequest{false, false, Index(9), Term(4)});
    CHECK(env.node.vote() == NodeId(2));
  }
}

TEST_CASE("S52: with leases a member whose clock jumped keeps its promise to the leader it heard") {
  // Intent: to the leader no time has passed, and it answers by its lease; so neither a vote nor an own campaign.
  SoloEnv env(leasing(1), {});
  env.receive(2, 1, Heartbeat{});
  env.now = env.now + base::milliseconds(1500);  // past the promise, and perhaps not past the election timer
  env.node.on_stall(env.now);
  env.receive(3, 2, VoteRequest{false, false, Index(9), Term(1)});
  CHECK(env.node.vote().is_zero());
  env.tick(base::milliseconds(990));
  CHECK(env.node.role() == Role::follower);
  env.receive(3, 2, VoteRequest{false, false, Index(9), Term(1)});
  CHECK(env.node.vote().is_zero());
  env.tick(base::milliseconds(10));
  if (env.node.role() == Role::follower) {
    env.receive(3, 2, VoteRequest{false, false, Index(9), Term(1)});
    CHECK(env.node.vote() == NodeId(3));
  }
}

TEST_CASE("a stall re-arms an election timer that ran out meanwhile, once") {
  SoloEnv env;
  env.now = env.node.next_deadline() + base::seconds(5);
  env.node.on_stall(env.now);
  env.tick(base::Duration(0));
  CHECK(env.node.role() == Role::follower);
  env.campaign();
  CHECK(env.node.role() == Role::pre_candidate);
}

TEST_CASE("5: a follower behind the released log is asked for once and goes on after its snapshot") {
  SoloStart start;
  start.log = make_log({1, 1, 1, 1});
  start.applied = 4;
  SoloEnv env(start);
  env.node.on_released(Index(3));
  env.become_leader();
  Output output = env.receive(2, 2, AppendResponse{true, Index(4), Index(1), Term(1)});
  REQUIRE(output.snapshots.size() == 1);
  CHECK(output.snapshots.front().peer == NodeId(2));
  CHECK(env.tick(base::milliseconds(100)).snapshots.empty());
  env.node.on_snapshot_sent(env.now, NodeId(2), Index(4));
  output = env.take();
  const auto* append = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(append != nullptr);
  CHECK(append->prev_index == Index(4));
}

TEST_CASE("5: an installed snapshot replaces the log, and is acknowledged only with the log's new beginning") {
  SoloStart start;
  start.log = make_log({1, 1});
  SoloEnv env(start);
  env.receive(2, 3, Heartbeat{});
  REQUIRE(env.node.needs_snapshot(Index(10), Term(3)));
  env.node.install_snapshot(env.now, {Index(10), Term(3), make_configuration({1, 2, 4})});
  const Output output = env.take();
  REQUIRE(output.persist);
  REQUIRE(output.persist->reset);
  CHECK(output.persist->reset->first == Index(10));
  CHECK(output.persist->reset->term == Term(3));
  CHECK(output.committed.empty());
  CHECK(find_body<AppendResponse>(output.messages, 2) == nullptr);
  REQUIRE(find_body<AppendResponse>(output.after_persist, 2) != nullptr);
  CHECK(env.node.configuration() == make_configuration({1, 2, 4}));
  CHECK(env.node.committed() == Index(10));
  const Output next = env.receive(2, 3, AppendRequest{Index(10), Term(3), Index(11), {make_command(3, 11)}});
  CHECK(env.node.log().last_index() == Index(11));
  REQUIRE(next.committed.size() == 1);
}

TEST_CASE("5: a snapshot that the own log reaches, or that is older than what is committed, is not needed") {
  SoloStart start;
  start.log = make_log({1, 1, 2});
  start.applied = 1;
  SoloEnv env(start);
  CHECK_FALSE(env.node.needs_snapshot(Index(3), Term(2)));
  CHECK_FALSE(env.node.needs_snapshot(Index(1), Term(1)));
  CHECK(env.node.needs_snapshot(Index(3), Term(3)));
  CHECK(env.node.needs_snapshot(Index(4), Term(2)));
}

}  // namespace whitewater::core::test

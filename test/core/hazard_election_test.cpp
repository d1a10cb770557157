// Hazards of the catalogue that concern elections: pre-vote, stickiness, CheckQuorum and who may lead. docs/hazards.md
// names the mutation that each of these catches.
#include "catch.hpp"
#include "core/cluster_env.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

constexpr int rounds_max = 400;
constexpr base::Duration step = base::milliseconds(50);

NodeOptions options_of(std::uint64_t id) {
  NodeOptions options;
  options.id = NodeId(id);
  return options;
}

// A cluster that runs by itself: time passes for everybody, and what was sent arrives.
struct RunningCluster {
  explicit RunningCluster(const Configuration& configuration) {
    for (const Member& m : configuration.members()) cluster.add_member(options_of(m.id.value), configuration);
  }
  void run(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      for (const auto& [id, member] : cluster.members()) cluster.tick(id, step);
      while (!cluster.network().empty()) {
        Message message = std::move(cluster.network().front());
        cluster.network().pop_front();
        if (cluster.can_pass(message)) cluster.deliver(std::move(message));
      }
    }
  }
  [[nodiscard]] std::uint64_t leader() {
    for (const auto& [id, member] : cluster.members()) {
      if (member.node && member.node->role() == Role::leader) return id;
    }
    return 0;
  }
  bool run_until_leader() {
    for (int i = 0; i < rounds_max && leader() == 0; ++i) run(1);
    return leader() != 0;
  }
  bool commit_one() {
    const std::uint64_t id = leader();
    const Index before = cluster.node(id).committed();
    if (!cluster.propose(id, {{NodeId(id), 1}, make_payload("x")}).has_value()) return false;
    run(4);
    return cluster.node(id).committed() > before;
  }

  ClusterObserver observer;
  ClusterEnv cluster{observer};
};

}  // namespace

TEST_CASE("S25: a member that skips the pre-vote is understood: its vote request stands on its own") {
  // As in a rolling upgrade from a version without pre-vote.
  SoloEnv env;
  const Output output = env.receive(2, 1, VoteRequest{false, false, Index(0), Term(0)});
  CHECK(find_body<VoteResponse>(output.after_persist, 2)->granted);
}

TEST_CASE("S26: a pre-candidate of an older term is told the newer one instead of being left alone") {
  SoloStart start;
  start.hard_state.term = Term(7);
  SoloEnv env(start);
  const Output output = env.receive(2, 5, VoteRequest{true, false, Index(9), Term(4)});
  REQUIRE(find_body<VoteResponse>(output.after_persist, 2) != nullptr);
  CHECK_FALSE(find_body<VoteResponse>(output.after_persist, 2)->granted);
  CHECK(output.after_persist.front().term == Term(7));

  SoloStart longer;
  longer.log = make_log({1, 4, 4});
  SoloEnv pre_candidate(longer);
  pre_candidate.campaign();
  pre_candidate.receive(2, 7, VoteResponse{true, false});
  CHECK(pre_candidate.node.term() == Term(7));
  CHECK(pre_candidate.node.role() == Role::follower);
}

TEST_CASE("S26: a longer log in a lower term and a shorter one in a higher term elect a leader") {
  RunningCluster run(make_configuration({1, 2, 3}));
  run.cluster.crash(3);
  // Member 1 has the longer log, member 2 the higher term.
  for (const std::uint64_t id : {1, 2}) {
    run.cluster.crash(id);
    DiskEnv& disk = run.cluster.member(id).disk;
    disk.hard_state = {Term(id == 1 ? 4 : 7), NodeId(0)};
    for (const Entry& e : make_log(id == 1 ? std::vector<std::uint64_t>{1, 4, 4} : std::vector<std::uint64_t>{1})) {
      disk.entries.push_back(e);
    }
    run.cluster.restart(id);
  }
  REQUIRE(run.run_until_leader());
  CHECK(run.leader() == 1);
}

TEST_CASE("S27: when the leader dies, stickiness does not keep the others from electing a new one") {
  for (int i = 0; i < 10; ++i) {
    RunningCluster run(make_configuration({1, 2, 3}));
    run.run(i);  // other timings
    REQUIRE(run.run_until_leader());
    run.run(3);
    const std::uint64_t dead = run.leader();
    run.cluster.crash(dead);
    const auto begin = run.cluster.members().begin()->second.now;
    REQUIRE(run.run_until_leader());
    // At worst two attempts: each within two election time-outs.
    CHECK(run.cluster.members().begin()->second.now - begin <= 4 * NodeOptions{}.election_timeout);
  }
}

TEST_CASE("S28: granting a pre-vote is not hearing from a leader") {
  SoloEnv env;
  const auto deadline = env.node.next_deadline();
  env.receive(2, 1, VoteRequest{true, false, Index(0), Term(0)});
  CHECK(env.node.next_deadline() == deadline);
  // Nor does it make the member stick to anybody.
  const Output output = env.receive(3, 1, VoteRequest{false, false, Index(0), Term(0)});
  CHECK(find_body<VoteResponse>(output.after_persist, 3)->granted);
}

TEST_CASE("S28: a leader that is ahead of a returning member is not disturbed by its pre-votes") {
  RunningCluster run(make_configuration({1, 2, 3}));
  REQUIRE(run.run_until_leader());
  const std::uint64_t leader = run.leader();
  const Term term = run.cluster.node(leader).term();
  const std::uint64_t lonely = leader % 3 + 1;
  for (const std::uint64_t id : {1, 2, 3}) {
    if (id == lonely) continue;
    run.cluster.cut(id, lonely);
    run.cluster.cut(lonely, id);
  }
  run.run(100);
  CHECK(run.cluster.node(lonely).role() == Role::pre_candidate);
  CHECK(run.cluster.node(lonely).term() == term);
  run.cluster.heal();
  run.run(50);
  CHECK(run.leader() == leader);
  CHECK(run.cluster.node(leader).term() == term);
  CHECK(run.cluster.node(lonely).leader() == NodeId(leader));
}

TEST_CASE("S28: a member that is stuck in a newer term brings the others into it") {
  RunningCluster run(make_configuration({1, 2, 3}));
  REQUIRE(run.run_until_leader());
  const std::uint64_t stuck = run.leader() % 3 + 1;
  run.cluster.crash(stuck);
  run.cluster.member(stuck).disk.hard_state = {Term(20), NodeId(stuck)};
  run.cluster.restart(stuck);
  run.run(200);
  REQUIRE(run.run_until_leader());
  CHECK(run.cluster.node(stuck).leader() == NodeId(run.leader()));
  CHECK(run.commit_one());
}

TEST_CASE("S29: two members that cannot see each other do not disturb a leader whom both see, nor each other's work") {
  RunningCluster run(make_configuration({1, 2, 3}));
  REQUIRE(run.run_until_leader());
  const std::uint64_t leader = run.leader();
  const std::uint64_t a = leader % 3 + 1;
  const std::uint64_t b = a % 3 + 1;
  const Term term = run.cluster.node(leader).term();
  SECTION("the leader is in the middle") {
    run.cluster.cut(a, b);
    run.cluster.cut(b, a);
    run.run(200);
    CHECK(run.leader() == leader);
    CHECK(run.cluster.node(leader).term() == term);
    CHECK(run.commit_one());
  }
  SECTION("a follower is in the middle: at most one change of leader, then rest") {
    run.cluster.cut(leader, b);
    run.cluster.cut(b, leader);
    run.run(100);
    const Term settled = run.cluster.node(a).term();
    CHECK(settled.value <= term.value + 1);
    run.run(300);
    CHECK(run.cluster.node(a).term() == settled);
    CHECK(run.commit_one());
  }
}

TEST_CASE("S30: a learner neither campaigns, nor is handed leadership, nor counts") {
  SoloStart start;
  start.id = 4;
  start.configuration = make_configuration({1, 2, 3}, {}, {4});
  SoloEnv learner(start);
  learner.campaign();
  CHECK(learner.node.role() == Role::follower);
  learner.receive(1, 1, Heartbeat{});
  learner.receive(1, 1, TimeoutNow{});
  CHECK(learner.node.role() == Role::follower);
  CHECK(learner.node.term() == Term(1));

  start.id = 1;
  SoloEnv candidate(start);
  const Output output = candidate.campaign();
  CHECK(find_body<VoteRequest>(output.messages, 4) == nullptr);
  candidate.receive(4, 1, VoteResponse{true, true});
  CHECK(candidate.node.role() == Role::pre_candidate);
}

TEST_CASE("S30: a member that is not in the configuration never campaigns") {
  SoloStart start;
  start.id = 9;
  SoloEnv env(start);
  env.campaign();
  CHECK(env.node.role() == Role::follower);
  env.receive(1, 1, TimeoutNow{});
  CHECK(env.node.role() == Role::follower);
}

TEST_CASE("S30: a leader does not count its learners when it checks its quorum, its commits or its reads") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3}, {}, {4, 5});
  SoloEnv env(start);
  env.become_leader();
  env.acknowledge(4);
  env.acknowledge(5);
  CHECK(env.node.committed() == Index(0));
  env.acknowledge(2);
  REQUIRE(env.node.committed() == Index(1));
  const std::uint64_t round = find_body<Heartbeat>(env.read(1).messages, 4)->read_round;
  CHECK(env.receive(4, 1, HeartbeatResponse{round}).reads.empty());
  CHECK(env.receive(5, 1, HeartbeatResponse{round}).reads.empty());
  for (int i = 0; i < 4; ++i) {
    env.tick(options_of(1).election_timeout / 2);
    env.receive(4, 1, HeartbeatResponse{});
    env.receive(5, 1, HeartbeatResponse{});
  }
  CHECK(env.node.role() == Role::follower);
}

TEST_CASE("S31: a learner votes when it is asked, for it may have become a voter without knowing it") {
  SoloStart start;
  start.id = 4;
  start.configuration = make_configuration({1, 2, 3}, {}, {4});
  SoloEnv env(start);
  const Output output = env.receive(2, 1, VoteRequest{});
  CHECK(find_body<VoteResponse>(output.after_persist, 2)->granted);
}

TEST_CASE("S33: a second transfer replaces the first, and a lost target is given up") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  env.acknowledge(3);
  REQUIRE(env.node.transfer_leadership(env.now));
  REQUIRE(env.node.transfer_leadership(env.now));
  std::size_t asked = 0;
  for (const Message& m : env.take().messages) asked += std::holds_alternative<TimeoutNow>(m.body) ? 1 : 0;
  CHECK(asked >= 1);
  env.receive(2, 1, HeartbeatResponse{});
  env.tick(options_of(1).election_timeout);
  CHECK_FALSE(env.node.is_transferring());
  CHECK(env.node.role() == Role::leader);
}

}  // namespace whitewater::core::test

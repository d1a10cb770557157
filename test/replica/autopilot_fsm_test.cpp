// AutopilotFsm against a leader whose followers the test plays: who is proposed as learner, voter, or to leave, and
// when nothing is.
#include "replica/autopilot_fsm.hpp"

#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::replica {
namespace {

using base::seconds;
using core::ChangeKind;
using core::Configuration;
using core::Member;
using core::test::SoloEnv;

// "ww-3.svc:1" has the place "ww-3".
std::string slot_of(const std::string& address) { return address.substr(0, address.find_first_of(".:")); }

Member member(std::uint64_t id, const std::string& name) { return {base::NodeId(id), name + ".svc:8090"}; }

Configuration configuration(const std::vector<std::uint64_t>& voters, const std::vector<std::uint64_t>& learners = {}) {
  Configuration c;
  for (const auto id : voters) c.voters.push_back(member(id, "ww-" + std::to_string(id)));
  for (const auto id : learners) c.learners.push_back(member(id, "ww-" + std::to_string(id)));
  return c;
}

// Member 1 leads; the others are heard from and hold everything, but for those that are told to be silent.
class AutopilotEnv {
 public:
  explicit AutopilotEnv(Configuration start, AutopilotOptions options = {})
      : solo({.id = 1, .configuration = std::move(start), .hard_state = {}, .log = {}}), fsm(options, slot_of) {
    solo.become_leader();
    hear();
    REQUIRE(solo.node.has_committed_in_term());
  }

  void hear() {
    for (const Member& one : solo.node.configuration().members()) {
      if (one.id != solo.node.id() && !silent.contains(one.id.value)) solo.acknowledge(one.id.value);
    }
    solo.persist_all();
  }

  // Time passes in steps of half a second; what the autopilot wants first is returned, and not carried out.
  std::optional<AutopilotDecision> run(base::Duration time) {
    for (base::Duration passed{0}; passed < time; passed += step) {
      solo.tick(step);
      hear();
      REQUIRE(solo.node.role() == core::Role::leader);
      for (const Member& joiner : joiners) fsm.on_joiner(solo.now, joiner);
      if (auto wanted = fsm.decide(solo.now, solo.node)) return wanted;
    }
    return std::nullopt;
  }
  // The same, carried out and committed.
  std::optional<AutopilotDecision> run_and_do(base::Duration time) {
    auto wanted = run(time);
    if (!wanted) return wanted;
    REQUIRE(solo.node.on_propose_change(solo.now, {}, wanted->change));
    for (int i = 0; i < 3; ++i) {
      solo.take();
      solo.persist_all();
      hear();
      solo.tick(base::milliseconds(1));
    }
    REQUIRE_FALSE(solo.node.has_uncommitted_change());
    REQUIRE_FALSE(solo.node.configuration().is_joint());
    return wanted;
  }
  void depart(std::uint64_t id, bool is_for_good = false) {
    fsm.on_departure({base::NodeId(id), base::Incarnation(1), is_for_good});
  }

  static constexpr base::Duration step = base::milliseconds(500);
  SoloEnv solo;
  AutopilotFsm fsm;
  std::set<std::uint64_t> silent;
  std::vector<Member> joiners;
};

void check_change(const std::optional<AutopilotDecision>& wanted, MembershipEventKind kind,
                  const std::vector<std::pair<ChangeKind, std::uint64_t>>& changes) {
  REQUIRE(wanted.has_value());
  CHECK(wanted->kind == kind);
  CHECK_FALSE(wanted->change.reason.empty());
  std::vector<std::pair<ChangeKind, std::uint64_t>> got;
  for (const auto& one : wanted->change.changes) got.emplace_back(one.kind, one.member.id.value);
  CHECK(got == changes);
}

TEST_CASE("a cluster whose members are all there is left alone") {
  AutopilotEnv env(configuration({1, 2, 3}));
  CHECK_FALSE(env.run(seconds(30)).has_value());
}

TEST_CASE("who asks to join becomes a learner, one at a time") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.joiners = {member(4, "ww-4"), member(5, "ww-5")};
  env.silent = {};
  check_change(env.run(seconds(2)), MembershipEventKind::join, {{ChangeKind::add_learner, 4}});
  SECTION("the second one waits while the first is behind") {
    REQUIRE(env.solo.node.on_propose_change(env.solo.now, {}, {{{ChangeKind::add_learner, member(4, "ww-4")}}, "x"}));
    env.silent = {4};  // heard of at first, but it holds nothing
    env.solo.take();
    env.solo.persist_all();
    env.hear();
    CHECK_FALSE(env.run(seconds(3)).has_value());
    env.silent = {};
    check_change(env.run(seconds(3)), MembershipEventKind::join, {{ChangeKind::add_learner, 5}});
  }
}

TEST_CASE("a joiner that is not heard any more is not taken in") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.fsm.on_joiner(env.solo.now, member(4, "ww-4"));
  for (int i = 0; i < 12; ++i) {
    env.solo.tick(AutopilotEnv::step);
    env.hear();
  }
  CHECK_FALSE(env.fsm.decide(env.solo.now, env.solo.node).has_value());
}

TEST_CASE("who was taken in and removed at once is not taken in again by what was heard before") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.fsm.on_joiner(env.solo.now, member(4, "ww-4"));
  env.solo.tick(base::milliseconds(10));
  CHECK(env.fsm.decide(env.solo.now, env.solo.node).has_value());
  CHECK_FALSE(env.fsm.decide(env.solo.now, env.solo.node).has_value());
}

TEST_CASE("learners get votes in pairs, so that the number of voters stays odd") {
  SECTION("one learner beside three voters stays a learner") {
    AutopilotEnv env(configuration({1, 2, 3}, {4}));
    CHECK_FALSE(env.run(seconds(30)).has_value());
  }
  SECTION("two beside three, after the stabilization time") {
    AutopilotEnv env(configuration({1, 2, 3}, {4, 5}));
    CHECK_FALSE(env.run(seconds(9)).has_value());
    check_change(env.run(seconds(3)), MembershipEventKind::promote,
                 {{ChangeKind::promote, 4}, {ChangeKind::promote, 5}});
  }
  SECTION("one beside an even number") {
    AutopilotEnv env(configuration({1, 2, 3, 4}, {5, 6}));
    check_change(env.run(seconds(12)), MembershipEventKind::promote, {{ChangeKind::promote, 5}});
  }
  SECTION("not above the largest number of voters") {
    AutopilotEnv env(configuration({1, 2, 3, 4, 5, 6, 7}, {8, 9}));
    CHECK_FALSE(env.run(seconds(30)).has_value());
  }
  SECTION("a silence begins the time anew") {
    AutopilotEnv env(configuration({1, 2, 3}, {4, 5}));
    CHECK_FALSE(env.run(seconds(4)).has_value());
    env.silent = {5};
    CHECK_FALSE(env.run(seconds(8)).has_value());
    env.silent = {};
    CHECK_FALSE(env.run(seconds(9)).has_value());
    CHECK(env.run(seconds(3)).has_value());
  }
  SECTION("nobody that said good-bye") {
    AutopilotEnv env(configuration({1, 2, 3}, {4, 5}));
    env.depart(5);
    CHECK_FALSE(env.run(seconds(30)).has_value());
  }
}

TEST_CASE("a new disk under an old name takes the vote over, without the number of voters shrinking") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.joiners = {member(13, "ww-3")};
  SECTION("not while the old one answers: two processes under one name") {
    CHECK_FALSE(env.run(seconds(30)).has_value());
    CHECK(env.fsm.warning().find("two processes run under the name ww-3") != std::string::npos);
  }
  SECTION("the old one silent for long enough") {
    env.silent = {3};
    CHECK_FALSE(env.run(seconds(9)).has_value());
    check_change(env.run_and_do(seconds(3)), MembershipEventKind::join, {{ChangeKind::add_learner, 13}});
    check_change(env.run_and_do(seconds(4)), MembershipEventKind::replace,
                 {{ChangeKind::remove, 3}, {ChangeKind::promote, 13}});
    CHECK(env.solo.node.configuration().voters.size() == 3);
  }
  SECTION("the old one said good-bye: sooner") {
    env.silent = {3};
    env.depart(3);
    check_change(env.run(seconds(7)), MembershipEventKind::join, {{ChangeKind::add_learner, 13}});
  }
}

TEST_CASE("stepping aside: one voter away changes nothing, two become learners in one step") {
  AutopilotEnv env(configuration({1, 2, 3, 4, 5, 6, 7}));
  env.depart(7);
  CHECK_FALSE(env.run(seconds(2)).has_value());
  CHECK(env.fsm.may_leave(base::NodeId(7), env.solo.node));
  env.depart(6);
  CHECK_FALSE(env.fsm.may_leave(base::NodeId(6), env.solo.node));
  check_change(env.run_and_do(seconds(1)), MembershipEventKind::step_aside,
               {{ChangeKind::demote, 6}, {ChangeKind::demote, 7}});
  CHECK(env.fsm.may_leave(base::NodeId(6), env.solo.node));
  env.silent = {6, 7};
  env.depart(5);
  CHECK_FALSE(env.run(seconds(2)).has_value());
  env.depart(4);
  check_change(env.run_and_do(seconds(1)), MembershipEventKind::step_aside,
               {{ChangeKind::demote, 4}, {ChangeKind::demote, 5}});
  SECTION("three voters are never given up") {
    env.depart(3);
    env.depart(2);
    CHECK_FALSE(env.run(seconds(2)).has_value());
    CHECK(env.fsm.may_leave(base::NodeId(2), env.solo.node));
  }
  SECTION("who is back is promoted again") {
    env.silent = {};
    env.fsm.on_heard(base::NodeId(6), base::Incarnation(2));
    env.fsm.on_heard(base::NodeId(7), base::Incarnation(2));
    check_change(env.run(seconds(12)), MembershipEventKind::promote,
                 {{ChangeKind::promote, 6}, {ChangeKind::promote, 7}});
  }
  SECTION("a sign of the run that said good-bye does not bring it back") {
    env.fsm.on_heard(base::NodeId(6), base::Incarnation(1));
    CHECK(env.fsm.departures().size() == 4);
  }
}

// Two would be left of four, and no failure could be survived.
TEST_CASE("of four voters none steps aside") {
  AutopilotEnv env(configuration({1, 2, 3, 4}));
  env.depart(4);
  env.depart(3);
  CHECK_FALSE(env.run(seconds(2)).has_value());
  CHECK(env.fsm.may_leave(base::NodeId(3), env.solo.node));
}

TEST_CASE("the leader itself may be one of the two that step aside") {
  AutopilotEnv env(configuration({1, 2, 3, 4, 5}));
  env.depart(5);
  env.depart(1);
  check_change(env.run(seconds(1)), MembershipEventKind::step_aside,
               {{ChangeKind::demote, 5}, {ChangeKind::demote, 1}});
}

TEST_CASE("a member whose place is scaled in is removed") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.depart(3, true);
  CHECK_FALSE(env.fsm.may_leave(base::NodeId(3), env.solo.node));
  check_change(env.run_and_do(seconds(1)), MembershipEventKind::remove_left, {{ChangeKind::remove, 3}});
  CHECK(env.fsm.may_leave(base::NodeId(3), env.solo.node));
}

TEST_CASE("dead members") {
  AutopilotOptions options;
  options.dead_server_timeout = seconds(60);
  SECTION("a learner is removed after the time-out") {
    AutopilotEnv env(configuration({1, 2, 3}, {4}), options);
    env.silent = {4};
    CHECK_FALSE(env.run(seconds(58)).has_value());
    check_change(env.run(seconds(4)), MembershipEventKind::remove_dead, {{ChangeKind::remove, 4}});
  }
  SECTION("a voter only when discovery does not know its name any more") {
    AutopilotEnv env(configuration({1, 2, 3, 4, 5}), options);
    env.silent = {5};
    CHECK_FALSE(env.run(seconds(70)).has_value());
    env.fsm.on_places({"ww-1", "ww-2", "ww-3", "ww-4", "ww-5"});
    CHECK_FALSE(env.run(seconds(5)).has_value());
    env.fsm.on_places({"ww-1", "ww-2", "ww-3", "ww-4"});
    check_change(env.run(seconds(2)), MembershipEventKind::remove_dead, {{ChangeKind::remove, 5}});
  }
  SECTION("never below three voters, nor without three that answer") {
    AutopilotEnv env(configuration({1, 2, 3}), options);
    env.fsm.on_places({"ww-1", "ww-2"});
    env.silent = {3};
    CHECK_FALSE(env.run(seconds(90)).has_value());
  }
  SECTION("one in a while") {
    AutopilotEnv env(configuration({1, 2, 3, 4, 5, 6, 7}), options);
    env.fsm.on_places({"ww-1", "ww-2", "ww-3", "ww-4", "ww-5"});
    env.silent = {6, 7};
    CHECK(env.run_and_do(seconds(62)).has_value());
    CHECK_FALSE(env.run(seconds(8)).has_value());
    CHECK(env.run(seconds(4)).has_value());
  }
  SECTION("0: never") {
    options.dead_server_timeout = seconds(0);
    AutopilotEnv env(configuration({1, 2, 3}, {4}), options);
    env.silent = {4};
    CHECK_FALSE(env.run(seconds(100)).has_value());
  }
}

TEST_CASE("a learner waits for a vote where one is vacant") {
  const AutopilotFsm fsm({}, slot_of);
  const base::NodeId four(4);
  CHECK_FALSE(fsm.waits_for_vote(four, configuration({1, 2, 3}, {4})));
  CHECK(fsm.waits_for_vote(four, configuration({1, 2, 3}, {4, 5})));
  CHECK(fsm.waits_for_vote(four, configuration({1, 2}, {4})));
  CHECK_FALSE(fsm.waits_for_vote(four, configuration({1, 2, 3, 5, 6, 7, 8}, {4, 9})));
  CHECK_FALSE(fsm.waits_for_vote(base::NodeId(1), configuration({1, 2}, {4})));
  Configuration replacing = configuration({1, 2, 3});
  replacing.learners.push_back(member(13, "ww-3"));
  CHECK(fsm.waits_for_vote(base::NodeId(13), replacing));
}

TEST_CASE("only a leader decides, and not while a change is under way") {
  AutopilotEnv env(configuration({1, 2, 3}));
  env.joiners = {member(4, "ww-4")};
  const auto wanted = env.run(seconds(1));
  REQUIRE(wanted.has_value());
  REQUIRE(env.solo.node.on_propose_change(env.solo.now, {}, wanted->change));
  CHECK_FALSE(env.fsm.decide(env.solo.now, env.solo.node).has_value());
  core::test::SoloEnv follower;
  CHECK_FALSE(env.fsm.decide(follower.now, follower.node).has_value());
}

}  // namespace
}  // namespace whitewater::replica

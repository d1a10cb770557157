// One case per rule of Ongaro's thesis ("Consensus: Bridging Theory and Practice") on terms, votes, elections and the
// handover of leadership. The section is in the name.
#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

SoloStart start_voting_with(std::vector<Entry> log, std::uint64_t term = 0, std::uint64_t vote = 0) {
  SoloStart start;
  start.log = std::move(log);
  start.hard_state = {Term(term), NodeId(vote)};
  return start;
}

// What `env` answers to a vote request, if it answers.
std::optional<bool> answer(SoloEnv& env, std::uint64_t from, std::uint64_t term, VoteRequest request) {
  const Output output = env.receive(from, term, request);
  const auto* response = find_body<VoteResponse>(output.after_persist, from);
  return response == nullptr ? std::nullopt : std::optional(response->granted);
}

VoteRequest vote_for(std::uint64_t last_index, std::uint64_t last_term) {
  return {false, false, Index(last_index), Term(last_term)};
}

VoteRequest pre_vote_for(std::uint64_t last_index, std::uint64_t last_term) {
  return {true, false, Index(last_index), Term(last_term)};
}

}  // namespace

TEST_CASE("thesis 3.3: a member that sees a newer term takes it over and follows, whatever its role") {
  for (const int role : {0, 1, 2, 3}) {
    SoloEnv env;
    if (role >= 1) env.campaign();
    if (role >= 2) env.receive(2, 1, VoteResponse{true, true});
    if (role == 3) {
      env.persist_all();
      env.receive(2, 1, VoteResponse{false, true});
    }
    REQUIRE(static_cast<int>(env.node.role()) == role);
    env.receive(3, 9, AppendResponse{true, {}, {}, {}});
    CHECK(env.node.role() == Role::follower);
    CHECK(env.node.term() == Term(9));
    CHECK(env.node.vote().is_zero());
  }
}

TEST_CASE("thesis 3.3: a request of an older term is not obeyed, and its sender learns the newer term") {
  SoloEnv env(start_voting_with({}, 5));
  const Output output = env.receive(2, 4, AppendRequest{Index(0), Term(0), Index(0), {make_command(4, 1)}});
  CHECK(env.node.log().last_index() == Index(0));
  CHECK(env.node.leader().is_zero());
  const auto* response = find_body<AppendResponse>(output.after_persist, 2);
  REQUIRE(response != nullptr);
  CHECK(response->rejected);
  CHECK(output.after_persist.front().term == Term(5));
}

TEST_CASE("thesis 3.3: a term is persisted before an answer in it leaves") {
  SoloEnv env;
  const Output output = env.receive(2, 7, vote_for(0, 0));
  REQUIRE(output.persist.has_value());
  REQUIRE(output.persist->hard_state.has_value());
  CHECK(*output.persist->hard_state == HardState{Term(7), NodeId(2)});
  CHECK(output.messages.empty());
  CHECK(find_body<VoteResponse>(output.after_persist, 2) != nullptr);
}

TEST_CASE("thesis 3.4: a follower that hears nothing campaigns, between one and two election time-outs later") {
  for (std::uint64_t id = 1; id <= 50; ++id) {
    SoloStart start;
    start.id = id;
    start.configuration = make_configuration({id, 100, 101});
    SoloEnv env(start);
    const auto wait = env.node.next_deadline() - env.now;
    CHECK(wait >= solo_options(id).election_timeout);
    CHECK(wait < 2 * solo_options(id).election_timeout);
    env.tick(wait - base::milliseconds(1));
    CHECK(env.node.role() == Role::follower);
    env.tick(base::milliseconds(1));
    CHECK(env.node.role() == Role::pre_candidate);
  }
}

TEST_CASE("thesis 3.4: election time-outs are spread, so that split votes are rare") {
  std::set<base::Duration> waits;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    SoloStart start;
    start.id = id;
    waits.insert(SoloEnv(start).node.next_deadline().since_start);
  }
  CHECK(waits.size() == 20);
}

TEST_CASE("thesis 3.4: a member votes for one candidate in a term, first come, first served") {
  SoloEnv env;
  CHECK(answer(env, 2, 1, vote_for(0, 0)) == true);
  CHECK(answer(env, 3, 1, vote_for(9, 1)) == false);
  CHECK(answer(env, 2, 1, vote_for(0, 0)) == true);  // its answer may have been lost
  CHECK(env.node.vote() == NodeId(2));
}

TEST_CASE("thesis 3.4: a candidate with a majority leads, one without waits, and one that hears a leader follows") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3, 4, 5});
  SoloEnv env(start);
  env.campaign();
  env.receive(2, 1, VoteResponse{true, true});
  CHECK(env.node.role() == Role::pre_candidate);
  env.receive(3, 1, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  env.persist_all();
  env.receive(2, 1, VoteResponse{false, true});
  env.receive(2, 1, VoteResponse{false, true});  // the same vote twice is one vote
  CHECK(env.node.role() == Role::candidate);
  SECTION("majority") {
    env.receive(4, 1, VoteResponse{false, true});
    CHECK(env.node.role() == Role::leader);
    CHECK(env.node.leader() == NodeId(1));
  }
  SECTION("another leader") {
    env.receive(5, 1, Heartbeat{});
    CHECK(env.node.role() == Role::follower);
    CHECK(env.node.leader() == NodeId(5));
  }
  SECTION("refused by a majority") {
    for (const std::uint64_t id : {3, 4, 5}) env.receive(id, 1, VoteResponse{false, false});
    CHECK(env.node.role() == Role::follower);
    CHECK(env.node.term() == Term(1));
  }
  SECTION("nobody wins: the next attempt begins with a pre-vote for the next term") {
    env.campaign();
    CHECK(env.node.role() == Role::pre_candidate);
    CHECK(env.node.term() == Term(1));
  }
}

TEST_CASE("thesis 3.4: the vote outlives a restart") {
  SoloEnv env(start_voting_with({}, 4, 2));
  CHECK(answer(env, 3, 4, vote_for(0, 0)) == false);
  CHECK(answer(env, 2, 4, vote_for(0, 0)) == true);
}

TEST_CASE("thesis 3.6.1: a vote is refused to a log that is less up to date") {
  struct Case {
    std::uint64_t last_index;
    std::uint64_t last_term;
    bool granted;
  };
  // The voter's log ends at 2/3.
  for (const Case& c : {Case{3, 2, true}, {4, 2, true}, {1, 3, true}, {2, 2, false}, {9, 1, false}, {0, 0, false}}) {
    SoloEnv env(start_voting_with(make_log({1, 2, 2})));
    INFO(c.last_term << "/" << c.last_index);
    CHECK(answer(env, 2, 5, vote_for(c.last_index, c.last_term)) == c.granted);
    CHECK(env.node.vote() == (c.granted ? NodeId(2) : NodeId(0)));
    SoloEnv other(start_voting_with(make_log({1, 2, 2})));
    CHECK(answer(other, 2, 5, pre_vote_for(c.last_index, c.last_term)) == c.granted);
  }
}

TEST_CASE("thesis 4.2.3: who hears a leader ignores a candidate, and does not even take its term") {
  SoloEnv env(start_voting_with({}, 2));
  env.receive(2, 2, Heartbeat{});
  CHECK_FALSE(answer(env, 3, 3, vote_for(9, 9)).has_value());
  CHECK_FALSE(answer(env, 3, 3, pre_vote_for(9, 9)).has_value());
  CHECK(env.node.term() == Term(2));
  SECTION("until it has heard none for an election time-out") {
    env.now = env.now + solo_options(1).election_timeout;
    CHECK(answer(env, 3, 3, vote_for(9, 9)) == true);
  }
  SECTION("unless the leader itself asked for the campaign") {
    CHECK(answer(env, 3, 3, VoteRequest{false, true, Index(9), Term(9)}) == true);
  }
}

TEST_CASE("thesis 4.2.3: a leader is not deposed by a candidate's request") {
  SoloEnv env;
  env.become_leader();
  CHECK_FALSE(answer(env, 3, 8, vote_for(9, 9)).has_value());
  CHECK(env.node.role() == Role::leader);
}

TEST_CASE("thesis 9.6: a pre-vote raises nobody's term, casts no vote and writes nothing") {
  SoloEnv env;
  const Output campaign = env.campaign();
  CHECK_FALSE(campaign.persist.has_value());
  CHECK(env.node.term() == Term(0));
  REQUIRE(find_body<VoteRequest>(campaign.messages, 2) != nullptr);
  CHECK(find_body<VoteRequest>(campaign.messages, 2)->pre_vote);
  CHECK(campaign.messages.front().term == Term(1));

  SoloEnv voter;
  const auto deadline = voter.node.next_deadline();
  const Output granted = voter.receive(2, 1, pre_vote_for(0, 0));
  CHECK_FALSE(granted.persist.has_value());
  CHECK(voter.node.term() == Term(0));
  CHECK(voter.node.vote().is_zero());
  CHECK(voter.node.next_deadline() == deadline);
  CHECK(answer(voter, 3, 1, pre_vote_for(0, 0)) == true);  // and may be granted to many
}

TEST_CASE("thesis 9.6: only a majority of pre-votes leads to a campaign, a majority against ends it") {
  SoloEnv env;
  env.campaign();
  SECTION("granted") {
    const Output output = env.receive(2, 1, VoteResponse{true, true});
    CHECK(env.node.role() == Role::candidate);
    CHECK(env.node.term() == Term(1));
    CHECK_FALSE(find_body<VoteRequest>(output.messages, 3)->pre_vote);
  }
  SECTION("refused") {
    env.receive(2, 0, VoteResponse{true, false});
    env.receive(3, 0, VoteResponse{true, false});
    CHECK(env.node.role() == Role::follower);
    CHECK(env.node.term() == Term(0));
  }
  SECTION("a grant for another campaign's term does not count") {
    env.receive(2, 7, VoteResponse{true, true});
    CHECK(env.node.role() == Role::pre_candidate);
    CHECK(env.node.term() == Term(0));
  }
}

TEST_CASE("thesis 6.2: a leader that a quorum does not answer steps down within two election time-outs") {
  SoloEnv env;
  env.become_leader();
  const auto timeout = solo_options(1).election_timeout;
  env.tick(timeout / 2);
  env.receive(2, 1, HeartbeatResponse{});
  env.tick(timeout / 2);
  CHECK(env.node.role() == Role::leader);
  env.tick(timeout);
  CHECK(env.node.role() == Role::follower);
  CHECK(env.node.leader().is_zero());
  CHECK(env.node.term() == Term(1));
}

TEST_CASE("thesis 6.2: any answer of a quorum keeps the leader") {
  SoloEnv env;
  env.become_leader();
  for (int i = 0; i < 10; ++i) {
    env.tick(solo_options(1).election_timeout / 2);
    env.receive(2, 1, i % 2 == 0 ? MessageBody(HeartbeatResponse{}) : MessageBody(AppendResponse{}));
    REQUIRE(env.node.role() == Role::leader);
  }
}

TEST_CASE("thesis 3.10: leadership goes to the most complete voter, once it holds everything") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3}, {}, {4});
  SoloEnv env(start);
  env.become_leader();
  env.acknowledge(3);
  env.propose();
  env.acknowledge(4);  // a learner holds most, but cannot lead
  REQUIRE(env.node.transfer_leadership(env.now));
  Output output = env.take();
  CHECK(find_body<TimeoutNow>(output.messages) == nullptr);
  output = env.acknowledge(3);
  CHECK(find_body<TimeoutNow>(output.messages, 3) != nullptr);
}

TEST_CASE("thesis 3.10: while leadership is handed over no proposal is taken, and a time-out ends that") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  REQUIRE(env.node.transfer_leadership(env.now));
  const auto refused = env.node.on_propose(env.now, {{NodeId(1), 1}, make_payload("x")});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == base::make_error_code(base::Errc::no_leader));
  env.receive(2, 1, HeartbeatResponse{});
  env.tick(solo_options(1).election_timeout);
  CHECK_FALSE(env.node.is_transferring());
  CHECK(env.node.on_propose(env.now, {{NodeId(1), 2}, make_payload("x")}).has_value());
}

TEST_CASE("thesis 3.10: nobody to hand over to is said, not waited for") {
  SoloStart single;
  single.configuration = make_configuration({1});
  SoloEnv alone(single);
  alone.become_leader();
  CHECK_FALSE(alone.node.transfer_leadership(alone.now));
  SoloEnv follower;
  CHECK_FALSE(follower.node.transfer_leadership(follower.now));
}

TEST_CASE("thesis 3.10: the target campaigns at once, without a pre-vote, and says why") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  env.persist_all();
  const Output output = env.receive(2, 1, TimeoutNow{});
  CHECK(env.node.role() == Role::candidate);
  CHECK(env.node.term() == Term(2));
  const auto* request = find_body<VoteRequest>(output.messages, 3);
  REQUIRE(request != nullptr);
  CHECK_FALSE(request->pre_vote);
  CHECK(request->transfer);
}

TEST_CASE("thesis 4.3: an election in a joint configuration needs both majorities") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3}, {1, 4, 5});
  SoloEnv env(start);
  env.campaign();
  for (const std::uint64_t id : {2, 4}) env.receive(id, 1, VoteResponse{true, true});
  REQUIRE(env.node.role() == Role::candidate);
  env.persist_all();
  env.receive(2, 1, VoteResponse{false, true});
  env.receive(3, 1, VoteResponse{false, true});
  CHECK(env.node.role() == Role::candidate);
  env.receive(5, 1, VoteResponse{false, true});
  CHECK(env.node.role() == Role::leader);
}

}  // namespace whitewater::core::test

// Clients' writes: forwarded, held, refused, proposed again, timed out, ended by a stop.
#include "catch.hpp"
#include "replica/replica_env.hpp"

using namespace whitewater;
using namespace whitewater::replica::test;

namespace {

// Member 2 leads term 2 and has its no-op, entry 2, replicated here and committed.
void follow_member_2(ReplicaEnv& env) {
  core::AppendRequest append{core::Index(1), core::Term(1), core::Index(2), {}};
  append.entries.push_back({core::Term(2), core::Index(2), core::EntryType::noop, {}, {}});
  env.receive(2, 2, append);
  env.drop();
  env.durable(1);
  env.drop();
}

}  // namespace

TEST_CASE("a follower forwards a write and answers it when it applies the entry") {
  ReplicaEnv env;
  follow_member_2(env);
  CHECK(env.put("k", "v") == "write 1");
  CHECK(env.take() == "send 1->2 term=2 Forward count=1\n");
  core::AppendRequest append{core::Index(2), core::Term(2), core::Index(3), {}};
  append.entries.push_back(ReplicaEnv::command(2, 3, "v", env.request(1)));
  env.receive(2, 2, append);
  CHECK(env.take() ==
        "persist 2 2/3\n"
        "write 1 ok revision=2\n");
}

TEST_CASE("writes of one turn are forwarded together") {
  ReplicaEnv env;
  follow_member_2(env);
  env.put("k", "1");
  env.put("k", "2");
  CHECK(env.take() == "send 1->2 term=2 Forward count=2\n");
}

TEST_CASE("a write without a leader is held and goes to the next one") {
  ReplicaEnv env;
  CHECK(env.put("k", "v") == "write 1");
  CHECK(env.take() == "");
  env.follow(2);
  CHECK(env.take() ==
        "persist 1 term=2 vote=0\n"
        "send 1->2 term=2 HeartbeatOk round=0\n"
        "send 1->2 term=2 Forward count=1\n");
}

TEST_CASE("a held write becomes this member's own when it is elected") {
  ReplicaEnv env;
  env.put("k", "v");
  env.drop();
  env.become_leader();
  CHECK(env.replica->node().log().last_index() == core::Index(3));
  CHECK(env.replica->pending_proposals() == 1);
}

TEST_CASE("a write that the leader did not append is proposed again to the next leader, once (S53)") {
  ReplicaEnv env;
  follow_member_2(env);
  env.put("k", "v");
  env.drop();
  env.receive(2, 2, core::ForwardRejected{{env.request(1)}, base::Errc::not_leader});
  CHECK(env.take() == "");
  env.receive(3, 3, core::Heartbeat{core::Index(0), 0, core::Index(0)});
  CHECK(env.take_without("Heartbeat") ==
        "persist 2 term=3 vote=0\n"
        "send 1->3 term=3 Forward count=1\n");
}

TEST_CASE("a refusal for a reason other than leadership is the client's answer") {
  for (const base::Errc reason : {base::Errc::no_space, base::Errc::too_many_requests, base::Errc::request_too_large}) {
    ReplicaEnv env;
    follow_member_2(env);
    env.put("k", "v");
    env.drop();
    env.receive(2, 2, core::ForwardRejected{{env.request(1)}, reason});
    CHECK(env.take() == "write 1 " + base::make_error_code(reason).message() + "\n");
    CHECK(env.replica->pending_proposals() == 0);
    CHECK(env.replica->proposals_failed() == 1);
  }
}

TEST_CASE("a refusal of a write that is answered or not known changes nothing") {
  ReplicaEnv env;
  follow_member_2(env);
  env.receive(2, 2,
              core::ForwardRejected{{env.request(1), env.request(77), {core::NodeId(3), 1}}, base::Errc::no_space});
  CHECK(env.take() == "");
}

TEST_CASE("a leader refuses a forwarded write while it hands leadership over") {
  ReplicaEnv env;
  env.become_leader();
  env.receive(2, 2, core::HeartbeatResponse{0});
  env.drop();
  REQUIRE(env.replica->transfer_leadership(env.now));
  env.drop();
  env.receive(3, 2, core::ForwardedProposals{{{{core::NodeId(3), 9}, base::SharedBytes(std::string("x"))}}});
  CHECK(env.take() == "send 1->3 term=2 ForwardRejected count=1 reason=no leader\n");
  CHECK(env.put("k", "held") == "write 1");
  CHECK(env.take() == "");
  CHECK(env.replica->pending_proposals() == 1);
}

TEST_CASE("a write that no leader got ends with no leader, one that may be applied with a time-out") {
  ReplicaEnv env;
  CHECK(env.put("k", "held") == "write 1");
  env.advance(base::seconds(7));
  const std::string answers = env.take_without("send");
  CHECK_THAT(answers, contains_text("write 1 no leader\n"));
  CHECK_FALSE(base::is_outcome_unknown(env.proposals.back().outcome.error()));

  ReplicaEnv other;
  follow_member_2(other);
  other.put("k", "forwarded");
  other.drop();
  other.advance(base::seconds(7));
  CHECK_THAT(other.take_without("send"), contains_text("write 1 request timed out\n"));
  CHECK(base::is_outcome_unknown(other.proposals.back().outcome.error()));
  CHECK(other.replica->proposals_failed() == 1);
}

TEST_CASE("an entry of a write that timed out is applied without an answer") {
  ReplicaEnv env;
  follow_member_2(env);
  env.put("k", "v");
  env.drop();
  env.advance(base::seconds(7));
  env.drop();
  core::AppendRequest append{core::Index(2), core::Term(9), core::Index(3), {}};
  append.prev_term = core::Term(2);
  append.entries.push_back(ReplicaEnv::command(9, 3, "v", env.request(1)));
  env.receive(2, 9, append);
  CHECK(env.take_without("persist").find("write") == std::string::npos);
  CHECK(env.value_of("k") == "v");
}

TEST_CASE("an entry of an earlier run of this member is nobody's") {
  EnvOptions options;
  options.incarnation = 2;
  ReplicaEnv env(options);
  follow_member_2(env);
  env.put("k", "v");
  env.drop();
  core::AppendRequest append{core::Index(2), core::Term(2), core::Index(3), {}};
  append.entries.push_back(ReplicaEnv::command(2, 3, "old", {core::NodeId(1), (1ULL << 40) + 1}));
  env.receive(2, 2, append);
  CHECK(env.take() == "persist 2 2/3\n");
  CHECK(env.replica->pending_proposals() == 1);
}

TEST_CASE("proposals are bounded in number, in bytes and in size") {
  SECTION("number") {
    EnvOptions options;
    options.tweak = [](replica::ReplicaOptions& o) { o.pending_proposals_max = 2; };
    ReplicaEnv env(options);
    CHECK(env.put("k", "1") == "write 1");
    CHECK(env.put("k", "2") == "write 2");
    CHECK(env.put("k", "3") == "refused: too many requests");
  }
  SECTION("bytes") {
    EnvOptions options;
    options.tweak = [](replica::ReplicaOptions& o) { o.pending_bytes_max = 100; };
    ReplicaEnv env(options);
    CHECK(env.put("k", std::string(60, 'x')) == "write 1");
    CHECK(env.put("k", std::string(60, 'x')) == "refused: too many requests");
    CHECK(env.put("k", "small") == "write 2");
  }
  SECTION("size") {
    ReplicaEnv env;
    CHECK(env.put("k", std::string(core::entry_payload_bytes_max, 'x')) == "refused: request is too large");
    CHECK(env.replica->pending_proposals() == 0);
  }
}

TEST_CASE("the leader's limit of uncommitted bytes is the client's answer") {
  EnvOptions options;
  options.tweak = [](replica::ReplicaOptions& o) { o.node.uncommitted_bytes_max = 150; };
  ReplicaEnv env(options);
  env.become_leader();
  env.put("k", std::string(100, 'x'));
  env.put("k", "more");
  CHECK(env.take_without("send") ==
        "persist 3 2/3\n"
        "write 2 too many requests\n");
}

TEST_CASE("a leader whose log is full refuses writes and goes on when there is room") {
  ReplicaEnv env;
  env.become_leader();
  env.replica->set_log_full(true);
  env.put("k", "1");
  CHECK(env.take() == "write 1 no space left in the log's budget\n");
  env.receive(3, 2, core::ForwardedProposals{{{{core::NodeId(3), 9}, base::SharedBytes(std::string("x"))}}});
  CHECK(env.take() == "send 1->3 term=2 ForwardRejected count=1 reason=no space left in the log's budget\n");
  env.replica->set_log_full(false);
  env.put("k", "2");
  CHECK(env.take_without("send") == "persist 3 2/3\n");
}

TEST_CASE("a follower whose log is full takes no commands but no-ops, commits and votes") {
  // Intent: without this its log stalls with the term in the queue, nothing is acknowledged, and no space comes free.
  ReplicaEnv env;
  follow_member_2(env);
  env.replica->set_log_full(true);
  env.receive_append(2, 3, 2, 2, {"a", "b"});
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=2\n");  // what it has, so that the leader can tell the commit
  core::AppendRequest noop{core::Index(2), core::Term(2), core::Index(2), {}};
  noop.entries.push_back({core::Term(3), core::Index(3), core::EntryType::noop, {}, {}});
  env.receive(3, 3, noop);
  CHECK(env.take() == "persist 2 term=3 vote=0 3/3\n");
  env.replica->set_log_full(false);
  core::AppendRequest more{core::Index(3), core::Term(3), core::Index(3), {}};
  more.entries.push_back(ReplicaEnv::command(3, 4, "b"));
  env.receive(3, 3, more);
  CHECK(env.take() == "persist 3 3/4\n");
}

TEST_CASE("a leader repeats to a follower whose log is full once a heartbeat, not once a round trip") {
  ReplicaEnv env;
  env.become_leader();
  env.put("k", "v");
  env.drop();
  env.replica->on_peer_connected(core::NodeId(2));
  CHECK(env.take() == "send 1->2 term=2 Append prev=2/2 commit=2 entries=[2/3 command 13B]\n");
  env.receive(2, 2, core::AppendResponse{false, core::Index(2), {}, {}});
  CHECK(env.take() == "");
  env.receive(2, 2, core::HeartbeatResponse{2});
  CHECK(env.take() == "send 1->2 term=2 Append prev=2/2 commit=2 entries=[2/3 command 13B]\n");
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  env.durable(3);
  CHECK(env.take_without("send") == "write 1 ok revision=2\n");
}

TEST_CASE("a stop ends every write and read as stopped, once") {
  ReplicaEnv env;
  env.become_leader();
  env.put("k", "1");
  env.read();
  env.drop();
  env.read();
  env.replica->stop();
  const std::string answers = env.take_without("send");
  CHECK(answers ==
        "write 1 server stopped\n"
        "read 1 server stopped\n"
        "read 2 server stopped\n");
  CHECK(base::is_outcome_unknown(env.proposals.back().outcome.error()));
  CHECK(env.replica->pending_proposals() == 0);
  env.durable(3);
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  env.advance(base::seconds(8));
  const std::string later = env.take_without("send");
  CHECK(later.find("write") == std::string::npos);
  CHECK(later.find("read") == std::string::npos);
}

TEST_CASE("the stages of a write are stamped in order on the member that saw them") {
  ReplicaEnv env;
  env.become_leader();
  const base::Instant accepted = env.now - base::milliseconds(3);
  kv::PutRequest put;
  REQUIRE(env.replica->on_propose(env.now, accepted, ReplicaEnv::command(2, 3, "v").payload));
  const base::Instant proposed = env.now;
  env.drop();
  env.now = env.now + base::milliseconds(1);
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  const base::Instant replicated = env.now;
  env.drop();
  env.now = env.now + base::milliseconds(1);
  env.durable(3);
  const base::Instant durable = env.now;
  env.drop();
  REQUIRE(env.proposals.size() == 1);
  const replica::StageTimes& times = env.proposals[0].times;
  CHECK(times.accepted == accepted);
  CHECK(times.proposed == proposed);
  CHECK(times.replicated == replicated);
  CHECK(times.log_written == durable);
  CHECK(times.committed == durable);
}

TEST_CASE("a forwarded write has no stage of a disk that this member did not see") {
  ReplicaEnv env;
  follow_member_2(env);
  env.put("k", "v");
  env.drop();
  core::AppendRequest append{core::Index(2), core::Term(2), core::Index(3), {}};
  append.entries.push_back(ReplicaEnv::command(2, 3, "v", env.request(1)));
  env.receive(2, 2, append);
  env.drop();
  REQUIRE(env.proposals.size() == 1);
  CHECK_FALSE(env.proposals[0].times.log_written);
  CHECK_FALSE(env.proposals[0].times.replicated);
  CHECK(env.proposals[0].times.committed == env.now);
}

TEST_CASE("a change of the members is answered when its entry is applied, a refusal at once") {
  ReplicaEnv env;
  env.become_leader();
  env.drop();
  const core::Member four{core::NodeId(4), "four"};
  const auto ticket = env.replica->on_propose_change(env.now, {{{core::ChangeKind::add_learner, four}}});
  REQUIRE(ticket.has_value());
  env.drop();
  CHECK(env.proposals.empty());
  REQUIRE(env.replica->on_propose_change(env.now, {{{core::ChangeKind::remove, four}}}).has_value());
  env.drop();
  REQUIRE(env.proposals.size() == 1);
  CHECK(env.proposals.back().outcome.error() == base::Errc::change_in_progress);
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), core::Index(0), core::Term(0)});
  env.receive(3, 2, core::AppendResponse{false, core::Index(3), core::Index(0), core::Term(0)});
  env.drop();
  REQUIRE(env.proposals.size() == 2);
  CHECK(env.proposals.back().ticket == *ticket);
  CHECK(env.proposals.back().outcome.has_value());
  CHECK(core::decode_configuration(env.replica->store().configuration())->is_learner(core::NodeId(4)));
}

TEST_CASE("a change held while there is no leader is proposed when there is one") {
  ReplicaEnv env;
  const core::Member four{core::NodeId(4), "four"};
  REQUIRE(env.replica->on_propose_change(env.now, {{{core::ChangeKind::add_learner, four}}}).has_value());
  env.drop();
  env.follow(5);
  env.drop();
  const auto is_forwarded = [](const core::Message& m) {
    return std::holds_alternative<core::ForwardedChange>(m.body);
  };
  CHECK(std::any_of(env.sent.begin(), env.sent.end(), is_forwarded));
}

namespace {

// Member `leader` leads `term` and has its no-op, the entry `index`, replicated here and committed.
void follow_and_commit(ReplicaEnv& env, std::uint64_t leader, std::uint64_t term, std::uint64_t index,
                       std::uint64_t prev_term) {
  core::AppendRequest append{core::Index(index - 1), core::Term(prev_term), core::Index(index), {}};
  append.entries.push_back({core::Term(term), core::Index(index), core::EntryType::noop, {}, {}});
  env.receive(leader, term, append);
}

std::size_t forwards_in(const ReplicaEnv& env) {
  std::size_t count = 0;
  for (const core::Message& m : env.sent) {
    if (const auto* forwarded = std::get_if<core::ForwardedProposals>(&m.body)) count += forwarded->proposals.size();
  }
  return count;
}

}  // namespace

TEST_CASE("S53: what was lost with a leader is proposed again once a later term's entry proves that it is lost") {
  ReplicaEnv env;
  follow_member_2(env);
  CHECK(env.put("k", "v") == "write 1");
  env.drop();
  CHECK(forwards_in(env) == 1);
  SECTION("not when only the leader is new") {
    env.receive(3, 3, core::Heartbeat{});
    env.drop();
    CHECK(forwards_in(env) == 0);
  }
  SECTION("when its entry is applied, under another number; a late refusal of the first attempt changes nothing") {
    follow_and_commit(env, 3, 3, 3, 2);
    env.drop();
    env.advance(base::milliseconds(50));
    REQUIRE(env.take().find("Forward count=1") != std::string::npos);
    env.receive(2, 3, core::ForwardRejected{{env.request(1)}, base::Errc::not_leader});
    env.advance(base::milliseconds(50));
    CHECK(env.take().find("Forward") == std::string::npos);
    core::AppendRequest append{core::Index(3), core::Term(3), core::Index(4), {}};
    append.entries.push_back(ReplicaEnv::command(3, 4, "v", env.request(2)));
    env.receive(3, 3, append);
    CHECK(env.take_without("send").find("write 1 ok") != std::string::npos);
  }
  SECTION("not when the old leader's entry is in the log before") {
    core::AppendRequest append{core::Index(2), core::Term(2), core::Index(4), {}};
    append.entries.push_back(ReplicaEnv::command(2, 3, "v", env.request(1)));
    append.entries.push_back({core::Term(3), core::Index(4), core::EntryType::noop, {}, {}});
    env.receive(3, 3, append);
    CHECK(env.take().find("write 1 ok") != std::string::npos);
    env.advance(base::milliseconds(50));
    CHECK(env.take().find("Forward") == std::string::npos);
  }
}

TEST_CASE("what was forwarded and certainly never left is forwarded again, once") {
  ReplicaEnv env;
  follow_member_2(env);
  CHECK(env.put("k", "v") == "write 1");
  env.drop();
  REQUIRE(forwards_in(env) == 1);
  env.sent.clear();
  env.replica->on_unsent({env.request(1)});
  env.drop();
  CHECK(forwards_in(env) == 1);
  env.sent.clear();
  env.advance(base::milliseconds(50));
  env.drop();
  CHECK(forwards_in(env) == 0);
}

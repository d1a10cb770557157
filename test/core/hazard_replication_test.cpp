// Hazards of the catalogue that concern replication, truncation, configurations and reads. docs/hazards.md names the
// mutation that each of these catches.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

AppendRequest append(std::uint64_t prev_index, std::uint64_t prev_term, std::uint64_t commit,
                     std::vector<Entry> entries) {
  return {Index(prev_index), Term(prev_term), Index(commit), std::move(entries)};
}

SoloStart start_with(std::vector<std::uint64_t> terms, std::uint64_t applied = 0) {
  SoloStart start;
  start.log = make_log(terms);
  start.applied = applied;
  return start;
}

// Whether an assertion ends the process that does this.
template <class Action>
bool asserts(const Action& action) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGABRT, SIG_DFL);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(1);
    action();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

std::vector<LogRead> log_reads_for(const Output& output, std::uint64_t peer) {
  std::vector<LogRead> reads;
  for (const LogRead& r : output.log_reads) {
    if (r.peer == NodeId(peer)) reads.push_back(r);
  }
  return reads;
}

}  // namespace

// No leader that was elected asks for it; if one did, what was acknowledged would be lost without a trace.
TEST_CASE("S19: a member ends before it replaces what is committed") {
  for (const std::uint64_t conflict : {1, 2}) {
    SoloEnv env(start_with({1, 1, 1}));
    env.receive(2, 1, append(3, 1, 2, {}));
    REQUIRE(env.node.committed() == Index(2));
    CHECK(asserts([&] { env.receive(3, 2, append(0, 0, 0, make_log(conflict == 1 ? Ids{2} : Ids{1, 2}))); }));
  }
  SoloEnv env(start_with({1, 1, 1}));
  env.receive(2, 1, append(3, 1, 2, {}));
  env.receive(3, 2, append(0, 0, 0, make_log({1, 1, 2})));  // what is not may be replaced
  CHECK(env.node.log().last_term() == Term(2));
}

TEST_CASE("S20: an append with a gap, a term that goes back or one from the future is dropped whole") {
  const std::vector<std::vector<Entry>> bad = {
      {make_command(1, 1), make_command(1, 3)},  // gap
      {make_command(1, 2)},                      // does not follow its previous entry
      {make_command(1, 1), make_command(1, 1)},  // repeated
      {make_command(2, 1), make_command(1, 2)},  // terms go back
      {make_command(6, 1)},                      // newer than its leader's
  };
  for (const auto& entries : bad) {
    SoloEnv env;
    const Output output = env.receive(2, 5, append(0, 0, 0, entries));
    CHECK(env.node.log().last_index() == Index(0));
    CHECK(output.after_persist.empty());
  }
}

TEST_CASE("S20: a configuration entry that does not decode never reaches the log") {
  SoloEnv env;
  Entry entry = make_configuration_entry(1, 1, make_configuration({1, 2}));
  entry.payload = make_payload("garbage");
  env.receive(2, 1, append(0, 0, 0, {entry}));
  CHECK(env.node.log().last_index() == Index(0));
  CHECK(env.node.configuration() == make_configuration({1, 2, 3}));
}

TEST_CASE("S21: an append into the released part of the log is answered by what is committed, never matched by zero") {
  SoloEnv env(start_with({1, 1, 2, 2}, 4));
  env.node.on_released(Index(3));
  SECTION("a released previous entry") {
    const Output output = env.receive(2, 2, append(1, 1, 0, {make_command(1, 2)}));
    const auto* response = find_body<AppendResponse>(output.after_persist, 2);
    REQUIRE(response != nullptr);
    CHECK_FALSE(response->rejected);
    CHECK(response->index == Index(4));
  }
  SECTION("a log view without the entry has no term for it") {
    CHECK_FALSE(env.node.log().term_at(Index(1)).has_value());
    CHECK_FALSE(env.node.log().matches(Index(1), Term(0)));
  }
  CHECK(env.node.log().last_index() == Index(4));
}

TEST_CASE("S21: a leader does not ask its log for what is released") {
  SoloEnv env(start_with({1, 1, 1, 1}, 4));
  env.node.on_released(Index(4));
  env.become_leader();
  // The follower's log ends long before: nothing but a snapshot helps, and nothing is read or sent meanwhile.
  const Output output = env.receive(2, 2, AppendResponse{true, Index(4), Index(0), Term(0)});
  CHECK(output.log_reads.empty());
  CHECK(find_body<AppendRequest>(output.messages, 2) == nullptr);
  CHECK(env.node.progress().at(NodeId(2)).state() == Progress::State::snapshot);
}

TEST_CASE("S22: the commit index moves no further than what the message proves to match") {
  SoloEnv env(start_with({1, 1, 1, 1}));  // 3 and 4 may be another leader's
  CHECK(env.receive(2, 5, append(2, 1, 4, {})).committed.size() == 2);
  CHECK(env.node.committed() == Index(2));
}

TEST_CASE("S22: a heartbeat's commit index is cut to what the follower is known to hold") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  REQUIRE(env.node.committed() == Index(1));
  const Output output = env.tick(solo_options(1).heartbeat_interval);
  CHECK(find_body<Heartbeat>(output.messages, 2)->commit == Index(1));
  CHECK(find_body<Heartbeat>(output.messages, 3)->commit == Index(0));
}

TEST_CASE("S22: a follower ignores a heartbeat's commit index that its log does not reach") {
  SoloEnv env(start_with({1, 1}));
  env.receive(2, 1, Heartbeat{Index(3), 0, {}});
  CHECK(env.node.committed() == Index(0));
}

TEST_CASE("S23: a reconnect before the first answer goes on probing where it was") {
  SoloEnv env(start_with({1, 1, 1, 1}));
  env.become_leader();
  env.node.on_peer_connected(NodeId(2));
  const Output output = env.take();
  const auto* request = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(request != nullptr);
  CHECK(request->prev_index == Index(4));
}

TEST_CASE("S23: a lost append is found by the answer to a heartbeat") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  env.propose();  // lost
  Output output = env.receive(2, 1, HeartbeatResponse{});
  const auto* probe = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(probe != nullptr);
  CHECK(probe->prev_index == Index(2));
  output = env.receive(2, 1, AppendResponse{true, Index(2), Index(1), Term(1)});
  const auto* again = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(again != nullptr);
  CHECK(again->prev_index == Index(1));
  CHECK(again->entries.size() == 1);
}

TEST_CASE("S23: a lagging follower is fed from the log, one read at a time, in messages of a bounded size") {
  NodeOptions options = solo_options(1);
  options.cache_bytes_max = 1;
  SoloStart start;
  constexpr std::size_t entries_count = message_entries_max + 10;
  start.log = make_log(std::vector<std::uint64_t>(entries_count, 1));
  start.applied = entries_count - 1;
  SoloEnv env(options, start);
  env.become_leader();
  env.receive(3, 2, AppendResponse{false, env.node.log().last_index(), {}, {}});
  Output output = env.receive(2, 2, AppendResponse{true, Index(entries_count), Index(0), Term(0)});
  REQUIRE(log_reads_for(output, 2).size() == 1);
  CHECK(log_reads_for(output, 2)[0].first == Index(1));
  CHECK(log_reads_for(env.receive(2, 2, HeartbeatResponse{}), 2).empty());
  env.node.on_log_read(env.now, NodeId(2), start.log);
  output = env.take();
  const auto* request = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(request != nullptr);
  CHECK(request->entries.size() == message_entries_max);
}

TEST_CASE("S23: a log read that is answered late or with other entries sends nothing") {
  NodeOptions options = solo_options(1);
  options.cache_bytes_max = 1;
  SoloStart start = start_with({1, 1, 1, 1}, 4);
  SoloEnv env(options, start);
  env.become_leader();
  env.receive(3, 2, AppendResponse{false, Index(5), {}, {}});
  REQUIRE(log_reads_for(env.receive(2, 2, AppendResponse{true, Index(4), Index(0), Term(0)}), 2).size() == 1);
  std::vector<Entry> entries = start.log;
  SECTION("another first index") { entries.erase(entries.begin()); }
  SECTION("other terms") { entries.back().term = Term(7); }
  SECTION("nothing") { entries.clear(); }
  SECTION("after leadership") { env.receive(3, 9, Heartbeat{}); }
  env.node.on_log_read(env.now, NodeId(2), entries);
  CHECK(find_body<AppendRequest>(env.take().messages, 2) == nullptr);
}

TEST_CASE("S24: a message for another member, from oneself or from nobody is dropped") {
  SoloEnv env;
  for (const auto& [from, to] : {std::pair{2, 3}, {1, 1}, {0, 1}}) {
    env.node.on_message(env.now, {NodeId(from), NodeId(to), Term(9), VoteRequest{}});
    CHECK(env.take().empty());
    CHECK(env.node.term() == Term(0));
  }
}

TEST_CASE("S24: answers from an older term, or from somebody who does not belong, change nothing") {
  SoloEnv env(start_with({1}));
  env.become_leader();  // term 2
  env.receive(2, 1, AppendResponse{false, Index(2), {}, {}});
  env.receive(9, 2, AppendResponse{false, Index(2), {}, {}});
  env.receive(2, 1, HeartbeatResponse{5});
  CHECK(env.node.committed() == Index(0));
  CHECK(env.node.progress().at(NodeId(2)).match() == Index(0));
  SoloEnv candidate;
  candidate.campaign();
  candidate.receive(9, 1, VoteResponse{true, true});
  CHECK(candidate.node.role() == Role::pre_candidate);
}

TEST_CASE("S24: an append that arrives late or twice takes nothing back") {
  SoloEnv env;
  const AppendRequest first = append(0, 0, 1, {make_command(1, 1)});
  env.receive(2, 1, first);
  env.receive(2, 1, append(1, 1, 2, {make_command(1, 2)}));
  const Output output = env.receive(2, 1, first);
  CHECK(env.node.log().last_index() == Index(2));
  CHECK(env.node.committed() == Index(2));
  CHECK_FALSE(output.persist.has_value());
  CHECK(find_body<AppendResponse>(output.after_persist, 2)->index == Index(1));
}

TEST_CASE("S35: a configuration that is truncated away gives way to the one before it") {
  SoloEnv env;
  const Configuration before = env.node.configuration();
  env.receive(2, 1, append(0, 0, 0, {make_command(1, 1), make_configuration_entry(1, 2, make_configuration({1, 2}))}));
  REQUIRE(env.node.configuration() == make_configuration({1, 2}));
  SECTION("uncommitted") {
    env.receive(3, 2, append(1, 1, 0, {make_command(2, 2)}));
    CHECK(env.node.configuration() == before);
  }
  SECTION("with another one in its place") {
    env.receive(3, 2, append(1, 1, 0, {make_configuration_entry(2, 2, make_configuration({1, 3}))}));
    CHECK(env.node.configuration() == make_configuration({1, 3}));
  }
  SECTION("committed it stays, whatever follows it is truncated") {
    env.receive(2, 1, append(2, 1, 2, {make_configuration_entry(1, 3, before)}));
    env.receive(3, 2, append(2, 1, 2, {make_command(2, 3)}));
    CHECK(env.node.configuration() == make_configuration({1, 2}));
  }
}

TEST_CASE("S35: a restart finds the configuration that is in the log but not applied") {
  SoloStart start;
  start.log = {make_command(1, 1), make_configuration_entry(1, 2, make_configuration({1, 2}))};
  start.applied = 1;
  SoloEnv env(start);
  CHECK(env.node.configuration() == make_configuration({1, 2}));
  env.receive(3, 2, append(1, 1, 0, {make_command(2, 2)}));
  CHECK(env.node.configuration() == make_configuration({1, 2, 3}));
}

TEST_CASE("S49: a new leader answers no read before it has committed in its term") {
  SoloEnv env(start_with({1, 1}));
  env.become_leader();
  Output output = env.read(1);
  const auto* heartbeat = find_body<Heartbeat>(output.messages, 2);
  CHECK(heartbeat == nullptr);
  CHECK(env.receive(2, 2, HeartbeatResponse{0}).reads.empty());
  CHECK(env.receive(3, 2, HeartbeatResponse{0}).reads.empty());
  output = env.acknowledge(2);
  heartbeat = find_body<Heartbeat>(output.messages, 2);
  REQUIRE(heartbeat != nullptr);
  output = env.receive(2, 2, HeartbeatResponse{heartbeat->read_round});
  REQUIRE(output.reads.size() == 1);
  CHECK(output.reads[0].index == Index(3));
}

TEST_CASE("S50: an answer to a round of an earlier leadership does not confirm a new read") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  const std::uint64_t old_round = find_body<Heartbeat>(env.read(1).messages, 2)->read_round;
  env.receive(3, 2, Heartbeat{});  // deposed with the round open
  env.become_leader();             // term 3
  env.acknowledge(2);
  const Output output = env.read(2);
  REQUIRE(find_body<Heartbeat>(output.messages, 2) != nullptr);
  CHECK(find_body<Heartbeat>(output.messages, 2)->read_round > old_round);
  CHECK(env.receive(2, 1, HeartbeatResponse{old_round}).reads.empty());
  CHECK(env.receive(2, 3, HeartbeatResponse{old_round}).reads.empty());
}

TEST_CASE("S53: what a follower has queued for its leader is proposed, refused or sent on, never kept") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  env.persist_all();
  const Proposal proposal{{NodeId(1), 7}, make_payload("x")};
  REQUIRE(env.node.on_propose(env.now, proposal).has_value());
  SECTION("sent on") {
    const Output output = env.take();
    REQUIRE(find_body<ForwardedProposals>(output.messages, 2) != nullptr);
  }
  SECTION("refused: the leader is gone") {
    env.now = env.node.next_deadline();
    env.node.on_tick(env.now);
    const Output output = env.take();
    REQUIRE(output.rejected.size() == 1);
    CHECK(output.rejected[0].request.sequence == 7);
  }
  SECTION("proposed: the member itself became leader before its output was taken") {
    const auto message = [&](MessageBody body, std::uint64_t term) {
      env.node.on_message(env.now, {NodeId(2), NodeId(1), Term(term), std::move(body)});
    };
    message(TimeoutNow{}, 1);
    const Output campaign = env.take();
    if (campaign.rejected.empty()) {
      env.node.on_persisted(env.now, campaign.persist->token);
      message(VoteResponse{false, true}, 2);
      CHECK(env.take().persist->entries.back().request.sequence == 7);
    } else {
      CHECK(campaign.rejected[0].request.sequence == 7);
    }
  }
}

TEST_CASE("S57: forwarded proposals travel in messages that the peer protocol accepts") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{});
  const std::string payload(64UL << 10, 'x');
  constexpr std::uint64_t count = message_entries_max + 100;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::string text = i <= 100 ? payload : "x";
    REQUIRE(env.node.on_propose(env.now, {{NodeId(1), i}, make_payload(text)}).has_value());
  }
  std::uint64_t next = 1;
  for (const Message& m : env.take().messages) {
    const auto* forwarded = std::get_if<ForwardedProposals>(&m.body);
    if (forwarded == nullptr) continue;
    std::size_t bytes = 0;
    for (const Proposal& p : forwarded->proposals) {
      bytes += p.payload.size_bytes();
      CHECK(p.request.sequence == next++);
    }
    CHECK(forwarded->proposals.size() <= message_entries_max);
    CHECK(bytes <= message_payload_bytes_max);
  }
  CHECK(next == count + 1);
}

TEST_CASE("S57: a leader refuses proposals beyond its limit of uncommitted bytes, and takes them again afterwards") {
  NodeOptions options = solo_options(1);
  options.uncommitted_bytes_max = 1000;
  SoloEnv env(options, {});
  env.become_leader();
  env.acknowledge(2);
  const auto propose = [&] {
    return env.node.on_propose(env.now, {{NodeId(1), 1}, make_payload(std::string(600, 'x'))});
  };
  CHECK(propose().has_value());
  CHECK(propose().has_value());
  const auto refused = propose();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == base::make_error_code(base::Errc::too_many_requests));
  env.take();
  env.persist_all();
  env.acknowledge(2);
  CHECK(propose().has_value());
}

}  // namespace whitewater::core::test

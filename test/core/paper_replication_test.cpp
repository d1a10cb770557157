// One case per rule of Ongaro's thesis on replication, commitment and linearizable reads. The section is in the name.
#include "catch.hpp"
#include "core/solo_env.hpp"

namespace whitewater::core::test {
namespace {

SoloStart start_with_log(std::vector<Entry> log) {
  SoloStart start;
  start.log = std::move(log);
  return start;
}

AppendRequest append(std::uint64_t prev_index, std::uint64_t prev_term, std::uint64_t commit,
                     std::vector<Entry> entries) {
  return {Index(prev_index), Term(prev_term), Index(commit), std::move(entries)};
}

std::vector<std::uint64_t> terms_of(const LogView& log) {
  std::vector<std::uint64_t> terms;
  for (Index i = log.first_index(); i <= log.last_index(); i = i.next()) terms.push_back(log.term_at(i)->value);
  return terms;
}

}  // namespace

TEST_CASE("thesis 3.5: a leader appends a proposal to its log and sends it to everybody before its own disk has it") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  env.acknowledge(3);
  const Output output = env.propose("hello");
  REQUIRE(output.persist.has_value());
  REQUIRE(output.persist->entries.size() == 1);
  for (const std::uint64_t id : {2, 3}) {
    const auto* request = find_body<AppendRequest>(output.messages, id);
    REQUIRE(request != nullptr);
    CHECK(request->prev_index == Index(1));
    CHECK(request->prev_term == Term(1));
    REQUIRE(request->entries.size() == 1);
    CHECK(request->entries[0].payload.view() == "hello");
  }
}

TEST_CASE(
    "thesis 3.5: a follower refuses an append whose previous entry it does not have, and says where it may match") {
  struct Case {
    std::uint64_t prev_index;
    std::uint64_t prev_term;
    std::uint64_t hint_index;
    std::uint64_t hint_term;
  };
  // The follower's log is 1/1 2/2 2/3.
  for (const Case& c : {Case{5, 3, 3, 2}, {3, 3, 3, 2}, {3, 1, 1, 1}, {2, 1, 1, 1}, {9, 1, 1, 1}}) {
    SoloEnv env(start_with_log(make_log({1, 2, 2})));
    const Output output = env.receive(2, 5, append(c.prev_index, c.prev_term, 0, {make_command(5, c.prev_index + 1)}));
    const auto* response = find_body<AppendResponse>(output.after_persist, 2);
    REQUIRE(response != nullptr);
    INFO(c.prev_term << "/" << c.prev_index);
    CHECK(response->rejected);
    CHECK(response->index == Index(c.prev_index));
    CHECK(response->hint_index == Index(c.hint_index));
    CHECK(response->hint_term == Term(c.hint_term));
    CHECK(env.node.log().last_index() == Index(3));
  }
}

TEST_CASE("thesis 3.5: conflicting entries are replaced, matching ones are kept (figure 3.6)") {
  struct Case {
    std::vector<std::uint64_t> log;
    AppendRequest request;
    std::vector<std::uint64_t> expected;
  };
  const std::vector<Case> cases = {
      {{1, 1}, append(2, 1, 0, {make_command(2, 3)}), {1, 1, 2}},
      {{1, 1, 1}, append(2, 1, 0, {make_command(2, 3)}), {1, 1, 2}},
      {{1, 1, 2}, append(1, 1, 0, {make_command(1, 2)}), {1, 1, 2}},  // an old append cuts nothing
      {{1, 2, 2}, append(0, 0, 0, {make_command(1, 1)}), {1, 2, 2}},  // nor does an older one
      {{1, 2, 2}, append(1, 1, 0, {make_command(3, 2)}), {1, 3}},     // the suffix goes with its first conflict
      {{}, append(0, 0, 0, {make_command(1, 1), make_command(2, 2)}), {1, 2}},
  };
  for (const Case& c : cases) {
    SoloEnv env(start_with_log(make_log(c.log)));
    const Output output = env.receive(2, 5, c.request);
    CHECK(terms_of(env.node.log()) == c.expected);
    const auto* response = find_body<AppendResponse>(output.after_persist, 2);
    REQUIRE(response != nullptr);
    CHECK_FALSE(response->rejected);
    CHECK(response->index == c.request.prev_index + c.request.entries.size());
  }
}

TEST_CASE("thesis 3.5: the leader finds the matching point, one round trip per term") {
  // The follower's log is that of an older leader: 1 1 1 2 2; the leader's is 1 1 1 3 3.
  SoloEnv env(start_with_log(make_log({1, 1, 1, 3, 3})));
  env.become_leader();
  Output output = env.receive(2, 4, AppendResponse{true, Index(5), Index(5), Term(2)});
  const auto* request = find_body<AppendRequest>(output.messages, 2);
  REQUIRE(request != nullptr);
  CHECK(request->prev_index == Index(3));
  CHECK(request->prev_term == Term(1));
  CHECK(request->entries.size() == 3);
  CHECK(request->entries.back().type == EntryType::noop);
}

TEST_CASE("thesis 3.5: a leader tells the commit index and followers apply up to it") {
  SoloEnv env(start_with_log(make_log({1, 1, 1})));
  CHECK(env.receive(2, 1, append(3, 1, 2, {})).committed.size() == 2);
  CHECK(env.receive(2, 1, Heartbeat{Index(3), 0, {}}).committed.size() == 1);
  CHECK(env.receive(2, 1, Heartbeat{Index(3), 0, {}}).committed.empty());
}

TEST_CASE("thesis 3.5: an acknowledgement leaves only after the entries are durable") {
  SoloEnv env;
  const Output output = env.receive(2, 1, append(0, 0, 0, {make_command(1, 1)}));
  CHECK(output.messages.empty());
  REQUIRE(output.persist.has_value());
  CHECK(output.persist->entries.size() == 1);
  CHECK(find_body<AppendResponse>(output.after_persist, 2) != nullptr);
}

TEST_CASE("thesis 3.6.2: an entry is committed when a quorum holds it, the leader counted only when it is durable") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3, 4, 5});
  SoloEnv env(start);
  env.become_leader();
  env.acknowledge(2);
  env.acknowledge(3);
  REQUIRE(env.node.committed() == Index(1));
  const Output proposed = env.propose();
  env.acknowledge(2);
  env.acknowledge(3);
  CHECK(env.node.committed() == Index(1));
  SECTION("by its own disk") {
    env.persist(proposed.persist->token);
    CHECK(env.node.committed() == Index(2));
  }
  SECTION("or by a quorum of followers (thesis 10.2.1)") {
    env.acknowledge(4);
    CHECK(env.node.committed() == Index(2));
    CHECK(env.node.log().durable_index() == Index(1));
  }
}

TEST_CASE("thesis 3.6.2: an entry of an older term is never committed by counting (figure 3.7)") {
  SoloEnv env(start_with_log(make_log({1, 2})));
  env.become_leader();  // term 3, with its no-op at 3
  env.receive(2, 3, AppendResponse{false, Index(2), {}, {}});
  env.receive(3, 3, AppendResponse{false, Index(2), {}, {}});
  CHECK(env.node.committed() == Index(0));
  env.receive(2, 3, AppendResponse{false, Index(3), {}, {}});
  CHECK(env.node.committed() == Index(3));
}

TEST_CASE("thesis 4.3: a joint configuration commits by both majorities") {
  SoloStart start;
  start.configuration = make_configuration({1, 2, 3}, {1, 4, 5});
  SoloEnv env(start);
  env.become_leader();
  env.acknowledge(2);
  env.acknowledge(3);
  CHECK(env.node.committed() == Index(0));
  env.acknowledge(5);
  CHECK(env.node.committed() == Index(1));
}

TEST_CASE("thesis 4.1: a configuration is in force as soon as it is in the log") {
  SoloEnv env;
  const Configuration grown = make_configuration({1, 2, 3, 4});
  env.receive(2, 1, append(0, 0, 0, {make_configuration_entry(1, 1, grown)}));
  CHECK(env.node.committed() == Index(0));
  CHECK(env.node.configuration() == grown);
}

TEST_CASE("thesis 6.4: a new leader appends a no-op of its term") {
  SoloEnv env(start_with_log(make_log({1, 1})));
  env.become_leader();
  CHECK(env.node.log().last_index() == Index(3));
  CHECK(env.node.log().at(Index(3)).type == EntryType::noop);
  CHECK(env.node.log().at(Index(3)).term == Term(2));
}

TEST_CASE(
    "thesis 6.4: a read is served at the commit index of its start, once a quorum has answered a later heartbeat") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  REQUIRE(env.node.committed() == Index(1));
  const Output asked = env.read(42);
  CHECK(asked.reads.empty());
  const auto* heartbeat = find_body<Heartbeat>(asked.messages, 2);
  REQUIRE(heartbeat != nullptr);
  SECTION("an answer to an older heartbeat confirms nothing") {
    CHECK(env.receive(2, 1, HeartbeatResponse{heartbeat->read_round - 1}).reads.empty());
  }
  SECTION("one more member makes a quorum of three") {
    const Output output = env.receive(2, 1, HeartbeatResponse{heartbeat->read_round});
    REQUIRE(output.reads.size() == 1);
    CHECK(output.reads[0].tag == 42);
    CHECK(output.reads[0].index == Index(1));
  }
  SECTION("what is committed meanwhile does not move the read") {
    env.propose();
    env.persist_all();
    env.acknowledge(3);
    REQUIRE(env.node.committed() == Index(2));
    CHECK(env.receive(3, 1, HeartbeatResponse{heartbeat->read_round}).reads.at(0).index == Index(1));
  }
}

TEST_CASE("thesis 6.4: a follower asks the leader, and hands its answer on") {
  SoloEnv env;
  CHECK_FALSE(env.node.on_read(env.now, 5).has_value());
  env.receive(2, 1, Heartbeat{});
  const Output asked = env.read(7);
  REQUIRE(find_body<ReadIndexRequest>(asked.messages, 2) != nullptr);
  CHECK(find_body<ReadIndexRequest>(asked.messages, 2)->tag == 7);
  CHECK(env.receive(2, 1, ReadIndexResponse{7, false, Index(4)}).reads.at(0).index == Index(4));
  CHECK_FALSE(env.receive(2, 1, ReadIndexResponse{8, true, Index(0)}).reads.at(0).index.has_value());
}

TEST_CASE("thesis 6.4: a leader that loses its leadership refuses the reads it has not confirmed") {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  env.read(1);
  env.receive(3, 1, ReadIndexRequest{2});
  const Output output = env.receive(2, 9, Heartbeat{});
  REQUIRE(output.reads.size() == 1);
  CHECK_FALSE(output.reads[0].index.has_value());
  const auto* response = find_body<ReadIndexResponse>(output.messages, 3);
  REQUIRE(response != nullptr);
  CHECK(response->refused);
}

TEST_CASE("thesis 6.2: a member that is not the leader refuses what others forward to it") {
  SoloEnv env;
  ForwardedProposals forwarded{{{{NodeId(2), 1}, make_payload("x")}}};
  const Output output = env.receive(2, 0, forwarded);
  const auto* rejected = find_body<ForwardRejected>(output.messages, 2);
  REQUIRE(rejected != nullptr);
  REQUIRE(rejected->requests.size() == 1);
  CHECK(rejected->reason == base::Errc::not_leader);
  const Output read = env.receive(2, 0, ReadIndexRequest{3});
  REQUIRE(find_body<ReadIndexResponse>(read.messages, 2) != nullptr);
  CHECK(find_body<ReadIndexResponse>(read.messages, 2)->refused);
}

}  // namespace whitewater::core::test

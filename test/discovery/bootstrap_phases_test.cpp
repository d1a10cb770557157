#include "bootstrap_bench.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// Rule 3, the whole way.
TEST_CASE("rule 3: the coordinator prepares all, commits itself first, then the others", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.round({bench.peer(1), bench.peer(2)});
  bench.round({bench.peer(1), bench.peer(2)});
  const auto set = bench.set();
  REQUIRE(bench.persist() == BootstrapMeta{MemberState::prepared, {}, set_hash(set), encode(set)});
  std::vector<SendExchange> prepares;
  for (const auto& send : bench.all<SendExchange>()) {
    if (std::holds_alternative<Prepare>(send.request)) prepares.push_back(send);
  }
  REQUIRE(prepares.size() == 2);
  const auto promise = [&](std::size_t i, base::NodeId id) {
    bench.fsm->on_reply(bench.now, prepares[i].id, Ack{id, true, MemberState::prepared, set_hash(set), {}, {}});
  };
  promise(0, base::NodeId(101));
  REQUIRE(bench.all<Persist>().empty());  // one promise is missing
  SECTION("a promise of another node does not count") {
    promise(1, base::NodeId(555));
    REQUIRE(bench.all<Persist>().empty());
  }
  SECTION("a refusal does not count, and is asked again") {
    bench.fsm->on_reply(bench.now, prepares[1].id, Ack{base::NodeId(102), false, MemberState::fresh, 0, {}, "busy"});
    REQUIRE(bench.all<Persist>().empty());
    bench.now = bench.now + milliseconds(300);
    bench.fsm->on_tick(bench.now);
    const auto again = bench.all<SendExchange>();
    REQUIRE(std::any_of(again.begin(), again.end(),
                        [](const auto& send) { return std::holds_alternative<Prepare>(send.request); }));
  }
  SECTION("with every promise it decides") {
    promise(1, base::NodeId(102));
    REQUIRE(bench.all<SendExchange>().empty());  // no COMMIT before its own is durable
    const auto meta = bench.persist();
    REQUIRE(meta.state == MemberState::member);
    REQUIRE(meta.cluster_id == cluster_id_of(set));
    REQUIRE(bench.all<Found>().size() == 1);
    auto commits = bench.all<SendExchange>();
    std::erase_if(commits, [](const auto& send) { return std::holds_alternative<Hello>(send.request); });
    REQUIRE(commits.size() == 2);
    REQUIRE(std::get<Commit>(commits.front().request).cluster_id == cluster_id_of(set));
    REQUIRE_FALSE(bench.fsm->is_settled());
    for (const auto& send : commits) {
      const auto id = std::get<Commit>(send.request).receiver;
      bench.fsm->on_reply(bench.now, send.id, Ack{id, true, MemberState::member, meta.set_hash, meta.cluster_id, {}});
    }
    REQUIRE(bench.fsm->is_settled());
  }
}

TEST_CASE("rule 3: a founder promises durably, and COMMIT founds", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  const auto set = bench.set();
  const auto ack = bench.ask(bench.prepare(set), true);
  REQUIRE(ack.accepted);
  REQUIRE(ack.state == MemberState::prepared);
  REQUIRE(ack.set_hash == set_hash(set));
  const Commit commit{base::NodeId(100), base::NodeId(101), set_hash(set), cluster_id_of(set)};
  REQUIRE(bench.ask(commit, true).accepted);
  REQUIRE(bench.disk.state == MemberState::member);
  const auto founds = bench.all<Found>();
  REQUIRE(founds.size() == 1);
  REQUIRE(founds.front().configuration.voters.size() == 3);
  REQUIRE(founds.front().configuration.voters.front().name == "whitewater-0.ww:8090");
  const auto entry = founding_entry(bench.disk);
  REQUIRE(entry.has_value());
  REQUIRE(entry->index == base::Index(1));
  REQUIRE(entry->term == base::Term(1));
  REQUIRE(entry->payload.view() == core::encode(founds.front().configuration));
  REQUIRE(bench.ask(commit).accepted);  // driving it again changes nothing
  REQUIRE(bench.all<Found>().empty());
}

TEST_CASE("rule 3: PREPARE is refused with the reason when anything is not as promised", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  auto set = bench.set();
  auto prepare = bench.prepare(set);
  std::string expected;
  SECTION("another receiver") {
    prepare.receiver = base::NodeId(999);
    expected = "another node id";
  }
  SECTION("another token") {
    prepare.set.token = "x";
    expected = "another bootstrap token";
  }
  SECTION("another count") {
    prepare.set.founders.pop_back();
    expected = "expects 3 founders";
  }
  SECTION("without this member") {
    prepare.set.founders[1].node_id = base::NodeId(7);
    expected = "not in this set";
  }
  SECTION("a hole in the ordinals") {
    prepare.set.founders[2].name = "whitewater-4";
    expected = "does not have the ordinal 2";
  }
  SECTION("one node id twice") {
    prepare.set.founders[2].node_id = base::NodeId(100);
    expected = "two founders have the node id";
  }
  SECTION("not from the lowest ordinal") {
    prepare.sender = base::NodeId(102);
    expected = "only the lowest ordinal coordinates";
  }
  SECTION("after a cluster was seen") {
    auto stranger = member_of(bench.peer(2), 5);
    stranger.token = "other";
    bench.round({bench.peer(0), stranger});
    expected = "has seen cluster";
  }
  SECTION("to a member") {
    bench.round({member_of(bench.peer(0), 5)});
    bench.persist();
    expected = "is member of a cluster already";
  }
  SECTION("while a write is under way") {
    bench.fsm->on_request(bench.now, 1, bench.prepare(set));
    expected = "is writing its state";
  }
  const auto ack = bench.ask(prepare);
  REQUIRE_FALSE(ack.accepted);
  REQUIRE(ack.reason.find(expected) != std::string::npos);
}

TEST_CASE("rule 3: one promise at a time, replaced only by its own coordinator's newer attempt", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  const auto first = bench.set(5);
  REQUIRE(bench.ask(bench.prepare(first), true).accepted);
  REQUIRE(bench.ask(bench.prepare(first)).accepted);  // durable already
  SECTION("another coordinator") {
    auto other = bench.set(9);
    other.founders[0].node_id = base::NodeId(900);
    REQUIRE(bench.ask(bench.prepare(other)).reason == "whitewater-1 promised another set of founders");
  }
  SECTION("an older attempt") { REQUIRE_FALSE(bench.ask(bench.prepare(bench.set(4))).accepted); }
  SECTION("another set under the same attempt") {
    auto other = bench.set(5);
    other.founders[2].node_id = base::NodeId(900);
    REQUIRE_FALSE(bench.ask(bench.prepare(other)).accepted);
  }
  SECTION("a newer attempt of the same coordinator") {
    auto other = bench.set(6);
    other.founders[2].node_id = base::NodeId(900);
    REQUIRE(bench.ask(bench.prepare(other), true).accepted);
    REQUIRE(bench.disk.set_hash == set_hash(other));
    const Commit old{base::NodeId(100), base::NodeId(101), set_hash(first), cluster_id_of(first)};
    REQUIRE(bench.ask(old).reason == "whitewater-1 did not promise this set of founders");
  }
}

TEST_CASE("rule 3: ABORT is taken only from the coordinator, for this attempt, before a commit", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  const auto set = bench.set(5);
  REQUIRE(bench.ask(bench.prepare(set), true).accepted);
  Abort abort{base::NodeId(100), base::NodeId(101), set_hash(set), 5};
  SECTION("from somebody else") {
    abort.sender = base::NodeId(102);
    REQUIRE_FALSE(bench.ask(abort).accepted);
  }
  SECTION("of an older attempt") {
    abort.attempt = 4;
    REQUIRE_FALSE(bench.ask(abort).accepted);
  }
  SECTION("of another set") {
    abort.set_hash = 1;
    REQUIRE_FALSE(bench.ask(abort).accepted);
  }
  SECTION("to another node") {
    abort.receiver = base::NodeId(1);
    REQUIRE_FALSE(bench.ask(abort).accepted);
  }
  SECTION("after the commit") {
    REQUIRE(bench.ask(Commit{base::NodeId(100), base::NodeId(101), set_hash(set), cluster_id_of(set)}, true).accepted);
    REQUIRE_FALSE(bench.ask(abort).accepted);
    REQUIRE(bench.disk.state == MemberState::member);
  }
  SECTION("as it should be") {
    REQUIRE(bench.ask(abort, true).accepted);
    REQUIRE(bench.disk == BootstrapMeta{});
    REQUIRE(bench.ask(abort).accepted);  // again: nothing is left to drop
  }
}

TEST_CASE("rule 3: a restarted founder keeps its promise and follows a member of its own set", "[bootstrap]") {
  Bench bench(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  bench.round({member_of(bench.peer(0), cluster_id_of(set).value), bench.peer(2)});
  REQUIRE(bench.persist().founders == encode(set));
  REQUIRE(bench.all<Found>().size() == 1);
}

TEST_CASE("rule 3: a promise outlives silence and every answer that does not free it", "[bootstrap]") {
  Bench bench(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  SECTION("nobody answers") {
    for (int i = 0; i < 50; ++i) bench.round(std::vector<PeerInfo>{});
  }
  SECTION("the coordinator is bound as well") {
    for (int i = 0; i < 5; ++i) bench.round({bench.prepared_coordinator(), bench.peer(2)});
  }
  SECTION("the coordinator's disk is gone and another founder is silent") {
    auto other = bench.peer(0);
    other.node_id = base::NodeId(900);
    for (int i = 0; i < 5; ++i) bench.round({other});
  }
  SECTION("a strange cluster of a node outside the set answers, the coordinator is silent") {
    for (int i = 0; i < 5; ++i) {
      auto stranger = member_of(bench.peer(2), 5);
      stranger.node_id = base::NodeId(900);
      bench.round({stranger});
    }
  }
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.fsm->meta().state == MemberState::prepared);
}

TEST_CASE("rule 3: a promise is dropped when its set can no longer be committed", "[bootstrap]") {
  Bench bench(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  SECTION("the coordinator has moved on") {
    bench.round({bench.peer(0), bench.peer(2)});
    REQUIRE(bench.persist() == BootstrapMeta{});
  }
  SECTION("the coordinator belongs to another cluster") {
    bench.round({member_of(bench.peer(0), 5)});
    REQUIRE(bench.persist() == BootstrapMeta{});
    bench.round({member_of(bench.peer(0), 5)});
    REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
  }
  SECTION("its disk is gone, all ordinals answer, twice, and none is a member") {
    auto other = bench.peer(0);
    other.node_id = base::NodeId(900);
    bench.round({other, bench.peer(2)});
    REQUIRE(bench.all<Persist>().empty());
    bench.round({other, bench.peer(2)});
    REQUIRE(bench.persist() == BootstrapMeta{});
  }
}

TEST_CASE("evidence from before a promise does not free it", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  bench.now = bench.now + seconds(1);
  bench.fsm->on_tick(bench.now);
  auto hellos = bench.all<SendExchange>();  // asked while fresh
  REQUIRE(hellos.size() >= 2);
  const auto set = bench.set();
  REQUIRE(bench.ask(bench.prepare(set), true).accepted);
  for (const auto& send : hellos) {
    // The coordinator's answer was given before it prepared and arrives only now.
    const auto ordinal = *ordinal_of(pod_name_of(send.address.host));
    bench.fsm->on_reply(bench.now, send.id, HelloReply{bench.peer(ordinal)});
  }
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.fsm->meta().state == MemberState::prepared);
}

TEST_CASE("rule 3: a coordinator takes its set back when a founder lost its disk, and says so", "[bootstrap]") {
  Bench bench(0);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  auto other = bench.peer(2);
  other.node_id = base::NodeId(900);
  bench.round({bench.peer(1), other});
  REQUIRE(bench.all<Persist>().empty());
  bench.round({bench.peer(1), other});
  REQUIRE(bench.persist() == BootstrapMeta{});
  int aborts = 0;
  for (const auto& send : bench.all<SendExchange>()) aborts += std::holds_alternative<Abort>(send.request) ? 1 : 0;
  REQUIRE(aborts == 2);
}

TEST_CASE("rule 3: a coordinator that has not committed joins a cluster it sees", "[bootstrap]") {
  Bench bench(0);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  SECTION("another one") {
    bench.round({member_of(bench.peer(1), 5), bench.peer(2)});
    REQUIRE(bench.persist() == BootstrapMeta{MemberState::member, base::ClusterId(5), 0, {}});
    REQUIRE(bench.all<Join>().size() == 1);
  }
  SECTION("its own: it decided in a run that its disk forgot") {
    bench.round({member_of(bench.peer(1), cluster_id_of(set).value), bench.peer(2)});
    REQUIRE(bench.persist().founders == encode(set));
    REQUIRE(bench.all<Found>().size() == 1);
  }
  SECTION("new addresses of all take the set back, which nobody is asked for at the old ones") {
    auto one = bench.peer(1);
    one.advertise = "10.0.0.7:8090";
    bench.round({one, bench.peer(2)});
    REQUIRE(bench.all<Persist>().empty());
    bench.round({one, bench.peer(2)});
    REQUIRE(bench.persist() == BootstrapMeta{});
  }
  SECTION("a changed count takes the set back") {
    Bench changed(0, 5);
    changed.disk = bench.disk;
    changed.start();
    changed.round({changed.peer(1), changed.peer(2)});
    REQUIRE(changed.persist() == BootstrapMeta{});
  }
}

#include "bootstrap_env.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;

namespace {

// One real member whose peers are this test: it sees each exchange and answers it by hand.
struct Bench {
  BootstrapOptions options;
  BootstrapMeta disk;
  base::Instant now{seconds(10)};
  std::unique_ptr<BootstrapFsm> fsm;
  std::vector<BootstrapAction> seen;

  explicit Bench(std::uint32_t ordinal, std::uint32_t expect = 3) {
    options.name = "whitewater-" + std::to_string(ordinal);
    options.node_id = base::NodeId(100 + ordinal);
    options.incarnation = base::Incarnation(1);
    options.advertise = options.name + ".ww:8090";
    options.expect = expect;
    options.token = "t";
  }
  void start() {
    fsm = std::make_unique<BootstrapFsm>(options, disk, now);
    peers({0, 1, 2});
  }
  void peers(const std::vector<int>& ordinals) {
    PeerSet set;
    set.absence = "no SRV record";
    for (const auto i : ordinals) {
      const auto name = "whitewater-" + std::to_string(i);
      set.peers.push_back(make_candidate(name, {name + ".ww", 8090}));
    }
    fsm->on_peers(now, set);
    take();
  }
  void take() {
    for (auto& action : fsm->take_actions()) seen.push_back(std::move(action));
  }
  // The actions of one kind since the last call, taken out.
  template <class T>
  std::vector<T> all() {
    take();
    std::vector<T> out;
    for (const auto& action : seen) {
      if (const auto* value = std::get_if<T>(&action)) out.push_back(*value);
    }
    std::erase_if(seen, [](const auto& action) { return std::holds_alternative<T>(action); });
    return out;
  }
  PeerInfo peer(std::uint32_t ordinal) const {
    PeerInfo info;
    info.name = "whitewater-" + std::to_string(ordinal);
    info.node_id = base::NodeId(100 + ordinal);
    info.incarnation = base::Incarnation(1);
    info.expect = options.expect;
    info.token = options.token;
    info.advertise = info.name + ".ww:8090";
    return info;
  }
  // Ends the open round (starting one first): each address answers with the PeerInfo of its ordinal, or not at all.
  void round_by_address(const std::map<std::string, PeerInfo>& answers, base::Duration later = milliseconds(1100)) {
    now = now + later;
    fsm->on_tick(now);
    for (const auto& send : all<SendExchange>()) {
      if (!std::holds_alternative<Hello>(send.request)) continue;
      const auto it = answers.find(pod_name_of(send.address.host));
      if (it == answers.end()) {
        fsm->on_exchange_failed(now, send.id, "connection refused");
      } else {
        fsm->on_reply(now, send.id, HelloReply{it->second});
      }
    }
    take();
  }
  void round(const std::vector<PeerInfo>& answers) {
    std::map<std::string, PeerInfo> by_name;
    for (const auto& info : answers) by_name[info.name] = info;
    round_by_address(by_name);
  }
  // The Persist under way becomes durable.
  BootstrapMeta persist() {
    const auto persists = all<Persist>();
    REQUIRE(persists.size() == 1);
    disk = persists.front().meta;
    fsm->on_persisted(now, persists.front().id);
    take();
    return disk;
  }
  Ack ask(const BootstrapRequest& request, bool is_persisting = false) {
    fsm->on_request(now, 77, request);
    if (is_persisting) persist();
    const auto replies = all<SendReply>();
    REQUIRE(replies.size() == 1);
    return std::get<Ack>(replies.front().reply);
  }
  FounderSet set(std::uint64_t attempt = (1ULL << 32) | 1) const {
    FounderSet out;
    out.token = options.token;
    out.attempt = attempt;
    for (std::uint32_t i = 0; i < options.expect; ++i) {
      const auto info = peer(i);
      out.founders.push_back({info.name, info.node_id, info.advertise});
    }
    return out;
  }
  Prepare prepare(const FounderSet& founders) const { return {founders.coordinator(), options.node_id, founders}; }
  BootstrapPhase phase() const { return fsm->status().phase; }
  const std::string& reason() const { return fsm->status().reason; }
  PeerInfo prepared_coordinator() const {
    auto info = peer(0);
    info.state = MemberState::prepared;
    info.set_hash = set_hash(set());
    return info;
  }
};

PeerInfo member_of(PeerInfo info, std::uint64_t cluster) {
  info.state = MemberState::member;
  info.cluster_id = base::ClusterId(cluster);
  info.members = {{info.node_id, info.advertise}};
  return info;
}

}  // namespace

// Rule 1.
TEST_CASE("rule 1: a member never bootstraps and asks nobody", "[bootstrap]") {
  Bench bench(0);
  bench.disk = {MemberState::member, base::ClusterId(9), 0, {}};
  bench.start();
  bench.now = bench.now + seconds(60);
  bench.fsm->on_tick(bench.now);
  REQUIRE(bench.all<SendExchange>().empty());
  REQUIRE_FALSE(bench.fsm->next_tick().has_value());
  REQUIRE(bench.fsm->is_settled());
  bench.fsm->on_cluster_view({base::Term(4), base::Index(17), {{base::NodeId(100), "a:1"}}});
  bench.fsm->on_request(bench.now, 1, Hello{bench.peer(1)});
  const auto reply = std::get<HelloReply>(bench.all<SendReply>().front().reply);
  REQUIRE(reply.info.cluster_id == base::ClusterId(9));
  REQUIRE(reply.info.term == base::Term(4));
  REQUIRE(reply.info.members.size() == 1);
}

// Rule 2, the join: any answer with a cluster id.
TEST_CASE("rule 2: a fresh member that sees a cluster joins it, durably first", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.round({member_of(bench.peer(1), 5), bench.peer(2)});
  REQUIRE(bench.all<Join>().empty());
  const auto meta = bench.persist();
  REQUIRE(meta == BootstrapMeta{MemberState::member, base::ClusterId(5), 0, {}});
  REQUIRE_FALSE(founding_entry(meta).has_value());
  const auto joins = bench.all<Join>();
  REQUIRE(joins.size() == 1);
  REQUIRE(joins.front().cluster_id == base::ClusterId(5));
  REQUIRE(joins.front().members.size() == 1);
  REQUIRE(bench.reason() == "waiting to be added to cluster 0000000000000005");
}

TEST_CASE("rule 2: two cluster ids are refused until the member is restarted", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.round({member_of(bench.peer(1), 5), member_of(bench.peer(2), 6)});
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  REQUIRE(bench.all<Refuse>().size() == 1);
  REQUIRE(bench.reason().find("0000000000000005 and 0000000000000006") != std::string::npos);
  bench.round({member_of(bench.peer(1), 5)});
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  REQUIRE(bench.all<Persist>().empty());
}

TEST_CASE("rule 2: a removed member's cluster counts as a cluster", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  auto removed = member_of(bench.peer(0), 5);
  removed.state = MemberState::removed;
  bench.round({removed, bench.peer(2)});
  REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
}

TEST_CASE("rule 2: a cluster of another token is neither joined nor rivalled", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  auto stranger = member_of(bench.peer(1), 5);
  stranger.token = "other";
  bench.round({stranger, bench.peer(2)});
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  // It falls silent: it is still known to be there.
  bench.round({bench.peer(2)});
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason() == "cluster 0000000000000005 was seen before and does not answer now; waiting for it");
}

TEST_CASE("rule 2: the founding set must be seen twice, a settle interval apart", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.phase() == BootstrapPhase::settling);
  SECTION("a second identical round founds") {
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.all<Persist>().size() == 1);
  }
  SECTION("another node id starts over") {
    auto other = bench.peer(2);
    other.node_id = base::NodeId(999);
    bench.round({bench.peer(1), other});
    REQUIRE(bench.all<Persist>().empty());
    bench.round({bench.peer(1), other});
    REQUIRE(bench.all<Persist>().size() == 1);
  }
  SECTION("an incomplete round in between starts over") {
    bench.round({bench.peer(1)});
    REQUIRE(bench.phase() == BootstrapPhase::looking);
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.all<Persist>().empty());
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.all<Persist>().size() == 1);
  }
}

TEST_CASE("rule 2: who is missing, and why, is said by name", "[bootstrap]") {
  Bench bench(0);
  bench.options.expect = 4;
  bench.start();  // discovery knows 0, 1 and 2
  bench.round({bench.peer(2)});
  REQUIRE(bench.reason() ==
          "waiting for 4 peers: seen whitewater-0, whitewater-2; missing whitewater-1 (connection refused), "
          "whitewater-3 (no SRV record)");
}

TEST_CASE("rule 2: founding is refused while names or identities clash", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  auto one = bench.peer(1);
  auto two = bench.peer(2);
  SECTION("two nodes under one ordinal") {
    two.name = "whitewater-1";
    bench.round_by_address({{"whitewater-1", one}, {"whitewater-2", two}});
    REQUIRE(bench.reason() == "two members answer under the name whitewater-1");
  }
  SECTION("another node under the own name") {
    two.name = "whitewater-0";
    bench.round_by_address({{"whitewater-1", one}, {"whitewater-2", two}});
    REQUIRE(bench.reason().find("runs under this member's name, whitewater-0") != std::string::npos);
  }
  SECTION("names of two sets") {
    two.name = "other-2";
    bench.round_by_address({{"whitewater-1", one}, {"whitewater-2", two}});
    REQUIRE(bench.reason().find("two different sets") != std::string::npos);
  }
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  bench.round_by_address({{"whitewater-1", one}, {"whitewater-2", two}});
  REQUIRE(bench.all<Persist>().empty());
}

TEST_CASE("a founder that does not coordinate, or is not a founder, waits", "[bootstrap]") {
  SECTION("ordinal 1 waits for ordinal 0") {
    Bench bench(1);
    bench.start();
    bench.round({bench.peer(0), bench.peer(2)});
    bench.round({bench.peer(0), bench.peer(2)});
    REQUIRE(bench.all<Persist>().empty());
    REQUIRE(bench.reason().find("waiting for whitewater-0 to coordinate") != std::string::npos);
  }
  SECTION("an ordinal above the founders waits to join") {
    Bench bench(3);
    bench.start();
    bench.round({bench.peer(0), bench.peer(1), bench.peer(2)});
    REQUIRE(bench.reason().find("not among the 3 founders") != std::string::npos);
  }
  SECTION("without a count it only joins") {
    Bench bench(0, 0);
    bench.start();
    bench.round({bench.peer(1), bench.peer(2)});
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.phase() == BootstrapPhase::looking);
    REQUIRE(bench.all<Persist>().empty());
    bench.round({member_of(bench.peer(1), 5)});
    REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
  }
  SECTION("a name without an ordinal cannot found") {
    Bench bench(0);
    bench.options.name = "alpha";
    bench.start();
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.phase() == BootstrapPhase::refused);
  }
}

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
    const auto commits = bench.all<SendExchange>();
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
  SECTION("a changed count takes the set back") {
    Bench changed(0, 5);
    changed.disk = bench.disk;
    changed.start();
    changed.round({changed.peer(1), changed.peer(2)});
    REQUIRE(changed.persist() == BootstrapMeta{});
  }
}

// Rule 5.
TEST_CASE("rule 5: one founder needs the operator's word, ordinal 0, and nobody silent", "[bootstrap]") {
  Bench bench(0, 1);
  SECTION("not said") {
    bench.start();
    bench.round(std::vector<PeerInfo>{});
    REQUIRE(bench.phase() == BootstrapPhase::refused);
    REQUIRE(bench.all<Persist>().empty());
  }
  SECTION("somebody known is silent") {
    bench.options.single = true;
    bench.start();
    bench.round(std::vector<PeerInfo>{});
    REQUIRE(bench.phase() == BootstrapPhase::looking);
    REQUIRE(bench.reason().find("nothing is founded") != std::string::npos);
  }
  SECTION("alone, at once") {
    bench.options.single = true;
    bench.fsm = std::make_unique<BootstrapFsm>(bench.options, bench.disk, bench.now);
    REQUIRE_FALSE(bench.fsm->next_tick().has_value());  // discovery has to come back first
    bench.peers({0});
    REQUIRE(bench.persist().state == MemberState::member);
    REQUIRE(bench.all<Found>().front().configuration.voters.size() == 1);
    REQUIRE(bench.fsm->is_settled());
  }
  SECTION("another ordinal waits to join") {
    Bench second(1, 1);
    second.options.single = true;
    second.start();
    second.round({second.peer(0), second.peer(2)});
    REQUIRE(second.all<Persist>().empty());
    REQUIRE(second.phase() == BootstrapPhase::looking);
  }
  SECTION("a cluster that answers is joined, not rivalled") {
    bench.options.single = true;
    bench.start();
    bench.round({member_of(bench.peer(1), 5), bench.peer(2)});
    REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
  }
}

// Rule 6.
TEST_CASE("rule 6: another count or token is refused and heals when it is corrected", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  auto wrong = bench.peer(2);
  SECTION("count") { wrong.expect = 5; }
  SECTION("no count") { wrong.expect = 0; }
  SECTION("token") { wrong.token = "other"; }
  bench.round({bench.peer(1), wrong});
  bench.round({bench.peer(1), wrong});
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  REQUIRE(bench.reason().find("whitewater-2") == 0);
  REQUIRE(bench.all<Refuse>().size() == 1);
  REQUIRE(bench.all<Persist>().empty());
  bench.round({bench.peer(1), bench.peer(2)});
  bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().size() == 1);
}

TEST_CASE("a removed member does nothing and says what to do", "[bootstrap]") {
  Bench bench(2);
  bench.disk = {MemberState::removed, base::ClusterId(9), 0, {}};
  bench.start();
  REQUIRE(bench.phase() == BootstrapPhase::refused);
  REQUIRE(bench.reason().find("empty data directory") != std::string::npos);
  REQUIRE(bench.all<SendExchange>().empty());
}

TEST_CASE("options that cannot be used are refused by name", "[bootstrap]") {
  Bench bench(0);
  REQUIRE(refusal_of(bench.options).empty());
  SECTION("name") { bench.options.name = ""; }
  SECTION("node id") { bench.options.node_id = {}; }
  SECTION("expect") { bench.options.expect = 65; }
  SECTION("token") { bench.options.token = std::string(300, 'x'); }
  SECTION("advertise") { bench.options.advertise = "nowhere"; }
  SECTION("poll") { bench.options.poll_min = base::Duration(0); }
  SECTION("time-out") { bench.options.exchange_timeout = base::Duration(0); }
  REQUIRE_FALSE(refusal_of(bench.options).empty());
}

// A reviewer reads the conversation of one founding as one member has it.
TEST_CASE("the transcript of a founding, as whitewater-1 has it", "[bootstrap]") {
  Bench bench(1);
  bench.start();
  std::string transcript;
  const auto note = [&] {
    bench.take();
    for (const auto& action : bench.seen) transcript += describe(action) + "\n";
    bench.seen.clear();
    transcript += "-- " + describe(bench.fsm->status()) + "\n";
  };
  const auto set = bench.set();
  note();
  bench.fsm->on_request(bench.now, 1, bench.prepare(set));
  note();
  bench.fsm->on_persisted(bench.now, 3);
  note();
  const auto hash = base::to_hex(set_hash(set));
  const auto fresh = "whitewater-1/0000000000000065 fresh expect 3";
  const auto bound = "whitewater-1/0000000000000065 prepared set " + hash + " expect 3";
  REQUIRE(transcript == std::string("send to whitewater-0.ww:8090: HELLO from ") + fresh +
                            "\nsend to whitewater-2.ww:8090: HELLO from " + fresh +
                            "\n-- looking: discovery has not answered yet\npersist prepared set " + hash +
                            "\n-- looking: discovery has not answered yet\nreply 0000000000000065 accepts, prepared\n" +
                            "send to whitewater-0.ww:8090: HELLO from " + bound +
                            "\nsend to whitewater-2.ww:8090: HELLO from " + bound +
                            "\n-- preparing: promised to found with whitewater-0; waiting for its decision\n");
}

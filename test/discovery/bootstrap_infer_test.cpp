#include "bootstrap_bench.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// Rule 7: founding without a count. Each case leaves out one condition alone.

namespace {

Bench inferring(std::uint32_t ordinal) {
  Bench bench(ordinal, 0);
  bench.options.poll_max = seconds(1);  // each round() of the bench is one
  return bench;
}

// Rounds until this member wants to write its state, at most 30 s; how long it took, or nothing.
std::optional<base::Duration> time_to_persist(Bench& bench, const std::vector<PeerInfo>& answers) {
  const auto begin = bench.now;
  while (bench.now - begin < seconds(30)) {
    bench.round(answers);
    for (const auto& action : bench.seen) {
      if (std::holds_alternative<Persist>(action)) return bench.now - begin;
    }
  }
  return std::nullopt;
}

Candidate candidate(const std::string& name, const std::string& host) { return make_candidate(name, {host, 8090}); }

// Discovery knows 0 to 2 and one more.
void know_also(Bench& bench, Candidate more) {
  PeerSet set;
  set.absence = "no SRV record";
  for (int i = 0; i < 3; ++i) {
    const auto name = "whitewater-" + std::to_string(i);
    set.peers.push_back(candidate(name, name + ".ww"));
  }
  set.peers.push_back(std::move(more));
  bench.fsm->on_peers(bench.now, set);
  bench.take();
}

bool says(const Bench& bench, const std::string& text) { return bench.reason().find(text) != std::string::npos; }

constexpr const char* how_to_state = "the number of founders is inferred: state it with WHITEWATER_BOOTSTRAP_EXPECT";

}  // namespace

TEST_CASE("rule 7: three who answer and agree for the settle time found, and the status says it is a guess",
          "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.fsm->status().is_inferred);
  REQUIRE(bench.phase() == BootstrapPhase::settling);
  REQUIRE(says(bench, "3 members answer and agree"));
  REQUIRE(says(bench, how_to_state));
  const auto took = time_to_persist(bench, {bench.peer(1), bench.peer(2)});
  REQUIRE(took.has_value());
  REQUIRE(*took >= seconds(10));
  REQUIRE(*took < seconds(13));
  const auto meta = bench.persist();
  REQUIRE(meta.state == MemberState::prepared);
  REQUIRE(has_same_members(*decode_founder_set(meta.founders), bench.set()));
}

TEST_CASE("rule 7: every one who answers belongs to the set", "[bootstrap]") {
  auto bench = inferring(0);
  bench.inferred = 5;
  bench.start();
  bench.peers({0, 1, 2, 3, 4});
  REQUIRE(time_to_persist(bench, {bench.peer(1), bench.peer(2), bench.peer(3), bench.peer(4)}));
  REQUIRE(decode_founder_set(bench.persist().founders)->founders.size() == 5);
}

TEST_CASE("rule 7 (a): a set without ordinal 0 is none", "[bootstrap]") {
  auto bench = inferring(1);
  bench.start();
  bench.peers({1, 2, 3});
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(2), bench.peer(3)}));
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-0, which coordinates, is missing (no SRV record)") == 0);
  REQUIRE(says(bench, how_to_state));
}

TEST_CASE("rule 7 (a): only ordinal 0 coordinates", "[bootstrap]") {
  auto bench = inferring(1);
  bench.start();
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(0), bench.peer(2)}));
  REQUIRE(says(bench, "waiting for whitewater-0 to coordinate"));
}

TEST_CASE("rule 7 (b): fewer than three never found, and one alone does not either", "[bootstrap]") {
  auto bench = inferring(0);
  bench.inferred = 2;
  bench.fsm = std::make_unique<BootstrapFsm>(bench.options, bench.disk, bench.now);
  SECTION("two") {
    bench.peers({0, 1});
    REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1)}));
    REQUIRE(says(bench, "no fewer than 3 found a cluster; seen whitewater-0, whitewater-1"));
  }
  SECTION("one") {
    bench.peers({0});
    REQUIRE_FALSE(time_to_persist(bench, {}));
    REQUIRE(says(bench, "no fewer than 3 found a cluster; seen whitewater-0"));
  }
  REQUIRE(bench.phase() == BootstrapPhase::looking);
}

TEST_CASE("rule 7 (b): a hole in the ordinals makes all of them wait", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  bench.peers({0, 2, 3});
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(2), bench.peer(3)}));
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-1, below others, is missing (no SRV record)") == 0);
}

TEST_CASE("rule 7 (c): a member that sees another set stops all", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  auto two = bench.peer(2);
  SECTION("more of them") {
    bench.inferred = 4;
    two.observed_hash = member_hash(bench.set());
    bench.inferred = 3;
  }
  SECTION("nothing yet") { two.observed_hash = 0; }
  SECTION("a promise to another set") {
    two.state = MemberState::prepared;
    two.observed_hash = 77;
  }
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), two}));
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-2 sees other members than this one") == 0);
}

// An address is no identity: discovery may give one form of it and the pod another.
TEST_CASE("rule 7 (c): what is compared is names and node ids, without their addresses", "[bootstrap]") {
  Bench bench(0, 0);
  auto set = bench.set();
  const auto hash = member_hash(set);
  set.founders[1].advertise = "10.0.0.9:8090";
  REQUIRE(member_hash(set) == hash);
  std::swap(set.founders[1], set.founders[2]);
  REQUIRE(member_hash(set) == hash);
  set.founders[1].node_id = base::NodeId(9);
  REQUIRE(member_hash(set) != hash);
  set = bench.set();
  set.founders[1].name = "whitewater-7";
  REQUIRE(member_hash(set) != hash);
  set = bench.set();
  set.token = "another";
  REQUIRE(member_hash(set) != hash);
  REQUIRE(member_hash(bench.set()) == hash);
}

TEST_CASE("rule 7 (d): every change begins the settle time anew", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  const auto nearly = [&] {
    for (int i = 0; i < 9; ++i) bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.phase() == BootstrapPhase::settling);
  };
  nearly();
  SECTION("somebody is silent once") { bench.round({bench.peer(1)}); }
  SECTION("somebody disagrees once") {
    auto two = bench.peer(2);
    two.observed_hash = 5;
    bench.round({bench.peer(1), two});
  }
  SECTION("another name clashes once") {
    auto two = bench.peer(2);
    two.name = "whitewater-0";
    bench.round_by_address({{"whitewater-1", bench.peer(1)}, {"whitewater-2", two}});
  }
  nearly();
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
}

TEST_CASE("rule 7 (d): the set is the same over several rounds, however short they settle", "[bootstrap]") {
  auto bench = inferring(0);
  bench.options.infer_settle = base::Duration(0);
  bench.start();
  for (std::uint32_t i = 1; i < inferred_rounds_min; ++i) bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().empty());
  bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().size() == 1);
}

TEST_CASE("rule 7 (e): a member that answers is joined, not rivalled", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  bench.peers({0, 1, 2, 3});
  for (int i = 0; i < 5; ++i) bench.round({bench.peer(1), bench.peer(2), member_of(bench.peer(3), 5)});
  REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
}

TEST_CASE("rule 7 (e): a member that only contacts this one stops founding", "[bootstrap]") {
  auto bench = inferring(0);
  bench.options.orphan_after = seconds(60);  // longer than is looked at here
  bench.start();
  for (int i = 0; i < 8; ++i) bench.round({bench.peer(1), bench.peer(2)});
  SECTION("with HELLO") { bench.fsm->on_request(bench.now, 1, Hello{member_of(bench.peer(3), 5)}); }
  SECTION("for Raft") {
    bench.fsm->on_member_heard(bench.now, base::ClusterId(5), "whitewater-3", "whitewater-3.ww:8090");
  }
  bench.all<SendExchange>();
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-3 of cluster 0000000000000005 at whitewater-3.ww:8090 has contacted") == 0);
  // It is asked as well, and joined when it answers.
  bench.round({bench.peer(1), bench.peer(2), member_of(bench.peer(3), 5)});
  REQUIRE(bench.persist() == BootstrapMeta{MemberState::member, base::ClusterId(5), 0, {}});
}

TEST_CASE("rule 7: a pod that exists now and is silent stops founding, for it may be a member", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  know_also(bench, candidate("whitewater-3", "whitewater-3.ww"));
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  REQUIRE(bench.reason().find("whitewater-3 is known and does not answer (connection refused); it may belong") == 0);
  // Discovery takes it back: its pod is gone.
  auto gone = candidate("whitewater-3", "whitewater-3.ww");
  gone.is_current = false;
  know_also(bench, gone);
  REQUIRE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
}

TEST_CASE("rule 7: what is known and is no pod of this set that exists now does not stop founding", "[bootstrap]") {
  auto bench = inferring(0);
  bench.start();
  auto more = candidate("whitewater-3", "whitewater-3.ww");
  SECTION("a guess") { more.is_guess = true; }
  SECTION("a pod that is being deleted") { more.is_terminating = true; }
  SECTION("an older answer's") { more.is_current = false; }
  SECTION("another set's pod") { more = candidate("other-3", "other-3.ww"); }
  SECTION("an address without a name") { more = candidate("10.0.0.4:8090", "10.0.0.4"); }
  SECTION("garbage") { more = candidate("NXDOMAIN", "NXDOMAIN"); }
  SECTION("the own name at an older address") { more = candidate("whitewater-0", "10.0.0.4"); }
  know_also(bench, more);
  REQUIRE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
}

TEST_CASE("rule 7: a name without an ordinal only joins", "[bootstrap]") {
  auto bench = inferring(0);
  bench.options.name = "alpha";
  bench.start();
  REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), bench.peer(2)}));
  bench.round({member_of(bench.peer(1), 5)});
  REQUIRE(bench.persist().cluster_id == base::ClusterId(5));
}

TEST_CASE("rule 7: some who state a count and some who infer it do not mix", "[bootstrap]") {
  SECTION("this one infers") {
    auto bench = inferring(0);
    bench.start();
    auto two = bench.peer(2);
    two.expect = 3;
    REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), two}));
    REQUIRE(bench.phase() == BootstrapPhase::refused);
    REQUIRE(bench.reason() ==
            "whitewater-2 expects 3 founders and this member is not told how many founders there are: give every "
            "member the same number (WHITEWATER_BOOTSTRAP_EXPECT)");
  }
  SECTION("this one states") {
    Bench bench(0);
    bench.start();
    auto two = bench.peer(2);
    two.expect = 0;
    REQUIRE_FALSE(time_to_persist(bench, {bench.peer(1), two}));
    REQUIRE(bench.phase() == BootstrapPhase::refused);
  }
}

TEST_CASE("rule 7: PREPARE is accepted only for the set that this member sees itself", "[bootstrap]") {
  auto bench = inferring(1);
  bench.start();
  const auto set = bench.set();
  SECTION("before it sees any") {
    REQUIRE(bench.ask(bench.prepare(set)).reason == "whitewater-1 sees another set of founders");
  }
  bench.round({bench.peer(0), bench.peer(2)});
  bench.round({bench.peer(0), bench.peer(2)});
  SECTION("the same, while it still settles") { REQUIRE(bench.ask(bench.prepare(set), true).accepted); }
  SECTION("a larger one") {
    bench.inferred = 4;
    REQUIRE(bench.ask(bench.prepare(bench.set())).reason == "whitewater-1 sees another set of founders");
  }
  SECTION("another disk in it") {
    auto other = set;
    other.founders[2].node_id = base::NodeId(900);
    REQUIRE(bench.ask(bench.prepare(other)).reason == "whitewater-1 sees another set of founders");
  }
  SECTION("too small a one") {
    bench.inferred = 2;
    REQUIRE(bench.ask(bench.prepare(bench.set())).reason == "whitewater-1 founds with no fewer than 3");
  }
  SECTION("after somebody who may be a member fell silent") {
    know_also(bench, candidate("whitewater-3", "whitewater-3.ww"));
    bench.round({bench.peer(0), bench.peer(2)});
    REQUIRE_FALSE(bench.ask(bench.prepare(set)).accepted);
  }
  SECTION("after a member contacted it") {
    bench.fsm->on_member_heard(bench.now, base::ClusterId(5), "", "");
    REQUIRE(bench.ask(bench.prepare(set)).reason ==
            "whitewater-1 was contacted by a member of cluster 0000000000000005");
  }
}

TEST_CASE("rule 7: a promise is kept for its set alone, also against its own coordinator's next", "[bootstrap]") {
  auto bench = inferring(1);
  const auto set = bench.set(5);
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  REQUIRE(bench.ask(bench.prepare(bench.set(5))).accepted);
  auto larger = bench.set(6);
  larger.founders.push_back({"whitewater-3", base::NodeId(103), "whitewater-3.ww:8090"});
  REQUIRE(bench.ask(bench.prepare(larger)).reason == "whitewater-1 promised another set of founders");
  REQUIRE(bench.ask(bench.prepare(bench.set(6)), true).accepted);  // the same members, asked again
}

TEST_CASE("rule 7: a promise whose coordinator lost its disk is dropped when all of its set answer", "[bootstrap]") {
  auto bench = inferring(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  auto other = bench.peer(0);
  other.node_id = base::NodeId(900);
  SECTION("one of the set is silent") {
    for (int i = 0; i < 20; ++i) bench.round({other});
    REQUIRE(bench.all<Persist>().empty());
  }
  SECTION("all answer for the settle time") {
    for (int i = 0; i < 9; ++i) bench.round({other, bench.peer(2)});
    REQUIRE(bench.all<Persist>().empty());
    REQUIRE(time_to_persist(bench, {other, bench.peer(2)}));
    REQUIRE(bench.persist() == BootstrapMeta{});
  }
}

TEST_CASE("rule 7: a coordinator takes its set back when others are there by now, or gone for good", "[bootstrap]") {
  auto bench = inferring(0);
  bench.inferred = 4;
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  std::vector<PeerInfo> answers{bench.peer(1), bench.peer(2)};
  SECTION("the same are there: it keeps its set") {
    bench.peers({0, 1, 2, 3});
    answers.push_back(bench.peer(3));
    REQUIRE_FALSE(time_to_persist(bench, answers));
    return;
  }
  SECTION("a founder that exists is silent: it keeps its set") {
    bench.peers({0, 1, 2, 3});
    REQUIRE_FALSE(time_to_persist(bench, answers));
    return;
  }
  SECTION("a founder is gone") {}
  SECTION("one more is there") {
    bench.peers({0, 1, 2, 3, 4});
    answers.push_back(bench.peer(3));
    answers.push_back(bench.peer(4));
  }
  const auto took = time_to_persist(bench, answers);
  REQUIRE(took.has_value());
  REQUIRE(*took >= seconds(10));
  REQUIRE(bench.persist() == BootstrapMeta{});
}

TEST_CASE("rule 7: a coordinator that hears of a cluster does not commit, whoever promised", "[bootstrap]") {
  auto bench = inferring(0);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  std::vector<SendExchange> prepares;
  bench.fsm->on_tick(bench.now);
  for (const auto& send : bench.all<SendExchange>()) {
    if (std::holds_alternative<Prepare>(send.request)) prepares.push_back(send);
  }
  REQUIRE(prepares.size() == 2);
  bool has_heard = false;
  SECTION("it hears of none") {}
  SECTION("it hears of one") {
    bench.fsm->on_member_heard(bench.now, base::ClusterId(5), "whitewater-4", "whitewater-4.ww:8090");
    has_heard = true;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const Ack ack{base::NodeId(101 + i), true, MemberState::prepared, set_hash(set), {}, {}};
    bench.fsm->on_reply(bench.now, prepares[i].id, ack);
  }
  REQUIRE(bench.all<Persist>().empty() == has_heard);
}

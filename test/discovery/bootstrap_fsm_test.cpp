#include "bootstrap_bench.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// Rules 1, 2, 5 and 6: who may found, join or must wait. Rule 3 is in bootstrap_phases_test.cpp, rule 7 in
// bootstrap_infer_test.cpp.

// Rule 1.
TEST_CASE("rule 1: a member never bootstraps, and answers for its cluster", "[bootstrap]") {
  Bench bench(0);
  bench.disk = {MemberState::member, base::ClusterId(9), 0, {}};
  bench.start();
  for (int i = 0; i < 5; ++i) bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().empty());
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
  SECTION("a name without an ordinal cannot found") {
    Bench bench(0);
    bench.options.name = "alpha";
    bench.start();
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.phase() == BootstrapPhase::refused);
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
  SECTION("settle") { bench.options.infer_settle = base::milliseconds(-1); }
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

#include "bootstrap_bench.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// Members that go on saying HELLO, who is seen, and what a contact by a member means to those who are none yet.

namespace {

constexpr base::ClusterId own_cluster(9);

// Member 0 of a cluster whose configuration is the members 0 to `configured` - 1.
struct MemberBench : Bench {
  explicit MemberBench() : Bench(0) {
    disk = {MemberState::member, own_cluster, 0, {}};
    start();
    for (const auto& send : all<SendExchange>()) fsm->on_exchange_failed(now, send.id, "connection refused");
  }
  ClusterView view(std::uint32_t configured, bool has_silent = false) const {
    ClusterView out{base::Term(2), base::Index(7), {}};
    for (std::uint32_t i = 0; i < configured; ++i) out.members.push_back({base::NodeId(100 + i), peer(i).advertise});
    out.is_in_configuration = configured > 0;
    out.has_silent_members = has_silent;
    return out;
  }
  // Who is asked within the next `duration`, once for each time. Nobody answers.
  std::vector<std::string> asked(base::Duration duration, const std::vector<PeerInfo>& answers = {}) {
    std::vector<std::string> out;
    const auto end = now + duration;
    while (true) {
      const auto next = fsm->next_tick();
      if (!next || *next > end) break;
      now = std::max(now, *next);
      fsm->on_tick(now);
      for (const auto& send : all<SendExchange>()) {
        if (!std::holds_alternative<Hello>(send.request)) continue;
        out.push_back(pod_name_of(send.address.host));
        const auto it = std::find_if(answers.begin(), answers.end(), [&](const PeerInfo& info) {
          return pod_name_of(info.advertise) == out.back() || info.advertise == describe(send.address);
        });
        if (it != answers.end()) {
          fsm->on_reply(now, send.id, HelloReply{*it});
        } else {
          fsm->on_exchange_failed(now, send.id, "connection refused");
        }
      }
    }
    now = end;
    return out;
  }
};

std::vector<base::NodeId> seen_ids(Bench& bench) {
  std::vector<base::NodeId> out;
  for (const auto& seen : bench.all<PeerSeen>()) out.push_back(seen.info.node_id);
  return out;
}

}  // namespace

TEST_CASE("a member that is not in its configuration asks everybody it knows each second", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(0));
  bench.asked(seconds(1));
  REQUIRE(bench.asked(seconds(10)).size() == 20);  // discovery knows 1 and 2
  REQUIRE(bench.all<Persist>().empty());
}

TEST_CASE("a joiner asks the members that its witness told it of, which discovery may not know", "[bootstrap]") {
  Bench bench(5);
  bench.start();
  bench.peers({1});
  auto witness = member_of(bench.peer(1), 9);
  witness.members = {{base::NodeId(107), "whitewater-7.ww:8090"}, {base::NodeId(33), "whitewater-5.ww:8090"}};
  bench.round({witness});
  bench.persist();
  bench.now = bench.now + seconds(1);
  bench.fsm->on_tick(bench.now);
  std::set<std::string> asked;
  for (const auto& send : bench.all<SendExchange>()) asked.insert(pod_name_of(send.address.host));
  REQUIRE(asked == std::set<std::string>{"whitewater-1", "whitewater-7"});  // not itself, whose old disk is a member
  // A later answer tells of others.
  witness.members = {{base::NodeId(108), "whitewater-8.ww:8090"}};
  witness.commit = base::Index(3);
  bench.now = bench.now + seconds(1);
  bench.fsm->on_tick(bench.now);
  for (const auto& send : bench.all<SendExchange>()) bench.fsm->on_reply(bench.now, send.id, HelloReply{witness});
  bench.now = bench.now + seconds(1);
  bench.fsm->on_tick(bench.now);
  asked.clear();
  for (const auto& send : bench.all<SendExchange>()) asked.insert(pod_name_of(send.address.host));
  REQUIRE(asked == std::set<std::string>{"whitewater-1", "whitewater-8"});
}

TEST_CASE("a calm cluster asks nobody whom Raft talks to, and the others every ten seconds", "[bootstrap]") {
  MemberBench bench;
  SECTION("all candidates are members at these addresses") {
    bench.fsm->on_cluster_view(bench.view(3));
    REQUIRE(bench.asked(seconds(60)).empty());
  }
  SECTION("one is none") {
    bench.fsm->on_cluster_view(bench.view(2));
    bench.asked(seconds(1));
    REQUIRE(bench.asked(seconds(60)) == std::vector<std::string>(6, "whitewater-2"));
  }
  SECTION("somebody new in discovery is asked at once") {
    bench.fsm->on_cluster_view(bench.view(3));
    bench.asked(seconds(15));
    bench.peers({0, 1, 2, 3});
    const auto sends = bench.all<SendExchange>();
    REQUIRE(sends.size() == 1);
    REQUIRE(sends.front().address.host == "whitewater-3.ww");
  }
}

TEST_CASE("while a configured member is silent the others are asked each second", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(2));
  bench.asked(seconds(15));
  bench.fsm->on_cluster_view(bench.view(2, true));
  bench.asked(seconds(1));
  REQUIRE(bench.asked(seconds(10)) == std::vector<std::string>(10, "whitewater-2"));
}

// Discovery gives addresses where the configuration holds names: the same member twice.
TEST_CASE("where a configured member answered, it is not asked for a minute", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(3));
  PeerSet set;
  set.peers.push_back(make_candidate("whitewater-1", {"10.0.0.1", 8090}));
  bench.fsm->on_peers(bench.now, set);
  auto one = member_of(bench.peer(1), own_cluster.value);
  one.advertise = "10.0.0.1:8090";
  SECTION("a member") {
    REQUIRE(bench.asked(seconds(61), {one}).size() == 2);
    SECTION("unless somebody is silent") {
      bench.fsm->on_cluster_view(bench.view(3, true));
      bench.asked(seconds(1), {one});
      REQUIRE(bench.asked(seconds(10), {one}).size() == 10);
    }
  }
  SECTION("one that is not configured goes on being asked, so that the owner sees it") {
    one.node_id = base::NodeId(77);
    bench.asked(seconds(1), {one});
    REQUIRE(bench.asked(seconds(60), {one}).size() == 6);
  }
  SECTION("of another cluster") {
    one.cluster_id = base::ClusterId(5);
    bench.asked(seconds(1), {one});
    REQUIRE(bench.asked(seconds(60), {one}).size() == 6);
  }
}

TEST_CASE("an address that never answers is asked once at a time", "[bootstrap]") {
  MemberBench bench;
  bench.options.exchange_timeout = seconds(30);
  bench.start();
  bench.peers({1});
  for (int i = 0; i < 20; ++i) {
    bench.now = bench.now + seconds(1);
    bench.fsm->on_tick(bench.now);
  }
  REQUIRE(bench.all<SendExchange>().size() == 2);  // 1 and 2, from start()
}

TEST_CASE("everybody who speaks is seen, before there is a cluster and after", "[bootstrap]") {
  SECTION("before") {
    Bench bench(0);
    bench.start();
    bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(seen_ids(bench) == std::vector<base::NodeId>{base::NodeId(101), base::NodeId(102)});
    bench.fsm->on_request(bench.now, 1, Hello{bench.peer(3)});
    REQUIRE(seen_ids(bench) == std::vector<base::NodeId>{base::NodeId(103)});
  }
  SECTION("after") {
    MemberBench bench;
    bench.asked(seconds(1), {bench.peer(1), bench.peer(2)});
    const auto ids = seen_ids(bench);
    REQUIRE(std::set<base::NodeId>(ids.begin(), ids.end()) ==
            std::set<base::NodeId>{base::NodeId(101), base::NodeId(102)});
    bench.fsm->on_request(bench.now, 1, Hello{bench.peer(3)});
    const auto seen = bench.all<PeerSeen>();
    REQUIRE(seen.size() == 1);
    REQUIRE(seen.front().info == bench.peer(3));
  }
  SECTION("but not this member itself, nor nobody") {
    MemberBench bench;
    bench.fsm->on_request(bench.now, 1, Hello{bench.peer(0)});
    bench.fsm->on_request(bench.now, 2, Hello{});
    REQUIRE(seen_ids(bench).empty());
  }
}

TEST_CASE("a member whose caller discovery does not know asks it back", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(3));
  bench.fsm->on_request(bench.now, 1, Hello{bench.peer(6)});
  bench.asked(seconds(1));
  REQUIRE(bench.asked(seconds(10)) == std::vector<std::string>{"whitewater-6"});
  bench.asked(seconds(700));
  REQUIRE(bench.asked(seconds(60)).empty());  // not heard for longer than any restart takes
}

TEST_CASE("contacts are bounded, and the newest are kept", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(3));
  for (std::uint32_t i = 0; i < 3 * contacts_max; ++i) {
    bench.now = bench.now + milliseconds(1);
    bench.fsm->on_request(bench.now, i, Hello{bench.peer(10 + i)});
  }
  bench.asked(seconds(1));
  const auto asked = bench.asked(seconds(10));
  REQUIRE(asked.size() == contacts_max);
  REQUIRE(std::count(asked.begin(), asked.end(), "whitewater-201") == 1);
}

TEST_CASE("a member that meets another cluster says so once and does nothing else", "[bootstrap]") {
  MemberBench bench;
  const auto before = bench.phase();
  SECTION("as an answer") { bench.asked(seconds(3), {member_of(bench.peer(2), 5)}); }
  SECTION("as a caller") {
    bench.fsm->on_request(bench.now, 1, Hello{member_of(bench.peer(2), 5)});
    bench.fsm->on_request(bench.now, 2, Hello{member_of(bench.peer(2), 5)});
  }
  REQUIRE(bench.phase() == before);
  REQUIRE(bench.fsm->status().other_cluster == base::ClusterId(5));
  REQUIRE(bench.reason() ==
          "belongs to cluster 0000000000000009; cluster 0000000000000005 also answers under this service "
          "(whitewater-2 at whitewater-2.ww:8090): stop the members of the wrong one");
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.all<Refuse>().empty());
  REQUIRE(bench.fsm->meta().cluster_id == own_cluster);
}

TEST_CASE("a removed member asks nobody", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_removed();
  REQUIRE(bench.asked(seconds(60)).empty());
}

// The cluster id follows from the set: whoever belongs to it proves that the promised set was decided.
TEST_CASE("a promised founder that is contacted by a member of its own set follows the decision", "[bootstrap]") {
  Bench bench(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  SECTION("for Raft") { bench.fsm->on_member_heard(bench.now, cluster_id_of(set), "", ""); }
  SECTION("with HELLO") {
    bench.fsm->on_request(bench.now, 1, Hello{member_of(bench.peer(0), cluster_id_of(set).value)});
  }
  REQUIRE(bench.persist().founders == encode(set));
  REQUIRE(bench.all<Found>().size() == 1);
}

TEST_CASE("a contact by a member of another cluster does not free a promise", "[bootstrap]") {
  Bench bench(1);
  const auto set = bench.set();
  bench.disk = {MemberState::prepared, {}, set_hash(set), encode(set)};
  bench.start();
  bench.fsm->on_member_heard(bench.now, base::ClusterId(5), "whitewater-4", "whitewater-4.ww:8090");
  for (int i = 0; i < 5; ++i) bench.round({bench.prepared_coordinator(), bench.peer(2)});
  REQUIRE(bench.all<Persist>().empty());
}

TEST_CASE("with a stated count a contact by a member stops founding as well", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.fsm->on_member_heard(bench.now, base::ClusterId(5), "whitewater-4", "");
  for (int i = 0; i < 5; ++i) bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.phase() == BootstrapPhase::looking);
  SECTION("a restart forgets it") {
    bench.start();
    for (int i = 0; i < 3; ++i) bench.round({bench.peer(1), bench.peer(2)});
    REQUIRE(bench.all<Persist>().size() == 1);
  }
}

TEST_CASE("a handshake that names no cluster says nothing", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  bench.fsm->on_member_heard(bench.now, base::ClusterId(), "whitewater-4", "whitewater-4.ww:8090");
  for (int i = 0; i < 3; ++i) bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().size() == 1);
}

// A peers file of addresses names the member that reads it, too.
TEST_CASE("an address that leads to this member itself is asked once, a name again and again", "[bootstrap]") {
  MemberBench bench;
  bench.fsm->on_cluster_view(bench.view(3, true));
  PeerSet set;
  set.peers.push_back(make_candidate("10.0.0.7", {"10.0.0.7", 8090}));
  set.peers.push_back(make_candidate("whitewater-4", {"whitewater-4.ww", 8090}));
  bench.fsm->on_peers(bench.now, set);
  std::map<std::string, int> count;
  for (int i = 0; i < 100; ++i) {
    bench.now = bench.now + milliseconds(100);
    bench.fsm->on_tick(bench.now);
    for (const auto& send : bench.all<SendExchange>()) {
      ++count[send.address.host];
      bench.fsm->on_reached_itself(bench.now, send.id);
    }
  }
  REQUIRE(count["10.0.0.7"] == 1);
  REQUIRE(count["whitewater-4.ww"] > 3);
  // Who speaks from there is somebody else.
  auto other = bench.peer(7);
  other.advertise = "10.0.0.7:8090";
  bench.fsm->on_request(bench.now, 1, Hello{other});
  bench.now = bench.now + seconds(5);
  bench.fsm->on_tick(bench.now);
  const auto sends = bench.all<SendExchange>();
  REQUIRE(std::any_of(sends.begin(), sends.end(), [](const auto& send) { return send.address.host == "10.0.0.7"; }));
}

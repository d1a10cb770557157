#include "bootstrap_bench.hpp"

using namespace whitewater;
using namespace whitewater::discovery;

// A joiner whose cluster ends before it was taken in. Each case leaves out one condition alone.

namespace {

constexpr base::ClusterId gone_cluster(9);

PeerInfo joiner(const Bench& bench, std::uint32_t ordinal) {
  auto info = bench.peer(ordinal);
  info.state = MemberState::member;
  info.cluster_id = gone_cluster;
  return info;
}

struct OrphanBench : Bench {
  OrphanBench() : Bench(0, 0) {
    disk = {MemberState::member, gone_cluster, 0, {}};
    start();
    fsm->on_cluster_view({});
  }
  // Whether it gives up within `duration`, when these answer.
  bool gives_up_in(base::Duration duration, const std::vector<PeerInfo>& answers) {
    for (const auto end = now + duration; now < end;) {
      round(answers);
      if (!all<Orphaned>().empty()) return true;
    }
    return false;
  }
};

}  // namespace

TEST_CASE("orphans: joiners whose cluster is gone give it up after orphan_after, once", "[bootstrap]") {
  OrphanBench bench;
  REQUIRE_FALSE(bench.gives_up_in(seconds(29), {joiner(bench, 1), bench.peer(2)}));
  REQUIRE(bench.gives_up_in(seconds(3), {joiner(bench, 1), bench.peer(2)}));
  REQUIRE_FALSE(bench.gives_up_in(seconds(60), {joiner(bench, 1), bench.peer(2)}));
}

TEST_CASE("orphans: a joiner waits while somebody has the configuration, and for who exists and is silent",
          "[bootstrap]") {
  OrphanBench bench;
  auto member = joiner(bench, 2);
  member.members = {{member.node_id, member.advertise}};
  REQUIRE_FALSE(bench.gives_up_in(seconds(300), {joiner(bench, 1), member}));
  REQUIRE_FALSE(bench.gives_up_in(seconds(300), {joiner(bench, 1)}));  // 2 may have it
  REQUIRE_FALSE(bench.gives_up_in(seconds(300), {}));
}

// Or those that begin anew would join again through those that have not yet.
TEST_CASE("orphans: nobody joins through a joiner, and nobody founds beside one", "[bootstrap]") {
  Bench bench(0);
  bench.start();
  for (int i = 0; i < 30; ++i) bench.round({joiner(bench, 1), bench.peer(2)});
  REQUIRE(bench.all<Persist>().empty());
  REQUIRE(bench.reason().find("whitewater-1 waits to be added to cluster 0000000000000009") == 0);
  bench.fsm->on_request(bench.now, 77, Hello{joiner(bench, 1)});
  for (int i = 0; i < 4; ++i) bench.round({bench.peer(1), bench.peer(2)});
  REQUIRE(bench.persist().state == MemberState::prepared);
}

TEST_CASE("orphans: a contact by somebody who has the configuration begins the wait anew", "[bootstrap]") {
  OrphanBench bench;
  auto member = bench.peer(7);
  member.state = MemberState::member;
  member.cluster_id = gone_cluster;
  member.members = {{member.node_id, member.advertise}};
  REQUIRE_FALSE(bench.gives_up_in(seconds(20), {joiner(bench, 1), joiner(bench, 2)}));
  bench.fsm->on_request(bench.now, 77, Hello{member});
  REQUIRE_FALSE(bench.gives_up_in(seconds(20), {joiner(bench, 1), joiner(bench, 2)}));
}

TEST_CASE("orphans: who was taken in never gives up, nor does one that does not know yet", "[bootstrap]") {
  OrphanBench taken_in;
  taken_in.fsm->on_cluster_view({base::Term(1), base::Index(7), {{base::NodeId(100), "whitewater-0.ww:8090"}}});
  REQUIRE_FALSE(taken_in.gives_up_in(seconds(300), {joiner(taken_in, 1), joiner(taken_in, 2)}));
  Bench unknowing(0, 0);
  unknowing.disk = {MemberState::member, gone_cluster, 0, {}};
  unknowing.start();
  for (int i = 0; i < 300; ++i) unknowing.round({joiner(unknowing, 1), joiner(unknowing, 2)});
  REQUIRE(unknowing.all<Orphaned>().empty());
}

namespace {

struct ContactedBench : Bench {
  ContactedBench() : Bench(0) {
    start();
    fsm->on_member_heard(now, gone_cluster, "whitewater-1", "whitewater-1.ww:8090");
  }
  bool founds_in(base::Duration duration, const std::vector<PeerInfo>& answers) {
    for (const auto end = now + duration; now < end;) {
      round(answers);
      if (!all<Persist>().empty()) return true;
    }
    return false;
  }
};

}  // namespace

TEST_CASE("contacted: a member that a cluster greeted before it ended founds after orphan_after", "[bootstrap]") {
  ContactedBench bench;
  REQUIRE_FALSE(bench.founds_in(seconds(29), {bench.peer(1), bench.peer(2)}));
  REQUIRE(bench.reason().find("whitewater-1 of cluster 0000000000000009 at whitewater-1.ww:8090 has contacted") == 0);
  REQUIRE(bench.founds_in(seconds(5), {bench.peer(1), bench.peer(2)}));
}

TEST_CASE("contacted: each further contact begins the wait anew", "[bootstrap]") {
  ContactedBench bench;
  for (int i = 0; i < 5; ++i) {
    REQUIRE_FALSE(bench.founds_in(seconds(20), {bench.peer(1), bench.peer(2)}));
    bench.fsm->on_member_heard(bench.now, gone_cluster, "whitewater-1", "whitewater-1.ww:8090");
  }
}

TEST_CASE("contacted: who exists and is silent may belong to that cluster", "[bootstrap]") {
  ContactedBench bench;
  bench.peers({0, 1, 2, 3});
  REQUIRE_FALSE(bench.founds_in(seconds(300), {bench.peer(1), bench.peer(2)}));
  bench.peers({0, 1, 2});
  REQUIRE(bench.founds_in(seconds(5), {bench.peer(1), bench.peer(2)}));
}

TEST_CASE("contacted: a joiner that waits for that cluster keeps it in mind", "[bootstrap]") {
  ContactedBench bench;
  bench.peers({0, 1, 2, 3});
  REQUIRE_FALSE(bench.founds_in(seconds(300), {bench.peer(1), bench.peer(2), joiner(bench, 3)}));
}

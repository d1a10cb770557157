// A disk that does not answer (hazard S14): the cluster goes on without it, and its member neither leads nor campaigns.
#include "catch.hpp"

#include "core/solo_env.hpp"

namespace whitewater::core::test {

namespace {

const base::Duration T = solo_options(1).election_timeout;

SoloEnv leader_with_a_tail() {
  SoloEnv env;
  env.become_leader();
  env.acknowledge(2);
  env.acknowledge(3);
  return env;
}

}  // namespace

TEST_CASE("S14: a leader whose disk stalls commits by the others, and hands over without writing anything") {
  SoloEnv env = leader_with_a_tail();
  env.propose();
  Output output = env.acknowledge(2);
  output = env.acknowledge(3);
  CHECK(env.node.committed() == env.node.log().last_index());
  CHECK(env.node.log().durable_index() < env.node.log().last_index());
  env.node.set_disk_stalled(true);
  output = env.tick(base::milliseconds(1));
  CHECK(find_body<TimeoutNow>(output.messages) != nullptr);
  CHECK_FALSE(output.persist.has_value());
}

TEST_CASE("S14: a leader whose disk stalls and whose successor does not take over stops leading") {
  SoloEnv env = leader_with_a_tail();
  env.propose();  // nobody acknowledges it, so nobody can take over
  env.node.set_disk_stalled(true);
  env.tick(base::milliseconds(1));
  CHECK(env.node.is_transferring());
  env.receive(2, 1, HeartbeatResponse{});
  env.receive(3, 1, HeartbeatResponse{});
  const Output output = env.tick(T);
  CHECK(env.node.role() == Role::follower);
  CHECK(env.node.leader().is_zero());
  CHECK_FALSE(output.persist.has_value());
}

TEST_CASE("S14: a leader whose disk stalls leads on where nobody could take over") {
  SoloStart alone;
  alone.configuration = make_configuration({1});
  SoloEnv env(alone);
  env.become_leader();
  env.node.set_disk_stalled(true);
  env.tick(base::milliseconds(1));
  CHECK(env.node.role() == Role::leader);
}

TEST_CASE("S14: a member whose disk stalls does not campaign, asked or not, and does so again afterwards") {
  SoloEnv env;
  env.node.set_disk_stalled(true);
  env.campaign();
  CHECK(env.node.role() == Role::follower);
  env.receive(2, 1, TimeoutNow{});
  CHECK(env.node.role() == Role::follower);
  env.node.set_disk_stalled(false);
  env.campaign();
  CHECK(env.node.role() == Role::pre_candidate);
}

TEST_CASE("S14: what a stalled disk holds up is bounded: a leader takes no more, a follower no new commands") {
  NodeOptions options = solo_options(1);
  options.cache_bytes_max = 1000;
  options.uncommitted_bytes_max = 1000;
  SECTION("leader") {
    SoloEnv env(options, {});
    env.become_leader();
    base::Result<void> proposed;
    std::uint64_t taken = 0;
    for (; taken < 100; ++taken) {
      proposed = env.node.on_propose(env.now, {{NodeId(1), taken}, make_payload("x")});
      if (!proposed) break;
      env.take();
      env.acknowledge(2);  // a quorum with 3 holds it, the own disk does not
      env.acknowledge(3);
    }
    CHECK(taken > 3);
    REQUIRE_FALSE(proposed.has_value());
    CHECK(proposed.error() == base::make_error_code(base::Errc::too_many_requests));
    env.persist_all();
    CHECK(env.node.on_propose(env.now, {{NodeId(1), 200}, make_payload("x")}).has_value());
  }
  SECTION("follower") {
    SoloEnv env(options, {});
    for (std::uint64_t i = 0; i < 100; ++i) {
      env.receive(2, 1, AppendRequest{Index(i), Term(i == 0 ? 0 : 1), Index(i), {make_command(1, i + 1)}});
    }
    const Index held = env.node.log().last_index();
    CHECK(held > Index(3));
    CHECK(held < Index(50));
    env.persist_all();
    env.receive(2, 1, AppendRequest{held, Term(1), held, {make_command(1, held.value + 1)}});
    CHECK(env.node.log().last_index() == held.next());
  }
}

TEST_CASE("S14: a long tail that is durable and not committed keeps a follower from nothing") {
  NodeOptions options = solo_options(1);
  options.cache_bytes_max = 1000;
  options.uncommitted_bytes_max = 1000;
  SoloEnv env(options, {});
  for (std::uint64_t i = 0; i < 100; ++i) {
    env.receive(2, 1, AppendRequest{Index(i), Term(i == 0 ? 0 : 1), Index(0), {make_command(1, i + 1)}});
    env.persist_all();
  }
  CHECK(env.node.log().last_index() == Index(100));
}

TEST_CASE("a follower that is behind knows how far the cluster is") {
  SoloEnv env;
  env.receive(2, 1, Heartbeat{Index(0), 1, Index(0), Index(70)});
  CHECK(env.node.committed() == Index(0));
  CHECK(env.node.known_committed() == Index(70));
  env.receive(2, 1, AppendRequest{Index(90), Term(1), Index(90), {}});
  CHECK(env.node.known_committed() == Index(90));
}

}  // namespace whitewater::core::test

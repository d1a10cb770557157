// Persist, send, apply, reply: the order of effects, as transcripts, and what may not leave before the disk has it.
#include "catch.hpp"
#include "replica/replica_env.hpp"

using namespace whitewater;
using namespace whitewater::replica::test;

TEST_CASE("a leader's write is persisted and sent at once, and answered when a quorum holds it") {
  ReplicaEnv env;
  env.become_leader();
  CHECK(env.put("k", "v") == "write 1");
  CHECK(env.take() ==
        "persist 3 2/3\n"
        "send 1->2 term=2 Append prev=2/2 commit=2 entries=[2/3 command 13B]\n");
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  SECTION("the follower alone is no quorum") { CHECK(env.take() == ""); }
  SECTION("with the own disk it is") {
    env.durable(3);
    CHECK(env.take() ==
          "send 1->2 term=2 Append prev=2/3 commit=3\n"
          "write 1 ok revision=2\n");
    CHECK(env.value_of("k") == "v");
  }
}

TEST_CASE("a write is answered by two followers before the own disk, and the store waits for the disk (S12)") {
  ReplicaEnv env;
  env.become_leader();
  env.receive(3, 2, core::AppendResponse{false, core::Index(2), {}, {}});
  env.drop();
  env.put("k", "v");
  env.drop();
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  env.receive(3, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  CHECK(env.take_without("send") == "write 1 ok revision=2\n");
  CHECK(env.replica->store().applied_index() == core::Index(3));
  CHECK(env.replica->store().persisted_index() == core::Index(2));
  env.durable(3);
  CHECK(env.replica->store().persisted_index() == core::Index(3));
}

TEST_CASE("a single member answers only what is durable (S3)") {
  EnvOptions options;
  options.voters = 1;
  ReplicaEnv env(options);
  while (env.replica->node().role() == core::Role::follower) env.advance(base::milliseconds(50));
  CHECK(env.take() == "persist 1 term=2 vote=1\n");
  env.put("k", "v");
  CHECK(env.take() == "");
  env.durable(1);
  CHECK(env.take() == "persist 2 2/2 2/3\n");
  CHECK(env.value_of("k") == "absent");
  env.durable(2);
  CHECK(env.take() == "write 1 ok revision=2\n");
}

TEST_CASE("a follower acknowledges an append only when it is durable (S4)") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  CHECK(env.take() == "persist 1 term=2 vote=0 2/2\n");
  CHECK(env.replica->store().applied_index() == core::Index(1));
  env.durable(1);
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=2\n");
}

TEST_CASE("an acknowledgement waits for its own token, not for an earlier one") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  CHECK(env.take() == "persist 1 term=2 vote=0 2/2\n");
  env.receive_append(2, 3, 2, 1, {"b"});
  CHECK(env.take() == "persist 2 2/3\n");
  env.durable(1);
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=2\n");
  env.durable(2);
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=3\n");
}

TEST_CASE("acknowledgements to one leader that become durable together are one message") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  env.drop();
  env.receive_append(2, 3, 2, 1, {"b"});
  env.drop();
  env.durable(2);
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=3\n");
}

TEST_CASE("what needs no write of its own still waits for the writes before it") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  env.drop();
  env.receive_append(2, 2, 1, 1, {"a"});  // a duplicate: nothing to persist, and it says match=2 as well
  CHECK(env.take() == "");
  env.durable(1);
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=2\n");
  env.receive_append(2, 2, 1, 1, {"a"});
  CHECK(env.take() == "send 1->2 term=2 AppendOk match=2\n");
}

TEST_CASE("a vote leaves only when it is durable (S1)") {
  ReplicaEnv env;
  env.receive(3, 2, core::VoteRequest{false, false, core::Index(1), core::Term(1)});
  CHECK(env.take() == "persist 1 term=2 vote=3\n");
  env.advance(base::milliseconds(100));
  CHECK(env.take() == "");
  env.durable(1);
  CHECK(env.take() == "send 1->3 term=2 Vote granted\n");
}

TEST_CASE("a heartbeat's answer waits for no disk") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  env.drop();
  env.receive(2, 2, core::Heartbeat{core::Index(1), 5, core::Index(0)});
  CHECK(env.take() == "send 1->2 term=2 HeartbeatOk round=5\n");
}

TEST_CASE("a candidate leads only when its own vote is durable") {
  ReplicaEnv env;
  while (env.replica->node().role() == core::Role::follower) env.advance(base::milliseconds(50));
  env.drop();
  env.receive(2, 2, core::VoteResponse{true, true});
  CHECK(env.take() ==
        "persist 1 term=2 vote=1\n"
        "send 1->2 term=2 VoteRequest last=1/1\n"
        "send 1->3 term=2 VoteRequest last=1/1\n");
  env.receive(2, 2, core::VoteResponse{false, true});
  env.receive(3, 2, core::VoteResponse{false, true});
  env.drop();
  CHECK_FALSE(env.replica->is_leader());
  env.durable(1);
  CHECK(env.replica->is_leader());
}

TEST_CASE("a store whose backend was busy is written on a later tick") {
  ReplicaEnv env;
  env.become_leader();
  env.backend->set_busy(true);
  env.put("k", "v");
  env.drop();
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  env.durable(3);
  CHECK(env.take_without("send") == "write 1 ok revision=2\n");
  CHECK(env.replica->store().persisted_index() == core::Index(2));
  env.backend->set_busy(false);
  env.advance(base::milliseconds(50));
  CHECK(env.replica->store().persisted_index() == core::Index(3));
}

TEST_CASE("the log may be released up to one entry before what is durable here and held by all") {
  ReplicaEnv env;
  env.become_leader();
  CHECK(env.replica->releasable() == core::Index(0));
  env.receive(3, 2, core::AppendResponse{false, core::Index(2), {}, {}});
  env.replica->store().flush();
  env.advance(base::milliseconds(200));
  CHECK(env.replica->releasable() == core::Index(1));
  env.put("k", "v");
  env.drop();
  env.durable(3);
  env.receive(2, 2, core::AppendResponse{false, core::Index(3), {}, {}});
  env.drop();
  env.replica->store().flush();
  env.advance(base::milliseconds(200));
  CHECK(env.replica->releasable() == core::Index(1));  // member 3 still needs entry 3
}

TEST_CASE("entries that memory no longer holds are read from the log for the follower that needs them") {
  EnvOptions options;
  options.tweak = [](replica::ReplicaOptions& o) { o.node.cache_bytes_max = 0; };
  ReplicaEnv env(options);
  env.become_leader();
  env.receive(3, 2, core::AppendResponse{true, core::Index(1), core::Index(0), core::Term(0)});
  const std::string asked = env.take_without("send");
  REQUIRE(asked == "read the log from 1 for member 3\n");
  const core::Entry noop{core::Term(2), core::Index(2), core::EntryType::noop, {}, {}};
  const core::Entry founding{core::Term(1),
                             core::Index(1),
                             core::EntryType::configuration,
                             {},
                             base::SharedBytes(core::encode(env.replica->node().configuration()))};
  env.replica->on_log_read(env.now, core::NodeId(3), {founding, noop});
  CHECK_THAT(env.take(), Catch::Matchers::StartsWith("send 1->3 term=2 Append prev=0/0 commit=2 entries=[1/1"));
}

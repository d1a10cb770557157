// Clients' linearizable reads: batched, confirmed by the leader, finished when the store has applied far enough.
#include "catch.hpp"
#include "replica/replica_env.hpp"

using namespace whitewater;
using namespace whitewater::replica::test;

namespace {

std::uint64_t asked_tag(const ReplicaEnv& env) {
  for (const core::Message& message : env.sent) {
    if (const auto* request = std::get_if<core::ReadIndexRequest>(&message.body)) return request->tag;
  }
  return 0;
}

std::size_t asked_count(const ReplicaEnv& env) {
  std::size_t count = 0;
  for (const core::Message& message : env.sent)
    count += std::holds_alternative<core::ReadIndexRequest>(message.body) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a leader's read waits for a round of heartbeats") {
  ReplicaEnv env;
  env.become_leader();
  CHECK(env.read() == "read 1");
  CHECK(env.take() ==
        "send 1->2 term=2 Heartbeat commit=2 round=2\n"
        "send 1->3 term=2 Heartbeat commit=0 of 2 round=2\n");
  env.receive(2, 2, core::HeartbeatResponse{1});
  CHECK(env.take_without("send") == "");
  env.receive(2, 2, core::HeartbeatResponse{2});
  CHECK(env.take_without("send") == "read 1 ok\n");
}

TEST_CASE("reads of one turn share a round and later ones share the next") {
  ReplicaEnv env;
  env.become_leader();
  env.read();
  env.read();
  env.drop();
  env.read();
  env.receive(2, 2, core::HeartbeatResponse{2});
  CHECK(env.take_without("send") ==
        "read 1 ok\n"
        "read 2 ok\n");
  env.drop();
  env.receive(2, 2, core::HeartbeatResponse{2});
  CHECK(env.take_without("send") == "");
  env.receive(2, 2, core::HeartbeatResponse{3});
  CHECK(env.take_without("send") == "read 3 ok\n");
}

TEST_CASE("a follower's read waits until its store has applied what the leader had committed") {
  ReplicaEnv env;
  env.receive_append(2, 2, 1, 1, {"a"});
  env.read();
  env.drop();
  const std::uint64_t tag = asked_tag(env);
  REQUIRE(tag != 0);
  env.receive(2, 2, core::ReadIndexResponse{tag, false, core::Index(3)});
  CHECK(env.take_without("send") == "");
  env.receive_append(2, 3, 2, 2, {"b"});
  CHECK(env.take_without("send") == "persist 2 2/3\n");
  CHECK(env.replica->store().applied_index() == core::Index(2));
  env.receive(2, 2, core::AppendRequest{core::Index(3), core::Term(2), core::Index(3), {}});
  CHECK(env.take_without("send") == "read 1 ok\n");
  CHECK(env.value_of("k") == "b");
}

TEST_CASE("a follower asks once for the reads of one batch") {
  ReplicaEnv env;
  env.follow(2);
  env.drop();
  env.read();
  env.read();
  env.drop();
  CHECK(asked_count(env) == 1);
  env.read();
  env.drop();
  CHECK(asked_count(env) == 0);
}

TEST_CASE("a lost question is asked again under a new tag, and the old answer no longer counts (S50)") {
  ReplicaEnv env;
  env.follow(2);
  env.drop();
  env.read();
  env.drop();
  const std::uint64_t lost = asked_tag(env);
  for (int i = 0; i < 12; ++i) {
    env.advance(base::milliseconds(50));
    env.follow(2);
  }
  env.drop();
  const std::uint64_t again = asked_tag(env);
  REQUIRE(again != 0);
  CHECK(again != lost);
  env.receive(2, 2, core::ReadIndexResponse{lost, false, core::Index(0)});
  CHECK(env.take_without("send") == "");
  env.receive(2, 2, core::ReadIndexResponse{again, false, core::Index(0)});
  CHECK(env.take_without("send") == "read 1 ok\n");
}

TEST_CASE("a restart never reuses a tag, so that a late answer to an earlier run confirms nothing (S50)") {
  EnvOptions first;
  EnvOptions second;
  second.incarnation = 2;
  ReplicaEnv before(first);
  ReplicaEnv after(second);
  for (ReplicaEnv* env : {&before, &after}) {
    env->follow(2);
    env->drop();
    env->read();
    env->drop();
  }
  CHECK(asked_tag(before) != asked_tag(after));
  after.receive(2, 2, core::ReadIndexResponse{asked_tag(before), false, core::Index(0)});
  CHECK(after.take_without("send") == "");
}

TEST_CASE("a refused batch is not asked again at once") {
  ReplicaEnv env;
  env.follow(2);
  env.drop();
  env.read();
  env.drop();
  env.receive(2, 2, core::ReadIndexResponse{asked_tag(env), true, core::Index(0)});
  env.drop();
  CHECK(asked_count(env) == 0);
}

TEST_CASE("a read without a leader waits, and ends with no leader when its time is over") {
  ReplicaEnv env;
  env.read();
  CHECK(env.take() == "");
  env.advance(base::milliseconds(6900));
  CHECK(env.take_without("send").find("read") == std::string::npos);
  env.advance(base::milliseconds(200));
  CHECK_THAT(env.take_without("send"), contains_text("read 1 no leader\n"));
}

TEST_CASE("a read that its leader does not answer times out") {
  ReplicaEnv env;
  env.follow(2);
  env.read();
  for (int i = 0; i < 160; ++i) {
    env.advance(base::milliseconds(50));
    env.follow(2);
  }
  CHECK_THAT(env.take_without("send"), contains_text("read 1 request timed out\n"));
}

TEST_CASE("a confirmed read that the store never reaches times out") {
  ReplicaEnv env;
  env.follow(2);
  env.read();
  env.drop();
  env.receive(2, 2, core::ReadIndexResponse{asked_tag(env), false, core::Index(50)});
  for (int i = 0; i < 160; ++i) {
    env.advance(base::milliseconds(50));
    env.follow(2);
  }
  CHECK_THAT(env.take_without("send"), contains_text("read 1 request timed out\n"));
}

TEST_CASE("a deposed leader's reads go to its successor") {
  ReplicaEnv env;
  env.become_leader();
  env.read();
  env.drop();
  env.follow(3);
  env.drop();
  for (int i = 0; i < 12; ++i) {
    env.advance(base::milliseconds(50));
    env.follow(3);
  }
  env.drop();
  const std::uint64_t tag = asked_tag(env);
  REQUIRE(tag != 0);
  env.receive(2, 3, core::ReadIndexResponse{tag, false, core::Index(2)});
  CHECK(env.take_without("send") == "read 1 ok\n");
}

TEST_CASE("pending reads are bounded") {
  EnvOptions options;
  options.tweak = [](replica::ReplicaOptions& o) { o.pending_reads_max = 2; };
  ReplicaEnv env(options);
  env.become_leader();
  CHECK(env.read() == "read 1");
  CHECK(env.read() == "read 2");
  CHECK(env.read() == "refused: too many requests");
  env.drop();
  env.receive(2, 2, core::HeartbeatResponse{2});
  env.drop();
  CHECK(env.read() == "read 3");
}

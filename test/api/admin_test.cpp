// Members and status against golden text.
#include "api/admin.hpp"

#include "catch.hpp"

using namespace whitewater;

namespace {
const api::ResponseHeader header{.cluster_id = 1, .member_id = 2, .revision = 3, .raft_term = 4};
}

TEST_CASE("a list of members has etcd's names and no revision") {
  const std::vector<api::Member> members{
      {.id = 2, .name = "a", .peer_urls = {"http://a:8090"}, .client_urls = {"http://a:2379", "http://a:8090"}},
      {.id = 5, .peer_urls = {"http://b:8090"}, .is_learner = true}};
  CHECK(api::encode_member_list(header, members) ==
        R"({"header":{"cluster_id":"1","member_id":"2","raft_term":"4"},"members":[)"
        R"({"ID":"2","name":"a","peerURLs":["http://a:8090"],"clientURLs":["http://a:2379","http://a:8090"]},)"
        R"({"ID":"5","peerURLs":["http://b:8090"],"isLearner":true}]})");
  CHECK(api::encode_member_list(header, {}) == R"({"header":{"cluster_id":"1","member_id":"2","raft_term":"4"}})");
}

TEST_CASE("a status prints every field in the order of the message") {
  api::StatusResponse status{.version = "3.6.14",
                             .db_size_bytes = 10,
                             .leader = 2,
                             .raft_index = 7,
                             .raft_term = 4,
                             .raft_applied_index = 6,
                             .errors = {"memberID:2 alarm:NOSPACE "},
                             .db_size_in_use_bytes = 9,
                             .is_learner = true,
                             .storage_version = "3.6.0",
                             .db_size_quota_bytes = 2147483648};
  CHECK(
      api::encode_status(header, status) ==
      R"({"header":{"cluster_id":"1","member_id":"2","revision":"3","raft_term":"4"},"version":"3.6.14","dbSize":"10",)"
      R"("leader":"2","raftIndex":"7","raftTerm":"4","raftAppliedIndex":"6","errors":["memberID:2 alarm:NOSPACE "],)"
      R"("dbSizeInUse":"9","isLearner":true,"storageVersion":"3.6.0","dbSizeQuota":"2147483648","downgradeInfo":{}})");
}

TEST_CASE("a status without a leader says so once") {
  api::StatusResponse status{.version = "3.6.14"};
  const std::string expected =
      R"({"header":{"cluster_id":"1","member_id":"2","revision":"3","raft_term":"4"},"version":"3.6.14",)"
      R"("errors":["etcdserver: no leader"],"downgradeInfo":{}})";
  CHECK(api::encode_status(header, status) == expected);
  status.errors.push_back("etcdserver: no leader");
  CHECK(api::encode_status(header, status) == expected);
}

TEST_CASE("the members' table has every key in every row") {
  const std::vector<api::MemberRow> rows{{.name = "whitewater-0",
                                          .id = 0xabc,
                                          .role = "leader",
                                          .term = 2,
                                          .commit_index = 10,
                                          .applied_index = 9,
                                          .address = "127.8.90.1:8090",
                                          .log_strategy = "uring",
                                          .reactor = "io_uring",
                                          .leader = 0xabc,
                                          .healthy = true,
                                          .unix_ms = 1700000000000},
                                         {.name = "whitewater-\"1\"", .role = "unreachable", .reason = "timed out"}};
  CHECK(
      api::encode_member_table(rows) ==
      R"([{"name":"whitewater-0","id":"0000000000000abc","role":"leader","term":2,"commit_index":10,"applied_index":9,)"
      R"("address":"127.8.90.1:8090","log_strategy":"uring","reactor":"io_uring","leader":"0000000000000abc",)"
      R"("healthy":true,"reason":"","unix_ms":1700000000000},)"
      R"({"name":"whitewater-\"1\"","id":"0000000000000000","role":"unreachable","term":0,"commit_index":0,)"
      R"("applied_index":0,"address":"","log_strategy":"","reactor":"","leader":"","healthy":false,)"
      R"("reason":"timed out","unix_ms":0}])"
      "\n");
  CHECK(api::encode_member_table({}) == "[]\n");
}

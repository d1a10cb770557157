#include "server/cli_protocol.hpp"

#include "catch.hpp"

using namespace whitewater::server;

TEST_CASE("the end of a prefix is the next key that does not start with it") {
  CHECK(prefix_range_end("a") == "b");
  CHECK(prefix_range_end("a\xFF\xFF") == "b");
  CHECK(prefix_range_end("\xFF") == std::string(1, '\0'));
  CHECK(prefix_range_end(std::string(1, '\0')) == std::string(1, '\0'));
}

TEST_CASE("commands become requests of the JSON API") {
  CliCommand command;
  command.verb = CliVerb::put;
  command.key = "k";
  auto request = make_request(command, "v");
  CHECK(request.path == "/v3/kv/put");
  CHECK(request.body == R"({"key":"aw==","value":"dg=="})");
  CHECK(request.is_write);

  command.verb = CliVerb::get;
  request = make_request(command, "");
  CHECK(request.body == R"({"key":"aw=="})");
  CHECK_FALSE(request.is_write);
  command.prefix = command.keys_only = command.count_only = command.serializable = true;
  command.revision = 7;
  command.limit = 3;
  CHECK(
      make_request(command, "").body ==
      R"({"key":"aw==","range_end":"bA==","revision":"7","limit":"3","keys_only":true,"count_only":true,"serializable":true})");

  command.verb = CliVerb::del;
  request = make_request(command, "");
  CHECK(request.path == "/v3/kv/deleterange");
  CHECK(request.body == R"({"key":"aw==","range_end":"bA=="})");
  CHECK(request.is_write);

  command.verb = CliVerb::doctor;
  request = make_request(command, "");
  CHECK(request.path == "/whitewater/doctor");
  CHECK(request.body.empty());
  CHECK_FALSE(request.is_write);
  command.members_wanted = 3;
  CHECK(make_request(command, "").path == "/whitewater/doctor?members=3");

  command.verb = CliVerb::members;
  CHECK(make_request(command, "").path == "/whitewater/members");
  CHECK(make_request(command, "").body.empty());
  command.verb = CliVerb::status;
  CHECK(make_request(command, "").path == "/v3/maintenance/status");
}

TEST_CASE("a write's answer is a refusal only where nothing can have been changed") {
  const auto judge = [](bool is_write, unsigned status, const std::string& message) {
    return judge_answer(is_write, status, R"({"error":"x","code":14,"message":")" + message + "\"}").meaning;
  };
  CHECK(judge_answer(true, 200, "{}").meaning == AnswerMeaning::success);
  for (const bool is_write : {true, false}) {
    CHECK(judge(is_write, 400, "etcdserver: key is not provided") == AnswerMeaning::refused);
    CHECK(judge(is_write, 404, "Not Found") == AnswerMeaning::refused);
    CHECK(judge(is_write, 501, "Method Not Allowed") == AnswerMeaning::refused);
    CHECK(judge(is_write, 503, "etcdserver: no leader") == AnswerMeaning::try_another);
    CHECK(judge(is_write, 429, "etcdserver: too many requests") == AnswerMeaning::try_another);
    CHECK(judge(is_write, 400, "etcdserver: not leader") == AnswerMeaning::try_another);
  }
  for (const char* message :
       {"etcdserver: request timed out", "etcdserver: leader changed", "etcdserver: server stopped",
        "etcdserver: request timed out, possibly due to previous leader failure"}) {
    CHECK(judge(true, 503, message) == AnswerMeaning::outcome_unknown);
    CHECK(judge(false, 503, message) == AnswerMeaning::try_another);
  }
  CHECK(judge(true, 504, "context deadline exceeded") == AnswerMeaning::outcome_unknown);
  CHECK(judge(true, 500, "anything") == AnswerMeaning::outcome_unknown);
}

TEST_CASE("the server's own words are shown, whatever form the answer has") {
  CHECK(judge_answer(false, 400, R"({"code":3,"message":"m"})").message == "m");
  CHECK(judge_answer(false, 400, R"({"error":"e","code":3})").message == "e");
  CHECK(judge_answer(false, 404, "404 page not found\n").message == "HTTP 404: 404 page not found");
  CHECK(judge_answer(false, 502, "").message == "HTTP 502");
}

TEST_CASE("a range response is read, its omitted zeros included") {
  const auto range = parse_range(
      R"({"header":{"revision":"5"},"kvs":[{"key":"aw==","create_revision":"2","mod_revision":"5","version":"3","value":"dg=="},{"key":"bA=="}],"more":true,"count":"9"})");
  REQUIRE(range);
  REQUIRE(range->kvs.size() == 2);
  CHECK(range->kvs[0].key == "k");
  CHECK(range->kvs[0].value == "v");
  CHECK(range->kvs[0].mod_revision == 5);
  CHECK(range->kvs[1].value.empty());
  CHECK(range->more);
  CHECK(range->count == 9);
  CHECK(parse_range(R"({"header":{}})")->kvs.empty());
  for (const char* bad : {"", "[]", "{", R"({"kvs":1})", R"({"kvs":[1]})", R"({"kvs":[{"key":"!"}]})"})
    CHECK_FALSE(parse_range(bad));
}

TEST_CASE("members, status and delete answers are read") {
  const auto members = parse_members(
      R"([{"name":"whitewater-0","id":"00000000000000ab","role":"leader","term":4,"commit_index":17,"applied_index":17,"address":"127.8.90.1:8090","log_strategy":"uring","reactor":"io_uring","leader":"00000000000000ab","healthy":true,"reason":""}])");
  REQUIRE(members);
  REQUIRE(members->size() == 1);
  CHECK(members->front().name == "whitewater-0");
  CHECK(members->front().term == 4);
  CHECK(members->front().commit_index == 17);
  CHECK(members->front().healthy);
  CHECK_FALSE(parse_members("{}"));
  CHECK_FALSE(parse_members("[1]"));

  const auto status = parse_status(
      R"({"header":{"cluster_id":"1","member_id":"171"},"version":"3.6.14","dbSize":"4096","leader":"171","raftIndex":"17","raftTerm":"4","raftAppliedIndex":"16","errors":["e"]})");
  REQUIRE(status);
  CHECK(status->member_id == "00000000000000ab");
  CHECK(status->leader == "00000000000000ab");
  CHECK(status->db_size_bytes == 4096);
  CHECK(status->raft_applied_index == 16);
  CHECK(status->errors == std::vector<std::string>{"e"});
  CHECK(parse_status(R"({"header":{"member_id":"18446744073709551615"}})")->member_id == "ffffffffffffffff");
  CHECK(parse_status("{}")->leader.empty());
  CHECK_FALSE(parse_status("x"));

  CHECK(parse_deleted(R"({"deleted":"3"})") == 3);
  CHECK(parse_deleted("{}") == 0);
  CHECK_FALSE(parse_deleted("nonsense"));
}

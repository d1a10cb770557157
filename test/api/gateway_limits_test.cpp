// Sizes: what etcd counts as protobuf, measured on etcd 3.7.3, and what bounds our own memory and stack.
#include "api/base64.hpp"
#include "api/json_gateway.hpp"
#include "api/message_size.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::Call;
using api::HttpAnswer;

namespace {

std::string base64(std::size_t size) {
  std::string out;
  api::append_base64(out, std::string(size, 'x'));
  return out;
}
std::string put_body(std::size_t value_bytes) { return R"({"key":"YQ==","value":")" + base64(value_bytes) + "\"}"; }

Call call_of(std::string_view path, std::string_view body) {
  auto result = api::parse_call("POST", path, body);
  REQUIRE(std::holds_alternative<Call>(result));
  return std::get<Call>(std::move(result));
}
HttpAnswer answer_of(std::string_view path, std::string_view body) {
  auto result = api::parse_call("POST", path, body);
  REQUIRE(std::holds_alternative<HttpAnswer>(result));
  return std::get<HttpAnswer>(std::move(result));
}

}  // namespace

TEST_CASE("the largest put that etcd proposes has a value of 1572839 bytes under a key of one") {
  CHECK_FALSE(api::check_proposal_size(call_of("/v3/kv/put", put_body(1'572'839))));
  const auto status = api::check_proposal_size(call_of("/v3/kv/put", put_body(1'572'840)));
  REQUIRE(status);
  CHECK(status->code == api::GrpcCode::invalid_argument);
  CHECK(status->message == "etcdserver: request is too large");
}

TEST_CASE("a message over 2 MiB is refused with its size, as gRPC does") {
  CHECK(std::holds_alternative<Call>(api::parse_call("POST", "/v3/kv/put", put_body(2'097'144))));
  const auto answer = answer_of("/v3/kv/put", put_body(2'097'152));
  CHECK(answer.status == 429);
  const std::string message = "grpc: received message larger than max (2097160 vs. 2097152)";
  CHECK(answer.body == R"({"error":")" + message + R"(","code":8,"message":")" + message + R"("})");
  CHECK(answer_of("/v3/kv/put", put_body(2'300'000)).body.find("(2300008 vs. 2097152)") != std::string::npos);
  const auto range = answer_of("/v3/kv/range", R"({"key":")" + base64(5'600'000) + "\"}");
  CHECK(range.body.find("(5600005 vs. 2097152)") != std::string::npos);
  CHECK(api::body_too_large(5'000'000).status == 429);
  CHECK(api::body_too_large(5'000'000).body.find("(5000000 vs. 2097152)") != std::string::npos);
}

TEST_CASE("only what would be proposed counts against the limit of proposals") {
  const std::string big = base64(1'600'000);
  const auto is_refused = [](std::string_view path, const std::string& body) {
    return api::check_proposal_size(call_of(path, body)).has_value();
  };
  CHECK_FALSE(is_refused("/v3/kv/range", R"({"key":")" + big + "\"}"));
  CHECK(is_refused("/v3/kv/deleterange", R"({"key":")" + big + "\"}"));
  CHECK_FALSE(is_refused("/v3/kv/txn", R"({"compare":[{"key":")" + big + "\"}]}"));
  CHECK(
      is_refused("/v3/kv/txn", R"({"compare":[{"key":")" + big + R"("}],"success":[{"requestPut":{"key":"YQ=="}}]})"));
  CHECK(is_refused("/v3/kv/txn",
                   R"({"success":[{"request_txn":{"failure":[{"request_delete_range":{"key":")" + big + R"("}}]}}]})"));
  CHECK_FALSE(is_refused("/v3/kv/compaction", R"({"revision":"5"})"));
  CHECK_FALSE(is_refused("/v3/cluster/member/list", "{}"));
  CHECK_FALSE(is_refused("/v3/maintenance/status", "{}"));
}

TEST_CASE("the size of a message is that of its protobuf form") {
  // Counted by hand from the field table: tag, length and content of each field that is not zero.
  CHECK(api::message_size_bytes(kv::RangeRequest{}) == 0);
  CHECK(api::message_size_bytes(kv::PutRequest{.key = "foo", .value = "bar"}) == 10);
  CHECK(api::message_size_bytes(kv::PutRequest{.key = "foo", .lease = 300, .prev_kv = true}) == 10);
  CHECK(api::message_size_bytes(kv::PutRequest{.key = std::string(200, 'k')}) == 203);
  CHECK(api::message_size_bytes(kv::RangeRequest{.key = "a", .limit = -1, .serializable = true}) == 16);
  CHECK(api::message_size_bytes(kv::DeleteRangeRequest{.key = "a", .range_end = "b", .prev_kv = true}) == 8);
  CHECK(api::message_size_bytes(kv::CompactionRequest{.revision = 128, .physical = true}) == 5);
  kv::TxnRequest txn;
  txn.compare.push_back({.target = kv::CompareTarget::mod, .key = "a", .range_end = "b", .number = 5});
  txn.success.push_back({kv::PutRequest{.key = "a"}});
  txn.failure.emplace_back();
  CHECK(api::message_size_bytes(txn) == (2 + 2 + 3 + 2 + 4) + (2 + 2 + 3) + 2);
}

TEST_CASE("128 nested transactions are read, 1000 levels are refused without a deep stack") {
  const auto nested = [](int levels) {
    std::string body = "{}";
    for (int i = 0; i < levels; ++i) body = R"({"success":[{"request_txn":)" + body + "}]}";
    return body;
  };
  CHECK(std::holds_alternative<kv::TxnRequest>(call_of("/v3/kv/txn", nested(128))));
  CHECK(answer_of("/v3/kv/txn", nested(1000)).body.find("nested too deeply") != std::string::npos);
  CHECK(answer_of("/v3/kv/range", R"({"x":)" + std::string(1'000'000, '[') + "}").status == 400);
}

TEST_CASE("a body full of operations allocates no more than a bounded number of them") {
  std::string body = R"({"success":[{})";
  for (int i = 0; i < 20'000; ++i) body += ",{}";
  body += "]}";
  const auto answer = answer_of("/v3/kv/txn", body);
  CHECK(answer.status == 400);
  CHECK(answer.body.find("etcdserver: too many operations in txn request") != std::string::npos);
}

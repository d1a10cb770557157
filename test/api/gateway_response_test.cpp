// Response bodies against golden text (etcd-v3-api §1.3, §2.3), and the answers around them.
#include <boost/json.hpp>

#include "api/json_gateway.hpp"
#include "base/error.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::encode_response;

namespace {
const api::ResponseHeader header{
    .cluster_id = 324952591200643719, .member_id = 18446744073709551615U, .revision = 99, .raft_term = 2};
#define HEADER(revision)                                                                                    \
  R"("header":{"cluster_id":"324952591200643719","member_id":"18446744073709551615","revision":")" revision \
  R"(","raft_term":"2"})"
const kv::KeyValue pair{.key = "foo", .create_revision = 2, .mod_revision = 3, .version = 2, .value = "bar"};
#define PAIR R"({"key":"Zm9v","create_revision":"2","mod_revision":"3","version":"2","value":"YmFy"})"
}  // namespace

TEST_CASE("a range response prints what is not zero, in the order of the message") {
  CHECK(encode_response(header, kv::RangeResponse{.header_revision = 3}) == "{" HEADER("3") "}");
  CHECK(encode_response(header, kv::RangeResponse{.header_revision = 3, .kvs = {pair}, .count = 1}) ==
        "{" HEADER("3") R"(,"kvs":[)" PAIR R"(],"count":"1"})");
  CHECK(
      encode_response(header, kv::RangeResponse{.header_revision = 3, .kvs = {pair, pair}, .more = true, .count = 7}) ==
      "{" HEADER("3") R"(,"kvs":[)" PAIR "," PAIR R"(],"more":true,"count":"7"})");
  CHECK(encode_response(header, kv::RangeResponse{.header_revision = 3, .kvs = {{.key = "a", .lease = -5}}}) ==
        "{" HEADER("3") R"(,"kvs":[{"key":"YQ==","lease":"-5"}]})");
}

TEST_CASE("the responses of writes") {
  CHECK(encode_response(header, kv::PutResponse{.header_revision = 4}) == "{" HEADER("4") "}");
  CHECK(encode_response(header, kv::PutResponse{.header_revision = 4, .prev_kv = pair}) ==
        "{" HEADER("4") R"(,"prev_kv":)" PAIR "}");
  CHECK(encode_response(header, kv::DeleteRangeResponse{.header_revision = 4}) == "{" HEADER("4") "}");
  CHECK(encode_response(header, kv::DeleteRangeResponse{.header_revision = 4, .deleted = 1, .prev_kvs = {pair}}) ==
        "{" HEADER("4") R"(,"deleted":"1","prev_kvs":[)" PAIR "]}");
  CHECK(encode_response(header, kv::CompactionResponse{.header_revision = 5}) == "{" HEADER("5") "}");
}

TEST_CASE("responses within a transaction have a header with the revision alone, and always one") {
  kv::TxnResponse nested;
  nested.succeeded = true;
  nested.responses.push_back({kv::PutResponse{.header_revision = 5}});
  kv::TxnResponse txn;
  txn.header_revision = 5;
  txn.succeeded = true;
  txn.responses.push_back({kv::RangeResponse{.header_revision = 5, .kvs = {pair}, .count = 1}});
  txn.responses.push_back({kv::PutResponse{.header_revision = 5, .prev_kv = pair}});
  txn.responses.push_back({kv::DeleteRangeResponse{.header_revision = 5, .deleted = 2}});
  txn.responses.push_back({nested});
  CHECK(
      encode_response(header, txn) ==
      "{" HEADER(
          "5") R"(,"succeeded":true,"responses":[)"
               R"({"response_range":{"header":{"revision":"5"},"kvs":[)" PAIR R"(],"count":"1"}},)"
               R"({"response_put":{"header":{"revision":"5"},"prev_kv":)" PAIR R"(}},)"
               R"({"response_delete_range":{"header":{"revision":"5"},"deleted":"2"}},)"
               R"({"response_txn":{"header":{},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"5"}}}]}}]})");
  CHECK(encode_response(header, kv::TxnResponse{.header_revision = 5}) == "{" HEADER("5") "}");
}

TEST_CASE("a header's zero fields are left out") {
  CHECK(encode_response({}, kv::PutResponse{}) == R"({"header":{}})");
  CHECK(encode_response({.revision = 9}, kv::PutResponse{.header_revision = 4}) == R"({"header":{"revision":"4"}})");
}

TEST_CASE("an answer of the store is a 200 of the gateway or its refusal") {
  const auto ok = api::to_answer(header, kv::CommandResponse(kv::PutResponse{.header_revision = 4}));
  CHECK(ok.status == 200);
  CHECK(ok.content_type == "application/json");
  CHECK(ok.is_rpc);
  CHECK(ok.body == "{" HEADER("4") "}");
  const auto refused = api::to_answer(header, kv::RangeResult(kv::ErrorCode::future_revision));
  CHECK(refused.status == 400);
  CHECK_FALSE(refused.is_rpc);
  CHECK(refused.body == R"({"error":"etcdserver: mvcc: required revision is a future revision","code":11,)"
                        R"("message":"etcdserver: mvcc: required revision is a future revision"})");
}

TEST_CASE("values of any bytes come back from the printed text") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string text = encode_response(header, kv::RangeResponse{.kvs = {{.key = bytes, .value = bytes}}});
  const auto parsed = boost::json::parse(text);
  const std::string encoded(parsed.at("kvs").at(0).at("key").as_string());
  const auto call = api::parse_call("POST", "/v3/kv/put", "{\"key\":\"" + encoded + "\"}");
  CHECK(std::get<kv::PutRequest>(std::get<api::Call>(call)).key == bytes);
}

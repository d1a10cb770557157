// Request bodies: one row per rule of etcd-v3-api §2.3 and §2.4, each measured on etcd 3.7.3.
#include "api/json_gateway.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::Call;
using api::HttpAnswer;

namespace {

template <class Request>
std::string_view path_of();
template <>
std::string_view path_of<kv::RangeRequest>() {
  return "/v3/kv/range";
}
template <>
std::string_view path_of<kv::PutRequest>() {
  return "/v3/kv/put";
}
template <>
std::string_view path_of<kv::DeleteRangeRequest>() {
  return "/v3/kv/deleterange";
}
template <>
std::string_view path_of<kv::TxnRequest>() {
  return "/v3/kv/txn";
}
template <>
std::string_view path_of<kv::CompactionRequest>() {
  return "/v3/kv/compaction";
}
template <>
std::string_view path_of<api::MemberListRequest>() {
  return "/v3/cluster/member/list";
}

template <class Request>
Request accepted(std::string_view body) {
  INFO(body);
  auto result = api::parse_call("POST", path_of<Request>(), body);
  if (const auto* answer = std::get_if<HttpAnswer>(&result)) FAIL("refused: " << answer->body);
  return std::get<Request>(std::get<Call>(std::move(result)));
}

// The message of a 400 with code 3.
template <class Request>
std::string refused(std::string_view body) {
  INFO(body);
  const auto result = api::parse_call("POST", path_of<Request>(), body);
  const auto* answer = std::get_if<HttpAnswer>(&result);
  if (answer == nullptr) return "accepted";
  CHECK(answer->status == 400);
  CHECK(answer->content_type == api::content_type_json);
  CHECK(answer->body.find("\"code\":3,\"message\":\"") != std::string::npos);
  const std::string_view text = answer->body;
  const std::size_t from = text.find("\"message\":\"") + 11;
  return std::string(text.substr(from, text.size() - from - 2));
}

// A range request whose member after the key is this text.
std::string with(std::string_view member) { return "{\"key\":\"Zm9v\"," + std::string(member) + "}"; }

}  // namespace

TEST_CASE("every field of a range is read under both of its names") {
  const auto check = [](const kv::RangeRequest& request) {
    CHECK(request.key == "foo");
    CHECK(request.range_end == "fop");
    CHECK(request.limit == 1);
    CHECK(request.revision == 2);
    CHECK(request.sort_order == kv::SortOrder::descend);
    CHECK(request.sort_target == kv::SortTarget::value);
    CHECK(request.serializable);
    CHECK(request.keys_only);
    CHECK(request.count_only);
    CHECK(request.min_mod_revision == 3);
    CHECK(request.max_mod_revision == 4);
    CHECK(request.min_create_revision == 5);
    CHECK(request.max_create_revision == 6);
  };
  check(accepted<kv::RangeRequest>(
      R"({"key":"Zm9v","range_end":"Zm9w","limit":"1","revision":"2","sort_order":"DESCEND","sort_target":"VALUE",
          "serializable":true,"keys_only":true,"count_only":true,"min_mod_revision":"3","max_mod_revision":"4",
          "min_create_revision":"5","max_create_revision":"6"})"));
  check(accepted<kv::RangeRequest>(
      R"({"key":"Zm9v","rangeEnd":"Zm9w","limit":1,"revision":2,"sortOrder":2,"sortTarget":4,
          "serializable":true,"keysOnly":true,"countOnly":true,"minModRevision":3,"maxModRevision":4,
          "minCreateRevision":5,"maxCreateRevision":6})"));
}

TEST_CASE("every field of a put, a delete and a compaction is read under both of its names") {
  for (const std::string_view body :
       {R"({"key":"Zm9v","value":"YmFy","lease":"7","prev_kv":true,"ignore_value":true,"ignore_lease":true})",
        R"({"key":"Zm9v","value":"YmFy","lease":7,"prevKv":true,"ignoreValue":true,"ignoreLease":true})"}) {
    const auto put = accepted<kv::PutRequest>(body);
    CHECK(put.key == "foo");
    CHECK(put.value == "bar");
    CHECK(put.lease == 7);
    CHECK(put.prev_kv);
    CHECK(put.ignore_value);
    CHECK(put.ignore_lease);
  }
  for (const std::string_view body :
       {R"({"key":"Zm9v","range_end":"AA==","prev_kv":true})", R"({"key":"Zm9v","rangeEnd":"AA","prevKv":true})"}) {
    const auto del = accepted<kv::DeleteRangeRequest>(body);
    CHECK(del.key == "foo");
    CHECK(del.range_end == std::string(1, '\0'));
    CHECK(del.prev_kv);
  }
  const auto compaction = accepted<kv::CompactionRequest>(R"({"revision":"12","physical":true})");
  CHECK(compaction.revision == 12);
  CHECK(compaction.physical);
  CHECK(accepted<api::MemberListRequest>(R"({"linearizable":true})").linearizable);
}

TEST_CASE("an empty body, white space and {} are the empty request") {
  for (const std::string_view body : {"", "  ", "\n\t\r ", "{}", " { } "}) {
    CHECK(accepted<kv::RangeRequest>(body).key.empty());
    CHECK(accepted<kv::TxnRequest>(body).success.empty());
  }
}

TEST_CASE("a body that is not an object is refused") {
  for (const std::string_view body :
       {"null", "[]", "5", "\"x\"", "true", "x", "\xef\xbb\xbf{}", "{", "{\"key\":\"Zm9v\"",
        "{\"key\":", "{\"key\":\"Zm9v\",}", "{\"key\":\"Zm9v\" \"x\":1}", "{'key':1}"}) {
    CHECK(refused<kv::RangeRequest>(body).starts_with("invalid JSON at byte "));
  }
}

TEST_CASE("data after the object is ignored") {
  for (const std::string_view tail : {" ", "garbage", "{", "}}", "{\"key\":5}", " \xff"}) {
    CHECK(accepted<kv::RangeRequest>("{\"key\":\"Zm9v\"}" + std::string(tail)).key == "foo");
  }
  CHECK(accepted<kv::RangeRequest>(std::string("{\"key\":\"Zm9v\"}\0", 15)).key == "foo");
}

TEST_CASE("null leaves a field unset") {
  const auto request =
      accepted<kv::RangeRequest>(R"({"key":"Zm9v","range_end":null,"limit":null,"sort_order":null,"keys_only":null})");
  CHECK(request.range_end.empty());
  CHECK(request.limit == 0);
  CHECK(request.sort_order == kv::SortOrder::none);
  CHECK_FALSE(request.keys_only);
  CHECK(accepted<kv::TxnRequest>(R"({"compare":null,"success":null,"failure":null})").success.empty());
}

TEST_CASE("int64 is a number or a number in a string") {
  for (const std::string_view value : {"5", "\"5\"", "5.0", "5e0", "\"5.0\"", "\"5e0\"", "50e-1", "\"5 6\"", "\"5,\"",
                                       "\"5}\"", "\"5]\"", "\"5:\"", "\"5/\"", "\"5\xc3\xa9\"", R"("\u0035")"}) {
    CHECK(accepted<kv::RangeRequest>(with("\"limit\":" + std::string(value))).limit == 5);
  }
  CHECK(accepted<kv::RangeRequest>(with("\"limit\":\"1e2\"")).limit == 100);
  CHECK(accepted<kv::RangeRequest>(with("\"limit\":\"-1\"")).limit == -1);
  CHECK(accepted<kv::RangeRequest>(with("\"limit\":\"9223372036854775807\"")).limit == INT64_MAX);
  for (const std::string_view value : {R"("5\u00a0")",
                                       R"("5\u0085")",
                                       R"("5\u2003")",
                                       R"("5\u3000")",
                                       "\" 5\"",
                                       "\"5 \"",
                                       "\"5\\n\"",
                                       "\"5x\"",
                                       "\"5-\"",
                                       "\"5_\"",
                                       "\"\"",
                                       "\"05\"",
                                       "\"+5\"",
                                       "1.5",
                                       "\"1.5\"",
                                       "true",
                                       "[5]",
                                       "{}",
                                       "\"null\"",
                                       "\"true\"",
                                       R"("\"5\"")",
                                       "\"0x10\"",
                                       "\"[5\"",
                                       "\"NaN\"",
                                       "9223372036854775808",
                                       "\"9223372036854775808\"",
                                       "1e19",
                                       "5e-1"}) {
    INFO(value);
    CHECK(refused<kv::RangeRequest>(with("\"limit\":" + std::string(value))).ends_with("int64 field limit"));
  }
  for (const std::string_view value : {"05", "+5", ".5", "5.", "NaN", "5x"}) {
    INFO(value);
    CHECK(refused<kv::RangeRequest>(with("\"limit\":" + std::string(value))) != "accepted");
  }
}

TEST_CASE("an enum is a name or a number; an unknown name is unset, an undeclared number is kept") {
  const auto order = [](std::string_view value) {
    return static_cast<int>(accepted<kv::RangeRequest>(with("\"sort_order\":" + std::string(value))).sort_order);
  };
  CHECK(order("\"NONE\"") == 0);
  CHECK(order("\"ASCEND\"") == 1);
  CHECK(order("\"DESCEND\"") == 2);
  CHECK(order("2") == 2);
  CHECK(order("2.0") == 2);
  CHECK(order("\"descend\"") == 0);
  CHECK(order("\"FOO\"") == 0);
  CHECK(order("\"2\"") == 0);
  CHECK(order("\"\"") == 0);
  CHECK(order("7") == 7);
  CHECK(order("-1") == -1);
  for (const std::string_view value : {"2147483648", "-2147483649", "1.5", "true", "[]", "{}"}) {
    INFO(value);
    CHECK(refused<kv::RangeRequest>(with("\"sort_order\":" + std::string(value))).ends_with("enum field sortOrder"));
  }
  const std::pair<std::string_view, kv::SortTarget> targets[] = {{"KEY", kv::SortTarget::key},
                                                                 {"VERSION", kv::SortTarget::version},
                                                                 {"CREATE", kv::SortTarget::create},
                                                                 {"MOD", kv::SortTarget::mod},
                                                                 {"VALUE", kv::SortTarget::value}};
  for (const auto& [name, target] : targets) {
    CHECK(accepted<kv::RangeRequest>(with("\"sortTarget\":\"" + std::string(name) + "\"")).sort_target == target);
  }
}

TEST_CASE("a bool is true or false and nothing else") {
  CHECK(accepted<kv::RangeRequest>(with("\"keys_only\":true")).keys_only);
  CHECK_FALSE(accepted<kv::RangeRequest>(with("\"keys_only\":false")).keys_only);
  for (const std::string_view value : {"\"true\"", "1", "0", "[]", "{}", "\"\""}) {
    CHECK(refused<kv::RangeRequest>(with("\"keys_only\":" + std::string(value))).ends_with("bool field keysOnly"));
  }
  CHECK(refused<kv::RangeRequest>(with("\"keys_only\":tru")) != "accepted");
}

TEST_CASE("bytes are base64 in a string and nothing else") {
  for (const std::string_view value : {"\"Zm9v\"", R"("\u005am9v")", R"("Zm9v\n")"}) {
    CHECK(accepted<kv::RangeRequest>("{\"key\":" + std::string(value) + "}").key == "foo");
  }
  for (const std::string_view value : {"[]", "5", "true", "{}", "\"Z\"", "\"Zm8=\\n\"", "\" Zm9v\"", "\"Zm9v!\""}) {
    CHECK(refused<kv::RangeRequest>("{\"key\":" + std::string(value) + "}").ends_with("bytes field key"));
  }
  CHECK(refused<kv::RangeRequest>("{\"key\":\"Zm9v\n\"}").ends_with("control character in a string"));
}

TEST_CASE("a field given twice is refused, also once in each spelling and also when null") {
  CHECK(refused<kv::RangeRequest>(R"({"key":"Zm9v","key":"Zm9v"})") == "invalid JSON at byte 14: duplicate field key");
  CHECK(refused<kv::RangeRequest>(R"({"key":null,"key":"Zm9v"})").ends_with("duplicate field key"));
  CHECK(refused<kv::RangeRequest>(R"({"range_end":"Zm9w","rangeEnd":"Zm9w"})").ends_with("duplicate field rangeEnd"));
  CHECK(refused<kv::RangeRequest>(R"({"key":"Zm9v","k\u0065y":"Zm9v"})").ends_with("duplicate field key"));
  CHECK(refused<kv::TxnRequest>(R"({"success":[],"success":[]})").ends_with("duplicate field success"));
  CHECK(accepted<kv::RangeRequest>(R"({"key":"Zm9v","x":1,"x":2})").key == "foo");
}

TEST_CASE("unknown fields are ignored, their syntax is not") {
  for (const std::string_view member :
       {R"("x":1)", R"("x":[1,2,{"a":[]}])", R"("":1)", R"("[x]":5)", R"("@type":5)", R"("Key":5)",
        R"("x":"\ud83d\ude00")", "\"x\":\"\x7f\"", R"("x":null)", R"("header":{"revision":"5"})"}) {
    CHECK(accepted<kv::RangeRequest>(with(member)).key == "foo");
  }
  for (const std::string_view member : {"\"x\":\"\xff\"", "\"\xff\":1", "\"x\":\"\xed\xa0\x80\"", "\"x\":\"\x1f\"",
                                        R"("x":"\ud800")", R"("x":"\udc00")", R"("x":"\q")", R"("x":"\u12")",
                                        R"("x":NaN)", R"("x":01)", R"("x":nul)", R"("x":[1,])", R"("x":{"a":1,})"}) {
    CHECK(refused<kv::RangeRequest>(with(member)) != "accepted");
  }
}

TEST_CASE("a transaction is read with its nested operations") {
  const auto txn = accepted<kv::TxnRequest>(R"({
    "compare":[{"key":"Zm9v","target":"CREATE","result":"GREATER","createRevision":"2","rangeEnd":"Zm9w"}],
    "success":[{"requestPut":{"key":"YQ==","value":"Yg=="}},{"request_range":{"key":"YQ=="}},
               {"request_txn":{"failure":[{"requestDeleteRange":{"key":"YQ==","prevKv":true}}]}}],
    "failure":[{"request_delete_range":{"key":"YQ=="}},{}]})");
  REQUIRE(txn.compare.size() == 1);
  CHECK(txn.compare[0].key == "foo");
  CHECK(txn.compare[0].range_end == "fop");
  CHECK(txn.compare[0].target == kv::CompareTarget::create);
  CHECK(txn.compare[0].result == kv::CompareResult::greater);
  CHECK(txn.compare[0].number == 2);
  REQUIRE(txn.success.size() == 3);
  CHECK(std::get<kv::PutRequest>(txn.success[0].op).value == "b");
  CHECK(std::get<kv::RangeRequest>(txn.success[1].op).key == "a");
  const auto& nested = std::get<kv::TxnRequest>(txn.success[2].op);
  REQUIRE(nested.failure.size() == 1);
  CHECK(std::get<kv::DeleteRangeRequest>(nested.failure[0].op).prev_kv);
  REQUIRE(txn.failure.size() == 2);
  CHECK(std::holds_alternative<std::monostate>(txn.failure[1].op));
}

TEST_CASE("a second member of a oneof is refused, a null one is not a member") {
  CHECK(refused<kv::TxnRequest>(R"({"success":[{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}]})") !=
        "accepted");
  CHECK(refused<kv::TxnRequest>(R"({"success":[{"requestRange":{},"request_range":null}]})")
            .ends_with("duplicate field requestRange"));
  CHECK(refused<kv::TxnRequest>(R"({"compare":[{"key":"YQ==","version":1,"mod_revision":2}]})") != "accepted");
  const auto txn = accepted<kv::TxnRequest>(
      R"({"compare":[{"key":"YQ==","version":null,"target":"MOD","mod_revision":2}],
          "success":[{"request_put":null,"request_range":{"key":"YQ=="}},{"request_put":null}]})");
  CHECK(txn.compare[0].number == 2);
  CHECK(std::holds_alternative<kv::RangeRequest>(txn.success[0].op));
  CHECK(std::holds_alternative<std::monostate>(txn.success[1].op));
}

TEST_CASE("a compare counts only the member that its target names") {
  struct Row {
    std::string_view members;
    kv::CompareTarget target;
    std::int64_t number;
    std::string_view value;
  };
  const Row rows[] = {
      {R"("target":"VERSION","version":"3")", kv::CompareTarget::version, 3, ""},
      {R"("version":"3")", kv::CompareTarget::version, 3, ""},
      {R"("createRevision":"3","target":"CREATE")", kv::CompareTarget::create, 3, ""},
      {R"("target":"MOD","mod_revision":3)", kv::CompareTarget::mod, 3, ""},
      {R"("target":"LEASE","lease":3)", kv::CompareTarget::lease, 3, ""},
      {R"("target":"VALUE","value":"Zm9v")", kv::CompareTarget::value, 0, "foo"},
      {R"("target":3,"value":"Zm9v")", kv::CompareTarget::value, 0, "foo"},
      {R"("target":"CREATE","mod_revision":3)", kv::CompareTarget::create, 0, ""},
      {R"("target":"VERSION","value":"Zm9v")", kv::CompareTarget::version, 0, ""},
      {R"("target":"VALUE","version":3)", kv::CompareTarget::value, 0, ""},
      {R"("target":"VALUE")", kv::CompareTarget::value, 0, ""},
      {R"("target":"NOPE","result":"WHAT")", kv::CompareTarget::version, 0, ""},
      {R"("target":9)", static_cast<kv::CompareTarget>(9), 0, ""},
  };
  for (const Row& row : rows) {
    const auto txn = accepted<kv::TxnRequest>(R"({"compare":[{"key":"YQ==",)" + std::string(row.members) + "}]}");
    INFO(row.members);
    CHECK(txn.compare[0].target == row.target);
    CHECK(txn.compare[0].number == row.number);
    CHECK(txn.compare[0].value == row.value);
    CHECK(txn.compare[0].result == kv::CompareResult::equal);
  }
}

TEST_CASE("null or anything but an object is refused as an element of a list") {
  for (const std::string_view name : {"compare", "success", "failure"}) {
    for (const std::string_view element : {"null", "5", "[]", "\"x\"", "true"}) {
      CHECK(refused<kv::TxnRequest>("{\"" + std::string(name) + "\":[" + std::string(element) + "]}")
                .ends_with("expected an object"));
    }
    CHECK(refused<kv::TxnRequest>("{\"" + std::string(name) + "\":{}}").ends_with("expected an array"));
  }
}

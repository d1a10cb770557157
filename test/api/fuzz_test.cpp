// Random and mutated bodies: never a crash, every refusal a 400, and agreement with Boost.JSON on what is JSON at all.
#include <boost/json.hpp>

#include "api/json_gateway.hpp"
#include "api/json_reader.hpp"
#include "api/router.hpp"
#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;

namespace {

constexpr std::string_view seeds[] = {
    R"({"key":"Zm9v","range_end":"Zm9w","limit":"5","sort_order":"DESCEND","sort_target":2,"serializable":true})",
    R"({"key":"Zm9v","value":"YmFy","lease":7,"prevKv":true,"x":[1,-2.5e3,{"y":null}]})",
    R"({"compare":[{"key":"YQ==","target":"MOD","mod_revision":"3"}],"success":[{"requestPut":{"key":"YQ"}}],"failure":[]})",
    R"({"success":[{"request_txn":{"success":[{"request_range":{"key":"YQ"}}]}},{"request_delete_range":{}}]})",
    R"({"x":"\u00e9\ud83d\ude00\n\"","revision":1e2,"physical":false})",
};
constexpr std::string_view tokens[] = {"{",        "}",   "[",    "]",   ",",       ":",       "\"",       "null",
                                       "true",     "1e2", "-0.5", "\\u", "\\ud800", "\"key\"", "\"Zm9v\"", "\xff",
                                       "\xc3\xa9", " ",   "\n",   "0",   "\\",      "[[[[",    "\"\"",     "{}"};
constexpr std::string_view paths[] = {"/v3/kv/range",          "/v3/kv/put",
                                      "/v3/kv/deleterange",    "/v3/kv/txn",
                                      "/v3/kv/compaction",     "/v3/cluster/member/list",
                                      "/v3/maintenance/status"};

std::string mutate(std::string text, base::Rng& rng) {
  const auto changes = rng.next() % 4;
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = rng.next() % (text.size() + 1);
    const std::size_t length = rng.next() % 6;
    switch (rng.next() % 5) {
      case 0:
        text.insert(at, tokens[rng.next() % std::size(tokens)]);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(rng.next());
        break;
      case 3:
        text.replace(at, std::min(length, text.size() - at), tokens[rng.next() % std::size(tokens)]);
        break;
      default:
        text.insert(at, text.substr(rng.next() % (text.size() + 1), length * 4));
        break;
    }
  }
  return text;
}

bool boost_accepts(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 100;
  boost::system::error_code error;
  boost::json::parse(text, error, {}, options);
  return !error;
}

}  // namespace

TEST_CASE("mutated bodies are requests or refusals of 400, and refusals have a reason") {
  base::Rng rng(11);
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string body = mutate(std::string(seeds[rng.next() % std::size(seeds)]), rng);
    const auto result = api::parse_call("POST", paths[rng.next() % std::size(paths)], body);
    if (const auto* answer = std::get_if<api::HttpAnswer>(&result)) {
      ++refused;
      REQUIRE(answer->status == 400);
      REQUIRE(boost_accepts(answer->body));
      REQUIRE(answer->body.size() < 300);
    } else {
      ++accepted;
    }
  }
  CHECK(accepted > 5'000);
  CHECK(refused > 5'000);
}

TEST_CASE("the reader and Boost.JSON agree on what is JSON") {
  base::Rng rng(12);
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = mutate(std::string(seeds[rng.next() % std::size(seeds)]), rng);
    api::JsonReader in(text, 100);
    const bool ours = in.skip_value() && in.peek() == api::JsonReader::Kind::end;
    INFO(text);
    INFO(in.error());
    REQUIRE(ours == boost_accepts(text));
  }
}

TEST_CASE("random bytes as body, target and method never do harm") {
  base::Rng rng(13);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    const std::size_t size = rng.next() % 64;
    for (std::size_t j = 0; j < size; ++j) bytes.push_back(static_cast<char>(rng.next()));
    (void)api::parse_call("POST", "/v3/kv/txn", bytes);
    (void)api::route("GET", "/" + bytes, "", "0");
    (void)api::route(bytes, bytes, bytes, "0");
    (void)api::route("GET", "/readyz?" + bytes, "", "0");
  }
  SUCCEED();
}

TEST_CASE("every prefix of a request is refused, but for the empty one") {
  for (const std::string_view seed : seeds) {
    for (std::size_t size = 1; size < seed.size(); ++size) {
      const auto result = api::parse_call("POST", "/v3/kv/txn", seed.substr(0, size));
      REQUIRE(std::holds_alternative<api::HttpAnswer>(result));
    }
  }
}

// Which path and method gets which answer (etcd-v3-api §2.2, §2.4), each row measured on etcd 3.7.3.
#include "api/gateway_paths.hpp"
#include "api/router.hpp"
#include "api/target.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::Call;
using api::HttpAnswer;

namespace {

HttpAnswer answer_to(std::string_view method, std::string_view target) {
  INFO(method << " " << target);
  auto result = api::parse_call(method, target, "{}");
  REQUIRE(std::holds_alternative<HttpAnswer>(result));
  return std::get<HttpAnswer>(std::move(result));
}

std::string header_of(const HttpAnswer& answer, std::string_view name) {
  for (const auto& header : answer.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

constexpr std::string_view not_found_json = R"({"error":"Not Found","code":5,"message":"Not Found"})";

}  // namespace

TEST_CASE("the paths of the served methods lead to their requests") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"/v3/kv/range", "/etcdserverpb.KV/Range"},
      {"/v3/kv/put", "/etcdserverpb.KV/Put"},
      {"/v3/kv/deleterange", "/etcdserverpb.KV/DeleteRange"},
      {"/v3/kv/txn", "/etcdserverpb.KV/Txn"},
      {"/v3/kv/compaction", "/etcdserverpb.KV/Compact"},
      {"/v3/cluster/member/list", "/etcdserverpb.Cluster/MemberList"},
      {"/v3/cluster/member/add", "/etcdserverpb.Cluster/MemberAdd"},
      {"/v3/cluster/member/remove", "/etcdserverpb.Cluster/MemberRemove"},
      {"/v3/cluster/member/promote", "/etcdserverpb.Cluster/MemberPromote"},
      {"/v3/maintenance/status", "/etcdserverpb.Maintenance/Status"},
      {"/v3beta/kv/put", "/etcdserverpb.KV/Put"},
      {"/v3/kv/range?x=1", "/etcdserverpb.KV/Range"},
      {"/v3/kv%2Frange", "/etcdserverpb.KV/Range"},
      {"/v3/kv/r%61nge", "/etcdserverpb.KV/Range"},
      {"http://host:2379/v3/kv/range", "/etcdserverpb.KV/Range"},
  };
  for (const auto& [target, name] : rows) {
    INFO(target);
    const auto result = api::parse_call("POST", target, "{}");
    REQUIRE(std::holds_alternative<Call>(result));
    CHECK(api::rpc_name(std::get<Call>(result)) == name);
  }
}

TEST_CASE(
    "requests that change the membership: all 64 bits of an id, as a string or a number; anything else is refused") {
  const auto parsed = [](std::string_view target, std::string_view body) {
    return api::parse_call("POST", target, body);
  };
  constexpr std::string_view remove = "/v3/cluster/member/remove";
  for (const std::string_view body : {R"({"ID":"18446744073709551615"})", R"({"ID":18446744073709551615})"}) {
    const auto result = parsed(remove, body);
    REQUIRE(std::holds_alternative<Call>(result));
    CHECK(std::get<api::MemberRemoveRequest>(std::get<Call>(result)).id == 18446744073709551615UL);
  }
  for (const std::string_view body : {R"({"ID":"-1"})", R"({"ID":"18446744073709551616"})", R"({"ID":"5x"})",
                                      R"({"ID":""})", R"({"ID":1.5})", R"({"ID":true})"}) {
    INFO(body);
    const auto result = parsed(remove, body);
    REQUIRE(std::holds_alternative<HttpAnswer>(result));
    CHECK(std::get<HttpAnswer>(result).status == 400);
  }
  const auto added = parsed("/v3/cluster/member/add", R"({"peerURLs":["http://a:1"],"isLearner":true})");
  REQUIRE(std::holds_alternative<Call>(added));
  CHECK(std::get<api::MemberAddRequest>(std::get<Call>(added)) == api::MemberAddRequest{{"http://a:1"}, true});
  CHECK(std::holds_alternative<HttpAnswer>(parsed("/v3/cluster/member/add", R"({"peerURLs":[7]})")));
}

TEST_CASE("drain and the history have one method each, and a bounded time-out") {
  const auto routed = [](std::string_view method, std::string_view target) {
    return api::route(method, target, "", "1");
  };
  CHECK(std::get<api::DrainRequest>(routed("POST", "/whitewater/drain?timeout_ms=250")).timeout_ms == 250);
  CHECK(std::get<HttpAnswer>(routed("GET", "/whitewater/drain")).status == 405);
  for (const std::string_view query : {"0", "x", "600001", "-1", "99999999999999999999"}) {
    CHECK(std::get<HttpAnswer>(routed("POST", "/whitewater/drain?timeout_ms=" + std::string(query))).status == 400);
  }
  CHECK(std::holds_alternative<api::MembershipPage>(routed("GET", "/whitewater/membership")));
  CHECK(std::get<HttpAnswer>(routed("POST", "/whitewater/membership")).status == 405);
}

TEST_CASE("every path of etcd that is not served answers 501 code 12, as an unimplemented method does") {
  int not_served = 0;
  for (const auto& row : api::gateway_paths()) {
    if (row.rpc != api::Rpc::not_served) continue;
    ++not_served;
    const auto answer = answer_to("POST", row.path);
    CHECK(answer.status == 501);
    CHECK(answer.body.find("\"code\":12,") != std::string::npos);
    CHECK(answer.body.find(row.service) != std::string::npos);
  }
  CHECK(not_served == 41);
  CHECK(answer_to("POST", "/v3/lease/grant").body.find("\"message\":\"unknown service etcdserverpb.Lease\"") !=
        std::string::npos);
  CHECK(answer_to("POST", "/v3/cluster/member/update")
            .body.find("\"message\":\"unknown method MemberUpdate for service etcdserverpb.Cluster\"") !=
        std::string::npos);
}

TEST_CASE("an unknown path under /v3/ is 404 code 5, whatever the method") {
  for (const std::string_view target : {"/v3/kv/nope", "/v3/", "/v3/kv", "/v3/kv/range/", "/v3/kv/range:x", "/v3beta/",
                                        "/v3/kv/range%00", "/v3/KV/range"}) {
    for (const std::string_view method : {"POST", "GET"}) {
      const auto answer = answer_to(method, target);
      CHECK(answer.status == 404);
      CHECK(answer.content_type == api::content_type_json);
      CHECK(answer.body == not_found_json);
    }
  }
}

TEST_CASE("a wrong method on a path of the gateway is 501 code 12") {
  for (const std::string_view method : {"GET", "PUT", "HEAD", "DELETE", "PATCH", "post", "FOO"}) {
    const auto answer = answer_to(method, "/v3/kv/range");
    CHECK(answer.status == 501);
    CHECK(answer.body == R"({"error":"Method Not Allowed","code":12,"message":"Method Not Allowed"})");
  }
  CHECK(answer_to("GET", "/v3/lease/grant").body.find("Method Not Allowed") != std::string::npos);
}

TEST_CASE("outside /v3/ the answer is the sentence that APISIX looks for") {
  for (const std::string_view target :
       {"/", "/nope", "/v3alpha/kv/range", "/v3beta", "/v2/keys", "/v3x", "/version/"}) {
    const auto answer = answer_to("POST", target);
    CHECK(answer.status == 404);
    CHECK(answer.content_type == api::content_type_text);
    CHECK(answer.body == "404 page not found\n");
    CHECK(header_of(answer, "X-Content-Type-Options") == "nosniff");
  }
}

TEST_CASE("OPTIONS is 200 with an empty body on every path") {
  for (const std::string_view target : {"/v3/kv/range", "/nope", "/health", "/v3", "//"}) {
    const auto answer = answer_to("OPTIONS", target);
    CHECK(answer.status == 200);
    CHECK(answer.body.empty());
    CHECK(answer.content_type.empty());
    CHECK(std::holds_alternative<HttpAnswer>(api::route("OPTIONS", target, "", "0")));
  }
  CHECK(api::cors_headers().size() == 3);
}

TEST_CASE("an unclean path is redirected with 307") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"//v3/kv/range", "/v3/kv/range"},
      {"/v3//kv/range?x=1", "/v3/kv/range?x=1"},
      {"/v3/./kv/range", "/v3/kv/range"},
      {"/v3/../v3/kv/range", "/v3/kv/range"},
      {"/../v3/kv/range", "/v3/kv/range"},
      {"/v3", "/v3/"},
      {"/v3?x=1", "/v3/?x=1"},
      {"/v3/kv/..", "/v3/"},
      {"/v3/kv/range/..", "/v3/kv"},
      {"/v3beta//kv/range", "/v3/kv/range"},
      {"//health", "/health"},
      {"/a/../health?x=%20y", "/health?x=%20y"},
  };
  for (const auto& [target, location] : rows) {
    INFO(target);
    const auto post = answer_to("POST", target);
    CHECK(post.status == 307);
    CHECK(header_of(post, "Location") == location);
    CHECK(post.body.empty());
    CHECK(post.content_type.empty());
    const auto get = answer_to("GET", target);
    CHECK(get.body == "<a href=\"" + std::string(location) + "\">Temporary Redirect</a>.\n\n");
    CHECK(get.content_type == api::content_type_html);
    CHECK(std::get<HttpAnswer>(api::route("GET", target, "", "0")).status == 307);
  }
  CHECK(answer_to("GET", "//x?a=<b>&'\"").body ==
        "<a href=\"/x?a=&lt;b&gt;&amp;&#39;&#34;\">Temporary Redirect</a>.\n\n");
  CHECK(answer_to("CONNECT", "/v3//kv/range").status == 404);
}

TEST_CASE("a target that is none is 400") {
  for (const std::string_view target : {"", "*", "v3/kv/range", "/v3/kv/%zz", "/v3/%", "/v3/%4", "example.com:80"}) {
    CHECK(answer_to("POST", target).status == 400);
  }
}

TEST_CASE("paths are cleaned as Go's router does it") {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"/", "/"},           {"//", "/"},          {"/a", "/a"},        {"/a/", "/a/"},
      {"/a//", "/a/"},      {"/a/.", "/a"},       {"/a/./", "/a/"},    {"/a/..", "/"},
      {"/a/../", "/"},      {"/..", "/"},         {"/../..", "/"},     {"/a/b/../c", "/a/c"},
      {"/.../a", "/.../a"}, {"/a/..b", "/a/..b"}, {"/a/b/../..", "/"}, {"/./a", "/a"}};
  for (const auto& [path, clean] : rows) {
    INFO(path);
    CHECK(api::clean_path(path) == clean);
    CHECK(api::clean_path(clean) == clean);
  }
}

TEST_CASE("a query is taken apart with its escapes, and bounded") {
  const auto items = api::parse_query("a=1&b=x+y%21&&c&=d&e=%zz&a=2");
  REQUIRE(items.size() == 5);
  CHECK(items[0] == std::pair<std::string, std::string>("a", "1"));
  CHECK(items[1] == std::pair<std::string, std::string>("b", "x y!"));
  CHECK(items[2] == std::pair<std::string, std::string>("c", ""));
  CHECK(items[3] == std::pair<std::string, std::string>("", "d"));
  CHECK(items[4] == std::pair<std::string, std::string>("a", "2"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a=1&";
  CHECK(api::parse_query(many).size() == 64);
}

TEST_CASE("the router tells gateway, probes and pages apart") {
  CHECK(std::holds_alternative<Call>(api::route("POST", "/v3/kv/put", "{}", "0")));
  CHECK(std::holds_alternative<api::Probe>(api::route("GET", "/health", "", "0")));
  CHECK(std::holds_alternative<api::Probe>(api::route("GET", "/readyz/leader?verbose", "", "0")));
  CHECK(std::holds_alternative<api::MetricsPage>(api::route("GET", "/metrics", "", "0")));
  CHECK(std::holds_alternative<api::MetricsPage>(api::route("GET", "/metrics?name=x", "", "0")));
  CHECK(std::holds_alternative<api::MemberTablePage>(api::route("GET", "/whitewater/members", "", "0")));
  CHECK(std::get<HttpAnswer>(api::route("POST", "/whitewater/members", "", "0")).status == 405);
  const auto version = std::get<HttpAnswer>(api::route("GET", "/version", "", "0.1.0"));
  CHECK(version.status == 200);
  CHECK(version.body == R"({"etcdserver":"3.6.14","etcdcluster":"3.6.0","storage":"3.6.0","whitewater":"0.1.0"})");
  const auto post = std::get<HttpAnswer>(api::route("POST", "/version", "", "0.1.0"));
  CHECK(post.status == 405);
  CHECK(post.body == "Method Not Allowed\n");
  CHECK(header_of(post, "Allow") == "GET");
  CHECK(std::get<HttpAnswer>(api::route("GET", "/", "", "0")).body == "404 page not found\n");
  CHECK(std::get<HttpAnswer>(api::route("GET", "/health/", "", "0")).status == 404);
  CHECK(api::answer_metrics("x").content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(api::answer_json("[]\n").body == "[]\n");
}

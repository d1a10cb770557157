// The API server for tests, held to what a real one (Kubernetes 1.34) was seen to send: whoever changes its answers
// changes them away from that.
#include "api_server.hpp"

#include <boost/json.hpp>

#include "api_server_env.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;
namespace json = boost::json;

namespace {

constexpr auto pods = "/api/v1/namespaces/default/pods";

struct Caller {
  explicit Caller(const ApiEnv& env)
      : account(env.folder.path()),
        resolver(env.executor, {}),
        client(env.executor, env.options().api, account, resolver) {}
  ServiceAccount account;
  Resolver resolver;
  KubernetesClient client;
};

std::string text_at(const json::value& value, const char* pointer) {
  boost::system::error_code error;
  const auto* part = value.find_pointer(pointer, error);
  if (part == nullptr) return "absent";
  return part->is_string() ? std::string(part->as_string()) : json::serialize(*part);
}

// "MODIFIED terminating", "ADDED no address": one word for the type and one for what the pod looks like.
std::string summary(const json::value& event) {
  auto text = text_at(event, "/type");
  if (text_at(event, "/object/metadata/deletionTimestamp") != "absent") text += " terminating";
  text += " " + text_at(event, "/object/status/phase") + " " + text_at(event, "/object/status/podIP");
  return text + " Ready=" + text_at(event, "/object/status/conditions/1/status");
}

net::Awaitable<std::vector<json::value>> read_events(KubernetesClient& client, std::size_t count) {
  std::vector<json::value> events;
  while (events.size() < count) {
    const auto line = co_await client.next_line(seconds(3));
    REQUIRE(line.has_value());
    if (!line->has_value()) break;
    events.push_back(json::parse(**line));
  }
  co_return events;
}

}  // namespace

TEST_CASE("the test server: a list has a version, and a continue token while there is more", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    for (int i = 0; i < 3; ++i) env.add(i);
    Caller caller(env);
    const auto first = co_await caller.client.call("GET", pods + std::string("?limit=2"));
    REQUIRE(first->status == 200);
    const auto page = json::parse(first->body);
    REQUIRE(text_at(page, "/kind") == "PodList");
    REQUIRE(text_at(page, "/metadata/resourceVersion") == "1003");
    REQUIRE(text_at(page, "/items/0/kind") == "Pod");
    REQUIRE(text_at(page, "/items/1/metadata/name") == "whitewater-1");
    REQUIRE(page.at("items").as_array().size() == 2);
    const auto token = text_at(page, "/metadata/continue");
    const auto second =
        co_await caller.client.call("GET", pods + std::string("?limit=2&continue=") + url_encoded(token));
    REQUIRE(text_at(json::parse(second->body), "/metadata/continue") == "absent");
    REQUIRE(text_at(json::parse(second->body), "/metadata/resourceVersion") == "1003");
    // A version beside a token is refused, an expired token is a 410 with a Status.
    const auto both = co_await caller.client.call(
        "GET", pods + std::string("?limit=2&resourceVersion=5&continue=") + url_encoded(token));
    REQUIRE(both->status == 400);
    env.add(3);
    env.server.store.compact();
    const auto gone = co_await caller.client.call("GET", pods + std::string("?limit=2&continue=") + url_encoded(token));
    REQUIRE(gone->status == 410);
    REQUIRE(text_at(json::parse(gone->body), "/reason") == "Expired");
    // A version that the server has not reached yet.
    const auto future = co_await caller.client.call(
        "GET", pods + std::string("?resourceVersion=9999&resourceVersionMatch=NotOlderThan"));
    REQUIRE(future->status == 504);
  });
}

TEST_CASE("the test server: an old version is a 200 with one ERROR event, and the stream ends", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.store.compact();
    Caller caller(env);
    const auto answer = co_await caller.client.open_stream(pods + std::string("?watch=1&resourceVersion=1"));
    REQUIRE(answer->status == 200);
    const auto events = co_await read_events(caller.client, 9);
    REQUIRE(events.size() == 1);
    REQUIRE(text_at(events[0], "/type") == "ERROR");
    REQUIRE(text_at(events[0], "/object/kind") == "Status");
    REQUIRE(text_at(events[0], "/object/status") == "Failure");
    REQUIRE(text_at(events[0], "/object/reason") == "Expired");
    REQUIRE(text_at(events[0], "/object/code") == "410");
  });
}

TEST_CASE("the test server: a bookmark has a null name and nothing but a version", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    env.server.knobs.bookmark_every = milliseconds(10);
    Caller caller(env);
    (void)co_await caller.client.open_stream(pods +
                                             std::string("?watch=1&allowWatchBookmarks=true&resourceVersion=1001"));
    const auto events = co_await read_events(caller.client, 1);
    REQUIRE(text_at(events[0], "/type") == "BOOKMARK");
    REQUIRE(text_at(events[0], "/object/kind") == "Pod");
    REQUIRE(text_at(events[0], "/object/metadata/name") == "null");
    REQUIRE(text_at(events[0], "/object/metadata/resourceVersion") == "1001");
    REQUIRE(text_at(events[0], "/object/status") == "{}");
    REQUIRE(text_at(events[0], "/object/spec/containers") == "null");
  });
}

TEST_CASE("the test server: a pod's deletion and return are told as a real server tells them", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.add(0);
    Caller caller(env);
    (void)co_await caller.client.open_stream(pods + std::string("?watch=1&resourceVersion=1001"));
    env.server.store.replace_pod("whitewater-0", "uid-2", "127.8.91.5");
    const auto events = co_await read_events(caller.client, 6);
    std::vector<std::string> told;
    for (const auto& event : events) told.push_back(summary(event));
    REQUIRE(told == std::vector<std::string>{
                        "MODIFIED terminating Running 127.8.91.0 Ready=True",
                        "MODIFIED terminating Running 127.8.91.0 Ready=False",
                        "DELETED terminating Running 127.8.91.0 Ready=False", "ADDED Pending absent Ready=False",
                        "MODIFIED Running 127.8.91.5 Ready=False", "MODIFIED Running 127.8.91.5 Ready=True"});
    REQUIRE(text_at(events[2], "/object/metadata/uid") == "uid-0");
    REQUIRE(text_at(events[3], "/object/metadata/uid") == "uid-2");
  });
}

TEST_CASE("the test server: a review is answered with 201 and the question in it", "[kubernetes]") {
  with_api_server([](ApiEnv env) -> net::Awaitable<void> {
    env.server.knobs.forbidden = {"list pods"};
    Caller caller(env);
    for (const auto* verb : {"list", "watch"}) {
      const auto answer = co_await caller.client.call("POST", std::string(access_review_target),
                                                      access_review_body({verb, "", "pods", ""}, "default"));
      REQUIRE(answer->status == 201);
      const auto review = json::parse(answer->body);
      REQUIRE(text_at(review, "/spec/resourceAttributes/verb") == verb);
      REQUIRE(text_at(review, "/status/allowed") == (std::string(verb) == "watch" ? "true" : "false"));
    }
    // What a review denies is refused in fact.
    const auto list = co_await caller.client.call("GET", pods);
    REQUIRE(list->status == 403);
    REQUIRE(text_at(json::parse(list->body), "/reason") == "Forbidden");
  });
}

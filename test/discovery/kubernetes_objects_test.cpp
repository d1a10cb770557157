// What is read of the API's JSON, in the shapes that a real server sends, and what is refused.
#include "discovery/kubernetes_objects.hpp"

#include "api_store.hpp"
#include "catch.hpp"
#include "discovery/kubernetes_request.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;

TEST_CASE("a page of a pod list is decoded", "[kubernetes]") {
  ApiStore store;
  store.put({"whitewater-0", "uid-0", "10.244.0.5"});
  StoredPod fresh{"whitewater-1", "uid-1", "", "Pending"};
  fresh.is_ready = false;
  fresh.has_port = false;
  store.put(fresh);
  StoredPod going{"whitewater-2", "uid-2", "fd00::5"};
  going.is_terminating = true;
  store.put(going);
  const auto page = decode_pod_page(store.list_page(store.version(), "", 2, ""), "raft");
  REQUIRE(page.has_value());
  REQUIRE(page->resource_version == "1003");
  REQUIRE(page->continue_token == "v1003/after=whitewater-1+");
  REQUIRE(page->pods.size() == 2);
  REQUIRE(page->pods[0] ==
          Pod{"whitewater-0", "uid-0", "10.244.0.5", PodPhase::running, false, true, 8090, "whitewater"});
  REQUIRE(page->pods[1] == Pod{"whitewater-1", "uid-1", "", PodPhase::pending, false, false, 0, "whitewater"});
  const auto rest = decode_pod_page(store.list_page(store.version(), "whitewater-1", 2, ""), "other-port");
  REQUIRE(rest->continue_token.empty());
  REQUIRE(rest->pods.size() == 1);
  REQUIRE(rest->pods[0].is_terminating);
  REQUIRE(rest->pods[0].ip == "fd00::5");
  REQUIRE(rest->pods[0].port == 0);
}

TEST_CASE("a list without items is empty, one without a version is malformed", "[kubernetes]") {
  const auto none = decode_pod_page(R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":null})", "raft");
  REQUIRE(none.has_value());
  REQUIRE(none->pods.empty());
  for (const auto* body : {"", "null", "[]", "{}", "{\"kind\":\"PodList\"}", "{\"kind\":\"PodList\",\"metadata\":{}}",
                           "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":7},\"items\":[]}",
                           "{\"kind\":\"Status\",\"metadata\":{\"resourceVersion\":\"7\"}}",
                           "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[1]}",
                           "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{}]}",
                           "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[]} x"}) {
    INFO(body);
    REQUIRE(decode_pod_page(body, "raft").error() == Errc::malformed);
  }
}

TEST_CASE("names, addresses and ports that cannot be are not taken over", "[kubernetes]") {
  const auto decode = [](const std::string& name, const std::string& ip, const std::string& port) {
    return decode_watch_event(R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"1","uid":"u","name":")" +
                                  name + R"("},"spec":{"containers":[{"ports":[{"name":"raft","containerPort":)" +
                                  port + R"(}]}]},"status":{"podIP":")" + ip + R"("}}})",
                              "raft");
  };
  REQUIRE(decode("ww-0", "10.0.0.1", "9000")->pod.port == 9000);
  REQUIRE(decode("ww-0", "evil.example", "70000")->pod == Pod{"ww-0", "u", "", PodPhase::unknown});
  REQUIRE(decode("ww-0", "10.0.0.1", "\"9000\"")->pod.port == 0);
  REQUIRE(decode("ww 0", "10.0.0.1", "1").error() == Errc::malformed);
  REQUIRE(decode(std::string(300, 'a'), "10.0.0.1", "1").error() == Errc::malformed);
}

TEST_CASE("bookmarks carry only a version, errors only a status", "[kubernetes]") {
  const auto bookmark = decode_watch_event(ApiStore::bookmark_line(4711), "raft");
  REQUIRE(bookmark->type == WatchEvent::Type::bookmark);
  REQUIRE(bookmark->resource_version == "4711");
  const auto error = decode_watch_event(ApiStore::expired_line(), "raft");
  REQUIRE(error->type == WatchEvent::Type::error);
  REQUIRE(error->status.code == 410);
  REQUIRE(error->status.reason == "Expired");
  for (const auto* line : {R"({"type":"BOOKMARK","object":{"metadata":{}}})", R"({"type":"NEWS","object":{}})",
                           R"({"object":{}})", R"({"type":"ADDED"})", R"({"type":"ADDED","object":null})",
                           R"({"type":"ADDED","object":{"metadata":{"name":"ww-0","uid":"u"}}})"}) {
    INFO(line);
    REQUIRE(decode_watch_event(line, "raft").error() == Errc::malformed);
  }
}

TEST_CASE("sizes are bounded before anything is kept", "[kubernetes]") {
  REQUIRE(decode_watch_event(std::string(kubernetes_line_bytes_max + 1, ' '), "raft").error() == Errc::limit_exceeded);
  REQUIRE(decode_pod_page(std::string(kubernetes_body_bytes_max + 1, ' '), "raft").error() == Errc::limit_exceeded);
  REQUIRE(decode_pod_page(std::string(100000, '['), "raft").error() == Errc::malformed);
  REQUIRE(decode_pod_page(std::string(100000, '{'), "raft").error() == Errc::malformed);
  const auto nested = R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"x":)" + std::string(100, '[') +
                      std::string(100, ']') + "}";
  REQUIRE(decode_pod_page(nested, "raft").error() == Errc::malformed);
  std::string items;
  for (std::size_t i = 0; i <= kubernetes_pods_max; ++i) items += std::string(i == 0 ? "" : ",") + "{}";
  REQUIRE(decode_pod_page(R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[)" + items + "]}", "raft")
              .error() == Errc::limit_exceeded);
  const auto long_version = std::string(kubernetes_text_bytes_max + 1, '1');
  REQUIRE_FALSE(
      decode_pod_page(R"({"kind":"PodList","metadata":{"resourceVersion":")" + long_version + R"("}})", "raft")
          .has_value());
}

TEST_CASE("an access review and a StatefulSet are decoded", "[kubernetes]") {
  const std::string review = R"({"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","spec":{},)";
  REQUIRE(*decode_access_review(review + R"("status":{"allowed":true,"reason":"RBAC: allowed by RoleBinding"}})"));
  REQUIRE_FALSE(*decode_access_review(review + R"("status":{"allowed":false}})"));
  REQUIRE(decode_access_review(review + R"("x":1})").error() == Errc::malformed);
  REQUIRE(*decode_replicas(R"({"kind":"StatefulSet","spec":{"replicas":5}})") == 5);
  REQUIRE(*decode_replicas(R"({"kind":"StatefulSet","spec":{"replicas":0}})") == 0);
  for (const auto* body :
       {R"({"kind":"StatefulSet","spec":{}})", R"({"kind":"StatefulSet","spec":{"replicas":-1}})",
        R"({"kind":"StatefulSet","spec":{"replicas":1.5}})", R"({"kind":"Deployment","spec":{"replicas":5}})"}) {
    INFO(body);
    REQUIRE(decode_replicas(body).error() == Errc::malformed);
  }
}

TEST_CASE("a refusal is told in the server's words", "[kubernetes]") {
  REQUIRE(describe_failure(403, status_json(403, "Forbidden", "pods is forbidden")) ==
          "403 Forbidden: pods is forbidden");
  REQUIRE(describe_failure(502, "<html>bad gateway") == "HTTP 502");
  const AccessQuestion question{"get", "apps", "statefulsets", "whitewater"};
  REQUIRE(describe(question) == "get statefulsets.apps whitewater");
  REQUIRE(access_review_body(question, "default") ==
          R"({"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":)"
          R"({"namespace":"default","verb":"get","resource":"statefulsets","group":"apps","name":"whitewater"}}})");
}

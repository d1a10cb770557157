#include "api_store.hpp"

#include <charconv>
#include <utility>

namespace whitewater::discovery {

namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

std::string status_json(int code, std::string_view reason, std::string_view message) {
  return R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":)" + quoted(message) +
         R"(,"reason":)" + quoted(reason) + R"(,"code":)" + std::to_string(code) + "}";
}

void ApiStore::record(const std::string& type, const StoredPod& pod, Pods pods) {
  ++version_;
  events_.push_back(
      {version_, type, R"({"type":)" + quoted(type) + R"(,"object":)" + pod_json(pod, version_) + "}", pod.label});
  snapshots_.emplace(version_, std::move(pods));
}

void ApiStore::put(const StoredPod& pod) {
  auto pods = this->pods();
  const auto it = pods.find(pod.name);
  if (it != pods.end() && it->second.uid != pod.uid) {
    remove(pod.name);
    return put(pod);
  }
  const auto* type = it == pods.end() ? "ADDED" : "MODIFIED";
  pods.insert_or_assign(pod.name, pod);
  record(type, pod, std::move(pods));
}

void ApiStore::remove(const std::string& name) {
  auto pods = this->pods();
  const auto it = pods.find(name);
  if (it == pods.end()) return;
  const auto pod = it->second;
  pods.erase(it);
  record("DELETED", pod, std::move(pods));
}

void ApiStore::replace_pod(const std::string& name, const std::string& uid, const std::string& ip) {
  auto pod = pods().at(name);
  pod.is_terminating = true;
  put(pod);
  pod.is_ready = false;
  put(pod);
  remove(name);
  StoredPod heir{name, uid, "", "Pending"};
  heir.is_ready = false;
  put(heir);
  heir.ip = ip;
  heir.phase = "Running";
  put(heir);
  heir.is_ready = true;
  put(heir);
}

std::string ApiStore::pod_json(const StoredPod& pod, std::uint64_t version) {
  std::string out = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":)" + quoted(pod.name) +
                    R"(,"generateName":"whitewater-","namespace":"default","uid":)" + quoted(pod.uid) +
                    R"(,"resourceVersion":)" + quoted(std::to_string(version)) +
                    R"(,"creationTimestamp":"2025-01-01T00:00:00Z",)";
  if (pod.is_terminating) {
    out += R"("deletionTimestamp":"2025-01-01T00:10:00Z","deletionGracePeriodSeconds":2,)";
  }
  out += R"("labels":{"app":)" + quoted(pod.label) +
         (pod.role.empty() ? std::string() : R"(,"whitewater.io/role":)" + quoted(pod.role)) +
         R"(},"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"whitewater","uid":"set-1",)"
         R"("controller":true,"blockOwnerDeletion":true}],"managedFields":[{"manager":"kubelet","fieldsV1":)"
         R"({"f:status":{"k:{\"type\":\"Ready\"}":{".":{}}}}}]},"spec":{"containers":[{"name":"whitewater",)"
         R"("image":"whitewater:1")";
  if (pod.has_port) out += R"(,"ports":[{"name":"raft","containerPort":8090,"protocol":"TCP"}])";
  out += R"(}],"restartPolicy":"Always"},"status":{"phase":)" + quoted(pod.phase) +
         R"(,"conditions":[{"type":"Initialized","status":"True","lastProbeTime":null},{"type":"Ready","status":)" +
         quoted(pod.is_ready ? "True" : "False") + R"(,"lastProbeTime":null}])";
  if (!pod.ip.empty()) out += R"(,"podIP":)" + quoted(pod.ip) + R"(,"podIPs":[{"ip":)" + quoted(pod.ip) + "}]";
  return out + R"(,"qosClass":"BestEffort"}})";
}

std::string ApiStore::bookmark_line(std::uint64_t version) {
  return R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":)" +
         quoted(std::to_string(version)) +
         R"(,"creationTimestamp":null,"name":null},"spec":{"containers":null},"status":{}}})";
}

std::string ApiStore::expired_line() {
  return R"({"type":"ERROR","object":)" + status_json(410, "Expired", "too old resource version: 1 (1000)") + "}";
}

std::string ApiStore::continue_token(std::uint64_t version, std::string_view after) {
  return "v" + std::to_string(version) + "/after=" + std::string(after) + "+";
}

std::optional<std::pair<std::uint64_t, std::string>> ApiStore::parse_token(std::string_view token) {
  std::uint64_t version = 0;
  if (!token.starts_with('v') || !token.ends_with('+')) return std::nullopt;
  const auto [end, error] = std::from_chars(token.data() + 1, token.data() + token.size(), version);
  token.remove_prefix(static_cast<std::size_t>(end - token.data()));
  if (error != std::errc() || !token.starts_with("/after=")) return std::nullopt;
  return std::pair(version, std::string(token.substr(7, token.size() - 8)));
}

std::string ApiStore::list_page(std::uint64_t version, std::string_view after, std::size_t limit,
                                std::string_view label) const {
  std::string items;
  std::string last;
  std::string token;
  std::size_t count = 0;
  for (const auto& [name, pod] : pods_at(version)) {
    if (name <= after || (!label.empty() && pod.label != label)) continue;
    if (limit != 0 && count == limit) {
      token = continue_token(version, last);
      break;
    }
    items += (count++ == 0 ? "" : ",") + pod_json(pod, version);
    last = name;
  }
  std::string metadata = R"({"resourceVersion":)" + quoted(std::to_string(version));
  if (!token.empty()) metadata += R"(,"continue":)" + quoted(token) + R"(,"remainingItemCount":1)";
  return R"({"kind":"PodList","apiVersion":"v1","metadata":)" + metadata + R"(},"items":[)" + items + "]}\n";
}

std::vector<ApiStore::Event> ApiStore::events_after(std::uint64_t version, std::string_view label) const {
  std::vector<Event> events;
  for (const auto& event : events_) {
    if (event.version > version && (label.empty() || event.label == label)) events.push_back(event);
  }
  return events;
}

}  // namespace whitewater::discovery

#include "discovery/kubernetes_objects.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <limits>
#include <utility>

namespace whitewater::discovery {

using base::Errc;
using base::Result;
namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 64;  // a pod is some ten levels deep
constexpr std::int64_t replicas_max = 1'000'000;

Result<json::value> parse_object(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return Errc::limit_exceeded;
  json::parse_options options;
  options.max_depth = depth_max;
  boost::system::error_code error;
  auto value = json::parse(text, error, {}, options);
  if (error || !value.is_object()) return Errc::malformed;
  return value;
}

// Absent, null and of another type are the same here: not said.
const json::object* object_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}
const json::array* array_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_array();
}
std::string_view text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}
std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? std::nullopt : std::optional(*number);
}
bool flag_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  const auto* flag = value == nullptr ? nullptr : value->if_bool();
  return flag != nullptr && *flag;
}

std::string shortened(std::string_view text) { return std::string(text.substr(0, kubernetes_text_bytes_max)); }

PodPhase phase_of(std::string_view text) {
  if (text == "Pending") return PodPhase::pending;
  if (text == "Running") return PodPhase::running;
  if (text == "Succeeded") return PodPhase::succeeded;
  if (text == "Failed") return PodPhase::failed;
  return PodPhase::unknown;
}

std::uint16_t port_of(const json::object& spec, std::string_view port_name) {
  const auto* containers = array_of(spec, "containers");
  if (containers == nullptr || port_name.empty()) return 0;
  for (const auto& container : *containers) {
    const auto* ports = container.is_object() ? array_of(container.get_object(), "ports") : nullptr;
    if (ports == nullptr) continue;
    for (const auto& port : *ports) {
      if (!port.is_object() || text_of(port.get_object(), "name") != port_name) continue;
      const auto number = number_of(port.get_object(), "containerPort").value_or(0);
      if (number > 0 && number <= std::numeric_limits<std::uint16_t>::max()) return static_cast<std::uint16_t>(number);
    }
  }
  return 0;
}

bool is_ready(const json::object& status) {
  const auto* conditions = array_of(status, "conditions");
  if (conditions == nullptr) return false;
  for (const auto& condition : *conditions) {
    if (condition.is_object() && text_of(condition.get_object(), "type") == "Ready") {
      return text_of(condition.get_object(), "status") == "True";
    }
  }
  return false;
}

std::string controlling_set(const json::object& metadata) {
  const auto* owners = array_of(metadata, "ownerReferences");
  if (owners == nullptr) return {};
  for (const auto& owner : *owners) {
    if (!owner.is_object() || !flag_of(owner.get_object(), "controller")) continue;
    if (text_of(owner.get_object(), "kind") == "StatefulSet") {
      const auto name = text_of(owner.get_object(), "name");
      if (is_host_valid(name)) return std::string(name);
    }
  }
  return {};
}

Result<Pod> pod_of(const json::object& object, std::string_view port_name) {
  const auto* metadata = object_of(object, "metadata");
  if (metadata == nullptr) return Errc::malformed;
  const auto name = text_of(*metadata, "name");
  const auto uid = text_of(*metadata, "uid");
  // A pod's name is a DNS name by the API's own rules.
  if (!is_host_valid(name) || uid.empty()) return Errc::malformed;
  if (uid.size() > kubernetes_text_bytes_max) return Errc::limit_exceeded;
  Pod pod;
  pod.name = name;
  pod.uid = uid;
  pod.is_terminating = !text_of(*metadata, "deletionTimestamp").empty();
  pod.stateful_set = controlling_set(*metadata);
  if (const auto* spec = object_of(object, "spec")) pod.port = port_of(*spec, port_name);
  if (const auto* status = object_of(object, "status")) {
    pod.phase = phase_of(text_of(*status, "phase"));
    pod.is_ready = is_ready(*status);
    if (const auto ip = text_of(*status, "podIP"); is_ip_literal(ip)) pod.ip = ip;
  }
  return pod;
}

// Empty: it is missing or beyond any that an API server makes.
std::string version_of(const json::object& object) {
  const auto* metadata = object_of(object, "metadata");
  if (metadata == nullptr) return {};
  const auto version = text_of(*metadata, "resourceVersion");
  return version.size() > kubernetes_text_bytes_max ? std::string() : std::string(version);
}

KubernetesStatus status_of(const json::object& object) {
  const auto code = number_of(object, "code").value_or(0);
  KubernetesStatus status;
  status.code = code >= 0 && code < 1000 ? static_cast<int>(code) : 0;
  status.reason = shortened(text_of(object, "reason"));
  status.message = shortened(text_of(object, "message"));
  return status;
}

std::optional<WatchEvent::Type> type_of(std::string_view text) {
  if (text == "ADDED") return WatchEvent::Type::added;
  if (text == "MODIFIED") return WatchEvent::Type::modified;
  if (text == "DELETED") return WatchEvent::Type::deleted;
  if (text == "BOOKMARK") return WatchEvent::Type::bookmark;
  if (text == "ERROR") return WatchEvent::Type::error;
  return std::nullopt;
}

}  // namespace

bool is_usable(const Pod& pod) {
  return !pod.ip.empty() && pod.phase != PodPhase::succeeded && pod.phase != PodPhase::failed;
}

Result<PodPage> decode_pod_page(std::string_view body, std::string_view port_name) {
  const auto value = parse_object(body, kubernetes_body_bytes_max);
  if (!value) return value.error();
  const auto& object = value->get_object();
  if (text_of(object, "kind") != "PodList") return Errc::malformed;
  PodPage page;
  page.resource_version = version_of(object);
  // Without a version there is nothing to watch from.
  if (page.resource_version.empty()) return Errc::malformed;
  const auto token = text_of(*object_of(object, "metadata"), "continue");
  if (token.size() > kubernetes_continue_bytes_max) return Errc::limit_exceeded;
  page.continue_token = token;
  const auto* items = array_of(object, "items");
  if (items == nullptr) return page;  // Go writes an empty list as null
  if (items->size() > kubernetes_pods_max) return Errc::limit_exceeded;
  page.pods.reserve(items->size());
  for (const auto& item : *items) {
    if (!item.is_object()) return Errc::malformed;
    auto pod = pod_of(item.get_object(), port_name);
    if (!pod) return pod.error();
    page.pods.push_back(std::move(*pod));
  }
  return page;
}

Result<WatchEvent> decode_watch_event(std::string_view line, std::string_view port_name) {
  const auto value = parse_object(line, kubernetes_line_bytes_max);
  if (!value) return value.error();
  const auto type = type_of(text_of(value->get_object(), "type"));
  const auto* object = object_of(value->get_object(), "object");
  if (!type || object == nullptr) return Errc::malformed;
  WatchEvent event;
  event.type = *type;
  if (*type == WatchEvent::Type::error) {
    event.status = status_of(*object);
    return event;
  }
  event.resource_version = version_of(*object);
  if (event.resource_version.empty()) return Errc::malformed;
  if (*type == WatchEvent::Type::bookmark) return event;  // its object is a pod without a name
  auto pod = pod_of(*object, port_name);
  if (!pod) return pod.error();
  event.pod = std::move(*pod);
  return event;
}

Result<KubernetesStatus> decode_status(std::string_view body) {
  const auto value = parse_object(body, kubernetes_line_bytes_max);
  if (!value) return value.error();
  if (text_of(value->get_object(), "kind") != "Status") return Errc::malformed;
  return status_of(value->get_object());
}

Result<bool> decode_access_review(std::string_view body) {
  const auto value = parse_object(body, kubernetes_line_bytes_max);
  if (!value) return value.error();
  if (text_of(value->get_object(), "kind") != "SelfSubjectAccessReview") return Errc::malformed;
  const auto* status = object_of(value->get_object(), "status");
  if (status == nullptr) return Errc::malformed;
  return flag_of(*status, "allowed");
}

Result<std::uint32_t> decode_replicas(std::string_view body) {
  const auto value = parse_object(body, kubernetes_body_bytes_max);
  if (!value) return value.error();
  if (text_of(value->get_object(), "kind") != "StatefulSet") return Errc::malformed;
  const auto* spec = object_of(value->get_object(), "spec");
  const auto replicas = spec == nullptr ? std::nullopt : number_of(*spec, "replicas");
  if (!replicas || *replicas < 0 || *replicas > replicas_max) return Errc::malformed;
  return static_cast<std::uint32_t>(*replicas);
}

std::string_view describe(PodPhase phase) {
  switch (phase) {
    case PodPhase::pending:
      return "Pending";
    case PodPhase::running:
      return "Running";
    case PodPhase::succeeded:
      return "Succeeded";
    case PodPhase::failed:
      return "Failed";
    case PodPhase::unknown:
      break;
  }
  return "Unknown";
}

std::string describe(const Pod& pod) {
  std::string text = pod.name + " (" + std::string(describe(pod.phase));
  if (pod.is_terminating) text += ", terminating";
  return text + ", " + (pod.ip.empty() ? "no address" : pod.ip) + ")";
}

std::string describe(const KubernetesStatus& status) {
  std::string text = std::to_string(status.code);
  if (!status.reason.empty()) text += " " + status.reason;
  if (!status.message.empty()) text += ": " + status.message;
  return text;
}

}  // namespace whitewater::discovery

// What is read of the Kubernetes API's JSON: a page of a pod list, an event of a watch, a Status, an access review's
// answer, a StatefulSet's replicas. Everything is bounded before it is kept; unknown fields are ignored. Pure values;
// no request is made here (kubernetes_request.hpp writes them, kubernetes_client.hpp sends them).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "discovery/candidate.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t kubernetes_body_bytes_max = 16UL << 20;  // one answer, one page of a list
// One event of a watch. etcd, and so the API server, limits an object to 1.5 MiB; a pod is some kilobytes.
inline constexpr std::size_t kubernetes_line_bytes_max = 1UL << 20;
inline constexpr std::size_t kubernetes_pods_max =
    4 * candidates_max;                                        // finished pods and such without address included
inline constexpr std::size_t kubernetes_text_bytes_max = 512;  // a resource version, a uid, a message
inline constexpr std::size_t kubernetes_continue_bytes_max = 8UL << 10;

enum class PodPhase : std::uint8_t { pending, running, succeeded, failed, unknown };

struct Pod {
  std::string name;
  std::string uid;  // the same name with another uid is another incarnation
  std::string ip;   // an IP literal; empty before the pod has one
  PodPhase phase = PodPhase::unknown;
  bool is_terminating = false;    // it has a deletionTimestamp
  bool is_ready = false;          // its Ready condition; not asked for by anything that dials
  std::uint16_t port = 0;         // of the container port with the wanted name; 0: there is none
  std::string stateful_set = {};  // the StatefulSet that controls it, if one does
  bool operator==(const Pod&) const = default;
};
// Worth dialling: it has an address and is not over.
[[nodiscard]] bool is_usable(const Pod& pod);

struct PodPage {
  std::string resource_version;  // opaque: compared for equality only
  std::string continue_token;    // empty on the last page
  std::vector<Pod> pods;
};

// A failure that the API server reports, as an answer's body or in the stream of a watch.
struct KubernetesStatus {
  int code = 0;
  std::string reason;   // "Expired", "Forbidden", ...
  std::string message;  // shortened
};

struct WatchEvent {
  enum class Type : std::uint8_t { added, modified, deleted, bookmark, error };
  Type type = Type::error;
  Pod pod;                       // added, modified, deleted
  std::string resource_version;  // all but error
  KubernetesStatus status;       // error
};

// Each: malformed for anything else than what is expected, limit_exceeded above the bounds. `port_name` is the name of
// the container port that peers listen on.
[[nodiscard]] base::Result<PodPage> decode_pod_page(std::string_view body, std::string_view port_name);
[[nodiscard]] base::Result<WatchEvent> decode_watch_event(std::string_view line, std::string_view port_name);
[[nodiscard]] base::Result<KubernetesStatus> decode_status(std::string_view body);
[[nodiscard]] base::Result<bool> decode_access_review(std::string_view body);      // is it allowed?
[[nodiscard]] base::Result<std::uint32_t> decode_replicas(std::string_view body);  // spec.replicas
[[nodiscard]] std::string_view describe(PodPhase phase);
[[nodiscard]] std::string describe(const Pod& pod);
[[nodiscard]] std::string describe(const KubernetesStatus& status);

}  // namespace whitewater::discovery

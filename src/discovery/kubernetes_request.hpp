// The targets and bodies of the requests to the Kubernetes API, and what a failed answer means in words. Pure: nothing
// is sent here, and no token comes near.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "discovery/kubernetes_watch_fsm.hpp"

namespace whitewater::discovery {

inline constexpr std::uint32_t kubernetes_page_pods = 100;  // LIST's limit: two megabytes of large pods

// One verb on one kind of object, in one namespace, as an access review asks for it.
struct AccessQuestion {
  std::string verb;      // "list"
  std::string group;     // "" is the core group
  std::string resource;  // "pods"
  std::string name;      // of one object, or empty
};

// RFC 3986: everything but unreserved characters as %XX.
[[nodiscard]] std::string url_encoded(std::string_view text);
[[nodiscard]] std::string target_of(const PodListRequest& list, std::string_view name_space, std::string_view selector);
[[nodiscard]] std::string target_of(const PodWatchRequest& watch, std::string_view name_space,
                                    std::string_view selector);
[[nodiscard]] std::string stateful_set_target(std::string_view name_space, std::string_view name);
[[nodiscard]] std::string pod_target(std::string_view name_space, std::string_view name);
// Of a pod: what its member does, "leader" or "follower", for a service that selects the leader.
inline constexpr std::string_view role_label = "whitewater.io/role";
// A merge patch (RFC 7386). With the pod's uid it is refused (409) when another pod has the name by now.
[[nodiscard]] std::string role_patch(std::string_view uid, std::string_view role);
inline constexpr std::string_view access_review_target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
[[nodiscard]] std::string access_review_body(const AccessQuestion& question, std::string_view name_space);

// "list pods", "get statefulsets.apps whitewater"
[[nodiscard]] std::string describe(const AccessQuestion& question);
// The Retry-After field in seconds; 0 for a date or anything else.
[[nodiscard]] base::Duration parse_retry_after(std::string_view field);
// What a status other than 2xx says, from the Status in its body if there is one: "403 Forbidden: pods is forbidden…".
[[nodiscard]] std::string describe_failure(unsigned http_status, std::string_view body);

}  // namespace whitewater::discovery

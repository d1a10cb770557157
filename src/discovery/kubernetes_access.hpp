// What the service account may do, asked of the API server itself (SelfSubjectAccessReview, which every authenticated
// user may make): so that a missing verb of the Role is named instead of guessed from refused requests. Reactor thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "discovery/kubernetes_client.hpp"
#include "discovery/kubernetes_request.hpp"

namespace whitewater::discovery {

struct AccessFinding {
  AccessQuestion question;
  bool is_required = false;        // without it there is no discovery, or a slow one
  std::optional<bool> is_allowed;  // nothing: not answered yet
};

// What the Kubernetes source asks for: list and watch pods; get of the own StatefulSet and patch of the own pod are
// used where granted.
[[nodiscard]] std::vector<AccessFinding> access_questions(const std::string& stateful_set, const std::string& own_pod);
// Asks what has no answer yet. Errors as KubernetesClient::call, or connection_lost for a refusal.
net::Awaitable<base::Result<void>> review_access(KubernetesClient& client, std::string name_space,
                                                 std::vector<AccessFinding>& findings);
// One line for each required verb that is missing, with the next step.
[[nodiscard]] std::vector<std::string> access_problems(const std::vector<AccessFinding>& findings,
                                                       const std::string& name_space);

}  // namespace whitewater::discovery

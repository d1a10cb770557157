#include "discovery/kubernetes_access.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;

std::vector<AccessFinding> access_questions(const std::string& stateful_set, const std::string& own_pod) {
  std::vector<AccessFinding> findings = {{{"list", "", "pods", ""}, true, std::nullopt},
                                         {{"watch", "", "pods", ""}, true, std::nullopt}};
  if (!stateful_set.empty()) findings.push_back({{"get", "apps", "statefulsets", stateful_set}, false, std::nullopt});
  if (!own_pod.empty()) findings.push_back({{"patch", "", "pods", own_pod}, false, std::nullopt});
  return findings;
}

net::Awaitable<Result<void>> review_access(KubernetesClient& client, std::string name_space,
                                           std::vector<AccessFinding>& findings) {
  for (auto& finding : findings) {
    if (finding.is_allowed) continue;
    const auto answer = co_await client.call("POST", std::string(access_review_target),
                                             access_review_body(finding.question, name_space));
    if (!answer) co_return answer.error();
    if (answer->status != 200 && answer->status != 201) co_return Errc::connection_lost;
    const auto is_allowed = decode_access_review(answer->body);
    if (!is_allowed) co_return is_allowed.error();
    finding.is_allowed = *is_allowed;
  }
  co_return Result<void>();
}

std::vector<std::string> access_problems(const std::vector<AccessFinding>& findings, const std::string& name_space) {
  std::vector<std::string> problems;
  for (const auto& finding : findings) {
    if (!finding.is_required || finding.is_allowed.value_or(true)) continue;
    problems.push_back("the service account may not " + describe(finding.question) + " in namespace " + name_space +
                       "; next step: a Role with the verb \"" + finding.question.verb + "\" on " +
                       finding.question.resource + ", and a RoleBinding to this service account");
  }
  return problems;
}

}  // namespace whitewater::discovery

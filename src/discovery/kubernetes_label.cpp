#include <algorithm>

#include "discovery/kubernetes_source.hpp"
#include "net/backoff.hpp"

// The role of the own pod as a label, for a service that selects the leader's pod and for people.
namespace whitewater::discovery {

namespace {

constexpr base::Duration write_backoff_min = base::seconds(1);

}  // namespace

void KubernetesSource::set_role(std::string_view role) {
  if (role_ == role) return;
  role_ = role;
  role_news_.cancel();
}

bool KubernetesSource::may_label() const {
  return std::any_of(findings_.begin(), findings_.end(), [](const AccessFinding& finding) {
    return finding.question.verb == "patch" && finding.is_allowed.value_or(false);
  });
}

net::Awaitable<void> KubernetesSource::keep_labelled() {
  auto client = make_client();
  net::Backoff backoff(write_backoff_min, options_.review_again_after, base::Rng(rng_.next()));
  std::string written;
  std::string last_problem;
  while (true) {
    if (role_ == written || !may_label()) {
      client.close();
      co_await role_news_.async_wait(net::as_result);
      co_await throw_if_cancelled();
      continue;
    }
    const std::string role = role_;
    auto problem = co_await write_role(client, role);
    co_await throw_if_cancelled();
    if (problem.empty()) {
      log_.info("discovery", "this pod has the label " + std::string(role_label) + "=" + role + " now");
      written = role;
      backoff.reset();
    } else {
      if (problem != last_problem) log_.warn("discovery", "the label of this pod could not be written: " + problem);
      co_await net::sleep_for(backoff.take_wait());
    }
    last_problem = std::move(problem);
  }
}

// What went wrong, or nothing.
net::Awaitable<std::string> KubernetesSource::write_role(KubernetesClient& client, std::string role) {
  const auto space = name_space();
  if (!space) co_return "the namespace is not known";
  const auto* pod = fsm_.pods().find(options_.own_name);
  const auto answer = co_await client.call("PATCH", pod_target(*space, options_.own_name),
                                           role_patch(pod == nullptr ? std::string() : pod->uid, role));
  if (!answer) co_return client.error_text().empty() ? answer.error().message() : client.error_text();
  note_status(answer->status);
  co_return answer->status == 200 ? std::string() : describe_failure(answer->status, answer->body);
}

}  // namespace whitewater::discovery

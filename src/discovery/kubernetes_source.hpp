// KubernetesSource: the pods that match a label selector, from the Kubernetes API (kubernetes-guide.md option 2,
// kubernetes.md §3.2): listed once, then watched, so that a pod that comes or goes is known at once. While the API
// server is away the last known set stays valid without limit. Owned by the server, reactor thread; run() does the
// watching, and without it each discover() takes one list. Does not decide who is a peer, and writes nothing to the API
// but the role of the own pod, where that is granted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log_line.hpp"
#include "base/rng.hpp"
#include "discovery/kubernetes_access.hpp"
#include "discovery/kubernetes_client.hpp"
#include "discovery/kubernetes_watch_fsm.hpp"
#include "discovery/peer_source.hpp"
#include "discovery/resolver.hpp"
#include "discovery/service_account.hpp"

namespace whitewater::discovery {

struct KubernetesSourceOptions {
  KubernetesClientOptions api;
  std::string service_account_folder = service_account_folder_default;
  std::string name_space;             // NAMESPACE; empty: the service account's own
  std::string label_selector;         // LABEL_SELECTOR, "app=whitewater"; empty: every pod of the namespace
  std::string own_name;               // POD_NAME; may be empty
  std::string port_name = "raft";     // of the container port that peers listen on
  std::uint16_t default_port = 8090;  // of a pod that names no such port
  base::Duration first_list_wait = base::seconds(5);      // how long discover() waits for the first list of run()
  base::Duration review_again_after = base::seconds(30);  // while a verb is missing, and the longest back-off
  KubernetesWatchOptions watch;
  ResolverOptions resolver;
};

class KubernetesSource final : public PeerSource {
 public:
  KubernetesSource(net::Executor executor, KubernetesSourceOptions options, base::Rng rng, base::LogSink& log);

  [[nodiscard]] std::string_view name() const override { return "kubernetes"; }
  net::Awaitable<base::Result<PeerSet>> discover() override;
  [[nodiscard]] const PeerSet& last_known() const override { return set_; }
  // A host that names a pod of the list is that pod's address; every other name is asked of DNS.
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) override;
  net::Awaitable<void> run() override;

  // spec.replicas of the StatefulSet that controls the own pod; nothing when it is not granted, there is none, or the
  // API server does not answer.
  net::Awaitable<std::optional<std::uint32_t>> replicas() override;
  // "leader" or "follower": the label role_label of the own pod, while run() runs and the account may patch that pod.
  // Tried again for as long as the API server does not take it.
  void set_role(std::string_view role);
  // How long the set has not been confirmed: 0 while a watch runs.
  [[nodiscard]] base::Duration stale_for(base::Instant now) const;
  [[nodiscard]] const std::vector<AccessFinding>& access() const { return findings_; }
  // For `doctor`: one line for each verb that is missing, with the next step; empty while nothing is known to be.
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] const PodSet& pods() const { return fsm_.pods(); }

 private:
  static net::Awaitable<void> throw_if_cancelled();
  [[nodiscard]] KubernetesClient make_client();
  [[nodiscard]] base::Result<std::string> name_space();
  [[nodiscard]] std::string own_stateful_set() const;
  net::Awaitable<void> keep_watching();
  net::Awaitable<void> keep_reviewing();
  net::Awaitable<void> keep_labelled();
  net::Awaitable<std::string> write_role(KubernetesClient& client, std::string role);
  [[nodiscard]] bool may_label() const;
  net::Awaitable<void> list_once();
  net::Awaitable<void> list(KubernetesClient& client, PodListRequest request);
  net::Awaitable<void> watch(KubernetesClient& client, PodWatchRequest request);
  net::Awaitable<KubernetesWatchFsm::StreamEnd> follow(KubernetesClient& client, base::Duration limit);
  void publish(const std::vector<PodChange>& changes);
  void log_watch(std::string failure);
  void log_incarnations(const std::vector<PodChange>& changes);
  void fail(boost::system::error_code error, std::string reason);
  void note_status(unsigned status);
  void wake_waiting();

  net::Executor executor_;
  KubernetesSourceOptions options_;
  base::LogSink& log_;
  base::Rng rng_;
  ServiceAccount account_;
  Resolver resolver_;
  KubernetesWatchFsm fsm_;
  PeerSet set_;
  boost::system::error_code last_failure_;
  net::Timer news_;       // discover() sleeps on it while nothing is known
  net::Timer role_news_;  // keep_labelled() sleeps on it while there is nothing to write
  std::string role_;
  net::Timer refusals_;  // the review sleeps on it while no verb is missing
  bool is_running_ = false;
  bool is_streaming_ = false;
  base::Instant confirmed_at_;  // the last moment at which the set was known to be the server's
  std::vector<AccessFinding> findings_;
  std::string watch_failure_;
  std::map<std::string, std::string> uids_;  // the last one of each name, gone or not; at most kubernetes_pods_max
};

}  // namespace whitewater::discovery

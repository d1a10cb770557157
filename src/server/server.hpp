// Server: one member's process. Opens the disk, listens, finds or joins the cluster, serves, and stops in a stated
// order. Owns everything with a life as long as the process; lives on the reactor thread, and outlives the io_context's
// run().
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/server_metrics.hpp"
#include "base/log_line.hpp"
#include "discovery/bootstrap_loop.hpp"
#include "discovery/kubernetes_source.hpp"
#include "discovery/peer_refresher.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "net/listener.hpp"
#include "net/peer_acceptor.hpp"
#include "server/client_api.hpp"
#include "server/identity.hpp"
#include "server/member.hpp"
#include "server/membership.hpp"
#include "server/options.hpp"
#include "server/peers.hpp"
#include "server/snapshots.hpp"
#include "server/store_slots.hpp"

namespace whitewater::server {

class Server final : public net::PeerHandler, public discovery::BootstrapTransport, public ServerView {
 public:
  // Opens the data directory, the store and the log. Throws FatalError with the exit code for what cannot be used.
  Server(net::Executor executor, Options options, std::string version, std::string reactor_reason, base::LogSink& sink);
  ~Server() override;

  // Everything until SIGTERM or SIGINT (returns after a clean stop) or a FatalError.
  net::Awaitable<void> run();

  // PeerHandler
  net::LocalIdentity identity() const override;
  void on_hello(const net::PeerInfo& peer) override;
  void on_refused_hello(const net::PeerInfo& dialler) override;
  void on_message(core::Message message) override;
  void on_batch_end() override;
  net::Awaitable<std::string> on_bootstrap(net::PeerInfo from, std::string payload) override;
  void on_superseded(base::Incarnation newer) override;
  // BootstrapTransport
  net::Awaitable<base::Result<std::string>> exchange(discovery::HostPort address, std::string payload) override;
  // ServerView
  Member* member() override { return member_.get(); }
  api::HealthInput health() override;
  base::ClusterId cluster() const override { return identity_->cluster(); }
  base::NodeId node() const override { return identity_->node(); }
  api::MemberRow own_row() override;
  net::Awaitable<std::vector<api::MemberRow>> all_rows() override;
  net::Awaitable<api::DoctorInput> doctor() override;
  std::string membership_history() override;
  net::Awaitable<base::Result<base::NodeId>> invite(std::string address) override;
  net::Awaitable<bool> drain(base::Duration limit) override;

 private:
  void open_disk();
  [[nodiscard]] kv::RocksdbOptions store_options();
  void make_discovery();
  void make_network();
  [[nodiscard]] discovery::BootstrapOptions bootstrap_options() const;
  void log_outcome(const discovery::BootstrapOutcome& outcome, bool was_member);
  void log_own_role(const core::Configuration& configuration);
  [[nodiscard]] replica::ReplicaOptions replica_options() const;
  [[nodiscard]] api::ServerSnapshot snapshot();
  [[nodiscard]] base::Duration discovery_age() const;
  [[nodiscard]] api::DoctorInput::Discovery discovery_facts() const;
  [[nodiscard]] api::DoctorInput::Disk disk_facts() const;
  net::Awaitable<void> learn_founders();
  net::Awaitable<void> serve_member();
  net::Awaitable<void> write_founding_entry(core::Entry entry);
  [[nodiscard]] bool is_log_behind_snapshot() const;
  net::Awaitable<void> begin_log_behind_snapshot();
  net::Awaitable<void> wait_durable(std::uint64_t token);
  net::Awaitable<void> watch_member();
  net::Awaitable<void> wait_for_signal();
  net::Awaitable<void> shut_down();
  void begin_drain();
  net::Awaitable<bool> hand_over(base::Duration limit);
  net::Awaitable<bool> is_scaled_in();
  net::Awaitable<void> depart();
  net::Awaitable<void> say_goodbye(core::Member member, std::string payload);
  net::Awaitable<discovery::Ack> on_goodbye(discovery::Goodbye goodbye);
  [[noreturn]] void end_orphaned();
  [[noreturn]] void end_removed(const std::string& how);
  [[nodiscard]] replica::AutopilotOptions autopilot_options() const;
  [[nodiscard]] discovery::ClusterView cluster_view() const;
  net::Awaitable<void> ask_row(core::Member member, api::MemberRow* row);
  [[noreturn]] void end_superseded(base::Incarnation newer) const;
  void log_readiness();

  net::Executor executor_;
  Options options_;
  std::string version_;
  std::string reactor_reason_;
  base::LogSink& sink_;
  base::Instant started_;
  base::Rng rng_;

  std::unique_ptr<Identity> identity_;
  std::unique_ptr<StoreSlots> slots_;
  std::unique_ptr<kv::Store> store_;  // until the member takes it
  std::unique_ptr<log::RaftLog> log_;
  log::RecoveredLog recovered_;
  std::string advertise_;

  std::unique_ptr<discovery::PeerSource> source_;
  discovery::KubernetesSource* kubernetes_ = nullptr;  // inside source_, where that is the method
  std::unique_ptr<discovery::PeerRefresher> refresher_;
  std::unique_ptr<discovery::BootstrapLoop> bootstrap_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Member> member_;
  std::unique_ptr<Membership> membership_;
  SnapshotCounters snapshot_counters_;
  std::unique_ptr<SnapshotSender> snapshot_sender_;
  std::unique_ptr<SnapshotInstaller> snapshot_installer_;

  api::Registry registry_;
  std::unique_ptr<api::ServerMetrics> metrics_;
  std::unique_ptr<ClientApi> client_api_;
  net::Watchdog watchdog_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::PeerAcceptor> acceptor_;
  net::Http2Refuser http2_;
  std::unique_ptr<net::Listener> listener_;
  net::TaskGroup tasks_;

  api::StartupPhase phase_ = api::StartupPhase::reading_metadata;
  bool is_draining_ = false;
  bool is_orphaned_ = false;
  std::string last_role_;
  std::string last_failing_checks_;
};

}  // namespace whitewater::server

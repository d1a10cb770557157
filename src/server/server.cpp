// The life of the process: open, listen, find the cluster, serve, stop.
#include "server/server.hpp"

#include <unistd.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "kv/rocksdb_backend.hpp"
#include "net/backoff.hpp"
#include "net/peer_dial.hpp"
#include "net/timeout.hpp"
#include "server/discovery_setup.hpp"

namespace whitewater::server {
namespace {

using base::ExitCode;
using base::FatalError;

// Log tokens used before the replica exists: the beginning of the log, the founding entry, and the new beginning behind
// a snapshot.
constexpr std::uint64_t token_begin = 1;
constexpr std::uint64_t token_found = 2;
constexpr std::uint64_t token_reset = 3;

constexpr base::Duration exchange_timeout = base::milliseconds(1500);
// The leader's time for a member's good-bye, a little less than what the member waits for an answer (exchange_timeout).
constexpr base::Duration departure_limit = base::milliseconds(1300);
constexpr base::Duration ask_replicas_min = base::milliseconds(100);
constexpr base::Duration ask_replicas_max = base::seconds(10);
constexpr base::Duration silence_poll_interval = base::milliseconds(5);
constexpr base::Duration last_answer_time = base::milliseconds(250);
constexpr base::Duration forwards_turn_back_time = base::milliseconds(200);
constexpr base::Duration watch_interval = base::milliseconds(100);
constexpr std::size_t recovered_entries_bytes_max = 1UL << 30;

log::Strategy to_strategy(LogStrategyChoice choice) {
  switch (choice) {
    case LogStrategyChoice::automatic:
      return log::Strategy::automatic;
    case LogStrategyChoice::uring:
      return log::Strategy::uring;
    case LogStrategyChoice::thread:
      return log::Strategy::thread;
    case LogStrategyChoice::buffered:
      return log::Strategy::buffered;
  }
  return log::Strategy::automatic;
}

core::LogStart to_log_start(log::RecoveredLog& recovered) {
  core::LogStart start;
  for (const log::TermRun& run : recovered.terms.runs()) start.terms.push_back({run.first, run.term});
  const base::Term prev_term = recovered.terms.term_at(recovered.terms.boundary());
  if (!prev_term.is_zero()) start.prev_term = prev_term;
  start.last_index = recovered.last_index;
  start.entries = std::move(recovered.entries);
  return start;
}

net::Awaitable<base::Result<std::optional<std::uint32_t>>> asked_replicas(discovery::PeerSource* source) {
  co_return co_await source->replicas();
}

net::Awaitable<base::Result<void>> wait_drained(net::HttpServer* http) {
  co_await http->drained();
  co_return base::Result<void>{};
}

// Also whoever has just connected.
net::Awaitable<base::Result<void>> wait_answered(net::HttpServer* http, const net::Listener* listener) {
  co_await http->drained();
  while (listener->has_silent()) {
    co_await net::sleep_for(silence_poll_interval);
    co_await http->drained();
  }
  co_return base::Result<void>{};
}

}  // namespace

Server::Server(net::Executor executor, Options options, std::string version, std::string reactor_reason,
               base::LogSink& sink)
    : executor_(executor),
      options_(std::move(options)),
      version_(std::move(version)),
      reactor_reason_(std::move(reactor_reason)),
      sink_(sink),
      started_(net::now()),
      rng_(static_cast<std::uint64_t>(net::now().since_start.count())),
      tasks_(executor) {
  open_disk();
  make_discovery();
  make_network();
}

Server::~Server() = default;

// The store first: the log hands over the entries that the store has not applied.
void Server::open_disk() {
  identity_ =
      std::make_unique<Identity>(open_data_dir({options_.data_dir, options_.name, options_.allow_unsafe_fs, false},
                                               {options_.rejoin_removed, options_.pod_uid}, sink_));
  const log::DataDir& directory = identity_->directory();
  rng_ = base::Rng(rng_.next() ^ identity_->node().value);
  sink_.info("server", "I am " + options_.name,
             {{"node_id", base::to_hex(identity_->node())},
              {"incarnation", identity_->incarnation().value},
              {"address", advertised_address(options_)},
              {"pod_ip", options_.pod_ip},
              {"data_dir", directory.path()},
              {"filesystem", directory.filesystem().name},
              {"reactor", net::reactor_name()},
              {"reactor_reason", reactor_reason_}});
  for (const std::string& warning : directory.warnings()) sink_.warn("server", warning);

  phase_ = api::StartupPhase::opening_store;
  slots_ = std::make_unique<StoreSlots>(directory.path());
  kv::RocksdbOptions backend = store_options();
  backend.directory = slots_->active();
  store_ = std::make_unique<kv::Store>(std::make_unique<kv::RocksdbBackend>(backend));

  phase_ = api::StartupPhase::replaying_log;
  log::LogOptions log_options;
  log_options.dir = directory.log_dir();
  log_options.segment_bytes = static_cast<std::uint32_t>(options_.log_segment_bytes);
  log_options.budget_bytes = options_.log_budget_bytes;
  log_options.strategy = to_strategy(options_.log_strategy);
  log_options.direct_io = directory.has_direct_io();
  log_options.node = identity_->node();
  log_options.cluster = identity_->cluster();
  log_options.incarnation = identity_->incarnation();
  log_options.must_exist = identity_->bootstrap().state == discovery::MemberState::member;
  log_options.keep_from = store_->applied_index().next();
  log_options.keep_bytes_max = recovered_entries_bytes_max;
  auto opened = log::RaftLog::open(log_options, sink_);
  log_ = std::move(opened.log);
  recovered_ = std::move(opened.recovered);
  if (is_log_behind_snapshot()) return;
  if (store_->applied_index() > recovered_.last_index) {
    throw FatalError(ExitCode::corrupt,
                     "the store in " + slots_->active() + " is ahead of the log in " + directory.log_dir() +
                         ": part of the log is missing; restore both from one backup, or empty the data directory and "
                         "let this member join again as a new one");
  }
  if (store_->applied_index().next() < recovered_.first_index) {
    throw FatalError(ExitCode::corrupt, "the log in " + directory.log_dir() + " begins after what the store in " +
                                            slots_->active() +
                                            " holds; empty the data directory and let this member join again");
  }
}

// A snapshot was installed, and the crash came before the log had begun anew behind it: what the log holds instead is
// of no use. Any later state of the store is only there because the log had.
bool Server::is_log_behind_snapshot() const {
  const auto& installed = slots_->installed();
  if (!installed || store_->applied_index() != installed->first) return false;
  const bool has_it =
      recovered_.last_index >= installed->first && recovered_.terms.term_at(installed->first) == installed->term;
  return !has_it;
}

net::Awaitable<void> Server::begin_log_behind_snapshot() {
  const core::TermRun end = *slots_->installed();
  sink_.warn("server", "the log begins anew behind the snapshot that was installed before the last stop",
             {{"index", end.first.value}, {"term", end.term.value}});
  // The term may not have become durable either; no vote was given in it then.
  if (recovered_.hard_state.term < end.term) recovered_.hard_state = {end.term, base::NodeId{}};
  log_->append({token_reset, recovered_.hard_state, {}, log::LogReset{end.first.next(), end.term}});
  co_await wait_durable(token_reset);
  recovered_.first_index = end.first.next();
  recovered_.last_index = end.first;
  recovered_.entries.clear();
  recovered_.terms.reset(end.first, end.term);
}

void Server::make_discovery() {
  advertise_ = advertised_address(options_);
  log_search(options_, sink_);
  adopt_peers_file(options_, sink_);
  MadeSource made = make_source(executor_, options_, base::Rng(rng_.next()), sink_);
  source_ = std::move(made.source);
  kubernetes_ = made.kubernetes;
  refresher_ = std::make_unique<discovery::PeerRefresher>(executor_, *source_, discovery::RefreshOptions{},
                                                          base::Rng(rng_.next()), sink_);
  const discovery::BootstrapOptions bootstrap = bootstrap_options();
  if (const std::string refusal = discovery::refusal_of(bootstrap); !refusal.empty()) {
    throw FatalError(ExitCode::usage, refusal);
  }
  bootstrap_ = std::make_unique<discovery::BootstrapLoop>(executor_, bootstrap, identity_->bootstrap(), *this,
                                                          *identity_, sink_);
  refresher_->add_listener([this](const discovery::PeerSet& peers) {
    bootstrap_->on_peers(peers);
    if (membership_) membership_->on_peers(peers);
  });
}

discovery::BootstrapOptions Server::bootstrap_options() const {
  discovery::BootstrapOptions bootstrap;
  bootstrap.name = options_.name;
  bootstrap.node_id = identity_->node();
  bootstrap.incarnation = identity_->incarnation();
  bootstrap.advertise = advertise_;
  bootstrap.expect = static_cast<std::uint32_t>(options_.bootstrap_expect);
  bootstrap.single = options_.bootstrap_single;
  bootstrap.token = options_.bootstrap_token;
  bootstrap.settle = base::milliseconds(options_.bootstrap_settle_ms);
  bootstrap.infer_settle = base::milliseconds(options_.bootstrap_infer_settle_ms);
  bootstrap.orphan_after = base::milliseconds(3 * options_.replace_after_ms);
  return bootstrap;
}

kv::RocksdbOptions Server::store_options() {
  kv::RocksdbOptions options;
  options.on_write = [this](base::Duration duration) {
    if (metrics_) metrics_->backend_commit.record_ns(duration.count());
  };
  return options;
}

void Server::make_network() {
  metrics_ = std::make_unique<api::ServerMetrics>(
      registry_,
      api::ServerFacts{base::to_hex(identity_->node()), version_, std::string(net::reactor_name()),
                       std::string(log::describe(log_->stats().strategy)), reactor_reason_},
      [this] { return snapshot(); });
  log_->on_write_latency([this](base::Duration latency) { metrics_->on_log_written(latency); });
  client_api_ = std::make_unique<ClientApi>(
      ClientApiOptions{version_, options_.max_request_bytes, options_.max_txn_ops}, *this, registry_, *metrics_);
  net::HttpServerOptions http;
  http.body_bytes_max = api::http_body_bytes_max;
  http_ = std::make_unique<net::HttpServer>(executor_, *client_api_, watchdog_, http);
  snapshot_installer_ = std::make_unique<SnapshotInstaller>(
      executor_, *slots_, store_options(), [this] { return member_.get(); },
      [this] { return snapshot_sender_ && snapshot_sender_->is_sending(); }, sink_, snapshot_counters_);
  acceptor_ = std::make_unique<net::PeerAcceptor>(*this, watchdog_, sink_, net::PeerAcceptorOptions{},
                                                  snapshot_installer_.get());
  peers_ = std::make_unique<Peers>(
      executor_, *source_, *refresher_, [this] { return identity(); }, base::Rng(rng_.next()), sink_);
  peers_->on_link_up_call([this](base::NodeId peer) {
    if (member_) member_->on_peer_connected(peer);
  });
  peers_->on_round_trip_call([this](base::NodeId peer, base::Duration duration) {
    metrics_->peer_round_trip(base::to_hex(peer)).record_ns(duration.count());
  });
  peers_->on_superseded_call([this](base::Incarnation newer) { end_superseded(newer); });

  phase_ = api::StartupPhase::binding_listener;
  std::vector<net::Endpoint> endpoints{net::parse_listen_address(options_.listen)};
  for (const std::string& address : options_.listen_client) endpoints.push_back(net::parse_listen_address(address));
  net::ListenerOptions listener;
  listener.client_connections_max = options_.max_connections;
  listener_ = std::make_unique<net::Listener>(
      executor_, endpoints, net::ListenerHandlers{acceptor_.get(), http_.get(), &http2_}, sink_, listener);
}

net::Awaitable<void> Server::run() {
  phase_ = api::StartupPhase::waiting_for_peers;
  tasks_.spawn(watchdog_.run());
  tasks_.spawn(listener_->run());
  tasks_.spawn(source_->run());
  tasks_.spawn(refresher_->run());
  tasks_.spawn(bootstrap_->run());
  if (kubernetes_ != nullptr && options_.bootstrap_expect == 0) tasks_.spawn(learn_founders());
  tasks_.spawn(peers_->run());
  tasks_.spawn(snapshot_installer_->run());
  tasks_.spawn(serve_member());
  tasks_.spawn(wait_for_signal());
  co_await tasks_.join();
}

// Where the account may read the own StatefulSet, that states how many members found the cluster. It may be scaled
// before they do.
net::Awaitable<void> Server::learn_founders() {
  net::Backoff backoff(ask_replicas_min, ask_replicas_max, base::Rng(rng_.next()));
  while (phase_ == api::StartupPhase::waiting_for_peers) {
    const auto replicas = co_await net::with_timeout(asked_replicas(source_.get()), exchange_timeout);
    if (replicas && *replicas) bootstrap_->on_replicas(**replicas);
    co_await net::sleep_for(backoff.take_wait());
  }
}

net::Awaitable<void> Server::serve_member() {
  const bool was_member = identity_->bootstrap().state == discovery::MemberState::member;
  if (recovered_.is_fresh) {
    // From here on this log has a beginning: a member that later finds it empty knows that it was lost.
    log_->append({token_begin, core::HardState{}, {}, std::nullopt});
    co_await wait_durable(token_begin);
  }
  const discovery::BootstrapOutcome outcome = co_await bootstrap_->outcome();
  log_->set_cluster(identity_->cluster());
  auto entry = discovery::founding_entry(identity_->bootstrap());
  if (entry && recovered_.last_index.is_zero()) co_await write_founding_entry(std::move(*entry));
  log_outcome(outcome, was_member);

  if (is_log_behind_snapshot()) co_await begin_log_behind_snapshot();

  core::NodeStart start;
  start.hard_state = recovered_.hard_state;
  start.log = to_log_start(recovered_);
  start.applied = store_->applied_index();
  if (const std::string_view bytes = store_->configuration(); !bytes.empty()) {
    auto configuration = core::decode_configuration(bytes);
    if (!configuration) throw FatalError(ExitCode::corrupt, "the store holds a configuration that does not decode");
    start.configuration = std::move(*configuration);
  }
  start.now = net::now();
  start.rng_seed = rng_.next();
  // A start need not wait for a leader as long as its loss: nobody's leader is disturbed by the question.
  const auto half_timeout_us = options_.election_timeout_ms * 1000 / 2;
  start.first_election_delay = base::microseconds(rng_.in_range(half_timeout_us / 3, half_timeout_us));
  member_ = std::make_unique<Member>(executor_, replica_options(), std::move(start), std::move(store_), *log_,
                                     token_reset, base::milliseconds(options_.disk_stall_ms), *peers_, sink_);
  member_->on_configuration([this](const core::Configuration& configuration) {
    peers_->set_configuration(configuration);
    log_own_role(configuration);
  });
  snapshot_sender_ = std::make_unique<SnapshotSender>(executor_, *member_, *peers_, options_.snapshot_rate_bytes,
                                                      base::Rng(rng_.next()), sink_, snapshot_counters_);
  member_->on_snapshot_wanted([this](base::NodeId peer) { snapshot_sender_->send(peer); });
  tasks_.spawn(snapshot_sender_->run());
  member_->on_apply_latency([this](base::Duration latency) { metrics_->on_applied(latency); });
  member_->on_log_batch([this](std::size_t entries) { metrics_->batch_entries.record(static_cast<double>(entries)); });
  refresher_->set_formed(true);
  phase_ = api::StartupPhase::serving;
  membership_ = std::make_unique<Membership>(autopilot_options(), *member_, *peers_,
                                             identity_->directory().path() + "/membership.jsonl", registry_, sink_);
  membership_->on_removed_call([this](const std::string& how) { end_removed(how); });
  bootstrap_->on_peer_seen(
      [this](const discovery::PeerInfo& peer) { membership_->on_peer_seen(peer, identity_->cluster()); });
  bootstrap_->on_orphaned([this] { is_orphaned_ = true; });
  bootstrap_->on_goodbye([this](discovery::Goodbye goodbye) { return on_goodbye(std::move(goodbye)); });
  tasks_.spawn(membership_->run());
  tasks_.spawn(watch_member());
  co_await member_->run();
}

void Server::log_outcome(const discovery::BootstrapOutcome& outcome, bool was_member) {
  const auto cluster = base::to_hex(identity_->cluster());
  const auto* found = std::get_if<discovery::Found>(&outcome);
  std::string names;
  const auto add = [&](const core::Member& member) { names += (names.empty() ? "" : ", ") + member.name; };
  if (was_member) {
    sink_.info("server", "belongs to a cluster since an earlier start", {{"cluster_id", cluster}});
  } else if (found != nullptr) {
    for (const core::Member& member : found->configuration.members()) add(member);
    sink_.info("server", "founded a cluster", {{"cluster_id", cluster}, {"members", names}});
  } else {
    for (const core::Member& member : std::get<discovery::Join>(outcome).members) add(member);
    sink_.info("server", "found a cluster and waits to be added to it", {{"cluster_id", cluster}, {"members", names}});
  }
}

// What this member is in its cluster: one line at each change, so that the log of a new pod tells that it joined.
void Server::log_own_role(const core::Configuration& configuration) {
  const base::NodeId self = identity_->node();
  const std::string role = configuration.is_voter(self)     ? "voter"
                           : configuration.is_learner(self) ? "learner"
                           : last_role_.empty()             ? ""
                                                            : "no member any more";
  if (role == last_role_) return;
  last_role_ = role;
  sink_.info("server",
             "in the cluster: " + role + ", of " + std::to_string(configuration.members().size()) + " members",
             {{"cluster_id", base::to_hex(identity_->cluster())}, {"voters", configuration.voters.size()}});
}

// Entry 1 is the configuration of the founders, the same bytes on each of them.
net::Awaitable<void> Server::write_founding_entry(core::Entry entry) {
  const core::HardState hard_state{entry.term, base::NodeId{}};
  log_->append({token_found, hard_state, {entry}, std::nullopt});
  co_await wait_durable(token_found);
  recovered_.hard_state = hard_state;
  recovered_.first_index = entry.index;
  recovered_.last_index = entry.index;
  recovered_.terms.append(entry.index, entry.term);
  recovered_.entries.push_back(std::move(entry));
}

net::Awaitable<void> Server::wait_durable(std::uint64_t token) {
  boost::asio::posix::basic_stream_descriptor<net::Executor> completions(executor_, ::dup(log_->completion_fd()));
  log::LogEvents events;
  for (log_->poll(events); events.durable_token < token; log_->poll(events)) {
    co_await completions.async_wait(decltype(completions)::wait_read, net::use_awaitable);
  }
}

replica::ReplicaOptions Server::replica_options() const {
  replica::ReplicaOptions replica;
  replica.node.id = identity_->node();
  replica.node.election_timeout = base::milliseconds(options_.election_timeout_ms);
  replica.node.heartbeat_interval = base::milliseconds(options_.heartbeat_interval_ms);
  replica.node.lease_reads = options_.lease_reads;
  replica.incarnation = identity_->incarnation();
  replica.request_timeout = base::milliseconds(options_.request_timeout_ms);
  replica.pending_proposals_max = options_.proposal_queue_requests;
  replica.pending_bytes_max = options_.proposal_queue_bytes;
  return replica;
}

discovery::ClusterView Server::cluster_view() const {
  const core::Node& node = member_->node();
  discovery::ClusterView view;
  view.term = node.term();
  view.commit = node.committed();
  view.members = node.committed_configuration().members();
  view.is_in_configuration = node.committed_configuration().contains(node.id());
  view.has_silent_members = std::any_of(view.members.begin(), view.members.end(), [&](const core::Member& member) {
    return member.id != node.id() && !peers_->is_connected(member.id);
  });
  return view;
}

replica::AutopilotOptions Server::autopilot_options() const {
  replica::AutopilotOptions autopilot;
  autopilot.stabilization = base::milliseconds(options_.stabilization_ms);
  autopilot.replace_after = base::milliseconds(options_.replace_after_ms);
  autopilot.dead_server_timeout = base::milliseconds(options_.dead_server_timeout_ms);
  autopilot.voters_max = options_.max_voters;
  return autopilot;
}

// What others may know of this member, and what an operator should: kept current beside the work.
net::Awaitable<void> Server::watch_member() {
  while (true) {
    if (kubernetes_ != nullptr) kubernetes_->set_role(member_->replica().is_leader() ? "leader" : "follower");
    const core::Node& node = member_->node();
    // The no-op after entry 1 is committed: a quorum has begun, so that nobody needs the founding set any more.
    if (node.committed().value >= 2) identity_->forget_founders();
    bootstrap_->on_cluster_view(cluster_view());
    peers_->close_left_links();
    if (is_orphaned_) end_orphaned();
    log_readiness();
    co_await net::sleep_for(watch_interval);
  }
}

void Server::log_readiness() {
  std::string failing;
  std::string reason;
  for (const api::CheckResult& check : api::run_checks(api::ProbeKind::readyz, health())) {
    if (check.error.empty()) continue;
    reason += (reason.empty() ? "" : "; ") + std::string(check.name) + ": " + check.error;
    failing += std::string(check.name) + " ";
  }
  // A text that counts up while a member catches up is no news.
  if (failing == last_failing_checks_) return;
  if (reason.empty()) {
    const auto since_start = net::now() - started_;
    sink_.info("server", "ready",
               {{"since_start_ms", static_cast<std::uint64_t>(since_start / base::milliseconds(1))}});
  } else {
    sink_.warn("server", "not ready: " + reason);
  }
  last_failing_checks_ = std::move(failing);
}

net::Awaitable<void> Server::wait_for_signal() {
  boost::asio::basic_signal_set<net::Executor> signals(executor_, SIGTERM, SIGINT);
  const int signal = co_await signals.async_wait(net::use_awaitable);
  sink_.info("server", std::string("stopping on ") + (signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  co_await shut_down();
}

// The order of a stop. Each step says why it stands where it does.
net::Awaitable<void> Server::shut_down() {
  const base::Instant give_up = net::now() + base::milliseconds(options_.drain_delay_ms + options_.shutdown_timeout_ms);
  const auto remaining = [&] { return std::max<base::Duration>(give_up - net::now(), base::milliseconds(1)); };
  // 1. Not ready: Kubernetes begins to take this member out of its services while it still answers. Clients are told to
  // connect anew with each answer, so that they go elsewhere between two requests.
  begin_drain();
  // 2. New clients stop coming only when that has reached every node.
  if (options_.drain_delay_ms > 0) co_await net::sleep_for(base::milliseconds(options_.drain_delay_ms));
  // 3. The others know that this member goes, and the leader makes of it what it has to while this member still counts.
  // Leadership moves while requests are still served: the others lose no election time-out.
  co_await depart();
  co_await hand_over(std::min<base::Duration>(remaining(), base::milliseconds(2 * options_.election_timeout_ms)));
  // 4. No new connections; the requests that run are finished.
  listener_->stop_accepting();
  // Who is busy asks once more in this time, is answered and told to go: only quiet connections end without an answer.
  (void)co_await net::with_timeout(wait_answered(http_.get(), listener_.get()),
                                   std::min<base::Duration>(remaining() / 2, last_answer_time));
  http_->end_idle();
  const auto drained = co_await net::with_timeout(wait_drained(http_.get()), remaining() / 2);
  if (!drained) sink_.warn("server", "some requests did not finish in time; their clients see an unknown outcome");
  // 5. Whatever still waits is told so, before its connection goes.
  if (member_) member_->stop();
  // 6. Everything ends; the store is flushed and the log closed when the server is destroyed, after the last task.
  tasks_.cancel();
}

// False when nobody could take the leadership over; true when this member does not lead.
net::Awaitable<bool> Server::hand_over(base::Duration limit) {
  if (!member_ || !member_->replica().is_leader()) co_return true;
  const bool handed_over = co_await member_->hand_over(limit);
  sink_.info("server", handed_over ? "leadership handed over" : "nobody could take over the leadership");
  // Requests that other members have forwarded are still on their way here. Turned back they are proposed to the new
  // leader; left unread their clients would wait for a time-out.
  if (handed_over) co_await net::sleep_for(std::min(limit / 2, forwards_turn_back_time));
  co_return handed_over;
}

// §3.8 rule 2: the StatefulSet, where it may be read, wants fewer members than this one's ordinal.
net::Awaitable<bool> Server::is_scaled_in() {
  const auto ordinal = discovery::ordinal_of(options_.name);
  if (!ordinal) co_return false;
  const auto replicas = co_await net::with_timeout(asked_replicas(source_.get()), departure_limit);
  if (!replicas || !*replicas || *ordinal < **replicas) co_return false;
  sink_.info("server", "this member's ordinal is scaled in: it leaves the cluster", {{"replicas", **replicas}});
  co_return true;
}

// §3.8 rule 6. To all members, because any of them may lead next; the leader answers when nothing is left to be done.
// A leader does that itself, before it hands over.
net::Awaitable<void> Server::depart() {
  if (!membership_ || !member_->node().configuration().contains(node())) co_return;
  const replica::Departure own{node(), identity_->incarnation(), co_await is_scaled_in()};
  membership_->on_departures({own});
  if (member_->replica().is_leader()) (void)co_await membership_->wait_until_may_leave(node(), departure_limit);
  discovery::Goodbye goodbye;
  goodbye.sender = node();
  goodbye.departures.push_back({own.node, own.incarnation, own.is_for_good});
  for (const replica::Departure& one : membership_->departures()) {
    if (one.node != node()) goodbye.departures.push_back({one.node, one.incarnation, one.is_for_good});
  }
  const std::string payload = discovery::encode(discovery::BootstrapRequest(goodbye));
  net::TaskGroup goodbyes(executor_);
  for (const core::Member& member : member_->node().configuration().members()) {
    if (member.id != node()) goodbyes.spawn(say_goodbye(member, payload));
  }
  co_await goodbyes.join();
}

net::Awaitable<void> Server::say_goodbye(core::Member member, std::string payload) {
  if (!peers_->is_connected(member.id)) co_return;  // nobody is there; waiting for it would only take time
  const auto place = discovery::parse_host_port(peers_->address_of(member), raft_port_default);
  if (!place) co_return;
  const auto reply = co_await exchange(*place, std::move(payload));
  if (!reply && member.id == member_->node().leader()) {
    sink_.warn("server", "the leader did not answer this member's good-bye: " + reply.error().message());
  }
}

net::Awaitable<discovery::Ack> Server::on_goodbye(discovery::Goodbye goodbye) {
  std::vector<replica::Departure> departures;
  for (const auto& one : goodbye.departures) departures.push_back({one.node_id, one.incarnation, one.is_for_good});
  membership_->on_departures(departures);
  discovery::Ack ack;
  ack.node_id = node();
  ack.state = discovery::MemberState::member;
  ack.cluster_id = identity_->cluster();
  ack.accepted = co_await membership_->wait_until_may_leave(goodbye.sender, departure_limit);
  co_return ack;
}

net::Awaitable<bool> Server::drain(base::Duration limit) {
  sink_.info("server", "draining by request: not ready until a restart");
  begin_drain();
  co_return co_await hand_over(limit);
}

void Server::begin_drain() {
  is_draining_ = true;
  http_->begin_drain();
}

// Whoever is asked learns where the cluster is, and joins it as it would join one that it had found itself.
net::Awaitable<base::Result<base::NodeId>> Server::invite(std::string address) {
  const auto place = discovery::parse_host_port(address, raft_port_default);
  if (!place) co_return place.error();
  discovery::PeerInfo self;
  self.name = options_.name;
  self.node_id = identity_->node();
  self.incarnation = identity_->incarnation();
  self.cluster_id = identity_->cluster();
  self.state = discovery::MemberState::member;
  self.token = options_.bootstrap_token;
  self.advertise = advertise_;
  const discovery::ClusterView view = cluster_view();
  self.term = view.term;
  self.commit = view.commit;
  self.members = view.members;
  const base::Instant give_up = net::now() + base::milliseconds(options_.request_timeout_ms);
  const auto payload =
      co_await exchange(*place, discovery::encode(discovery::BootstrapRequest(discovery::Hello{self})));
  if (!payload) co_return payload.error();
  const auto reply = discovery::decode_bootstrap_reply(*payload);
  if (!reply) co_return reply.error();
  const auto* hello = std::get_if<discovery::HelloReply>(&*reply);
  if (hello == nullptr) co_return base::make_error_code(base::Errc::malformed);
  const discovery::PeerInfo& invited = hello->info;
  if (!invited.cluster_id.is_zero() && invited.cluster_id != self.cluster_id) {
    co_return base::make_error_code(base::Errc::wrong_cluster);
  }
  while (!member_->node().configuration().contains(invited.node_id)) {
    if (net::now() >= give_up) co_return base::make_error_code(base::Errc::timed_out);
    co_await net::sleep_for(base::milliseconds(20));
  }
  co_return invited.node_id;
}

net::LocalIdentity Server::identity() const {
  return {identity_->cluster(), identity_->node(), identity_->incarnation(), options_.name, advertise_};
}

void Server::on_hello(const net::PeerInfo& peer) {
  if (membership_) membership_->on_hello(peer);
}

void Server::on_refused_hello(const net::PeerInfo& dialler) {
  if (dialler.node == identity_->node()) return;
  bootstrap_->on_member_heard(dialler.cluster, dialler.name, dialler.address);
}

void Server::on_message(core::Message message) {
  if (member_) member_->on_message(std::move(message));
}

void Server::on_batch_end() {
  if (member_) member_->drive();
}

net::Awaitable<std::string> Server::on_bootstrap(net::PeerInfo, std::string payload) {
  auto reply = co_await bootstrap_->answer(std::move(payload));
  co_return reply ? std::move(*reply) : std::string();
}

void Server::on_superseded(base::Incarnation newer) { end_superseded(newer); }

// Its log and store are of no use to the cluster any more; they stay for people to look at.
void Server::end_removed(const std::string& how) {
  identity_->store_removed(options_.pod_uid);
  const std::string path = identity_->directory().path();
  throw FatalError(ExitCode::superseded,
                   "this member was removed from its cluster (" + how + "); " +
                       (options_.rejoin_removed ? "it joins again as a new member when it is started again" +
                                                      std::string(options_.pod_uid.empty() ? "" : " in another pod")
                                                : "it will not take part any more until " + path + " is empty"));
}

// It joined a cluster that ended before it was taken in.
void Server::end_orphaned() {
  WW_ASSERT_MSG(member_->node().log().last_index().is_zero(), "a member that holds entries was taken in");
  const auto cluster = base::to_hex(identity_->cluster());
  discovery::BootstrapMeta meta;
  meta.state = discovery::MemberState::removed;  // from no cluster that there is: the next start begins anew
  identity_->store(meta);
  throw FatalError(ExitCode::superseded,
                   "cluster " + cluster +
                       ", which this member has waited to be added to, is gone: nobody who answers "
                       "holds its configuration. The next start begins anew");
}

void Server::end_superseded(base::Incarnation newer) const {
  throw FatalError(ExitCode::superseded,
                   "a newer run of this member (incarnation " + std::to_string(newer.value) + ", this one is " +
                       std::to_string(identity_->incarnation().value) +
                       ") is connected to the cluster: two processes use copies of one data directory");
}

net::Awaitable<base::Result<std::string>> Server::exchange(discovery::HostPort address, std::string payload) {
  const auto endpoints = co_await source_->resolve(address.host, address.port);
  if (!endpoints) co_return endpoints.error();
  base::Result<std::string> reply = base::make_error_code(base::Errc::connection_lost);
  for (const net::Endpoint& endpoint : *endpoints) {
    reply = co_await net::exchange(endpoint, net::make_hello(identity(), net::Channel::discovery, base::NodeId{}),
                                   payload, exchange_timeout);
    if (reply) break;
  }
  co_return reply;
}

}  // namespace whitewater::server

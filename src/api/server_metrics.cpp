#include "api/server_metrics.hpp"

#include <memory>
#include <span>

#include "api/version.hpp"
#include "base/assert.hpp"

namespace whitewater::api {
namespace {

using Read = double (*)(const ServerSnapshot&);
struct SnapshotRow {
  std::string_view name;
  std::string_view help;
  bool is_counter;
  Read read;
};

template <auto Member>
double read_member(const ServerSnapshot& snapshot) {
  return static_cast<double>(snapshot.*Member);
}

// Where etcd exports a growing number as a gauge, so do we: a dashboard's query does not see a difference, a linter of
// types would.
constexpr SnapshotRow snapshot_rows[] = {
    {"etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", false,
     read_member<&ServerSnapshot::has_leader>},
    {"etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", false,
     read_member<&ServerSnapshot::is_leader>},
    {"etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", false,
     read_member<&ServerSnapshot::is_learner>},
    {"etcd_server_leader_changes_seen_total", "The number of leader changes seen.", true,
     read_member<&ServerSnapshot::leader_changes>},
    {"whitewater_event_loop_stalls_total", "Gaps in the event loop over half the election time-out.", true,
     read_member<&ServerSnapshot::event_loop_stalls>},
    {"whitewater_disk_stalls_total", "Times that a write of the log took longer than the limit of disk_stall_ms.", true,
     read_member<&ServerSnapshot::disk_stalls>},
    {"etcd_server_proposals_committed_total", "The total number of consensus proposals committed.", false,
     read_member<&ServerSnapshot::proposals_committed>},
    {"etcd_server_proposals_applied_total", "The total number of consensus proposals applied.", false,
     read_member<&ServerSnapshot::proposals_applied>},
    {"etcd_server_proposals_pending", "The current number of pending proposals to commit.", false,
     read_member<&ServerSnapshot::proposals_pending>},
    {"etcd_server_proposals_failed_total", "The total number of failed proposals seen.", true,
     read_member<&ServerSnapshot::proposals_failed>},
    {"etcd_server_read_indexes_failed_total", "The total number of failed read indexes seen.", true,
     read_member<&ServerSnapshot::read_indexes_failed>},
    {"etcd_server_heartbeat_send_failures_total", "The total number of leader heartbeat send failures.", true,
     read_member<&ServerSnapshot::heartbeat_send_failures>},
    {"etcd_server_quota_backend_bytes", "Size of the data volume in bytes: no smaller quota is set.", false,
     read_member<&ServerSnapshot::quota_bytes>},
    {"etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database physically allocated in bytes.", false,
     read_member<&ServerSnapshot::db_size_bytes>},
    {"etcd_mvcc_db_total_size_in_use_in_bytes", "Total size of the underlying database logically in use in bytes.",
     false, read_member<&ServerSnapshot::db_size_in_use_bytes>},
    {"etcd_debugging_mvcc_current_revision", "The current revision of store.", false,
     read_member<&ServerSnapshot::current_revision>},
    {"etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", false,
     read_member<&ServerSnapshot::compact_revision>},
    {"etcd_debugging_mvcc_keys_total", "Total number of keys.", false, read_member<&ServerSnapshot::keys>},
    {"etcd_debugging_mvcc_total_put_size_in_bytes", "The total size of put kv pairs seen by this member.", false,
     read_member<&ServerSnapshot::put_bytes>},
    {"etcd_mvcc_put_total", "Total number of puts seen by this member.", true, read_member<&ServerSnapshot::puts>},
    {"etcd_mvcc_delete_total", "Total number of deletes seen by this member.", true,
     read_member<&ServerSnapshot::deletes>},
    {"etcd_mvcc_range_total", "Total number of ranges seen by this member.", true,
     read_member<&ServerSnapshot::ranges>},
    {"etcd_mvcc_txn_total", "Total number of txns seen by this member.", true, read_member<&ServerSnapshot::txns>},
    {"etcd_disk_wal_write_bytes_total", "Total number of bytes written in WAL.", false,
     read_member<&ServerSnapshot::log_bytes_written>},
    {"os_fd_used", "The number of used file descriptors.", false, read_member<&ServerSnapshot::open_fds>},
    {"os_fd_limit", "The file descriptor limit.", false, read_member<&ServerSnapshot::max_fds>},
    {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", true,
     read_member<&ServerSnapshot::cpu_seconds>},
    {"process_resident_memory_bytes", "Resident memory size in bytes.", false,
     read_member<&ServerSnapshot::resident_bytes>},
    {"process_virtual_memory_bytes", "Virtual memory size in bytes.", false,
     read_member<&ServerSnapshot::virtual_bytes>},
    {"process_open_fds", "Number of open file descriptors.", false, read_member<&ServerSnapshot::open_fds>},
    {"process_max_fds", "Maximum number of open file descriptors.", false, read_member<&ServerSnapshot::max_fds>},
    {"process_start_time_seconds", "Start time of the process since unix epoch in seconds.", false,
     read_member<&ServerSnapshot::start_time_seconds>},
    {"whitewater_raft_term", "The current Raft term of this member.", false, read_member<&ServerSnapshot::term>},
    {"whitewater_log_batches_total", "Batches written to the log, each with one durable write.", true,
     read_member<&ServerSnapshot::log_batches>},
    {"whitewater_log_entries_total", "Entries written to the log.", true, read_member<&ServerSnapshot::log_entries>},
    {"whitewater_log_segments_used", "Segments of the log that hold entries which cannot be released yet.", false,
     read_member<&ServerSnapshot::log_segments_used>},
    {"whitewater_log_segments_limit", "The log's size budget in segments; when it is used up, writes are refused.",
     false, read_member<&ServerSnapshot::log_segments_max>},
    {"whitewater_connections_opened_total", "Client connections accepted.", true,
     read_member<&ServerSnapshot::connections_opened>},
    {"whitewater_connections_refused_total", "Connections over the limit, closed at once.", true,
     read_member<&ServerSnapshot::connections_refused>},
    {"whitewater_connections", "Open client connections.", false, read_member<&ServerSnapshot::connections>},
    {"etcd_network_client_grpc_sent_bytes_total", "The total number of bytes sent to grpc clients.", true,
     read_member<&ServerSnapshot::client_sent_bytes>},
    {"etcd_network_client_grpc_received_bytes_total", "The total number of bytes received from grpc clients.", true,
     read_member<&ServerSnapshot::client_received_bytes>},
    {"whitewater_snapshots_sent_total", "Snapshots that this leader brought to a follower.", true,
     read_member<&ServerSnapshot::snapshots_sent>},
    {"whitewater_snapshots_failed_total", "Attempts to bring a snapshot to a follower that ended early.", true,
     read_member<&ServerSnapshot::snapshots_failed>},
    {"whitewater_snapshots_installed_total", "Snapshots that this member installed.", true,
     read_member<&ServerSnapshot::snapshots_installed>},
    {"whitewater_snapshot_sent_bytes_total", "Bytes of snapshots sent, repeated parts included.", true,
     read_member<&ServerSnapshot::snapshot_sent_bytes>},
    {"whitewater_snapshot_received_bytes_total", "Bytes of snapshots received.", true,
     read_member<&ServerSnapshot::snapshot_received_bytes>},
    {"whitewater_discovery_stale_seconds", "Time since discovery had its last good answer.", false,
     read_member<&ServerSnapshot::discovery_stale_seconds>},
    {"whitewater_bootstrap_expect_inferred", "1 if the number of founders was not stated where one was needed.", false,
     read_member<&ServerSnapshot::is_expect_inferred>},
    {"whitewater_data_volatile", "1 if the data directory is gone with the container: there is no volume.", false,
     read_member<&ServerSnapshot::is_data_volatile>},
};

constexpr std::string_view started_help = "Total number of RPCs started on the server.";
constexpr std::string_view handled_help =
    "Total number of RPCs completed on the server, regardless of success or failure.";

// etcd's buckets: its dashboards read quantiles from them.
const Buckets& disk_buckets_seconds() {
  static const Buckets buckets = exponential_buckets(0.001, 2, 14);
  return buckets;
}
const Buckets& round_trip_buckets_seconds() {
  static const Buckets buckets = exponential_buckets(0.0001, 2, 16);
  return buckets;
}

constexpr base::Duration slow_apply_min = base::milliseconds(100);  // as etcd warns

// "/service/Method" as two labels.
Labels rpc_labels(std::string_view rpc) {
  WW_ASSERT(rpc.starts_with('/'));
  rpc.remove_prefix(1);
  const std::size_t slash = rpc.find('/');
  WW_ASSERT(slash != std::string_view::npos);
  return {{"grpc_type", "unary"},
          {"grpc_service", std::string(rpc.substr(0, slash))},
          {"grpc_method", std::string(rpc.substr(slash + 1))}};
}

}  // namespace

std::string_view describe(Stage stage) {
  switch (stage) {
    case Stage::accept:
      return "accept";
    case Stage::queue:
      return "queue";
    case Stage::log_write:
      return "log_write";
    case Stage::replicate:
      return "replicate";
    case Stage::commit:
      return "commit";
    case Stage::apply:
      return "apply";
    case Stage::reply:
      return "reply";
  }
  return "unknown";
}

ServerMetrics::ServerMetrics(Registry& registry, const ServerFacts& facts, std::function<ServerSnapshot()> read)
    : log_sync(registry.histogram("etcd_disk_wal_fsync_duration_seconds",
                                  "The latency distributions of fsync called by WAL.", disk_buckets_seconds())),
      backend_commit(registry.histogram("etcd_disk_backend_commit_duration_seconds",
                                        "The latency distributions of commit called by backend.",
                                        disk_buckets_seconds())),
      batch_entries(registry.histogram("whitewater_log_batch_entries", "Entries in one batch of the log.",
                                       exponential_buckets(1, 2, 11))),
      health_success(registry.counter("etcd_server_health_success", "The total number of successful health checks")),
      health_failures(registry.counter("etcd_server_health_failures", "The total number of failed health checks")),
      registry_(registry),
      log_write_(registry.histogram("whitewater_log_write_duration_seconds",
                                    "From handing a batch to the log to its being durable.",
                                    latency_buckets_seconds())),
      apply_(registry.histogram("whitewater_apply_duration_seconds", "Applying one batch of committed entries.",
                                latency_buckets_seconds())),
      slow_apply_(registry.counter("etcd_server_slow_apply_total",
                                   "The total number of slow apply requests (likely overloaded from slow disk).")),
      requests_refused_(registry.counter("whitewater_requests_refused_total",
                                         "Requests refused because a bounded queue or the log was full.")) {
  for (std::size_t i = 0; i < stage_count; ++i) {
    stages_[i] = &registry.histogram("whitewater_request_stage_duration_seconds",
                                     "Time that a write spent in one stage on this member.", latency_buckets_seconds(),
                                     {{"stage", std::string(describe(static_cast<Stage>(i)))}});
  }
  registry
      .gauge("etcd_server_id", "Server or member ID in hexadecimal format. 1 for 'server_id' label.",
             {{"server_id", facts.member_id_hex}})
      .set(1);
  registry
      .gauge("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.",
             {{"server_version", std::string(emulated_etcd_version)}})
      .set(1);
  registry
      .gauge("etcd_cluster_version",
             "Which version is running. 1 for 'cluster_version' label with current cluster version",
             {{"cluster_version", std::string(emulated_cluster_version.substr(0, 3))}})
      .set(1);
  registry
      .gauge("whitewater_build_info", "Constant 1; what runs here is in the labels.",
             {{"version", facts.whitewater_version}, {"reactor", facts.reactor}, {"log_strategy", facts.log_strategy}})
      .set(1);
  registry
      .gauge("whitewater_io_backend", "Constant 1; what the event loop runs on, and why.",
             {{"backend", facts.reactor}, {"reason", facts.reactor_reason}})
      .set(1);
  // Shared with the callbacks, which the registry may run after this object is gone.
  auto snapshot = std::make_shared<ServerSnapshot>();
  registry.on_scrape([snapshot, read = std::move(read)] { *snapshot = read(); });
  for (const SnapshotRow& row : snapshot_rows) {
    auto value = [snapshot, from = row.read] { return from(*snapshot); };
    if (row.is_counter) {
      registry.counter_callback(row.name, row.help, std::move(value));
    } else {
      registry.gauge_callback(row.name, row.help, std::move(value));
    }
  }
}

MethodMetrics& ServerMetrics::method(std::string_view rpc) {
  const auto at = methods_.find(rpc);
  if (at != methods_.end()) return at->second;
  MethodMetrics& made = methods_[std::string(rpc)];
  made.started = &registry_.counter("grpc_server_started_total", started_help, rpc_labels(rpc));
  return made;
}

void ServerMetrics::on_started(std::string_view rpc) { method(rpc).started->add(); }

void ServerMetrics::on_handled(std::string_view rpc, GrpcCode code) {
  MethodMetrics& found = method(rpc);
  Counter*& handled = found.handled[static_cast<std::size_t>(code)];
  if (handled == nullptr) {
    Labels labels = rpc_labels(rpc);
    labels.emplace_back("grpc_code", std::string(describe(code)));
    handled = &registry_.counter("grpc_server_handled_total", handled_help, std::move(labels));
  }
  handled->add();
  if (code == GrpcCode::resource_exhausted) requests_refused_.add();
}

void ServerMetrics::on_applied(base::Duration duration) {
  apply_.record_ns(duration.count());
  if (duration > slow_apply_min) slow_apply_.add();
}

void ServerMetrics::on_log_written(base::Duration duration) {
  log_sync.record_ns(duration.count());
  log_write_.record_ns(duration.count());
}

Counter& ServerMetrics::peer_sent_bytes(std::string_view to) {
  return registry_.counter("etcd_network_peer_sent_bytes_total", "The total number of bytes sent to peers.",
                           {{"To", std::string(to)}});
}
Counter& ServerMetrics::peer_received_bytes(std::string_view from) {
  return registry_.counter("etcd_network_peer_received_bytes_total", "The total number of bytes received from peers.",
                           {{"From", std::string(from)}});
}
Counter& ServerMetrics::peer_sent_failures(std::string_view to) {
  return registry_.counter("etcd_network_peer_sent_failures_total", "The total number of send failures from peers.",
                           {{"To", std::string(to)}});
}
Histogram& ServerMetrics::peer_round_trip(std::string_view to) {
  return registry_.histogram("etcd_network_peer_round_trip_time_seconds", "Round-Trip-Time histogram between peers.",
                             round_trip_buckets_seconds(), {{"To", std::string(to)}});
}
Histogram& ServerMetrics::request_duration(std::string_view rpc) {
  Labels labels = rpc_labels(rpc);
  labels.erase(labels.begin());
  return registry_.histogram("whitewater_request_duration_seconds",
                             "From the first byte of a request to the last byte of its answer.",
                             latency_buckets_seconds(), std::move(labels));
}

}  // namespace whitewater::api

// The metrics of a member by name: etcd's families where their meaning is kept (etcd-v3-api §2.6: the dashboard and
// alert set), our own under "whitewater_". Owned by the server and made once; the handles are plain references for the
// hot path. Used on the reactor's thread. Whoever knows a gauge's value registers the callback: the setters below say
// which.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/errors.hpp"
#include "api/metrics.hpp"
#include "base/time.hpp"

namespace whitewater::api {

// The way of one write through a member, as timestamps that the server takes; each is a label of one histogram.
enum class Stage : std::uint8_t {
  accept,     // first byte of the request to parsed
  queue,      // parsed to handed to the core
  log_write,  // handed to the log to durable here
  replicate,  // sent to the first acknowledgement that completes a quorum
  commit,     // handed to the core to committed
  apply,      // committed to applied
  reply,      // applied to the answer's last byte handed to the socket
};
inline constexpr std::size_t stage_count = 7;
[[nodiscard]] std::string_view describe(Stage stage);

// One RPC method, whichever way it came in (etcd counts the gateway's calls as gRPC calls too).
struct MethodMetrics {
  Counter* started = nullptr;
  std::array<Counter*, grpc_code_count> handled{};  // by GrpcCode; made at the first use of each
};

// What the server reads at each scrape. Filled by one callback so that every family shows the same moment.
struct ServerSnapshot {
  bool has_leader = false;
  bool is_leader = false;
  bool is_learner = false;
  std::uint64_t leader_changes = 0;
  std::uint64_t event_loop_stalls = 0;
  std::uint64_t disk_stalls = 0;
  std::uint64_t proposals_committed = 0;  // the commit index, as in etcd
  std::uint64_t proposals_applied = 0;    // the applied index
  std::uint64_t proposals_pending = 0;
  std::uint64_t proposals_failed = 0;
  std::uint64_t read_indexes_failed = 0;
  std::uint64_t term = 0;
  std::uint64_t heartbeat_send_failures = 0;
  std::int64_t quota_bytes = 0;  // of the volume: there is no smaller quota
  std::int64_t db_size_bytes = 0;
  std::int64_t db_size_in_use_bytes = 0;
  std::int64_t current_revision = 0;
  std::int64_t compact_revision = 0;
  std::uint64_t keys = 0;
  std::uint64_t puts = 0;
  std::uint64_t deletes = 0;
  std::uint64_t ranges = 0;
  std::uint64_t txns = 0;
  std::uint64_t put_bytes = 0;
  std::uint64_t log_bytes_written = 0;
  std::uint64_t log_batches = 0;
  std::uint64_t log_entries = 0;
  std::uint64_t log_segments_used = 0;
  std::uint64_t log_segments_max = 0;
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_refused = 0;  // over the limit
  std::uint64_t connections = 0;          // open now
  std::uint64_t client_sent_bytes = 0;
  std::uint64_t client_received_bytes = 0;
  std::uint64_t snapshots_sent = 0;
  std::uint64_t snapshots_failed = 0;
  std::uint64_t snapshots_installed = 0;
  std::uint64_t snapshot_sent_bytes = 0;
  std::uint64_t snapshot_received_bytes = 0;
  double discovery_stale_seconds = 0;  // since the last good answer
  bool is_expect_inferred = false;
  bool is_data_volatile = false;
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
  double start_time_seconds = 0;  // Unix time
};

// Constant facts, shown as gauges of value 1.
struct ServerFacts {
  std::string member_id_hex;
  std::string whitewater_version;
  std::string reactor;
  std::string log_strategy;
  std::string reactor_reason;  // why this one
};

class ServerMetrics {
 public:
  // `read` is called once per scrape, on the thread that calls expose().
  ServerMetrics(Registry& registry, const ServerFacts& facts, std::function<ServerSnapshot()> read);

  // On every request: started first, handled with its outcome. `rpc` is rpc_name()'s "/service/Method".
  void on_started(std::string_view rpc);
  void on_handled(std::string_view rpc, GrpcCode code);

  void on_applied(base::Duration duration);      // one batch of committed entries
  void on_log_written(base::Duration duration);  // one durable write

  Histogram& stage(Stage stage) { return *stages_[static_cast<std::size_t>(stage)]; }

  // Peers, by the id in hexadecimal; the references live as long as the registry.
  Counter& peer_sent_bytes(std::string_view to);
  Counter& peer_received_bytes(std::string_view from);
  Counter& peer_sent_failures(std::string_view to);
  Histogram& peer_round_trip(std::string_view to);

  Histogram& request_duration(std::string_view rpc);  // seconds, from accept to reply

  // Handles of the hot path.
  Histogram& log_sync;        // etcd_disk_wal_fsync_duration_seconds: on_log_written in etcd's buckets
  Histogram& backend_commit;  // etcd_disk_backend_commit_duration_seconds: one write batch of the store
  Histogram& batch_entries;   // entries per log batch
  Counter& health_success;
  Counter& health_failures;

 private:
  MethodMetrics& method(std::string_view rpc);

  Registry& registry_;
  Histogram& log_write_;
  Histogram& apply_;
  Counter& slow_apply_;
  Counter& requests_refused_;
  std::map<std::string, MethodMetrics, std::less<>> methods_;
  std::array<Histogram*, stage_count> stages_{};
};

}  // namespace whitewater::api

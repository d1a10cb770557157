#include <array>
#include <type_traits>
#include <utility>

#include "server/options.hpp"
#include "server/options_enum.hpp"
#include "server/options_value.hpp"

namespace whitewater::server {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

std::vector<OptionRow> make_table() {
  using O = Options;
  constexpr auto ms = OptionUnit::milliseconds;
  constexpr auto bytes = OptionUnit::bytes;
  return {
      {"name", "POD_NAME", "Identity", &O::name, "", "name of this member (default: the host name)"},
      {"pod_ip", "POD_IP", "Identity", &O::pod_ip, "", "address of this pod, from the downward API"},
      {"pod_uid", "WHITEWATER_POD_UID", "Identity", &O::pod_uid, "",
       "uid of this pod, from the downward API; with it only another pod rejoins (rejoin_removed)"},
      {"data_dir", "WHITEWATER_DATA_DIR", "Identity", &O::data_dir, "/var/lib/whitewater",
       "folder of the log, the store and the member's identity; never shared between members"},

      {"listen", "WHITEWATER_LISTEN", "Addresses", &O::listen, "",
       "host:port for peers and clients (default: POD_IP or 0.0.0.0, port 8090)"},
      {"listen_client", "WHITEWATER_LISTEN_CLIENT", "Addresses", &O::listen_client, "",
       "further host:port list for clients only, for example 0.0.0.0:2379"},
      {"advertise", "WHITEWATER_ADVERTISE", "Addresses", &O::advertise, "",
       "host:port under which the other members reach this one (default: found at start)"},

      {"discovery", "WHITEWATER_DISCOVERY", "Discovery", &O::discovery, "auto",
       "how peers are found; auto takes the first of: static when peers are listed, file when PEERS_FILE is set, "
       "kubernetes when LABEL_SELECTOR is set, dns when SERVICE_NAME is set"},
      {"peers", "WHITEWATER_PEERS", "Discovery", &O::peers, "",
       "name=host:port list of all members, for static discovery"},
      {"peers_file", "PEERS_FILE", "Discovery", &O::peers_file, "",
       "JSON file {\"peers\":[\"host:port\",...]} that is read again and again; may appear later"},
      {"label_selector", "LABEL_SELECTOR", "Discovery", &O::label_selector, "",
       "labels of the members' pods, as kubectl -l takes them, for the Kubernetes API"},
      {"kubernetes_api", "WHITEWATER_KUBERNETES_API", "Discovery", &O::kubernetes_api, "",
       "host:port of the API server (default: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT)"},
      {"kubernetes_folder", "WHITEWATER_KUBERNETES_FOLDER", "Discovery", &O::kubernetes_folder,
       "/var/run/secrets/kubernetes.io/serviceaccount",
       "folder with token, ca.crt and namespace of the service account"},
      {"service_name", "SERVICE_NAME", "Discovery", &O::service_name, "",
       "headless service whose SRV records name the members"},
      {"service_port_name", "SERVICE_PORT_NAME", "Discovery", &O::service_port_name, "raft",
       "name of that service's port, the first label of the SRV record"},
      {"namespace", "NAMESPACE", "Discovery", &O::kube_namespace, "",
       "namespace of that service or of the pods (default: from resolv.conf or the service account)"},
      {"cluster_domain", "WHITEWATER_CLUSTER_DOMAIN", "Discovery", &O::cluster_domain, "",
       "domain of the Kubernetes cluster (default: from the search list of resolv.conf)"},
      {"dns_servers", "WHITEWATER_DNS_SERVERS", "Discovery", &O::dns_servers, "",
       "address:port list of DNS servers (default: those of resolv.conf)"},
      {"hosts_file", "WHITEWATER_HOSTS_FILE", "Discovery", &O::hosts_file, "/etc/hosts",
       "file in which Kubernetes writes the full name of a pod"},

      {"bootstrap_expect", "WHITEWATER_BOOTSTRAP_EXPECT", "Founding a cluster", &O::bootstrap_expect, "0",
       "members that must agree before a new cluster is founded; 0: inferred from the peers that are found, at least 3",
       0, 64},
      {"bootstrap_token", "WHITEWATER_BOOTSTRAP_TOKEN", "Founding a cluster", &O::bootstrap_token, "",
       "members found a cluster only with members that hold the same token"},
      {"bootstrap_single", "WHITEWATER_BOOTSTRAP_SINGLE", "Founding a cluster", &O::bootstrap_single, "false",
       "allow bootstrap_expect=1: a cluster of this member alone"},
      {"bootstrap_settle_ms", "WHITEWATER_BOOTSTRAP_SETTLE_MS", "Founding a cluster", &O::bootstrap_settle_ms, "1000",
       "time between the two rounds in which the founders must give the same answers", 50, 60'000, ms},
      {"bootstrap_infer_settle_ms", "WHITEWATER_BOOTSTRAP_INFER_SETTLE_MS", "Founding a cluster",
       &O::bootstrap_infer_settle_ms, "10000",
       "time for which the peers must stay the same before they found a cluster of inferred size", 1000, 600'000, ms},

      {"max_voters", "WHITEWATER_MAX_VOTERS", "Membership", &O::max_voters, "7",
       "voters at most; their number is kept odd, and further members hold the data without a vote", 1,
       max_voters_limit},
      {"stabilization_ms", "WHITEWATER_STABILIZATION_MS", "Membership", &O::stabilization_ms, "10000",
       "time that a new member must keep up before it votes, and between two automatic removals", 100, 600'000, ms},
      {"replace_after_ms", "WHITEWATER_REPLACE_AFTER_MS", "Membership", &O::replace_after_ms, "10000",
       "silence of a member after which one with the same name and a new disk takes its place", 100, 3'600'000, ms},
      {"dead_server_timeout_ms", "WHITEWATER_DEAD_SERVER_TIMEOUT_MS", "Membership", &O::dead_server_timeout_ms,
       "600000", "silence of a member after which it may be removed; 0: never", 0, 604'800'000, ms},
      {"rejoin_removed", "WHITEWATER_REJOIN_REMOVED", "Membership", &O::rejoin_removed, "false",
       "a member that was removed sets its data aside and joins again as a new one"},

      {"election_timeout_ms", "WHITEWATER_ELECTION_TIMEOUT_MS", "Raft", &O::election_timeout_ms, "1000",
       "silence of the leader after which a follower asks for an election", 50, 60'000, ms},
      {"heartbeat_interval_ms", "WHITEWATER_HEARTBEAT_INTERVAL_MS", "Raft", &O::heartbeat_interval_ms, "100",
       "how often a leader reports itself; under half the election timeout", 5, 10'000, ms},
      {"disk_stall_ms", "WHITEWATER_DISK_STALL_MS", "Raft", &O::disk_stall_ms, "5000",
       "time that a write of the log may take before a leader hands over and a member is not ready any more", 50,
       600'000, ms},
      {"proposal_queue_requests", "WHITEWATER_PROPOSAL_QUEUE_REQUESTS", "Raft", &O::proposal_queue_requests, "4096",
       "writes that wait for commit before further ones are refused with \"too many requests\"", 1, 1'000'000},
      {"proposal_queue_bytes", "WHITEWATER_PROPOSAL_QUEUE_BYTES", "Raft", &O::proposal_queue_bytes, "64MiB",
       "bytes that wait for commit before further writes are refused", mib, 4 * gib, bytes},
      {"snapshot_rate_bytes", "WHITEWATER_SNAPSHOT_RATE_BYTES", "Raft", &O::snapshot_rate_bytes, "64MiB",
       "bytes a second at most of a snapshot that is sent to a member; 0 does not limit", 0, 1024 * gib, bytes},
      {"lease_reads", "WHITEWATER_LEASE_READS", "Raft", &O::lease_reads, "false",
       "answer linearizable reads on the leader's lease instead of asking a majority each time; trusts that clocks run "
       "at "
       "the same speed within a tenth; the same on every member, changed only while all are stopped"},

      {"log_strategy", "WHITEWATER_LOG_STRATEGY", "Log", &O::log_strategy, "auto",
       "how the log is written; auto measures at start and takes the fastest that is allowed here"},
      {"log_segment_bytes", "WHITEWATER_LOG_SEGMENT_BYTES", "Log", &O::log_segment_bytes, "16MiB",
       "size of one file of the log; fixed when the data directory is created", 4 * mib, gib, bytes},
      {"log_budget_bytes", "WHITEWATER_LOG_BUDGET_BYTES", "Log", &O::log_budget_bytes, "4GiB",
       "largest size of the whole log; at the limit writes are refused until space is free", 8 * mib, 1024 * gib,
       bytes},
      {"allow_unsafe_fs", "WHITEWATER_ALLOW_UNSAFE_FS", "Log", &O::allow_unsafe_fs, "false",
       "accept a data directory on a network file system, which may lose acknowledged writes"},

      {"max_request_bytes", "WHITEWATER_MAX_REQUEST_BYTES", "Requests", &O::max_request_bytes, "1536KiB",
       "largest write request, as etcd's --max-request-bytes", kib, 2 * mib - 64 * kib, bytes},
      {"max_txn_ops", "WHITEWATER_MAX_TXN_OPS", "Requests", &O::max_txn_ops, "128",
       "operations in one transaction, as etcd's --max-txn-ops", 1, 10'000},
      {"request_timeout_ms", "WHITEWATER_REQUEST_TIMEOUT_MS", "Requests", &O::request_timeout_ms, "7000",
       "time after which a request is answered with \"timed out\"; its outcome is then unknown", 100, 600'000, ms},
      {"max_connections", "WHITEWATER_MAX_CONNECTIONS", "Requests", &O::max_connections, "8192",
       "connections accepted at once; further ones wait in the kernel's queue", 16, 1'000'000},

      {"reactor", "WHITEWATER_REACTOR", "Process", &O::reactor, "auto",
       "event loop; auto takes io_uring where the kernel and the container allow it"},
      {"log_format", "WHITEWATER_LOG_FORMAT", "Process", &O::log_format, "auto",
       "form of the lines on stderr; auto is text on a terminal and JSON elsewhere"},
      {"log_level", "WHITEWATER_LOG_LEVEL", "Process", &O::log_level, "info", "least level that is printed"},
      {"drain_delay_ms", "WHITEWATER_DRAIN_DELAY_MS", "Process", &O::drain_delay_ms, "0",
       "time between not being ready and closing the door after SIGTERM, for load balancers to notice", 0, 120'000, ms},
      {"shutdown_timeout_ms", "WHITEWATER_SHUTDOWN_TIMEOUT_MS", "Process", &O::shutdown_timeout_ms, "10000",
       "longest time from SIGTERM to exit, drain delay not counted", 100, 600'000, ms},
  };
}

}  // namespace

std::string_view describe(OptionSource source) {
  switch (source) {
    case OptionSource::builtin:
      return "default";
    case OptionSource::derived:
      return "derived";
    case OptionSource::file:
      return "file";
    case OptionSource::environment:
      return "environment";
    case OptionSource::flag:
      return "flag";
  }
  return "?";
}

const std::vector<OptionRow>& option_table() {
  static const std::vector<OptionRow> table = make_table();
  return table;
}

std::string flag_of(const OptionRow& row) {
  std::string flag = "--" + std::string(row.name);
  for (char& c : flag) {
    if (c == '_') c = '-';
  }
  return flag;
}

std::string value_text(const OptionRow& row, const Options& options) {
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = options.*member;
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return value;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::string joined;
          for (const auto& part : value) joined.append(joined.empty() ? "" : ",").append(part);
          return joined;
        } else if constexpr (std::is_same_v<T, std::uint64_t>) {
          return row.unit == OptionUnit::bytes ? format_bytes(value) : std::to_string(value);
        } else if constexpr (std::is_same_v<T, bool>) {
          return value ? "true" : "false";
        } else {
          return std::string(choice_name(value));
        }
      },
      row.field);
}

std::string describe_type(const OptionRow& row) {
  return std::visit(
      [&](auto member) -> std::string {
        using T = std::remove_cvref_t<decltype(std::declval<Options>().*member)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return "TEXT";
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return "TEXT,...";
        } else if constexpr (std::is_same_v<T, std::uint64_t>) {
          if (row.unit == OptionUnit::bytes) return format_bytes(row.minimum) + ".." + format_bytes(row.maximum);
          const std::string range = std::to_string(row.minimum) + ".." + std::to_string(row.maximum);
          return row.unit == OptionUnit::milliseconds ? range + " ms" : range;
        } else if constexpr (std::is_same_v<T, bool>) {
          return "true|false";
        } else {
          std::string names;
          for (const auto& [name, value] : choice_names<T>()) names.append(names.empty() ? "" : "|").append(name);
          return names;
        }
      },
      row.field);
}

}  // namespace whitewater::server

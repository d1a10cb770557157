// Options: everything about a member that can be set from outside, as one plain struct, with one table row per option
// from which the flags, the environment, the JSON file, --help and `whitewater config` are derived. Precedence: flag >
// environment > JSON file > default. Loading is pure: arguments, environment and the way to read the file come in as
// values (config.hpp gathers them from the process), so every rule is tested without a process. It does not open,
// resolve or create anything that an option names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace whitewater::server {

enum class DiscoveryMethod : std::uint8_t { automatic, static_list, file, kubernetes, dns };
enum class LogStrategyChoice : std::uint8_t { automatic, uring, thread, buffered };
enum class ReactorChoice : std::uint8_t { automatic, uring, epoll };
enum class LogFormatChoice : std::uint8_t { automatic, json, text };
enum class LogLevelChoice : std::uint8_t { debug, info, warn, error };

inline constexpr std::uint16_t raft_port_default = 8090;
inline constexpr std::uint64_t max_voters_limit = 31;

struct Options {
  // Who this member is.
  std::string name;     // POD_NAME, else the host name
  std::string pod_ip;   // POD_IP; empty outside Kubernetes
  std::string pod_uid;  // WHITEWATER_POD_UID; may be empty
  std::string data_dir;

  // Where it listens and how others reach it. host:port, IPv6 in brackets.
  std::string listen;                      // peers and clients; never empty after loading
  std::vector<std::string> listen_client;  // further addresses for clients only
  std::string advertise;  // empty: the server chooses (pod host name if it resolves to POD_IP, else POD_IP)

  // How it finds its peers.
  DiscoveryMethod discovery = DiscoveryMethod::automatic;
  std::vector<std::string> peers;  // name=host:port
  std::string peers_file;          // PEERS_FILE
  std::string label_selector;      // LABEL_SELECTOR, as kubectl -l takes it
  std::string kubernetes_api;      // host:port; empty: not in a cluster
  std::string kubernetes_folder;   // token, ca.crt and namespace of the service account
  std::string service_name;
  std::string service_port_name;
  std::string kube_namespace;            // empty: what the source itself finds
  std::string cluster_domain;            // empty: from the search list of resolv.conf
  std::vector<std::string> dns_servers;  // host:port; empty: resolv.conf
  std::string hosts_file;                // names this host in full

  // How a cluster is founded.
  std::uint64_t bootstrap_expect = 0;  // 0: inferred
  std::string bootstrap_token;
  bool bootstrap_single = false;
  std::uint64_t bootstrap_settle_ms = 0;
  std::uint64_t bootstrap_infer_settle_ms = 0;

  // How its members change by themselves.
  std::uint64_t max_voters = 0;
  std::uint64_t stabilization_ms = 0;
  std::uint64_t replace_after_ms = 0;
  std::uint64_t dead_server_timeout_ms = 0;  // 0: never
  bool rejoin_removed = false;

  // Raft.
  std::uint64_t election_timeout_ms = 0;
  std::uint64_t heartbeat_interval_ms = 0;
  std::uint64_t disk_stall_ms = 0;
  std::uint64_t proposal_queue_requests = 0;
  std::uint64_t proposal_queue_bytes = 0;
  std::uint64_t snapshot_rate_bytes = 0;
  bool lease_reads = false;

  // The log on disk.
  LogStrategyChoice log_strategy = LogStrategyChoice::automatic;
  std::uint64_t log_segment_bytes = 0;
  std::uint64_t log_budget_bytes = 0;
  bool allow_unsafe_fs = false;

  // Requests and connections.
  std::uint64_t max_request_bytes = 0;
  std::uint64_t max_txn_ops = 0;
  std::uint64_t request_timeout_ms = 0;
  std::uint64_t max_connections = 0;

  // The process.
  ReactorChoice reactor = ReactorChoice::automatic;
  LogFormatChoice log_format = LogFormatChoice::automatic;  // json or text after loading
  LogLevelChoice log_level = LogLevelChoice::info;
  std::uint64_t drain_delay_ms = 0;
  std::uint64_t shutdown_timeout_ms = 0;
};

// Rising precedence; `derived` is a default computed from another option or from the machine.
enum class OptionSource : std::uint8_t { builtin, derived, file, environment, flag };
[[nodiscard]] std::string_view describe(OptionSource source);

enum class OptionUnit : std::uint8_t { none, milliseconds, bytes };

// One option. `name` is its key in the JSON file; the flag is --name with dashes; `environment` the variable.
struct OptionRow {
  using Field = std::variant<std::string Options::*, std::vector<std::string> Options::*, std::uint64_t Options::*,
                             bool Options::*, DiscoveryMethod Options::*, LogStrategyChoice Options::*,
                             ReactorChoice Options::*, LogFormatChoice Options::*, LogLevelChoice Options::*>;
  std::string_view name;
  std::string_view environment;
  std::string_view group;  // heading in --help
  Field field;
  std::string_view default_text;  // as a user would write it
  std::string_view help;          // one line
  std::uint64_t minimum = 0;      // for numbers
  std::uint64_t maximum = 0;
  OptionUnit unit = OptionUnit::none;
};

// Every option, in the order of --help.
[[nodiscard]] const std::vector<OptionRow>& option_table();
// "--data-dir" of "data_dir".
[[nodiscard]] std::string flag_of(const OptionRow& row);
// The value as a user would write it: "1000ms" is 1000, 67108864 bytes are "64MiB", lists are joined by commas.
[[nodiscard]] std::string value_text(const OptionRow& row, const Options& options);
// What values the option takes: "50..60000 ms", "auto|uring|epoll", "host:port,...".
[[nodiscard]] std::string describe_type(const OptionRow& row);

// What a process brings along; gathered by config.hpp, written by hand in tests.
struct OptionInputs {
  struct FileText {
    std::string text;
    std::string problem;  // not empty: why the file cannot be used
  };
  std::vector<std::string> arguments;  // after the subcommand
  std::map<std::string, std::string> environment;
  std::function<FileText(const std::string& path)> read_file;  // called at most once, for --config or WHITEWATER_CONFIG
  std::string host_name;
  bool stderr_is_terminal = false;
};

struct LoadedOptions {
  Options options;
  std::map<std::string_view, OptionSource> sources;  // by OptionRow::name; every row is there
  std::string config_path;                           // empty: no file was given
  std::vector<std::string> warnings;                 // one line each: to be logged, never an exit
  std::vector<std::string> errors;  // one line each, all that were found; not empty: do not use `options`, exit 2
  bool help_wanted = false;
};

// Reads flags, environment and file, derives the defaults that depend on others, checks every range and every rule that
// spans options.
[[nodiscard]] LoadedOptions load_options(const OptionInputs& inputs);

inline constexpr std::size_t option_file_bytes_max = 1UL << 20;
inline constexpr std::size_t option_value_bytes_max = 64UL << 10;

// The whole of `whitewater serve --help`.
[[nodiscard]] std::string options_help();

// True for a variable that Kubernetes injects for a Service (…_SERVICE_HOST, …_PORT_8090_TCP_ADDR); no option is named
// so.
[[nodiscard]] bool is_service_link_variable(std::string_view name);

}  // namespace whitewater::server

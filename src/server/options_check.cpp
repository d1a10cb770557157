#include "server/options_check.hpp"

#include <algorithm>
#include <set>

#include "core/types.hpp"
#include "server/options_enum.hpp"
#include "server/options_value.hpp"

namespace whitewater::server {
namespace {

constexpr std::uint64_t majority_of_one_pair = 2;  // two members tolerate no failure at all

bool is_given(const LoadedOptions& loaded, std::string_view name) {
  const auto source = loaded.sources.find(name);
  return source != loaded.sources.end() && source->second > OptionSource::derived;
}

void mark_derived(LoadedOptions& loaded, std::string_view name) { loaded.sources[name] = OptionSource::derived; }

void check_address(const std::string& option, const std::string& value, std::vector<std::string>& errors) {
  if (!parse_host_port(value)) errors.push_back(option + ": \"" + value + "\" is not host:port (IPv6: [address]:port)");
}

void check_addresses(const Options& options, std::vector<std::string>& errors) {
  check_address("listen", options.listen, errors);
  for (const auto& address : options.listen_client) check_address("listen_client", address, errors);
  if (!options.advertise.empty()) check_address("advertise", options.advertise, errors);
  for (const auto& server : options.dns_servers) {
    if (!parse_host_port(server, 53)) errors.push_back("dns_servers: \"" + server + "\" is not address:port");
  }
  for (const auto& address : options.listen_client) {
    if (address == options.listen) errors.push_back("listen_client: " + address + " is already the listen address");
  }
}

// "name=host:port" each, no name twice, this member among them.
void check_peers(const Options& options, std::vector<std::string>& errors) {
  std::set<std::string, std::less<>> names;
  for (const auto& peer : options.peers) {
    const auto equals = peer.find('=');
    const bool is_pair = equals != std::string::npos && equals > 0;
    if (!is_pair || !parse_host_port(std::string_view(peer).substr(equals + 1), raft_port_default)) {
      errors.push_back("peers: \"" + peer + "\" is not name=host:port");
      continue;
    }
    if (!names.insert(peer.substr(0, equals)).second) {
      errors.push_back("peers: \"" + peer.substr(0, equals) + "\" is listed twice");
    }
  }
  if (options.peers.size() > core::configuration_members_max) {
    errors.push_back("peers: more than " + std::to_string(core::configuration_members_max) + " members");
  }
  if (effective_discovery(options) == DiscoveryMethod::static_list && !names.empty() && !names.contains(options.name)) {
    errors.push_back("peers: this member's own name \"" + options.name + "\" is not in the list; set --name or add it");
  }
}

bool is_dns_label(std::string_view text) {
  constexpr std::size_t label_bytes_max = 63;
  if (text.empty() || text.size() > label_bytes_max) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void check_discovery(const LoadedOptions& loaded, std::vector<std::string>& errors) {
  const Options& options = loaded.options;
  if (!options.kube_namespace.empty() && !is_dns_label(options.kube_namespace)) {
    errors.push_back("namespace: \"" + options.kube_namespace + "\" is not a DNS label");
  }
  if (!options.kubernetes_api.empty()) check_address("kubernetes_api", options.kubernetes_api, errors);
  switch (effective_discovery(options)) {
    case DiscoveryMethod::dns:
      if (options.service_name.empty()) {
        errors.emplace_back("discovery: dns needs SERVICE_NAME (or --service-name), the headless service's name");
        return;
      }
      for (const auto& [option, label] :
           {std::pair<std::string_view, std::string_view>{"service_name", options.service_name},
            {"service_port_name", options.service_port_name}}) {
        if (!is_dns_label(label)) {
          errors.push_back(std::string(option) + ": \"" + std::string(label) + "\" is not a DNS label");
        }
      }
      break;
    case DiscoveryMethod::file:
      if (options.peers_file.empty()) {
        errors.emplace_back("discovery: file needs PEERS_FILE (or --peers-file), the file that names the peers");
      }
      break;
    case DiscoveryMethod::kubernetes:
      if (options.label_selector.empty()) {
        errors.emplace_back(
            "discovery: kubernetes needs LABEL_SELECTOR (or --label-selector), for example app=whitewater");
      }
      if (options.kubernetes_api.empty()) {
        errors.emplace_back(
            "discovery: kubernetes needs the address of the API server: KUBERNETES_SERVICE_HOST is not set, so this is "
            "no "
            "pod; --kubernetes-api host:port names it");
      }
      break;
    case DiscoveryMethod::static_list:
      if (options.discovery == DiscoveryMethod::static_list && options.peers.empty() && !options.bootstrap_single) {
        errors.emplace_back("discovery: static needs peers (--peers name=host:port,...)");
      }
      break;
    case DiscoveryMethod::automatic:
      if (!options.bootstrap_single) {
        errors.emplace_back(
            "no way to find peers: set SERVICE_NAME (DNS), LABEL_SELECTOR (Kubernetes API), PEERS_FILE, or --peers "
            "name=host:port,... or, for a cluster of one, --bootstrap-single");
      }
      break;
  }
}

void check_bootstrap(LoadedOptions& loaded) {
  const Options& options = loaded.options;
  auto& errors = loaded.errors;
  if (options.bootstrap_expect == 1 && !options.bootstrap_single) {
    errors.emplace_back(
        "bootstrap_expect: 1 founds a cluster of this member alone; if that is meant, add --bootstrap-single");
  }
  if (options.bootstrap_single && options.bootstrap_expect > 1) {
    errors.push_back("bootstrap_single: contradicts bootstrap_expect=" + std::to_string(options.bootstrap_expect));
  }
  const bool is_static = effective_discovery(options) == DiscoveryMethod::static_list;
  if (is_static && !options.peers.empty() && options.bootstrap_expect > options.peers.size()) {
    errors.push_back("bootstrap_expect: " + std::to_string(options.bootstrap_expect) +
                     " members can never agree when " + std::to_string(options.peers.size()) + " peers are listed");
  }
  if (options.bootstrap_expect == majority_of_one_pair) {
    loaded.warnings.emplace_back("bootstrap_expect: 2 members survive no failure; 3 survive one");
  }
}

void check_times(const Options& options, std::vector<std::string>& errors) {
  // A follower must be able to miss one heartbeat without asking for an election.
  if (options.heartbeat_interval_ms * 2 >= options.election_timeout_ms) {
    errors.push_back("heartbeat_interval_ms: " + std::to_string(options.heartbeat_interval_ms) +
                     " must be less than half of election_timeout_ms (" + std::to_string(options.election_timeout_ms) +
                     ")");
  }
  if (options.request_timeout_ms < options.election_timeout_ms) {
    errors.push_back("request_timeout_ms: " + std::to_string(options.request_timeout_ms) +
                     " must not be less than election_timeout_ms (" + std::to_string(options.election_timeout_ms) +
                     "), or every election fails the requests that it delays");
  }
}

void check_sizes(const Options& options, std::vector<std::string>& errors) {
  constexpr std::uint64_t segments_min = 2;    // one is written while the other is released
  constexpr std::uint64_t block_bytes = 4096;  // the log's unit of writing
  if (options.log_segment_bytes % block_bytes != 0) {
    errors.push_back("log_segment_bytes: " + std::to_string(options.log_segment_bytes) + " is not a multiple of 4KiB");
  }
  if (options.log_budget_bytes < segments_min * options.log_segment_bytes) {
    errors.push_back("log_budget_bytes: " + format_bytes(options.log_budget_bytes) +
                     " must hold at least two segments of " + format_bytes(options.log_segment_bytes));
  }
  if (options.proposal_queue_bytes < options.max_request_bytes) {
    errors.push_back("proposal_queue_bytes: " + format_bytes(options.proposal_queue_bytes) +
                     " must hold at least one request of max_request_bytes (" +
                     format_bytes(options.max_request_bytes) + ")");
  }
}

}  // namespace

DiscoveryMethod effective_discovery(const Options& options) {
  if (options.discovery != DiscoveryMethod::automatic) return options.discovery;
  const auto usable = usable_methods(options);
  return usable.empty() ? DiscoveryMethod::automatic : usable.front();
}

std::vector<DiscoveryMethod> usable_methods(const Options& options) {
  std::vector<DiscoveryMethod> methods;
  if (!options.peers.empty()) methods.push_back(DiscoveryMethod::static_list);
  if (!options.peers_file.empty()) methods.push_back(DiscoveryMethod::file);
  if (!options.label_selector.empty()) methods.push_back(DiscoveryMethod::kubernetes);
  if (!options.service_name.empty()) methods.push_back(DiscoveryMethod::dns);
  return methods;
}

std::string reason_of_method(const Options& options) {
  const auto method = effective_discovery(options);
  if (options.discovery != DiscoveryMethod::automatic) {
    return "discovery is set to " + std::string(choice_name(options.discovery));
  }
  std::string reason;
  switch (method) {
    case DiscoveryMethod::static_list:
      reason = "peers are listed";
      break;
    case DiscoveryMethod::file:
      reason = "PEERS_FILE is set";
      break;
    case DiscoveryMethod::kubernetes:
      reason = "LABEL_SELECTOR is set";
      break;
    case DiscoveryMethod::dns:
      reason = "SERVICE_NAME is set";
      break;
    case DiscoveryMethod::automatic:
      return "nothing says how to find peers";
  }
  std::string others;
  for (const auto other : usable_methods(options)) {
    if (other != method) others.append(others.empty() ? "" : ", ").append(choice_name(other));
  }
  if (!others.empty()) reason.append("; not used: ").append(others).append(" (--discovery chooses)");
  return reason;
}

namespace {

// What Kubernetes puts into every pod; an IPv6 address comes without brackets.
std::string in_cluster_api(const OptionInputs& inputs) {
  const auto value_of = [&](const char* name) {
    const auto variable = inputs.environment.find(name);
    return variable == inputs.environment.end() ? std::string() : variable->second;
  };
  const std::string host = value_of("KUBERNETES_SERVICE_HOST");
  if (host.empty()) return {};
  std::string port = value_of("KUBERNETES_SERVICE_PORT_HTTPS");
  if (port.empty()) port = value_of("KUBERNETES_SERVICE_PORT");
  if (port.empty()) port = "443";
  const bool needs_brackets = host.find(':') != std::string::npos && host.front() != '[';
  return (needs_brackets ? "[" + host + "]" : host) + ":" + port;
}

}  // namespace

void derive_defaults(const OptionInputs& inputs, LoadedOptions& loaded) {
  Options& options = loaded.options;
  if (options.name.empty()) {
    // A pod's host name may be fully qualified; its first label is the pod's name.
    options.name = inputs.host_name.substr(0, inputs.host_name.find('.'));
    mark_derived(loaded, "name");
  }
  if (options.listen.empty()) {
    options.listen = describe(HostPort{options.pod_ip.empty() ? "0.0.0.0" : options.pod_ip, raft_port_default});
    mark_derived(loaded, "listen");
  }
  if (options.kubernetes_api.empty()) {
    options.kubernetes_api = in_cluster_api(inputs);
    if (!options.kubernetes_api.empty()) mark_derived(loaded, "kubernetes_api");
  }
  if (options.bootstrap_expect == 0 && !is_given(loaded, "bootstrap_expect")) {
    if (options.bootstrap_single) {
      options.bootstrap_expect = 1;
      mark_derived(loaded, "bootstrap_expect");
    } else if (effective_discovery(options) == DiscoveryMethod::static_list && options.peers.size() > 1) {
      options.bootstrap_expect = options.peers.size();
      mark_derived(loaded, "bootstrap_expect");
    }
  }
  if (options.log_format == LogFormatChoice::automatic) {
    options.log_format = inputs.stderr_is_terminal ? LogFormatChoice::text : LogFormatChoice::json;
    mark_derived(loaded, "log_format");
  }
}

void check_options(LoadedOptions& loaded) {
  const Options& options = loaded.options;
  auto& errors = loaded.errors;
  if (options.name.empty()) errors.emplace_back("name: this machine has no host name; set POD_NAME or --name");
  if (options.name.size() > core::member_name_bytes_max) errors.emplace_back("name: longer than 253 bytes");
  if (options.name.find_first_of("=, \t\r\n\"") != std::string::npos) {
    errors.push_back("name: \"" + options.name + "\" holds a blank, a quote, '=' or ','");
  }
  if (options.data_dir.empty()) errors.emplace_back("data_dir: must not be empty");
  check_addresses(options, errors);
  check_peers(options, errors);
  check_discovery(loaded, errors);
  check_bootstrap(loaded);
  check_times(options, errors);
  check_sizes(options, errors);
}

}  // namespace whitewater::server

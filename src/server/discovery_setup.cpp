#include "server/discovery_setup.hpp"

#include "base/error.hpp"
#include "discovery/dns_source.hpp"
#include "discovery/file_source.hpp"
#include "discovery/guessing_source.hpp"
#include "discovery/kubernetes_source.hpp"
#include "discovery/static_source.hpp"
#include "server/options_check.hpp"
#include "server/options_enum.hpp"

namespace whitewater::server {
namespace {

using base::ExitCode;
using base::FatalError;

constexpr std::uint16_t https_port = 443;

std::uint16_t listen_port(const Options& options) {
  const auto place = discovery::parse_host_port(options.listen, raft_port_default);
  return place ? place->port : raft_port_default;
}

std::string place_text(const std::string& host, std::uint16_t port) {
  return discovery::describe(discovery::HostPort{host, port});
}

discovery::ServiceName service_name(const Options& options) {
  return {options.service_name, options.service_port_name, options.kube_namespace, options.cluster_domain};
}

// The search list of resolv.conf names the cluster's domain.
base::Result<discovery::ResolvedServiceName> resolved_service(const Options& options) {
  const auto resolv_conf = discovery::read_small_file("/etc/resolv.conf", discovery::resolv_conf_bytes_max);
  return discovery::resolve_service_name(service_name(options), discovery::search_list_of(resolv_conf.text));
}

// As Kubernetes wrote it for this pod.
discovery::HostsEntry own_hosts_entry(const Options& options) {
  const auto hosts = discovery::read_small_file(options.hosts_file, discovery::hosts_file_bytes_max);
  return discovery::find_in_hosts(hosts.text, options.name, options.pod_ip);
}

discovery::ResolverOptions resolver_options(const Options& options) {
  discovery::ResolverOptions resolver;
  resolver.servers = options.dns_servers;
  return resolver;
}

std::unique_ptr<discovery::PeerSource> make_static(net::Executor executor, const Options& options) {
  std::string list;
  for (const std::string& peer : options.peers) list += (list.empty() ? "" : ",") + peer;
  auto peers = list.empty() ? base::Result<std::vector<discovery::Candidate>>(std::vector<discovery::Candidate>{})
                            : discovery::parse_peer_list(list, listen_port(options));
  if (!peers) {
    throw FatalError(ExitCode::usage, "the list of peers cannot be used: " + peers.error().message() +
                                          "; write it as name=host:port,name=host:port");
  }
  return std::make_unique<discovery::StaticSource>(executor, std::move(*peers), resolver_options(options));
}

std::unique_ptr<discovery::PeerSource> make_dns(net::Executor executor, const Options& options) {
  discovery::DnsSourceOptions dns;
  dns.service = service_name(options);
  dns.own_name = options.name;
  dns.expect = static_cast<std::uint32_t>(options.bootstrap_expect);
  dns.default_port = listen_port(options);
  dns.resolver = resolver_options(options);
  return std::make_unique<discovery::DnsSource>(executor, dns);
}

std::unique_ptr<discovery::PeerSource> make_file(net::Executor executor, const Options& options, base::LogSink& log) {
  discovery::FileSourceOptions file;
  file.path = options.peers_file;
  file.default_port = listen_port(options);
  file.resolver = resolver_options(options);
  return std::make_unique<discovery::FileSource>(executor, file, log);
}

std::unique_ptr<discovery::KubernetesSource> make_kubernetes(net::Executor executor, const Options& options,
                                                             base::Rng rng, base::LogSink& log) {
  discovery::KubernetesSourceOptions kubernetes;
  const auto api = discovery::parse_host_port(options.kubernetes_api, https_port);
  if (!api) {
    throw FatalError(ExitCode::usage, "kubernetes_api: \"" + options.kubernetes_api + "\" is not host:port");
  }
  kubernetes.api.host = api->host;
  kubernetes.api.port = api->port;
  kubernetes.service_account_folder = options.kubernetes_folder;
  kubernetes.name_space = options.kube_namespace;
  kubernetes.label_selector = options.label_selector;
  kubernetes.own_name = options.name;
  kubernetes.port_name = options.service_port_name;
  kubernetes.default_port = listen_port(options);
  kubernetes.resolver = resolver_options(options);
  return std::make_unique<discovery::KubernetesSource>(executor, std::move(kubernetes), rng, log);
}

}  // namespace

MadeSource make_source(net::Executor executor, const Options& options, base::Rng rng, base::LogSink& log) {
  MadeSource made;
  const auto method = effective_discovery(options);
  switch (method) {
    case DiscoveryMethod::dns:
      made.source = make_dns(executor, options);
      break;
    case DiscoveryMethod::file:
      made.source = make_file(executor, options, log);
      break;
    case DiscoveryMethod::kubernetes: {
      auto source = make_kubernetes(executor, options, rng, log);
      made.kubernetes = source.get();
      made.source = std::move(source);
      break;
    }
    case DiscoveryMethod::static_list:
    case DiscoveryMethod::automatic:  // nobody else at all (--bootstrap-single)
      made.source = make_static(executor, options);
      return made;
  }
  auto basis = guess_basis(options);
  // With a stated count the SRV source asks for the ordinals below it by itself.
  if (!basis || (method == DiscoveryMethod::dns && options.bootstrap_expect != 0)) return made;
  discovery::GuessingOptions guessing;
  guessing.basis = std::move(*basis);
  guessing.port = listen_port(options);
  guessing.only_while_unknown = method == DiscoveryMethod::kubernetes;
  guessing.resolver = resolver_options(options);
  made.source = std::make_unique<discovery::GuessingSource>(executor, std::move(made.source), std::move(guessing));
  return made;
}

std::optional<discovery::GuessBasis> guess_basis(const Options& options) {
  if (auto basis = discovery::guess_basis_of(own_hosts_entry(options).host)) return basis;
  const auto ordinal = discovery::ordinal_of(options.name);
  if (!ordinal || options.service_name.empty()) return std::nullopt;
  const auto service = resolved_service(options);
  if (!service) return std::nullopt;
  return discovery::guess_basis_of(discovery::ordinal_host(discovery::stem_of(options.name), *ordinal, *service));
}

void adopt_peers_file(Options& options, base::LogSink& log) {
  if (effective_discovery(options) != DiscoveryMethod::file) return;
  const auto text = discovery::read_small_file(options.peers_file, discovery::peers_file_bytes_max);
  if (!text.problem.empty()) return;
  const auto file = discovery::parse_peers_file(text.text, listen_port(options));
  // One founder alone takes the operator's own word (bootstrap_single).
  if (options.bootstrap_expect == 0 && file.expect > 1) {
    options.bootstrap_expect = file.expect;
    log.info("discovery", "the peers file states the number of founders", {{"expect", file.expect}});
  }
  if (options.bootstrap_token.empty() && !file.token.empty()) {
    options.bootstrap_token = file.token;
    log.info("discovery", "the peers file states the token of the cluster");
  }
}

// A name where there is one, because addresses change with every restart of a pod (kubernetes §3.4).
std::string advertised_address(const Options& options) {
  if (!options.advertise.empty()) return options.advertise;
  const std::uint16_t port = listen_port(options);
  const auto method = effective_discovery(options);
  if (method == DiscoveryMethod::static_list) {
    for (const std::string& peer : options.peers) {
      if (peer.starts_with(options.name + "=")) return peer.substr(options.name.size() + 1);
    }
  }
  if (method == DiscoveryMethod::dns && discovery::ordinal_of(options.name)) {
    const auto ordinal = *discovery::ordinal_of(options.name);
    if (const auto service = resolved_service(options)) {
      return place_text(discovery::ordinal_host(discovery::stem_of(options.name), ordinal, *service), port);
    }
  }
  if (!options.pod_ip.empty()) {
    const auto own = own_hosts_entry(options);
    const bool is_own_name = own.address == options.pod_ip && discovery::guess_basis_of(own.host).has_value();
    return place_text(is_own_name ? own.host : options.pod_ip, port);
  }
  const auto listen = discovery::parse_host_port(options.listen, port);
  const bool is_any = !listen || listen->host.empty() || listen->host == "0.0.0.0" || listen->host == "::";
  return is_any ? place_text(options.name, port) : discovery::describe(*listen);
}

std::string describe_place(const Options& options) {
  switch (effective_discovery(options)) {
    case DiscoveryMethod::static_list:
      return std::to_string(options.peers.size()) + " listed peers";
    case DiscoveryMethod::file:
      return "the file " + options.peers_file;
    case DiscoveryMethod::kubernetes:
      return "pods with " + options.label_selector +
             (options.kube_namespace.empty() ? std::string() : " in namespace " + options.kube_namespace) +
             ", asked of the API server " + options.kubernetes_api;
    case DiscoveryMethod::dns: {
      const auto service = resolved_service(options);
      return "the SRV record " + (service ? service->srv_name : discovery::describe(service_name(options)));
    }
    case DiscoveryMethod::automatic:
      break;
  }
  return "nowhere";
}

void log_search(const Options& options, base::LogSink& log) {
  if (effective_discovery(options) == DiscoveryMethod::automatic) {
    log.info("discovery", "looking for nobody: this member is a cluster of its own (bootstrap_single)");
    return;
  }
  log.info("discovery", "looking for peers in " + describe_place(options),
           {{"method", choice_name(effective_discovery(options))}, {"because", reason_of_method(options)}});
}

}  // namespace whitewater::server

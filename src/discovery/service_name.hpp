// ServiceName: the DNS names of a headless service, made absolute so that no search list multiplies the questions
// (kubernetes.md §3.1: ndots:5). The cluster domain comes from resolv.conf's search list unless it is configured.
// Pure; does not read resolv.conf itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t resolv_conf_bytes_max = 64UL << 10;
inline constexpr std::string_view cluster_domain_default = "cluster.local";

struct ServiceName {
  std::string
      service;  // SERVICE_NAME: "whitewater-headless", "whitewater-headless.prod", or absolute with a trailing dot
  std::string port_name;   // SERVICE_PORT_NAME: "raft"
  std::string name_space;  // NAMESPACE; empty: the first label of the search list's "<ns>.svc.<domain>", else "default"
  std::string cluster_domain;  // override; empty: from the search list, else "cluster.local"
};

// All absolute, with the root's dot.
struct ResolvedServiceName {
  std::string srv_name;     // "_raft._tcp.whitewater-headless.default.svc.cluster.local."
  std::string host_suffix;  // "whitewater-headless.default.svc.cluster.local."
  bool operator==(const ResolvedServiceName&) const = default;
};

// The entries of the last "search" or "domain" line, without trailing dots.
[[nodiscard]] std::vector<std::string> search_list_of(std::string_view resolv_conf);
// malformed for a service, port name or result that is no DNS name.
[[nodiscard]] base::Result<ResolvedServiceName> resolve_service_name(const ServiceName& name,
                                                                     const std::vector<std::string>& search_list);
// "whitewater-2" in the service's domain, without the root's dot.
[[nodiscard]] std::string ordinal_host(std::string_view stem, std::uint32_t ordinal, const ResolvedServiceName& name);

[[nodiscard]] std::string describe(const ServiceName& name);

}  // namespace whitewater::discovery

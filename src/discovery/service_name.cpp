#include "discovery/service_name.hpp"

#include "discovery/candidate.hpp"

namespace whitewater::discovery {

using base::Errc;

namespace {

std::string without_root(std::string_view name) {
  while (name.ends_with('.')) name.remove_suffix(1);
  return std::string(name);
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  while (true) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return words;
    line.remove_prefix(first);
    const auto end = std::min(line.find_first_of(" \t\r"), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

// "default.svc.cluster.local" -> {"default", "cluster.local"}; empty strings for anything else.
struct ClusterSearch {
  std::string name_space;
  std::string domain;
};
ClusterSearch cluster_search_of(std::string_view entry) {
  const auto dot = entry.find('.');
  constexpr std::string_view svc = "svc.";
  if (dot == std::string_view::npos || !entry.substr(dot + 1).starts_with(svc)) return {};
  return {std::string(entry.substr(0, dot)), std::string(entry.substr(dot + 1 + svc.size()))};
}

}  // namespace

std::vector<std::string> search_list_of(std::string_view resolv_conf) {
  constexpr std::size_t entries_max = 64;
  std::vector<std::string> list;
  resolv_conf = resolv_conf.substr(0, resolv_conf_bytes_max);
  while (!resolv_conf.empty()) {
    const auto end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    const auto words = words_of(resolv_conf.substr(0, end));
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (words.empty() || (words[0] != "search" && words[0] != "domain")) continue;
    list.clear();
    for (std::size_t i = 1; i < words.size() && list.size() < entries_max; ++i) {
      auto name = without_root(words[i]);
      if (is_host_valid(name)) list.push_back(std::move(name));
    }
  }
  return list;
}

base::Result<ResolvedServiceName> resolve_service_name(const ServiceName& name,
                                                       const std::vector<std::string>& search_list) {
  if (!is_host_valid(name.port_name) || name.port_name.find('.') != std::string::npos) return Errc::malformed;
  if (name.service.ends_with('.')) {  // absolute: nothing to complete
    const auto service = without_root(name.service);
    if (!is_host_valid(service)) return Errc::malformed;
    const auto srv = "_" + name.port_name + "._tcp." + service;
    if (!is_host_valid(srv)) return Errc::malformed;
    return ResolvedServiceName{srv + ".", service + "."};
  }
  std::string name_space = name.name_space;
  std::string domain = without_root(name.cluster_domain);
  for (const auto& entry : search_list) {
    auto found = cluster_search_of(entry);
    if (found.domain.empty()) continue;
    if (!name_space.empty() && found.name_space != name_space && domain.empty()) {
      // A pod may look for a service of another namespace; the domain is the same.
      domain = found.domain;
      continue;
    }
    if (name_space.empty()) name_space = found.name_space;
    if (domain.empty()) domain = found.domain;
    break;
  }
  if (name_space.empty()) name_space = "default";
  if (domain.empty()) domain = cluster_domain_default;
  // "service.namespace" is complete but for ".svc.<domain>"; more labels than that are a whole name.
  std::string service = name.service;
  const auto dot = service.find('.');
  if (dot == std::string::npos) service += "." + name_space;
  const bool is_short = service.find('.') == service.rfind('.');
  if (is_short) service += ".svc";
  if (service.ends_with(".svc")) service += "." + domain;
  const auto srv = "_" + name.port_name + "._tcp." + service;
  if (!is_host_valid(service) || !is_host_valid(srv)) return Errc::malformed;
  return ResolvedServiceName{srv + ".", service + "."};
}

std::string ordinal_host(std::string_view stem, std::uint32_t ordinal, const ResolvedServiceName& name) {
  return std::string(stem) + "-" + std::to_string(ordinal) + "." + without_root(name.host_suffix);
}

std::string describe(const ServiceName& name) {
  return "port " + name.port_name + " of service " + name.service +
         (name.name_space.empty() ? std::string() : " in namespace " + name.name_space);
}

}  // namespace whitewater::discovery

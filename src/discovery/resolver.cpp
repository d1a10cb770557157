#include "discovery/resolver.hpp"

#include <utility>

namespace whitewater::discovery {

namespace {

std::vector<net::Endpoint> endpoints_of(const std::vector<std::string>& addresses, std::uint16_t port) {
  std::vector<net::Endpoint> endpoints;
  for (const auto& text : addresses) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(text, error);
    if (!error) endpoints.emplace_back(address, port);
  }
  return endpoints;
}

}  // namespace

Resolver::Resolver(net::Executor executor, ResolverOptions options)
    : executor_(executor), options_(std::move(options)) {}

void Resolver::remember(const std::string& host, std::vector<std::string> addresses) {
  if (addresses.empty()) return;
  // At the limit the first name makes room: an address that is forgotten costs one failed dial.
  if (last_known_.size() >= candidates_max && !last_known_.contains(host)) last_known_.erase(last_known_.begin());
  last_known_.insert_or_assign(host, std::move(addresses));
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> Resolver::resolve(std::string host, std::uint16_t port) {
  if (host.ends_with('.')) host.pop_back();
  if (!is_host_valid(host)) co_return base::Errc::malformed;
  if (is_ip_literal(host)) co_return endpoints_of({host}, port);
  // RFC 6761: always the loopback, no question (and c-ares 1.18 leaks the name when it answers this itself).
  if (host == "localhost" || host.ends_with(".localhost")) co_return endpoints_of({"127.0.0.1", "::1"}, port);
  auto addresses = co_await query_addresses(executor_, options_, host);
  if (addresses) {
    remember(host, *addresses);
    co_return endpoints_of(*addresses, port);
  }
  const auto known = last_known_.find(host);
  if (known == last_known_.end()) co_return addresses.error();
  co_return endpoints_of(known->second, port);
}

}  // namespace whitewater::discovery

#include "discovery/dns_source.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

// resolv.conf is a few lines on a local file system; reading it here does not hold the reactor up.
std::string read_resolv_conf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(resolv_conf_bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::string failure_text(const std::string& question, boost::system::error_code error) {
  if (error == Errc::not_found) return "no SRV record for " + question;
  if (error == Errc::timed_out) return "no DNS server answered in time for " + question;
  if (error == Errc::malformed) return "the DNS answer for " + question + " is not readable";
  return "the DNS servers failed or are not reachable for " + question;
}

DnsSourceOptions with_resolv_conf(DnsSourceOptions options) {
  if (options.resolver.resolv_conf_path.empty()) options.resolver.resolv_conf_path = options.resolv_conf_path;
  return options;
}

}  // namespace

DnsSource::DnsSource(net::Executor executor, DnsSourceOptions options)
    : executor_(executor),
      options_(with_resolv_conf(std::move(options))),
      resolver_(executor, options_.resolver),
      book_("dns", "no SRV record") {}

Result<ResolvedServiceName> DnsSource::resolve_name() const {
  return resolve_service_name(options_.service, search_list_of(read_resolv_conf(options_.resolv_conf_path)));
}

net::Awaitable<Result<PeerSet>> DnsSource::discover() {
  auto resolved = resolve_name();
  if (!resolved) {
    book_.on_failure("the service or port name is no DNS name: " + describe(options_.service));
    co_return resolved.error();
  }
  resolved_ = std::move(*resolved);
  question_ = resolved_.srv_name;
  auto answer = co_await ask_srv();
  std::vector<Candidate> found;
  base::Duration ttl{0};
  if (answer) {
    found = std::move(answer->peers);
    ttl = answer->ttl;
    for (const auto& peer : found) resolver_.remember(peer.address.host, peer.addresses);
  }
  // Without a server that answers, the ordinals' names would only cost the same time-outs again.
  if (answer || answer.error() == Errc::not_found) co_await ask_ordinals(found);
  if (!found.empty()) {
    book_.on_answer(net::now(), std::move(found), ttl);
    co_return book_.set();
  }
  book_.on_failure(failure_text(question_, answer.error()));
  if (!book_.set().is_known) co_return answer.error();
  co_return book_.set();
}

net::Awaitable<Result<SrvAnswer>> DnsSource::ask_srv() {
  const auto known = book_.newest_count();
  auto message = co_await query_srv(executor_, options_.resolver, question_, DnsTransport::udp);
  Result<SrvAnswer> answer = message ? decode_srv_answer(*message) : Result<SrvAnswer>(message.error());
  // Servers lose the TC flag, and some answer with what fits: a shorter answer than before is asked again over TCP.
  const bool is_short = answer && (answer->is_partial || answer->peers.size() < known);
  if (!is_short) co_return answer;
  auto whole = co_await query_srv(executor_, options_.resolver, question_, DnsTransport::tcp);
  if (!whole) co_return answer;
  auto second = decode_srv_answer(*whole);
  if (second && second->peers.size() >= answer->peers.size()) co_return second;
  co_return answer;
}

net::Awaitable<void> DnsSource::ask_ordinals(std::vector<Candidate>& found) {
  if (!ordinal_of(options_.own_name)) co_return;
  std::vector<std::uint32_t> missing;
  for (std::uint32_t i = 0; i < options_.expect && i < candidates_max; ++i) {
    if (i == ordinal_of(options_.own_name)) continue;
    const bool is_found =
        std::any_of(found.begin(), found.end(), [i](const Candidate& peer) { return peer.ordinal == i; });
    if (!is_found) missing.push_back(i);
  }
  if (missing.empty()) {
    short_since_.reset();
    co_return;
  }
  if (!short_since_) short_since_ = net::now();
  if (net::now() - *short_since_ < options_.ordinals_after) co_return;
  const auto port = found.empty() ? options_.default_port : found.front().address.port;
  const auto begin = net::now();
  for (const auto ordinal : missing) {
    // However many are missing, a server that went silent costs one question's time-out; the rest is asked next time.
    if (net::now() - begin > options_.resolver.total_timeout) break;
    const auto host = ordinal_host(stem_of(options_.own_name), ordinal, resolved_);
    auto addresses = co_await query_addresses(executor_, options_.resolver, host);
    if (!addresses) continue;
    resolver_.remember(host, *addresses);
    found.push_back(make_candidate(pod_name_of(host), {host, port}, std::move(*addresses)));
  }
}

net::Awaitable<Result<std::vector<net::Endpoint>>> DnsSource::resolve(std::string host, std::uint16_t port) {
  return resolver_.resolve(std::move(host), port);
}

}  // namespace whitewater::discovery

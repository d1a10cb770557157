#include "discovery/guessing_source.hpp"

#include <utility>

namespace whitewater::discovery {

GuessingSource::GuessingSource(net::Executor executor, std::unique_ptr<PeerSource> source, GuessingOptions options)
    : executor_(executor),
      source_(std::move(source)),
      options_(std::move(options)),
      fsm_(options_.basis, options_.port, options_.guesses) {
  take_set();
  source_->on_change([this] {
    take_set();
    notify_change();
  });
}

net::Awaitable<base::Result<PeerSet>> GuessingSource::discover() {
  const auto answer = co_await source_->discover();
  take_set();
  co_await ask();
  take_set();
  if (set_.peers.empty() && !answer) co_return answer.error();
  co_return set_;
}

net::Awaitable<void> GuessingSource::ask() {
  const auto& told = source_->last_known();
  if (options_.only_while_unknown && told.is_known) co_return;
  const auto begin = net::now();
  for (const auto ordinal : fsm_.due(begin, told.peers)) {
    // However many there are, a server that went silent costs one question's time-out; the rest is asked next time.
    if (net::now() - begin > options_.resolver.total_timeout) break;
    const auto host = fsm_.host_of(ordinal);
    auto addresses = co_await query_addresses(executor_, options_.resolver, host);
    if (addresses) {
      fsm_.on_addresses(net::now(), ordinal, std::move(*addresses));
    } else if (addresses.error() == base::Errc::not_found) {
      fsm_.on_denied(net::now(), ordinal);
    } else {
      fsm_.on_failed(net::now(), ordinal);
    }
  }
}

void GuessingSource::take_set() {
  set_ = source_->last_known();
  std::vector<HostPort> told;
  for (const auto& peer : set_.peers) told.push_back(peer.address);
  if (told != told_) {
    fsm_.on_news(net::now());
    told_ = std::move(told);
  }
  if (options_.only_while_unknown && set_.is_known) return;
  auto guessed = fsm_.candidates(set_.peers);
  set_.peers.insert(set_.peers.end(), guessed.begin(), guessed.end());
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> GuessingSource::resolve(std::string host, std::uint16_t port) {
  return source_->resolve(std::move(host), port);
}

}  // namespace whitewater::discovery

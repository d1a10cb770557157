#include "discovery/static_source.hpp"

#include <utility>

namespace whitewater::discovery {

StaticSource::StaticSource(net::Executor executor, std::vector<Candidate> peers, ResolverOptions options)
    : resolver_(executor, std::move(options)) {
  set_.source = "static";
  set_.absence = "not in the list of peers";
  set_.peers = std::move(peers);
  set_.is_known = true;
}

net::Awaitable<base::Result<PeerSet>> StaticSource::discover() {
  set_.as_of = net::now();
  co_return set_;
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> StaticSource::resolve(std::string host, std::uint16_t port) {
  return resolver_.resolve(std::move(host), port);
}

}  // namespace whitewater::discovery

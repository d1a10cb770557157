// StaticSource: the peers that were written down, "name=host:port,...". The list never changes; its host names are
// resolved at every dial. Owned by the server, reactor thread. Does not read files (the peers-file source does).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "discovery/peer_source.hpp"
#include "discovery/resolver.hpp"

namespace whitewater::discovery {

class StaticSource final : public PeerSource {
 public:
  // `peers` comes from parse_peer_list. An empty list is allowed for a single member.
  StaticSource(net::Executor executor, std::vector<Candidate> peers, ResolverOptions options);

  [[nodiscard]] std::string_view name() const override { return "static"; }
  net::Awaitable<base::Result<PeerSet>> discover() override;
  [[nodiscard]] const PeerSet& last_known() const override { return set_; }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) override;

 private:
  PeerSet set_;
  Resolver resolver_;
};

}  // namespace whitewater::discovery

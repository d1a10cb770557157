// Resolver: name to endpoints for a dial, with the memory that "negative answers are never believed" needs: the last
// known addresses of a host answer when DNS does not. Bounded; owned by a PeerSource, reactor thread. Does not cache
// good answers: every call asks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "discovery/candidate.hpp"
#include "discovery/dns_query.hpp"
#include "net/reactor.hpp"

namespace whitewater::discovery {

class Resolver {
 public:
  Resolver(net::Executor executor, ResolverOptions options);

  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port);
  // Addresses that came with another answer (SRV glue); used only when the host's own question fails.
  void remember(const std::string& host, std::vector<std::string> addresses);
  [[nodiscard]] const ResolverOptions& options() const { return options_; }

 private:
  net::Executor executor_;
  ResolverOptions options_;
  std::map<std::string, std::vector<std::string>> last_known_;  // at most candidates_max hosts
};

}  // namespace whitewater::discovery

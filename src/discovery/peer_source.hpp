// PeerSource: where candidates come from (dns, static; later the Kubernetes API and a peers file), and how a name
// becomes addresses at each dial. Owned by the server, used on the reactor thread; it must outlive every coroutine that
// it returned. Does not decide who is a peer, and does not repeat by itself: PeerRefresher does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "discovery/candidate.hpp"
#include "net/reactor.hpp"

namespace whitewater::discovery {

class PeerSource {
 public:
  virtual ~PeerSource() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Asks once. The result is the last known set, this answer merged in; an error only when nothing was ever known:
  // not_found (NXDOMAIN or no record), timed_out, malformed, connection_lost (no server answers). Why it failed in
  // words: last_known().last_error.
  virtual net::Awaitable<base::Result<PeerSet>> discover() = 0;
  [[nodiscard]] virtual const PeerSet& last_known() const = 0;
  // Called at every dial, never cached; an IP literal answers at once. When nothing resolves, the last known addresses
  // of that host are returned, and only without any an error. Addresses may be stale or belong to another pod by now:
  // the handshake proves who answers.
  virtual net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) = 0;
};

}  // namespace whitewater::discovery

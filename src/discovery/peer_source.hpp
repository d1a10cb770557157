// PeerSource: where candidates come from (dns, static, the Kubernetes API, a peers file), and how a name becomes
// addresses at each dial. Owned by the server, used on the reactor thread; it must outlive every coroutine that it
// returned. A source that is told of news (a watch) says so to its observer; the others are asked again and again by
// PeerRefresher. Does not decide who is a peer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  // How many members are wanted, where the source can be asked for it: spec.replicas of the own StatefulSet.
  virtual net::Awaitable<std::optional<std::uint32_t>> replicas();
  // Background work, spawned once in a TaskGroup; ends only by cancellation. A source without any waits for that.
  virtual net::Awaitable<void> run();

  // Called when last_known() changed between two calls of discover(). One observer; an empty function takes it away.
  // Must not suspend and must not throw.
  void on_change(std::function<void()> observer) { observer_ = std::move(observer); }

 protected:
  void notify_change() const {
    if (observer_) observer_();
  }

 private:
  std::function<void()> observer_;
};

}  // namespace whitewater::discovery

// PeerRefresher: the loop that asks a PeerSource again and again, and at once when the source has news, and tells
// listeners what is known. It is the source's observer as long as it lives. Owned by the server; run() is spawned in a
// TaskGroup and ends only by cancellation. Reactor thread. Does not decide when: RefreshFsm does.
#pragma once

#include <functional>
#include <vector>

#include "base/log_line.hpp"
#include "base/rng.hpp"
#include "discovery/peer_source.hpp"
#include "discovery/refresh_fsm.hpp"
#include "net/event.hpp"
#include "net/reactor.hpp"

namespace whitewater::discovery {

class PeerRefresher {
 public:
  // Called after every attempt, good or not, with the last known set. Must not suspend and must not throw.
  using Listener = std::function<void(const PeerSet&)>;

  PeerRefresher(net::Executor executor, PeerSource& source, RefreshOptions options, base::Rng rng, base::LogSink& log);
  ~PeerRefresher();
  PeerRefresher(const PeerRefresher&) = delete;
  PeerRefresher& operator=(const PeerRefresher&) = delete;

  void add_listener(Listener listener) { listeners_.push_back(std::move(listener)); }
  // The member belongs to a cluster now: poll calmly.
  void set_formed(bool is_formed);
  // Ask now instead of at the next turn (the source has news, a dial failed, SIGHUP).
  void wake();
  net::Awaitable<void> run();

 private:
  void report(const base::Result<PeerSet>& result);

  PeerSource& source_;
  RefreshFsm fsm_;
  base::LogSink& log_;
  std::vector<Listener> listeners_;
  net::Timer timer_;
  bool is_woken_ = false;
  std::vector<HostPort> last_addresses_;
  std::string last_logged_;
};

}  // namespace whitewater::discovery

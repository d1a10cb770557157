#include "discovery/peer_refresher.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

namespace whitewater::discovery {

PeerRefresher::PeerRefresher(net::Executor executor, PeerSource& source, RefreshOptions options, base::Rng rng,
                             base::LogSink& log)
    : source_(source), fsm_(options, rng), log_(log), timer_(executor) {
  source_.on_change([this] { wake(); });
}

PeerRefresher::~PeerRefresher() { source_.on_change({}); }

void PeerRefresher::set_formed(bool is_formed) { fsm_.on_formed(is_formed); }

void PeerRefresher::wake() {
  is_woken_ = true;
  timer_.cancel();
}

net::Awaitable<void> PeerRefresher::run() {
  while (true) {
    const auto delay = fsm_.next_delay();
    if (!std::exchange(is_woken_, false)) {
      timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay));
      co_await timer_.async_wait(net::as_result);
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (state.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
      }
      is_woken_ = false;
    }
    report(co_await source_.discover());
  }
}

void PeerRefresher::report(const base::Result<PeerSet>& result) {
  const auto& set = source_.last_known();
  std::vector<HostPort> addresses;
  for (const auto& peer : set.peers) addresses.push_back(peer.address);
  if (result && set.last_error.empty()) {
    fsm_.on_answer(set.ttl, addresses != last_addresses_);
  } else {
    fsm_.on_failure();
  }
  last_addresses_ = std::move(addresses);
  auto text = describe(set);
  if (text != last_logged_) {
    if (set.last_error.empty()) {
      log_.info("discovery", text);
    } else {
      log_.warn("discovery", text);
    }
    last_logged_ = std::move(text);
  }
  for (const auto& listener : listeners_) listener(set);
}

}  // namespace whitewater::discovery

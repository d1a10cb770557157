#include "discovery/peer_source.hpp"

#include <boost/asio/this_coro.hpp>

namespace whitewater::discovery {

net::Awaitable<std::optional<std::uint32_t>> PeerSource::replicas() { co_return std::nullopt; }

net::Awaitable<void> PeerSource::run() {
  net::Timer never(co_await boost::asio::this_coro::executor);
  never.expires_at(net::Timer::time_point::max());
  co_await never.async_wait(net::use_awaitable);
}

}  // namespace whitewater::discovery

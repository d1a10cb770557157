#include "net/reactor.hpp"

#include <boost/asio/this_coro.hpp>
#include <ctime>

#include "base/assert.hpp"

namespace whitewater::net {

std::string_view reactor_name() {
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
  return "io_uring";
#elif defined(BOOST_ASIO_HAS_EPOLL)
  return "epoll";
#else
#error "neither io_uring nor epoll: this platform has no reactor that Whitewater is tested on"
#endif
}

base::Instant now() {
  timespec time{};
  const int failed = ::clock_gettime(CLOCK_BOOTTIME, &time);
  WW_ASSERT(failed == 0);
  return {std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
}

Awaitable<void> sleep_for(base::Duration duration) {
  const auto executor = co_await asio::this_coro::executor;
  Timer timer(executor);
  timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
  co_await timer.async_wait(use_awaitable);
}

std::string describe(const Endpoint& endpoint) {
  const auto address = endpoint.address().to_string();
  const auto port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

}  // namespace whitewater::net

#include "net/socket_util.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>

#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

constexpr int keepalive_idle_s = 10;
constexpr int keepalive_interval_s = 3;
constexpr int keepalive_probes = 3;
constexpr std::size_t discard_buffer_bytes = 4096;

// A kernel that lacks an option still carries the connection, only notices its death later.
void set_option(TcpSocket& socket, int level, int name, int value) {
  (void)::setsockopt(socket.native_handle(), level, name, &value, sizeof value);
}

}  // namespace

void set_stream_options(TcpSocket& socket, base::Duration user_timeout) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  const auto timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(user_timeout).count();
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
}

void abort_connection(TcpSocket& socket) {
  error_code ignored;
  socket.shutdown(TcpSocket::shutdown_both, ignored);
}

Awaitable<void> close_politely(TcpSocket* socket, std::size_t discard_bytes_max, base::Duration timeout) {
  error_code ignored;
  socket->shutdown(TcpSocket::shutdown_send, ignored);
  const auto end = now() + timeout;
  std::array<char, discard_buffer_bytes> buffer;
  std::size_t discarded_bytes = 0;
  for (auto time = now(); time < end && discarded_bytes < discard_bytes_max; time = now()) {
    const auto [error, size] = co_await socket->async_read_some(asio::buffer(buffer), within(end - time));
    if (error) break;
    discarded_bytes += size;
  }
}

}  // namespace whitewater::net

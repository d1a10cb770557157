// The reactor that this executable was compiled for, and the types of every coroutine, socket and timer on it. One
// io_context(1) on one thread, no strands; the concrete executor type instead of any_io_executor halves the cost of a
// post. Which backend it is follows from the CMake target (ww_net_io_uring or ww_net_io_epoll), never from the source.
// Does not own an io_context: the executable's main function does.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"

namespace whitewater::net {

namespace asio = boost::asio;
using boost::system::error_code;

using IoContext = asio::io_context;
using Executor = IoContext::executor_type;
template <class T>
using Awaitable = asio::awaitable<T, Executor>;
using UseAwaitable = asio::use_awaitable_t<Executor>;
inline constexpr UseAwaitable use_awaitable{};
// For operations whose error is looked at instead of thrown: `auto [error, size] = co_await op(as_result)`.
inline constexpr asio::as_tuple_t<UseAwaitable> as_result{use_awaitable};

using Tcp = asio::ip::tcp;
using Endpoint = Tcp::endpoint;
using TcpSocket = asio::basic_stream_socket<Tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

// "io_uring" or "epoll": what was compiled in.
[[nodiscard]] std::string_view reactor_name();

// CLOCK_BOOTTIME: it goes on while the machine is suspended, which leases depend on.
[[nodiscard]] base::Instant now();

// Suspends for `duration`; throws operation_aborted when the coroutine is cancelled.
Awaitable<void> sleep_for(base::Duration duration);

// "10.0.0.1:8090", "[::1]:8090".
[[nodiscard]] std::string describe(const Endpoint& endpoint);

// True for the error that a cancelled operation ends with.
[[nodiscard]] inline bool is_cancelled(const error_code& error) { return error == asio::error::operation_aborted; }

}  // namespace whitewater::net

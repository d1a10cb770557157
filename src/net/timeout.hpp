// Time-outs for one-shot awaits (dial, handshake, sniff, exchange), on cancel_after of Boost >= 1.86. Steady-state
// reads and writes use a Watchdog instead (net/watchdog.hpp): re-arming a timer for each of them costs more than the
// read itself.
#pragma once

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "net/reactor.hpp"

namespace whitewater::net {

// A completion token for one operation: `auto [error, size] = co_await socket.async_read_some(buffer,
// within(seconds(5)))`. An operation that ran out of time ends with operation_aborted.
inline auto within(base::Duration limit) {
  return asio::cancel_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit), as_result);
}

// Runs `task` for at most `limit`: its result, or Errc::timed_out when it had to be cancelled and has ended. A
// cancellation from outside is passed into the task and comes out as operation_aborted.
template <class T>
Awaitable<base::Result<T>> with_timeout(Awaitable<base::Result<T>> task, base::Duration limit) {
  const auto executor = co_await asio::this_coro::executor;
  const auto steady_limit = std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit);
  const auto end = std::chrono::steady_clock::now() + steady_limit;
  base::Result<T> result = base::Errc::cancelled;
  try {
    result = co_await asio::co_spawn(executor, std::move(task), asio::cancel_after(steady_limit, use_awaitable));
  } catch (const boost::system::system_error& failure) {
    if (!is_cancelled(failure.code())) throw;
    result = failure.code();
  }
  // A task that looks at the error of its last operation returns what another one throws.
  if (result.has_value() || !is_cancelled(result.error())) co_return result;
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (std::chrono::steady_clock::now() >= end) co_return base::Errc::timed_out;
  co_return result;
}

}  // namespace whitewater::net

// Runs a coroutine to its end on a fresh reactor, within a bound of real time, and small pieces that several tests
// need.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "base/log_line.hpp"
#include "catch.hpp"
#include "net/listener.hpp"
#include "net/reactor.hpp"
#include "net/task_group.hpp"
#include "net/timeout.hpp"
#include "net/watchdog.hpp"

namespace whitewater::net::fixture {

inline constexpr auto test_time_max = std::chrono::seconds(30);

// `body` is a function or a lambda without captures: Executor -> Awaitable<void>.
template <class Body>
void run_on_reactor(Body body) {
  IoContext context(1);
  bool is_done = false;
  std::exception_ptr failure;
  asio::co_spawn(context, body(context.get_executor()), [&](std::exception_ptr thrown) {
    is_done = true;
    failure = std::move(thrown);
  });
  context.run_for(test_time_max);
  if (!is_done) {
    std::fputs("the test did not end in time\n", stderr);
    std::abort();
  }
  if (failure) std::rethrow_exception(failure);
}

inline Endpoint loopback(std::uint16_t port = 0) { return {asio::ip::address_v4::loopback(), port}; }

// Waits until `condition` holds, at most five seconds.
template <class Condition>
Awaitable<bool> eventually(Condition condition) {
  for (int tries = 0; tries < 1000; ++tries) {
    if (condition()) co_return true;
    co_await sleep_for(base::milliseconds(5));
  }
  co_return false;
}

inline Awaitable<TcpSocket> connect(Endpoint endpoint) {
  const auto executor = co_await asio::this_coro::executor;
  TcpSocket socket(executor);
  co_await socket.async_connect(endpoint, use_awaitable);
  co_return std::move(socket);
}

// Reads until the other side closes, or until `limit` has passed.
inline Awaitable<std::string> read_all(TcpSocket* socket, base::Duration limit = base::seconds(5)) {
  std::string out;
  std::array<char, 4096> buffer;
  const auto end = now() + limit;
  for (auto time = now(); time < end; time = now()) {
    const auto [error, size] = co_await socket->async_read_some(asio::buffer(buffer), within(end - time));
    out.append(buffer.data(), size);
    if (error) break;
  }
  co_return out;
}

// Sends `bytes` and returns everything until the other side closes.
inline Awaitable<std::string> talk(Endpoint endpoint, std::string bytes, base::Duration limit = base::seconds(5)) {
  auto socket = co_await connect(endpoint);
  co_await asio::async_write(socket, asio::buffer(bytes), as_result);
  co_return co_await read_all(&socket, limit);
}

// A listener with its watchdog, running until stop().
struct Port {
  Port(Executor executor, ListenerHandlers handlers, Watchdog& watchdog, ListenerOptions options = {})
      : listener(executor, {loopback()}, handlers, sink, options), tasks(executor) {
    tasks.spawn(listener.run());
    tasks.spawn(watchdog.run());
  }
  Awaitable<void> stop() {
    tasks.cancel();
    co_await tasks.join();
  }
  [[nodiscard]] Endpoint endpoint() const { return listener.endpoints().at(0); }

  base::NullLogSink sink;
  Listener listener;
  TaskGroup tasks;
};

}  // namespace whitewater::net::fixture

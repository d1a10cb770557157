// S60: storms of cancellations, closes and time-outs. Boost 1.81 on io_uring delivered one operation's completion to
// another here: other requests' bytes, spurious ends, stuck sessions. Every client checks that each answer is its own.
#include <array>

#include "base/codec.hpp"
#include "base/rng.hpp"
#include "net/reactor_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::run_on_reactor;

namespace {

constexpr std::size_t packet_bytes = 64;

struct Totals {
  int answers = 0;
  int timeouts = 0;
  int cancelled = 0;
  int wrong = 0;
  int spurious = 0;
};

// 64 bytes that no other request has.
std::string packet(std::uint64_t client, std::uint64_t sequence) {
  std::string out;
  base::ByteWriter writer(out);
  for (std::size_t i = 0; i < packet_bytes / 16; ++i) {
    writer.u64(client);
    writer.u64(sequence);
  }
  return out;
}

// Echoes with a delay that the first byte asks for.
Awaitable<void> echo_session(TcpSocket socket) {
  std::array<char, packet_bytes> buffer;
  for (;;) {
    std::size_t received = 0;
    while (received < packet_bytes) {
      const auto [error, size] =
          co_await socket.async_read_some(asio::buffer(buffer) + received, within(base::seconds(5)));
      if (error) co_return;
      received += size;
    }
    if (buffer[8] % 4 == 0) co_await sleep_for(base::milliseconds(4));
    const auto [error, size] = co_await asio::async_write(socket, asio::buffer(buffer), as_result);
    if (error || size != packet_bytes) co_return;
  }
}

Awaitable<void> echo_server(TcpAcceptor* acceptor, TaskGroup* sessions) {
  for (;;) {
    auto [error, socket] = co_await acceptor->async_accept(as_result);
    if (!error) sessions->spawn(echo_session(std::move(socket)));
  }
}

// One connection's life: some requests, the last of them cut by a time-out, a close or a cancellation at a random
// moment.
Awaitable<void> one_connection(Endpoint endpoint, std::uint64_t client, std::uint64_t seed, Totals* totals) {
  base::Rng rng(seed);
  auto socket = co_await fixture::connect(endpoint);
  const auto request_count = rng.in_range(1, 8);
  for (std::uint64_t sequence = 0; sequence < request_count; ++sequence) {
    const auto sent = packet(client, sequence + seed * 16);
    co_await asio::async_write(socket, asio::buffer(sent), as_result);
    if (rng.chance(1, 10)) {
      socket.close();
      co_return;
    }
    std::array<char, packet_bytes> buffer;
    std::size_t received = 0;
    while (received < packet_bytes) {
      const auto limit = base::microseconds(rng.chance(1, 2) ? rng.in_range(50, 8000) : 1000000);
      const auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer) + received, within(limit));
      if (is_cancelled(error)) {
        ++totals->timeouts;
        co_return;
      }
      if (error) {
        ++totals->spurious;
        co_return;
      }
      received += size;
    }
    ++totals->answers;
    if (std::string_view(buffer.data(), packet_bytes) != sent) ++totals->wrong;
  }
}

Awaitable<void> client_loop(Endpoint endpoint, std::uint64_t client, base::Instant end, Totals* totals) {
  for (std::uint64_t round = 0; now() < end; ++round)
    co_await one_connection(endpoint, client, client * 1000 + round, totals);
}

Awaitable<void> reader(TcpSocket* socket, Totals* totals) {
  std::array<char, packet_bytes> buffer;
  const auto [error, size] = co_await socket->async_read_some(asio::buffer(buffer), as_result);
  if (is_cancelled(error)) {
    ++totals->cancelled;
  } else if (error || size != 0) {
    ++totals->spurious;
  }
}

}  // namespace

TEST_CASE("S60: in a storm of time-outs and closes every answer belongs to its request") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TcpAcceptor acceptor(executor, fixture::loopback());
    TaskGroup sessions(executor);
    TaskGroup server(executor);
    TaskGroup clients(executor);
    server.spawn(echo_server(&acceptor, &sessions));
    Totals totals;
    const auto end = now() + base::milliseconds(2500);
    for (std::uint64_t client = 1; client <= 24; ++client) {
      clients.spawn(client_loop(acceptor.local_endpoint(), client, end, &totals));
    }
    co_await clients.join();
    server.cancel();
    co_await server.join();
    sessions.cancel();
    co_await sessions.join();
    CHECK(totals.wrong == 0);
    CHECK(totals.spurious == 0);
    CHECK(totals.answers > 100);
    CHECK(totals.timeouts > 10);
  });
}

TEST_CASE("S60: cancelled reads end as cancelled, also while their sockets close and new ones take their numbers") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TcpAcceptor acceptor(executor, fixture::loopback());
    Totals totals;
    constexpr int rounds = 150;
    for (int round = 0; round < rounds; ++round) {
      auto client = co_await fixture::connect(acceptor.local_endpoint());
      auto accepted = co_await acceptor.async_accept(use_awaitable);
      TaskGroup group(executor);
      group.spawn(reader(&client, &totals));
      group.spawn(reader(&accepted, &totals));
      co_await sleep_for(base::microseconds(20 * (round % 10)));
      if (round % 3 == 0) group.cancel();
      if (round % 3 == 1) {
        client.cancel();
        accepted.cancel();
      }
      if (round % 3 == 2) {
        // The operation on a closed socket completes as cancelled, its peer's may see the end: both are cancelled here
        // first.
        accepted.cancel();
        client.cancel();
        client.close();
        accepted.close();
      }
      group.cancel();
      co_await group.join();
    }
    CHECK(totals.spurious == 0);
    CHECK(totals.cancelled <= 2 * rounds);
    CHECK(totals.cancelled > rounds);
  });
}

TEST_CASE("S60: timers that are cancelled and armed again in a storm each fire for their own wait") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    base::Rng rng(77);
    Timer timer(executor);
    for (int round = 0; round < 300; ++round) {
      const auto wait = base::microseconds(rng.in_range(0, 1500));
      const auto before = std::chrono::steady_clock::now();
      timer.expires_after(wait);
      if (rng.chance(1, 3)) {
        const auto [error] = co_await timer.async_wait(within(wait / 2));
        if (!error) CHECK(std::chrono::steady_clock::now() - before >= wait);
      } else {
        const auto [error] = co_await timer.async_wait(as_result);
        CHECK(!error);
        CHECK(std::chrono::steady_clock::now() - before >= wait);
      }
    }
  });
}

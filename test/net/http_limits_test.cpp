// Bad and oversized HTTP: every limit has its answer, every wait its end, and nothing is held without bound.
#include "base/rng.hpp"
#include "net/http_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::eventually;
using fixture::HttpPort;
using fixture::run_on_reactor;

namespace {

HttpServerOptions small_limits() {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  options.header_bytes_max = 2000;
  return options;
}

HttpServerOptions impatient() {
  HttpServerOptions options;
  options.header_timeout = base::milliseconds(100);
  options.body_timeout = base::milliseconds(100);
  options.write_timeout = base::milliseconds(200);
  options.discard_timeout = base::milliseconds(100);
  return options;
}

std::string post_head(std::size_t length) {
  return "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(length) + "\r\n";
}

}  // namespace

TEST_CASE("a body at the limit is handled, one over it reaches the handler as too large and closes") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, small_limits());
    const auto fits = co_await http.talk(post_head(1000) + "Connection: close\r\n\r\n" + std::string(1000, 'b'));
    CHECK(fits.starts_with("HTTP/1.1 200 "));
    const auto large = co_await http.talk(post_head(1001) + "\r\n" + std::string(1001, 'b'));
    CHECK(large.starts_with("HTTP/1.1 429 "));
    CHECK(large.find("Connection: close\r\n") != std::string::npos);
    CHECK(large.ends_with("too large: 1001"));
    co_await http.stop();
  });
}

TEST_CASE("an oversized body is answered although the client is still sending it") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, small_limits());
    const auto answer = co_await http.talk(post_head(8UL << 20) + "\r\n" + std::string(8UL << 20, 'b'));
    CHECK(answer.starts_with("HTTP/1.1 429 "));
    CHECK(answer.ends_with("too large: 8388608"));
    co_await http.stop();
  });
}

TEST_CASE("an oversized body that waits for 100-continue is refused without being asked for") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, small_limits());
    const auto answer = co_await http.talk(post_head(5000) + "Expect: 100-continue\r\n\r\n");
    CHECK(answer.starts_with("HTTP/1.1 429 "));
    co_await http.stop();
  });
}

TEST_CASE("a chunked body is bounded by what has come and by what a chunk announces") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, small_limits());
    const std::string head = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string chunks;
    for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'c') + "\r\n";
    CHECK((co_await http.talk(head + chunks)).starts_with("HTTP/1.1 429 "));
    CHECK((co_await http.talk(head + "ffffffff\r\n")).starts_with("HTTP/1.1 429 "));
    CHECK((co_await http.talk(head + "fffffffffffffff0\r\n")).find("HTTP/1.1 4") == 0);
    CHECK((co_await http.talk(head + "zz\r\n")).starts_with("HTTP/1.1 400 "));
    co_await http.stop();
  });
}

TEST_CASE("a header over the limit gets 431") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, small_limits());
    const auto one = "GET / HTTP/1.1\r\nX: " + std::string(5000, 'h') + "\r\n\r\n";
    CHECK((co_await http.talk(one)).starts_with("HTTP/1.1 431 "));
    std::string many = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 500; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
    CHECK((co_await http.talk(many + "\r\n")).starts_with("HTTP/1.1 431 "));
    const auto target = "GET /" + std::string(20000, 't') + " HTTP/1.1\r\n\r\n";
    CHECK((co_await http.talk(target)).find("HTTP/1.1 4") == 0);
    CHECK(http.handler.call_count == 0);
    co_await http.stop();
  });
}

TEST_CASE("what is no HTTP/1.1 gets 400 and the end") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const std::vector<std::string> bad = {
        "GET / HTTP/3.0\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
    };
    for (const auto& request : bad) {
      const auto answer = co_await http.talk(request);
      INFO(request);
      CHECK(answer.starts_with("HTTP/1.1 400 "));
    }
    CHECK(http.server.counters().bad_requests == bad.size());
    CHECK(http.handler.call_count == 0);
    co_await http.stop();
  });
}

TEST_CASE("a header that drips slower than its time-out ends the connection") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, impatient());
    auto socket = co_await fixture::connect(http.endpoint());
    const std::string start = "GET / HTTP/1.1\r\n";
    co_await asio::async_write(socket, asio::buffer(start), as_result);
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 1; }));
    const auto before = now();
    bool is_ended = false;
    while (!is_ended && now() - before < base::seconds(5)) {
      const auto [error, size] = co_await asio::async_write(socket, asio::buffer("X: 1\r\n", 6), as_result);
      is_ended = error || http.server.counters().open_connections == 0;
      co_await sleep_for(base::milliseconds(10));
    }
    CHECK(is_ended);
    CHECK(http.server.counters().timeouts == 1);
    co_await http.stop();
  });
}

TEST_CASE("a body that does not come ends the connection") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, impatient());
    CHECK(co_await http.talk(post_head(100) + "\r\nonly a part") == "");
    CHECK(http.server.counters().timeouts == 1);
    CHECK(http.handler.call_count == 0);
    co_await http.stop();
  });
}

TEST_CASE("a client that does not read its answers is cut off") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor, impatient());
    auto socket = co_await fixture::connect(http.endpoint());
    std::string requests;
    for (int i = 0; i < 30; ++i) requests += "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(requests), as_result);
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 1; }));
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 0; }));
    CHECK(http.server.counters().timeouts == 1);
    co_await http.stop();
  });
}

TEST_CASE("a client that goes away in the middle of anything leaves nothing behind") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const std::string request = post_head(50) + "\r\n" + std::string(50, 'b');
    for (std::size_t size = 1; size <= request.size(); size += 3) {
      auto socket = co_await fixture::connect(http.endpoint());
      co_await asio::async_write(socket, asio::buffer(request.data(), size), as_result);
      socket.close();
    }
    CHECK(co_await eventually([&] { return http.port.listener.counters().accepted == (request.size() + 2) / 3; }));
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 0; }));
    co_await http.stop();
  });
}

TEST_CASE("mutated requests never crash the server") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpServerOptions options = impatient();
    options.body_bytes_max = 1000;
    HttpPort http(executor, options);
    base::Rng rng(5);
    const std::string good =
        "POST /p?q=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (int round = 0; round < 150; ++round) {
      auto bytes = good;
      for (std::uint64_t changes = rng.in_range(1, 5); changes > 0; --changes) {
        bytes[rng.in_range(5, bytes.size() - 1)] = static_cast<char>(rng.next());
      }
      auto socket = co_await fixture::connect(http.endpoint());
      co_await asio::async_write(socket, asio::buffer(bytes), as_result);
      socket.shutdown(TcpSocket::shutdown_send);
      (void)co_await fixture::read_all(&socket, base::seconds(2));
    }
    CHECK((co_await http.talk("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")).starts_with("HTTP/1.1 200 "));
    co_await http.stop();
  });
}

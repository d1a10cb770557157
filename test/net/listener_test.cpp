// One port for everybody: who is told apart, who is turned away, and that nobody can hold it.
#include "net/listener.hpp"

#include <sys/resource.h>

#include "base/rng.hpp"
#include "net/frame.hpp"
#include "net/reactor_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::connect;
using fixture::eventually;
using fixture::loopback;
using fixture::Port;
using fixture::run_on_reactor;
using fixture::talk;

namespace {

// Answers with its name and the bytes that the sniffer read, then closes.
class NamedHandler final : public StreamHandler {
 public:
  explicit NamedHandler(std::string name) : name_(std::move(name)) {}
  Awaitable<void> serve(TcpSocket socket, std::string head) override {
    const auto answer = name_ + ":" + head;
    co_await asio::async_write(socket, asio::buffer(answer), as_result);
  }

 private:
  std::string name_;
};

// Keeps the connection until the other side closes it.
class HoldingHandler final : public StreamHandler {
 public:
  Awaitable<void> serve(TcpSocket socket, std::string) override {
    (void)co_await fixture::read_all(&socket, base::seconds(20));
  }
};

struct Fixture {
  explicit Fixture(Executor executor, ListenerOptions options = {})
      : port(executor, {.peer = &peer, .http1 = &http1, .http2 = &http2}, watchdog, options) {}
  Watchdog watchdog;
  NamedHandler peer{"peer"};
  NamedHandler http1{"http1"};
  Http2Refuser http2;
  Port port;
};

ListenerOptions impatient_listener() {
  ListenerOptions options;
  options.sniff_timeout = base::milliseconds(100);
  options.refusal_write_timeout = base::milliseconds(200);
  return options;
}

}  // namespace

TEST_CASE("each protocol reaches its handler with every byte that was read") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    const auto endpoint = fixture.port.endpoint();
    CHECK(co_await talk(endpoint, "GET / HTTP/1.1\r\n\r\n") == "http1:GET / HTTP/1.1\r\n\r\n");
    const auto frame = encode_frame(FrameType::hello, "x");
    CHECK(co_await talk(endpoint, frame) == "peer:" + frame);
    co_await fixture.port.stop();
  });
}

TEST_CASE("an HTTP/2 client is told to use HTTP/1.1") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    const auto answer = co_await talk(fixture.port.endpoint(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    REQUIRE(answer.size() == 26);
    CHECK(answer[3] == 4);       // SETTINGS
    CHECK(answer[9 + 3] == 7);   // GOAWAY
    CHECK(answer.back() == 13);  // HTTP_1_1_REQUIRED
    co_await fixture.port.stop();
  });
}

TEST_CASE("a TLS client on the plain port is told in the words that Go's clients look for") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    const auto answer = co_await talk(fixture.port.endpoint(), std::string("\x16\x03\x01\x00\x05hello", 10));
    CHECK(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"));
    co_await fixture.port.stop();
  });
}

TEST_CASE("text that is no request gets an HTTP error, binary garbage only the end") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    CHECK((co_await talk(fixture.port.endpoint(), "hello there\r\n")).starts_with("HTTP/1.1 400 "));
    CHECK(co_await talk(fixture.port.endpoint(), std::string("\0\1\2\3", 4)) == "");
    CHECK(fixture.port.listener.counters().refused_unknown == 2);
    co_await fixture.port.stop();
  });
}

TEST_CASE("random bytes on the port neither crash nor hold it") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor, impatient_listener());
    base::Rng rng(99);
    for (int round = 0; round < 200; ++round) {
      std::string bytes(rng.in_range(1, 200), '\0');
      for (auto& byte : bytes) byte = static_cast<char>(rng.next());
      (void)co_await talk(fixture.port.endpoint(), bytes, base::seconds(2));
    }
    CHECK((co_await talk(fixture.port.endpoint(), "GET / HTTP/1.1\r\n\r\n")).starts_with("http1:"));
    co_await fixture.port.stop();
  });
}

TEST_CASE("half-open and slow connections end after the sniff time-out") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor, impatient_listener());
    auto silent = co_await connect(fixture.port.endpoint());
    auto slow = co_await connect(fixture.port.endpoint());
    co_await asio::async_write(slow, asio::buffer("PO", 2), as_result);
    const auto before = now();
    CHECK(co_await fixture::read_all(&silent) == "");
    CHECK(co_await fixture::read_all(&slow) == "");
    CHECK(now() - before < base::seconds(3));
    CHECK(fixture.port.listener.counters().sniff_timeouts == 2);
    co_await fixture.port.stop();
  });
}

TEST_CASE("clients over their limit are turned away, members still get through") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Watchdog watchdog;
    HoldingHandler holder;
    NamedHandler peer("peer");
    ListenerOptions options;
    options.client_connections_max = 2;
    Port port(executor, {.peer = &peer, .http1 = &holder, .http2 = nullptr}, watchdog, options);
    auto first = co_await connect(port.endpoint());
    auto second = co_await connect(port.endpoint());
    co_await asio::async_write(first, asio::buffer("GET / H", 7), as_result);
    co_await asio::async_write(second, asio::buffer("GET / H", 7), as_result);
    CHECK(co_await eventually([&] { return port.listener.counters().client_connections == 2; }));
    CHECK((co_await talk(port.endpoint(), "GET / HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 503 "));
    CHECK((co_await talk(port.endpoint(), encode_frame(FrameType::hello, "x"))).starts_with("peer:"));
    first.close();
    CHECK(co_await eventually([&] { return port.listener.counters().client_connections == 1; }));
    co_await port.stop();
  });
}

TEST_CASE("silent connections are bounded in number, and the oldest makes room for who speaks") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    ListenerOptions options;
    options.unsniffed_connections_max = 3;
    Fixture fixture(executor, options);
    std::vector<TcpSocket> sockets;
    for (int i = 0; i < 3; ++i) {
      sockets.push_back(co_await connect(fixture.port.endpoint()));
      co_await sleep_for(base::milliseconds(5));
    }
    CHECK((co_await talk(fixture.port.endpoint(), encode_frame(FrameType::hello, "x"))).starts_with("peer:"));
    CHECK(fixture.port.listener.counters().evicted_silent == 1);
    CHECK(co_await fixture::read_all(&sockets[0]) == "");
    co_await asio::async_write(sockets[1], asio::buffer("GET / HTTP/1.1\r\n\r\n", 18), as_result);
    CHECK((co_await fixture::read_all(&sockets[1])).starts_with("http1:"));
    co_await fixture.port.stop();
  });
}

TEST_CASE("running out of file descriptors pauses accepting and ends by itself") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    ListenerOptions options;
    options.accept_pause = base::milliseconds(20);
    Fixture fixture(executor, options);
    const auto endpoint = fixture.port.endpoint();
    // UBSan looks a type up with a pipe the first time it meets it; without descriptors it would call it a wrong one.
    base::LogSink& sink = fixture.port.sink;
    sink.warn("test", "about to run out of file descriptors");
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    TcpSocket client(executor, Tcp::v4());  // the last number that is free
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(client.native_handle()) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    co_await client.async_connect(endpoint, as_result);
    const bool has_failed = co_await eventually([&] { return fixture.port.listener.counters().accept_errors > 0; });
    const auto errors = fixture.port.listener.counters().accept_errors;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(has_failed);
    CHECK(errors < 100);
    co_await asio::async_write(client, asio::buffer("GET / HTTP/1.1\r\n\r\n", 18), as_result);
    CHECK((co_await fixture::read_all(&client)).starts_with("http1:"));
    co_await fixture.port.stop();
  });
}

TEST_CASE("after stop_accepting new connections are refused and running ones end in peace") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Watchdog watchdog;
    HoldingHandler holder;
    Port port(executor, {.peer = nullptr, .http1 = &holder, .http2 = nullptr}, watchdog);
    const auto endpoint = port.endpoint();
    auto client = co_await connect(endpoint);
    co_await asio::async_write(client, asio::buffer("GET / H", 7), as_result);
    CHECK(co_await eventually([&] { return port.listener.counters().client_connections == 1; }));
    port.listener.stop_accepting();
    co_await sleep_for(base::milliseconds(10));
    TcpSocket late(executor);
    const auto [error] = co_await late.async_connect(endpoint, as_result);
    CHECK(error == asio::error::connection_refused);
    CHECK(port.listener.counters().client_connections == 1);
    client.close();
    CHECK(co_await eventually([&] { return port.listener.counters().client_connections == 0; }));
    co_await port.stop();
  });
}

// The kernel has told these clients that somebody is there.
TEST_CASE("after stop_accepting those are served whom the kernel had connected already") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    std::vector<TcpSocket> clients;
    for (int i = 0; i < 5; ++i) {
      clients.emplace_back(executor);
      clients.back().connect(fixture.port.endpoint());  // blocks: nothing is accepted meanwhile
    }
    fixture.port.listener.stop_accepting();
    for (auto& client : clients) {
      co_await asio::async_write(client, asio::buffer("GET / HTTP/1.1\r\n\r\n", 18), as_result);
      CHECK(co_await fixture::read_all(&client, base::seconds(20)) == "http1:GET / HTTP/1.1\r\n\r\n");
    }
    co_await fixture.port.stop();
  });
}

TEST_CASE("an address that cannot be bound ends the process with its own exit code and a next step") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Fixture fixture(executor);
    base::NullLogSink sink;
    const auto why = [&](Endpoint endpoint) {
      try {
        const Listener listener(executor, {endpoint}, {}, sink);
        return std::string("bound");
      } catch (const base::FatalError& failure) {
        CHECK(failure.code() == base::ExitCode::network);
        return std::string(failure.what());
      }
    };
    CHECK(why(fixture.port.endpoint()).find("another process listens there") != std::string::npos);
    const Endpoint foreign(asio::ip::make_address("203.0.113.7"), 8090);
    CHECK(why(foreign).find("no network interface") != std::string::npos);
    co_await fixture.port.stop();
  });
}

TEST_CASE("listen addresses are parsed, bad ones are refused with an example") {
  CHECK(describe(parse_listen_address("127.0.0.1:8090")) == "127.0.0.1:8090");
  CHECK(describe(parse_listen_address(":8090")) == "0.0.0.0:8090");
  CHECK(describe(parse_listen_address("[::1]:80")) == "[::1]:80");
  CHECK(describe(parse_listen_address("localhost:1")) == "127.0.0.1:1");
  for (const auto* bad :
       {"", "8090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:80x", "nowhere:80", "1.2.3:80"}) {
    CHECK_THROWS_AS(parse_listen_address(bad), base::FatalError);
  }
}

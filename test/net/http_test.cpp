// HTTP/1.1 as clients use it: keep-alive, pipelining, chunks, HEAD, 100-continue, and a shutdown that loses no answer.
#include <algorithm>

#include "net/http_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::eventually;
using fixture::HttpPort;
using fixture::run_on_reactor;

namespace {

std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(more) + "\r\n" + std::string(body);
}
constexpr std::string_view close_line = "Connection: close\r\n";

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

Awaitable<void> call_into(HttpClient* client, HttpCall request, std::optional<base::Result<HttpReply>>* out) {
  out->emplace(co_await client->call(std::move(request)));
}

}  // namespace

TEST_CASE("a request is answered with its length, type and date, and the connection closes when asked") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const auto answer = co_await http.talk(post("/v3/kv/put", "{\"key\":1}", close_line));
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "));
    CHECK(answer.find("\r\nContent-Length: 25\r\nConnection: close\r\n\r\nPOST /v3/kv/put {\"key\":1}") !=
          std::string::npos);
    CHECK(http.handler.last_headers.get("host") == "x");
    co_await http.stop();
  });
}

TEST_CASE("pipelined requests are answered in order on one connection") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    std::string requests;
    for (int i = 0; i < 50; ++i)
      requests += post("/" + std::to_string(i), std::string(static_cast<std::size_t>(i) * 100, 'b'));
    const auto answers = co_await http.talk(requests + get("/last", close_line));
    CHECK(count(answers, "HTTP/1.1 200 OK") == 51);
    std::size_t at = 0;
    for (int i = 0; i < 50 && at != std::string::npos; ++i) at = answers.find("POST /" + std::to_string(i) + " ", at);
    CHECK(at != std::string::npos);
    CHECK(http.server.counters().connections == 1);
    co_await http.stop();
  });
}

TEST_CASE("a request that arrives byte by byte is understood") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    auto socket = co_await fixture::connect(http.endpoint());
    for (const char byte : post("/drip", "body", close_line)) {
      co_await asio::async_write(socket, asio::buffer(&byte, 1), as_result);
      co_await sleep_for(base::microseconds(200));
    }
    CHECK((co_await fixture::read_all(&socket)).ends_with("POST /drip body"));
    co_await http.stop();
  });
}

TEST_CASE("a chunked body is put together, its trailers are dropped") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const auto answer = co_await http.talk(
        "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n");
    CHECK(answer.ends_with("POST /c hello world"));
    CHECK(!http.handler.last_headers.contains("X-Trailer"));
    co_await http.stop();
  });
}

TEST_CASE("HEAD gets the head of the answer alone") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const auto answer = co_await http.talk("HEAD /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(answer.find("Content-Length: 1048576\r\n") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\n"));
    co_await http.stop();
  });
}

TEST_CASE("a response without content has neither body nor length") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const auto answer = co_await http.talk(get("/empty", close_line));
    CHECK(answer.starts_with("HTTP/1.1 204 No Content\r\n"));
    CHECK(answer.find("Content-Length") == std::string::npos);
    co_await http.stop();
  });
}

TEST_CASE("HTTP/1.0 closes by default and stays when it asks to") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    const auto closed = co_await http.talk("GET /a HTTP/1.0\r\n\r\n");
    CHECK(closed.starts_with("HTTP/1.0 200 OK\r\n"));
    const auto kept = co_await http.talk("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
    CHECK(count(kept, "HTTP/1.0 200 OK") == 2);
    CHECK(count(kept, "Connection: keep-alive\r\n") == 1);
    co_await http.stop();
  });
}

TEST_CASE("a client that waits for 100-continue gets it, once, and only before its body") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    auto socket = co_await fixture::connect(http.endpoint());
    const std::string head =
        "POST /w HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(head), as_result);
    std::array<char, 64> buffer;
    const auto [error, size] = co_await socket.async_read_some(asio::buffer(buffer), within(base::seconds(5)));
    CHECK(!error);
    CHECK(std::string_view(buffer.data(), size) == "HTTP/1.1 100 Continue\r\n\r\n");
    co_await asio::async_write(socket, asio::buffer("body", 4), as_result);
    CHECK((co_await fixture::read_all(&socket)).ends_with("POST /w body"));
    const auto eager = co_await http.talk(head + "body");
    CHECK(count(eager, "100 Continue") == 0);
    CHECK(eager.ends_with("POST /w body"));
    co_await http.stop();
  });
}

TEST_CASE("the client keeps its connection over many calls and reads large answers") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    HttpClient client(executor, http.endpoint(), "x");
    for (int i = 0; i < 200; ++i) {
      const auto reply =
          co_await client.call({.target = "/n" + std::to_string(i), .body = std::string(50, 'b'), .headers = {}});
      REQUIRE(reply.has_value());
      CHECK(reply->status == 200);
      CHECK(reply->body == "POST /n" + std::to_string(i) + " " + std::string(50, 'b'));
    }
    const auto large = co_await client.call({.method = "GET", .target = "/large", .body = {}, .headers = {}});
    CHECK(large->body == std::string(1UL << 20, 'L'));
    const auto head = co_await client.call({.method = "HEAD", .target = "/large", .body = {}, .headers = {}});
    CHECK(head->body.empty());
    CHECK(head->headers.get("content-length") == "1048576");
    const auto sent =
        co_await client.call({.target = "/big", .body = std::string(2UL << 20, 'x'), .headers = {{"X-A", "1"}}});
    CHECK(sent->body.size() == (2UL << 20) + 10);
    CHECK(http.handler.last_headers.get("x-a") == "1");
    CHECK(http.server.counters().connections == 1);
    co_await http.stop();
  });
}

TEST_CASE("the client connects anew after the server closed") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    HttpClient client(executor, http.endpoint(), "x");
    CHECK((co_await client.call({.target = "/close", .body = {}, .headers = {}})).has_value());
    CHECK(!client.is_connected());
    CHECK((co_await client.call({.target = "/a", .body = {}, .headers = {}})).has_value());
    CHECK(http.server.counters().connections == 2);
    co_await http.stop();
  });
}

TEST_CASE("a GET on a connection that the server closed in between is sent again, a POST is not") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpServerOptions options;
    options.idle_timeout = base::milliseconds(50);
    HttpPort http(executor, options);
    HttpClient client(executor, http.endpoint(), "x");
    CHECK((co_await client.call({.method = "GET", .target = "/a", .body = {}, .headers = {}})).has_value());
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 0; }));
    CHECK((co_await client.call({.method = "GET", .target = "/a", .body = {}, .headers = {}})).has_value());
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 0; }));
    const auto lost = co_await client.call({.method = "POST", .target = "/a", .body = {}, .headers = {}});
    CHECK(lost.error() == base::Errc::connection_lost);
    CHECK((co_await client.call({.method = "POST", .target = "/a", .body = {}, .headers = {}})).has_value());
    co_await http.stop();
  });
}

TEST_CASE("the client's time-outs, refusals and limits are errors of their own") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    HttpClientOptions hurry;
    hurry.connect_timeout = base::milliseconds(10);
    hurry.request_timeout = base::milliseconds(40);
    HttpClient hurried(executor, http.endpoint(), "x", hurry);
    CHECK((co_await hurried.call({.target = "/slow", .body = {}, .headers = {}})).error() == base::Errc::timed_out);
    HttpClientOptions small;
    small.body_bytes_max = 1000;
    HttpClient client(executor, http.endpoint(), "x", small);
    CHECK((co_await client.call({.target = "/large", .body = {}, .headers = {}})).error() ==
          base::Errc::limit_exceeded);
    HttpClient patient(executor, http.endpoint(), "x");
    CHECK((co_await patient.call({.target = "/a", .body = {}, .headers = {}})).has_value());
    co_await http.stop();
    HttpClient nobody(executor, http.endpoint().port() != 0 ? fixture::loopback(1) : fixture::loopback(1), "x");
    CHECK((co_await nobody.call({.target = "/", .body = {}, .headers = {}})).error() ==
          asio::error::connection_refused);
  });
}

TEST_CASE("a drain serves on and closes a connection only after an answer") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    HttpClient early(executor, http.endpoint(), "x");
    CHECK((co_await early.call({.target = "/a", .body = {}, .headers = {}})).has_value());
    http.server.begin_drain();
    HttpClient late(executor, http.endpoint(), "x");
    for (auto* client : {&early, &late}) {
      const auto reply = co_await client->call({.method = "POST", .target = "/a", .body = {}, .headers = {}});
      REQUIRE(reply.has_value());
      CHECK(reply->headers.get("connection") == "close");
    }
    CHECK(co_await eventually([&] { return http.server.counters().open_connections == 0; }));
    http.server.end_idle();
    co_await http.server.drained();
    co_await http.stop();
  });
}

TEST_CASE("at the end of a drain idle connections end at once and running requests are finished") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    HttpClient idle(executor, http.endpoint(), "x");
    HttpClient busy(executor, http.endpoint(), "x");
    CHECK((co_await idle.call({.target = "/a", .body = {}, .headers = {}})).has_value());
    std::optional<base::Result<HttpReply>> reply;
    TaskGroup calls(executor);
    calls.spawn(call_into(&busy, {.target = "/slow", .body = {}, .headers = {}}, &reply));
    CHECK(co_await eventually([&] { return http.server.counters().running_requests == 1; }));
    http.port.listener.stop_accepting();
    http.server.begin_drain();
    http.server.end_idle();
    // On a machine that stood still meanwhile the running request may have ended too.
    CHECK(co_await eventually([&] { return http.server.counters().open_connections <= 1; }));
    co_await http.server.drained();
    co_await calls.join();
    REQUIRE(reply);
    REQUIRE(reply->has_value());
    CHECK((*reply)->headers.get("connection") == "close");
    co_await http.stop();
  });
}

TEST_CASE("many connections are served side by side") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    HttpPort http(executor);
    std::vector<std::unique_ptr<HttpClient>> clients;
    std::vector<std::optional<base::Result<HttpReply>>> replies(64);
    TaskGroup calls(executor);
    const auto before = now();
    for (auto& reply : replies) {
      clients.push_back(std::make_unique<HttpClient>(executor, http.endpoint(), "x"));
      calls.spawn(call_into(clients.back().get(), {.target = "/slow", .body = {}, .headers = {}}, &reply));
    }
    co_await calls.join();
    CHECK(now() - before < base::seconds(5));
    CHECK(std::ranges::all_of(replies, [](const auto& reply) { return reply && reply->has_value(); }));
    co_await http.stop();
  });
}

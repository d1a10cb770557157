// An HTTP server on a loopback port with a handler that tells what it was asked.
#pragma once

#include <string>

#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "net/reactor_fixture.hpp"

namespace whitewater::net::fixture {

// "METHOD target body", or what the path names.
class TellingHandler final : public HttpHandler {
 public:
  Awaitable<HttpResponse> handle(HttpRequest request) override {
    ++call_count;
    last_headers = request.headers;
    HttpResponse response{.content_type = "text/plain", .body = {}, .headers = {}};
    if (request.is_body_too_large) {
      response.status = 429;
      response.body = "too large: " + std::to_string(request.content_length.value_or(0));
      co_return response;
    }
    if (request.path() == "/slow") co_await sleep_for(base::milliseconds(150));
    if (request.path() == "/close") response.close = true;
    if (request.path() == "/large") {
      response.body.assign(1UL << 20, 'L');
      co_return response;
    }
    if (request.path() == "/empty") {
      response.status = 204;
      response.content_type.clear();
      co_return response;
    }
    response.body = request.method + " " + request.target + " " + request.body;
    co_return response;
  }

  int call_count = 0;
  HttpHeaders last_headers;
};

struct HttpPort {
  explicit HttpPort(Executor executor, HttpServerOptions options = {})
      : server(executor, handler, watchdog, options),
        port(executor, {.peer = nullptr, .http1 = &server, .http2 = nullptr}, watchdog) {}
  Awaitable<void> stop() { co_await port.stop(); }
  [[nodiscard]] Endpoint endpoint() const { return port.endpoint(); }
  [[nodiscard]] Awaitable<std::string> talk(std::string bytes, base::Duration limit = base::seconds(5)) const {
    return fixture::talk(endpoint(), std::move(bytes), limit);
  }

  Watchdog watchdog;
  TellingHandler handler;
  HttpServer server;
  Port port;
};

}  // namespace whitewater::net::fixture

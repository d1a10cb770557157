// HttpServer: HTTP/1.1 on accepted connections, one coroutine each. Parses with Beast, calls the handler, writes each
// response in one system call. Keep-alive, pipelining (answered in order), chunked request bodies, Expect:
// 100-continue, HEAD. Every wait has a deadline and every size a limit. Owned by the server; runs on the reactor
// thread. Knows no paths: that is api.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/log_line.hpp"
#include "net/event.hpp"
#include "net/http_message.hpp"
#include "net/stream_handler.hpp"
#include "net/watchdog.hpp"

namespace whitewater::net {

struct HttpServerOptions {
  // etcd takes 2 MiB of request; base64 makes that 2.67 MiB of JSON. Above it a request reaches the handler without its
  // body.
  std::size_t body_bytes_max = 3UL << 20;
  std::uint32_t header_bytes_max = 64U << 10;
  base::Duration idle_timeout = base::seconds(120);   // between requests
  base::Duration header_timeout = base::seconds(10);  // from the first byte of a request to the end of its header
  base::Duration body_timeout = base::seconds(60);
  base::Duration write_timeout = base::seconds(30);
  // A refused body is read and thrown away up to here, so that the client sees the answer instead of a reset.
  std::size_t discard_bytes_max = 16UL << 20;
  base::Duration discard_timeout = base::seconds(2);
};

struct HttpServerCounters {
  std::uint64_t connections = 0;  // ever
  std::uint64_t requests = 0;
  std::uint64_t bad_requests = 0;  // not HTTP, or over a limit
  std::uint64_t timeouts = 0;      // connections ended by a deadline, idle ones included
  std::uint64_t received_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::size_t running_requests = 0;  // now
  std::size_t open_connections = 0;  // now
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Exactly one response per request. An exception other than cancellation ends the process: answer refusals with a
  // status.
  virtual Awaitable<HttpResponse> handle(HttpRequest request) = 0;
};

class HttpServer final : public StreamHandler {
 public:
  HttpServer(Executor executor, HttpHandler& handler, Watchdog& watchdog, HttpServerOptions options = {});
  ~HttpServer() override;

  Awaitable<void> serve(TcpSocket socket, std::string head) override;

  // From here on every response says "Connection: close": clients go elsewhere, and lose nothing by it, because a
  // connection ends only after an answer.
  void begin_drain() { is_draining_ = true; }
  // After begin_drain(): idle connections end, on which a client may send at this very moment.
  void end_idle();
  // Waits until no connection is left. Call begin_drain() first; bound it with a time-out, or with end_idle() and
  // cancellation of the connections.
  Awaitable<void> drained();

  [[nodiscard]] const HttpServerCounters& counters() const { return counters_; }

 private:
  class Session;
  friend class Session;
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  // Of this second, formatted once in it.
  [[nodiscard]] std::string_view date();

  HttpHandler& handler_;
  Watchdog& watchdog_;
  HttpServerOptions options_;
  HttpServerCounters counters_;
  boost::intrusive::list<Session, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>
      sessions_;
  bool is_draining_ = false;
  bool is_ending_ = false;
  Event session_ended_;
  std::string date_;
  std::int64_t date_second_ = 0;
};

}  // namespace whitewater::net

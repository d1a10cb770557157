// Listener: one port for everybody. Accepts, tells the protocol by the first bytes, and hands the connection to its
// handler. Clients can use up only their share of the connections: members always get through. Owned by the server;
// runs on the reactor thread. Does not parse any protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_line.hpp"
#include "net/sniff.hpp"
#include "net/stream_handler.hpp"
#include "net/task_group.hpp"

namespace whitewater::net {

struct ListenerOptions {
  std::size_t client_connections_max = 8192;
  // Accepted, protocol not known yet. Above it the oldest silent connection makes room, so that silence never keeps a
  // member out.
  std::size_t unsniffed_connections_max = 512;
  int backlog = 1024;
  base::Duration sniff_timeout = base::seconds(5);  // a half-open connection ends after it
  base::Duration refusal_write_timeout = base::seconds(1);
  base::Duration accept_pause = base::milliseconds(100);  // after EMFILE, ENOBUFS and the like
};

struct ListenerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t accept_errors = 0;
  std::uint64_t refused_full = 0;     // over a connection limit
  std::uint64_t evicted_silent = 0;   // closed before they had spoken, to make room
  std::uint64_t refused_unknown = 0;  // garbage, TLS on a plain port, a protocol without a handler
  std::uint64_t sniff_timeouts = 0;
  std::size_t client_connections = 0;  // now
  std::size_t peer_connections = 0;    // now
};

// Handlers outlive the listener; a null one refuses its protocol.
struct ListenerHandlers {
  StreamHandler* peer = nullptr;
  StreamHandler* http1 = nullptr;
  StreamHandler* http2 = nullptr;
};

// Resolves and checks "host:port"; an empty host means every address. FatalError(ExitCode::network) when it is not
// usable.
[[nodiscard]] Endpoint parse_listen_address(std::string_view address);

class Listener {
 public:
  // Binds every endpoint. FatalError(ExitCode::network) with the cause and the next step when one cannot be bound.
  Listener(Executor executor, const std::vector<Endpoint>& endpoints, ListenerHandlers handlers, base::LogSink& sink,
           ListenerOptions options = {});
  ~Listener();

  // Accepts and serves until cancelled, or until stop_accepting() and the last connection ended.
  Awaitable<void> run();
  // Closes the listening sockets; connections go on, also those that were only waiting to be accepted.
  void stop_accepting();
  // Some connection is accepted and has not said yet what it speaks.
  [[nodiscard]] bool has_silent() const { return !silent_.empty(); }

  // As bound: with the port that the kernel chose for port 0.
  [[nodiscard]] std::vector<Endpoint> endpoints() const;
  [[nodiscard]] const ListenerCounters& counters() const { return counters_; }

 private:
  class Silent;
  void take_backlog(TcpAcceptor& acceptor);
  Awaitable<void> accept_loop(TcpAcceptor* acceptor);
  Awaitable<void> serve(TcpSocket socket);
  Awaitable<void> serve_client(Protocol protocol, TcpSocket socket, std::string head);
  Awaitable<void> refuse(TcpSocket socket, std::string text);

  Executor executor_;
  ListenerHandlers handlers_;
  base::LogSink& sink_;
  ListenerOptions options_;
  std::vector<TcpAcceptor> acceptors_;
  TaskGroup connections_;
  ListenerCounters counters_;
  std::list<Silent*> silent_;  // in the order of their acceptance
  bool is_stopping_ = false;
};

// For a build that serves no gRPC: answers the preface with SETTINGS and GOAWAY(HTTP_1_1_REQUIRED), so that a client
// library reports the cause instead of a broken connection.
class Http2Refuser final : public StreamHandler {
 public:
  Awaitable<void> serve(TcpSocket socket, std::string head) override;
};

}  // namespace whitewater::net

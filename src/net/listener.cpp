#include "net/listener.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "base/assert.hpp"
#include "net/frame.hpp"
#include "net/socket_util.hpp"
#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

// The sniffer reads what is there, so that a small request is complete after one system call.
constexpr std::size_t head_bytes_max = 4096;
static_assert(head_bytes_max >= sniff_bytes_max);
static_assert(head_bytes_max < FrameDecoder::buffer_bytes_default);
constexpr base::Duration http2_linger = base::seconds(1);

struct Head {
  Protocol protocol = Protocol::need_more;
  std::string bytes;
};

Awaitable<base::Result<Head>> read_head(TcpSocket* socket) {
  Head head;
  std::array<char, head_bytes_max> buffer;
  while (head.protocol == Protocol::need_more) {
    WW_ASSERT(head.bytes.size() < sniff_bytes_max);
    const auto [error, size] = co_await socket->async_read_some(asio::buffer(buffer), as_result);
    if (error) co_return error;
    head.bytes.append(buffer.data(), size);
    head.protocol = sniff(head.bytes);
  }
  co_return head;
}

bool is_text(std::string_view bytes) {
  return std::ranges::all_of(bytes,
                             [](char c) { return (c >= ' ' && c <= '~') || c == '\r' || c == '\n' || c == '\t'; });
}

std::string plain_answer(std::string_view status, std::string_view text) {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n");
  out.append("Content-Length: ").append(std::to_string(text.size())).append("\r\n\r\n").append(text);
  return out;
}

// What a connection that nobody serves is told. Nothing, where no words would be understood.
std::string refusal_text(Protocol protocol, std::string_view head) {
  switch (protocol) {
    case Protocol::tls:
      // Go's clients look for exactly an HTTP answer here and report "server gave HTTP response to HTTPS client".
      return "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n";
    case Protocol::http1:
      return plain_answer("501 Not Implemented", "this port serves no HTTP/1.1\n");
    case Protocol::unknown:
      return is_text(head) ? plain_answer("400 Bad Request", "400 Bad Request") : std::string();
    case Protocol::need_more:
    case Protocol::peer:
    case Protocol::http2:
      return {};
  }
  return {};
}

bool is_resource_shortage(error_code error) {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory;
}

[[noreturn]] void fail_bind(const Endpoint& endpoint, error_code error) {
  namespace errc = boost::system::errc;
  std::string next = "check the address";
  if (error == errc::address_in_use) next = "another process listens there: stop it, or choose another address or port";
  if (error == errc::address_not_available) next = "no network interface of this machine has that address";
  if (error == errc::permission_denied) next = "ports below 1024 need the capability NET_BIND_SERVICE";
  throw base::FatalError(base::ExitCode::network,
                         "cannot listen on " + describe(endpoint) + ": " + error.message() + "; " + next);
}

TcpAcceptor bind(Executor executor, const Endpoint& endpoint, int backlog) {
  TcpAcceptor acceptor(executor);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(TcpAcceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(backlog, error);
  if (error) fail_bind(endpoint, error);
  return acceptor;
}

class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

// A connection that has not said yet what it is.
class Listener::Silent {
 public:
  Silent(Listener& listener, TcpSocket& socket) : listener_(listener), socket_(socket) {
    if (listener.silent_.size() >= listener.options_.unsniffed_connections_max) {
      ++listener.counters_.evicted_silent;
      listener.silent_.front()->evict();
    }
    place_ = listener.silent_.insert(listener.silent_.end(), this);
  }
  ~Silent() {
    if (is_listed_) listener_.silent_.erase(place_);
  }
  Silent(const Silent&) = delete;
  Silent& operator=(const Silent&) = delete;

 private:
  void evict() {
    listener_.silent_.erase(place_);
    is_listed_ = false;
    abort_connection(socket_);
  }

  Listener& listener_;
  TcpSocket& socket_;
  std::list<Silent*>::iterator place_;
  bool is_listed_ = true;
};

Endpoint parse_listen_address(std::string_view address) {
  const auto fail = [&](std::string_view why) {
    throw base::FatalError(base::ExitCode::network, "the listen address \"" + std::string(address) + "\" " +
                                                        std::string(why) +
                                                        "; give it as 10.0.0.1:8090, [::1]:8090 or :8090");
  };
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) fail("has no port");
  auto host = address.substr(0, colon);
  const auto digits = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("has no valid port");
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty()) return {asio::ip::address_v4::any(), port};
  if (host == "localhost") return {asio::ip::address_v4::loopback(), port};
  error_code bad_address;
  const auto parsed = asio::ip::make_address(std::string(host), bad_address);
  if (bad_address) fail("has no valid IP address");
  return {parsed, port};
}

Listener::Listener(Executor executor, const std::vector<Endpoint>& endpoints, ListenerHandlers handlers,
                   base::LogSink& sink, ListenerOptions options)
    : executor_(executor), handlers_(handlers), sink_(sink), options_(options), connections_(executor) {
  WW_ASSERT(!endpoints.empty());
  acceptors_.reserve(endpoints.size());
  for (const auto& endpoint : endpoints) acceptors_.push_back(bind(executor_, endpoint, options_.backlog));
}

Listener::~Listener() { WW_ASSERT(silent_.empty()); }

std::vector<Endpoint> Listener::endpoints() const {
  std::vector<Endpoint> result;
  for (const auto& acceptor : acceptors_) {
    error_code error;
    const auto endpoint = acceptor.local_endpoint(error);
    if (!error) result.push_back(endpoint);
  }
  return result;
}

Awaitable<void> Listener::run() {
  for (auto& acceptor : acceptors_) connections_.spawn(accept_loop(&acceptor));
  co_await connections_.join();
}

void Listener::stop_accepting() {
  is_stopping_ = true;
  for (auto& acceptor : acceptors_) {
    take_backlog(acceptor);
    error_code ignored;
    acceptor.close(ignored);
  }
}

// Whom the kernel has connected already would be reset.
void Listener::take_backlog(TcpAcceptor& acceptor) {
  error_code error;
  acceptor.non_blocking(true, error);
  for (int n = 0; n < options_.backlog && !error; ++n) {
    auto socket = acceptor.accept(error);
    if (error) return;
    ++counters_.accepted;
    connections_.spawn(serve(std::move(socket)));
  }
}

Awaitable<void> Listener::accept_loop(TcpAcceptor* acceptor) {
  while (!is_stopping_) {
    auto [error, socket] = co_await acceptor->async_accept(as_result);
    if (!error) {
      ++counters_.accepted;
      connections_.spawn(serve(std::move(socket)));
      continue;
    }
    if (is_stopping_) co_return;
    ++counters_.accept_errors;
    // A connection that ended before it was accepted is nobody's problem; a shortage is, and must not spin.
    if (is_resource_shortage(error)) {
      sink_.warn("net", "cannot accept connections, raise the limit of open files",
                 {{"cause", error.message()}, {"errors", counters_.accept_errors}});
      co_await sleep_for(options_.accept_pause);
    } else if (error != boost::system::errc::connection_aborted) {
      co_await sleep_for(options_.accept_pause);
    }
  }
}

Awaitable<void> Listener::serve(TcpSocket socket) {
  base::Result<Head> head = base::Errc::timed_out;
  {
    const Silent silent(*this, socket);
    head = co_await with_timeout(read_head(&socket), options_.sniff_timeout);
  }
  if (head.has_error()) {
    if (head.error() == base::Errc::timed_out) ++counters_.sniff_timeouts;
    co_return;
  }
  if (head->protocol == Protocol::peer && handlers_.peer != nullptr) {
    const Counted peers(counters_.peer_connections);
    co_await handlers_.peer->serve(std::move(socket), std::move(head->bytes));
    co_return;
  }
  const Counted clients(counters_.client_connections);
  if (counters_.client_connections > options_.client_connections_max) {
    ++counters_.refused_full;
    const bool speaks_http1 = head->protocol == Protocol::http1;
    co_await refuse(std::move(socket),
                    speaks_http1 ? plain_answer("503 Service Unavailable", "too many connections\n") : std::string());
    co_return;
  }
  co_await serve_client(head->protocol, std::move(socket), std::move(head->bytes));
}

Awaitable<void> Listener::serve_client(Protocol protocol, TcpSocket socket, std::string head) {
  StreamHandler* handler = nullptr;
  if (protocol == Protocol::http1) handler = handlers_.http1;
  if (protocol == Protocol::http2) handler = handlers_.http2;
  if (handler != nullptr) {
    co_await handler->serve(std::move(socket), std::move(head));
    co_return;
  }
  ++counters_.refused_unknown;
  co_await refuse(std::move(socket), refusal_text(protocol, head));
}

Awaitable<void> Listener::refuse(TcpSocket socket, std::string text) {
  if (text.empty()) co_return;
  const auto [error, size] =
      co_await asio::async_write(socket, asio::buffer(text), within(options_.refusal_write_timeout));
  if (error || size != text.size()) co_return;
  co_await close_politely(&socket, refusal_discard_bytes_max, options_.refusal_write_timeout);
}

Awaitable<void> Http2Refuser::serve(TcpSocket socket, std::string head) {
  WW_ASSERT(!head.empty());
  // RFC 9113 §6.5 and §6.8: an empty SETTINGS frame, then GOAWAY with last stream 0 and HTTP_1_1_REQUIRED.
  static constexpr std::string_view answer{
      "\0\0\0\4\0\0\0\0\0"
      "\0\0\x8\7\0\0\0\0\0"
      "\0\0\0\0\0\0\0\xd",
      26};
  const auto [error, size] = co_await asio::async_write(socket, asio::buffer(answer), within(http2_linger));
  if (error || size != answer.size()) co_return;
  co_await close_politely(&socket, refusal_discard_bytes_max, http2_linger);
}

}  // namespace whitewater::net

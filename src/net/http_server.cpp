#include "net/http_server.hpp"

#include <array>
#include <boost/asio/write.hpp>
#include <ctime>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "net/http_parser.hpp"
#include "net/read_buffer.hpp"
#include "net/socket_util.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t read_bytes_initial = 4UL << 10;
// Above the header limit by what a line of the chunked coding may take.
constexpr std::size_t read_bytes_slack = 4UL << 10;
// A body up to here is copied behind its header, so that both leave in one buffer.
constexpr std::size_t joined_body_bytes_max = 16UL << 10;
// What a connection keeps between requests; a larger block is given back.
constexpr std::size_t kept_bytes_max = 64UL << 10;
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

HttpResponse plain_response(unsigned status, std::string text) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::move(text),
          .headers = {},
          .close = true};
}

}  // namespace

// One connection: read a request, have it handled, write the response, until one side ends it.
class HttpServer::Session : public HttpServer::Hook {
 public:
  Session(HttpServer& server, TcpSocket socket, std::string_view head)
      : server_(server),
        socket_(std::move(socket)),
        buffer_(read_bytes_initial, server.options_.header_bytes_max + read_bytes_slack),
        deadline_(server.watchdog_, [this] { abort_connection(socket_); }) {
    set_stream_options(socket_);
    buffer_.append(head);
    ++server_.counters_.connections;
    ++server_.counters_.open_connections;
  }
  ~Session() {
    --server_.counters_.open_connections;
    if (deadline_.has_expired()) ++server_.counters_.timeouts;
    unlink();
    server_.session_ended_.notify();
  }

  Awaitable<void> run();
  [[nodiscard]] bool is_idle() const { return is_idle_; }
  void end() { abort_connection(socket_); }

 private:
  enum class Got { request, closed, bad_header, bad, too_large };

  Awaitable<Got> read_request();
  Awaitable<bool> read_more();
  Awaitable<bool> maybe_continue();
  Awaitable<bool> respond(HttpResponse response, bool keep_alive);
  Awaitable<bool> handle(bool is_too_large);
  Awaitable<void> refuse(Got got);
  Got parse(bool& needs_more);
  HttpRequest take_request(bool is_too_large);

  HttpServer& server_;
  TcpSocket socket_;
  ReadBuffer buffer_;
  Deadline deadline_;
  std::optional<HttpRequestParser> parser_;
  std::string out_;
  bool is_idle_ = false;
  bool is_header_seen_ = false;
  bool is_head_ = false;  // the request's method is HEAD: the response has no body
};

HttpServer::HttpServer(Executor executor, HttpHandler& handler, Watchdog& watchdog, HttpServerOptions options)
    : handler_(handler), watchdog_(watchdog), options_(options), session_ended_(executor) {}

HttpServer::~HttpServer() { WW_ASSERT_MSG(sessions_.empty(), "the server outlives its connections"); }

Awaitable<void> HttpServer::serve(TcpSocket socket, std::string head) {
  Session session(*this, std::move(socket), head);
  sessions_.push_back(session);
  co_await session.run();
}

void HttpServer::end_idle() {
  WW_ASSERT(is_draining_);
  is_ending_ = true;
  for (auto& session : sessions_) {
    if (session.is_idle()) session.end();
  }
}

Awaitable<void> HttpServer::drained() {
  WW_ASSERT(is_draining_);
  while (!sessions_.empty()) co_await session_ended_.wait();
}

std::string_view HttpServer::date() {
  const auto second = static_cast<std::int64_t>(::time(nullptr));
  if (second != date_second_) {
    date_second_ = second;
    date_ = format_http_date(second);
  }
  return date_;
}

Awaitable<void> HttpServer::Session::run() {
  for (;;) {
    const auto got = co_await read_request();
    if (got == Got::closed) co_return;
    if (got == Got::bad || got == Got::bad_header) {
      co_await refuse(got);
      break;
    }
    if (!co_await handle(got == Got::too_large)) break;
  }
  deadline_.arm(server_.options_.discard_timeout * 2);
  co_await close_politely(&socket_, server_.options_.discard_bytes_max, server_.options_.discard_timeout);
}

Awaitable<HttpServer::Session::Got> HttpServer::Session::read_request() {
  parser_.emplace(HttpLimits{server_.options_.body_bytes_max, server_.options_.header_bytes_max});
  is_header_seen_ = false;
  if (buffer_.empty()) {
    if (server_.is_ending_) co_return Got::closed;
    is_idle_ = true;
    deadline_.arm(server_.options_.idle_timeout);
    const bool has_read = co_await read_more();
    is_idle_ = false;
    if (!has_read) co_return Got::closed;
  }
  bool is_body_started = false;
  bool needs_more = false;
  auto got = parse(needs_more);
  // The usual request is complete by now, and costs no second deadline.
  if (needs_more) deadline_.arm(server_.options_.header_timeout);
  while (needs_more) {
    if (is_header_seen_ && !std::exchange(is_body_started, true)) {
      deadline_.arm(server_.options_.body_timeout);
      if (!co_await maybe_continue()) co_return Got::closed;
    }
    if (buffer_.is_full()) co_return is_header_seen_ ? Got::bad : Got::bad_header;
    if (!co_await read_more()) co_return Got::closed;
    got = parse(needs_more);
  }
  co_return got;
}

Awaitable<bool> HttpServer::Session::read_more() {
  const auto room = buffer_.prepare();
  const auto [error, size] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), as_result);
  if (error || deadline_.has_expired()) co_return false;
  buffer_.commit(size);
  server_.counters_.received_bytes += size;
  co_return true;
}

// Feeds the parser with what is there. The header and the body are separate steps of Beast's parser.
HttpServer::Session::Got HttpServer::Session::parse(bool& needs_more) {
  needs_more = false;
  while (!parser_->is_done()) {
    if (buffer_.empty()) {
      needs_more = true;
      return Got::closed;
    }
    error_code error;
    const auto bytes = buffer_.view();
    const auto used = parser_->put(asio::const_buffer(bytes.data(), bytes.size()), error);
    buffer_.consume(used);
    is_header_seen_ = parser_->is_header_done();
    if (error == http::error::need_more) {
      needs_more = true;
      return Got::closed;
    }
    if (error == http::error::body_limit) return Got::too_large;
    if (error == http::error::header_limit) return Got::bad_header;
    if (error) return Got::bad;
    // Its length says it all: not a byte of it has to be read, nor be asked for with 100-continue.
    const auto length = is_header_seen_ ? parser_->content_length() : boost::none;
    if (length && *length > server_.options_.body_bytes_max) return Got::too_large;
  }
  return Got::request;
}

Awaitable<bool> HttpServer::Session::maybe_continue() {
  const bool is_expected = parser_->headers.get("Expect") == "100-continue" && parser_->version == 11;
  if (!is_expected || !buffer_.empty() || !parser_->body.empty()) co_return true;
  const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(continue_line), as_result);
  server_.counters_.sent_bytes += size;
  co_return !error && !deadline_.has_expired();
}

HttpRequest HttpServer::Session::take_request(bool is_too_large) {
  HttpRequest request;
  request.method = std::move(parser_->method);
  request.target = std::move(parser_->target);
  request.headers = std::move(parser_->headers);
  if (const auto length = parser_->content_length()) request.content_length = *length;
  request.is_body_too_large = is_too_large;
  if (!is_too_large) request.body = std::move(parser_->body);
  request.received_at = now();
  return request;
}

Awaitable<bool> HttpServer::Session::handle(bool is_too_large) {
  deadline_.disarm();
  const bool is_head = parser_->method == "HEAD";
  const bool wants_more = parser_->keep_alive() && !is_too_large;
  ++server_.counters_.requests;
  ++server_.counters_.running_requests;
  struct Running {
    std::size_t& count;
    ~Running() { --count; }
  } const running{server_.counters_.running_requests};
  auto response = co_await server_.handler_.handle(take_request(is_too_large));
  const bool keep_alive = wants_more && !response.close && !server_.is_draining_;
  is_head_ = is_head;
  const bool is_sent = co_await respond(std::move(response), keep_alive);
  co_return is_sent&& keep_alive;
}

Awaitable<bool> HttpServer::Session::respond(HttpResponse response, bool keep_alive) {
  out_.clear();
  append_head(response, {.version = parser_->version, .keep_alive = keep_alive, .date = server_.date()}, out_);
  const bool has_body = !is_head_ && !is_bodiless(response.status);
  const bool is_joined = has_body && response.body.size() <= joined_body_bytes_max;
  if (is_joined) out_.append(response.body);
  deadline_.arm(server_.options_.write_timeout);
  error_code failure;
  std::size_t sent_bytes = 0;
  if (!has_body || is_joined) {
    const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(out_), as_result);
    failure = error;
    sent_bytes = size;
  } else {
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(out_), asio::buffer(response.body)};
    const auto [error, size] = co_await asio::async_write(socket_, parts, as_result);
    failure = error;
    sent_bytes = size;
  }
  server_.counters_.sent_bytes += sent_bytes;
  if (out_.capacity() > kept_bytes_max) std::string().swap(out_);
  co_return !failure && !deadline_.has_expired();
}

Awaitable<void> HttpServer::Session::refuse(Got got) {
  ++server_.counters_.bad_requests;
  const bool is_header = got == Got::bad_header;
  is_head_ = false;
  (void)co_await respond(
      plain_response(is_header ? 431 : 400, is_header ? "431 Request Header Fields Too Large" : "400 Bad Request"),
      false);
}

}  // namespace whitewater::net

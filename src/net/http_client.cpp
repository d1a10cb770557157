#include "net/http_client.hpp"

#include <boost/asio/write.hpp>
#include <utility>

#include "base/assert.hpp"
#include "net/http_parser.hpp"
#include "net/socket_util.hpp"
#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t read_bytes_initial = 16UL << 10;

bool is_safe_to_repeat(const HttpCall& request) { return request.method == "GET" || request.method == "HEAD"; }

base::Errc to_errc(error_code error) {
  if (error == http::error::body_limit || error == http::error::header_limit) return base::Errc::limit_exceeded;
  return base::Errc::malformed;
}

// A cut by the time-out stays what it is; every other end of the connection is the same to the caller.
error_code lost(error_code error) {
  return net::is_cancelled(error) ? error : make_error_code(base::Errc::connection_lost);
}

}  // namespace

HttpClient::HttpClient(Executor executor, Endpoint endpoint, std::string host, HttpClientOptions options)
    : socket_(executor),
      endpoint_(std::move(endpoint)),
      host_(std::move(host)),
      options_(options),
      buffer_(read_bytes_initial, options.header_bytes_max + read_bytes_initial) {
  WW_ASSERT(is_field_text(host_));
}

void HttpClient::close() {
  error_code ignored;
  socket_.close(ignored);
  buffer_.clear();
}

Awaitable<base::Result<HttpReply>> HttpClient::call(HttpCall request) {
  const bool was_connected = is_connected();
  auto reply = co_await with_timeout(attempt(&request), options_.connect_timeout + options_.request_timeout);
  if (reply.has_error()) close();
  const bool is_repeatable = was_connected && !has_received_ && is_safe_to_repeat(request);
  if (reply.has_error() && reply.error() == base::Errc::connection_lost && is_repeatable) {
    reply = co_await with_timeout(attempt(&request), options_.connect_timeout + options_.request_timeout);
    if (reply.has_error()) close();
  }
  co_return reply;
}

void HttpClient::write_request(const HttpCall& request) {
  out_.clear();
  out_.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ").append(host_);
  for (const auto& [name, value] : request.headers) {
    WW_ASSERT(is_field_text(name));
    WW_ASSERT(is_field_text(value));
    out_.append("\r\n").append(name).append(": ").append(value);
  }
  if (!request.body.empty() || !is_safe_to_repeat(request)) {
    out_.append("\r\nContent-Length: ").append(std::to_string(request.body.size()));
  }
  out_.append("\r\n\r\n").append(request.body);
}

Awaitable<base::Result<HttpReply>> HttpClient::attempt(const HttpCall* request) {
  has_received_ = false;
  if (!is_connected()) {
    const auto [error] = co_await socket_.async_connect(endpoint_, within(options_.connect_timeout));
    if (net::is_cancelled(error)) co_return base::Errc::timed_out;
    if (error) co_return error;
    set_stream_options(socket_);
  }
  write_request(*request);
  const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(out_), as_result);
  if (error) co_return lost(error);
  WW_ASSERT(size == out_.size());
  co_return co_await read_reply(request->method == "HEAD");
}

Awaitable<base::Result<HttpReply>> HttpClient::read_reply(bool is_head) {
  HttpResponseParser parser(HttpLimits{options_.body_bytes_max, options_.header_bytes_max});
  parser.skip(is_head);
  parser.eager(true);
  while (!parser.is_done()) {
    error_code error = http::error::need_more;
    if (!buffer_.empty()) {
      const auto bytes = buffer_.view();
      buffer_.consume(parser.put(asio::const_buffer(bytes.data(), bytes.size()), error));
    }
    if (parser.is_done()) break;
    if (error && error != http::error::need_more) co_return to_errc(error);
    if (buffer_.is_full()) co_return base::Errc::limit_exceeded;
    const auto room = buffer_.prepare();
    const auto [failure, size] = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), as_result);
    if (failure == asio::error::eof && parser.got_some()) {
      parser.put_eof(error);
      if (error) co_return base::Errc::connection_lost;
      continue;
    }
    if (failure) co_return lost(failure);
    buffer_.commit(size);
    has_received_ = true;
  }
  HttpReply reply{.status = parser.status, .headers = std::move(parser.headers), .body = std::move(parser.body)};
  if (!parser.keep_alive()) close();
  co_return reply;
}

}  // namespace whitewater::net

// KubernetesConnection: one HTTPS/1.1 connection to an API server: an answer as a whole, or the lines of a chunked
// stream as they come. The server proves its name, or its address, with a certificate of the given authorities. Owned
// by a KubernetesClient, reactor thread; one request at a time. No time-outs of its own: its caller cancels. Does not
// read files and does not resolve names.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <string>

#include "net/http_parser.hpp"
#include "net/reactor.hpp"
#include "net/read_buffer.hpp"

namespace whitewater::discovery {

class KubernetesConnection {
 public:
  explicit KubernetesConnection(net::Executor executor);
  ~KubernetesConnection();
  KubernetesConnection(const KubernetesConnection&) = delete;
  KubernetesConnection& operator=(const KubernetesConnection&) = delete;

  // `host` is a name or an address without brackets. Any failure is connection_lost, or operation_aborted when it was
  // cancelled; error_text() says what it was.
  net::Awaitable<base::Result<void>> connect(net::Endpoint endpoint, std::string host, std::string ca_bundle);
  // Sends a request and reads the head of its answer, or with `is_whole` all of it; then status(), header(), body().
  // connection_lost, malformed, limit_exceeded.
  net::Awaitable<base::Result<void>> exchange(std::string request, std::size_t body_bytes_max, bool is_whole);
  // The next line of the body, without its end; nothing after the last one. Errors as exchange(); a line that the end
  // of the connection cut is dropped.
  net::Awaitable<base::Result<std::optional<std::string>>> read_line();
  void close();

  [[nodiscard]] bool is_connected() const { return stream_ != nullptr; }
  // Some byte of an answer came since the last request.
  [[nodiscard]] bool has_received() const { return has_received_; }
  [[nodiscard]] unsigned status() const { return parser_->status; }
  [[nodiscard]] std::string_view header(std::string_view name) const { return parser_->headers.get(name); }
  [[nodiscard]] std::string take_body() { return std::move(parser_->body); }
  [[nodiscard]] bool is_kept_alive() const { return parser_->is_done() && parser_->keep_alive(); }
  [[nodiscard]] const std::string& error_text() const { return error_text_; }

 private:
  using Stream = boost::asio::ssl::stream<net::TcpSocket>;
  base::Result<void> prepare_stream(const std::string& host, const std::string& ca_bundle);
  net::Awaitable<base::Result<void>> read_more();
  base::Result<void> parse();
  net::error_code fail(std::string what, const net::error_code& error);

  net::Executor executor_;
  std::unique_ptr<boost::asio::ssl::context> context_;
  std::unique_ptr<Stream> stream_;
  std::optional<net::HttpResponseParser> parser_;
  net::ReadBuffer buffer_;
  std::size_t scanned_bytes_ = 0;  // of the body, without a line's end
  bool has_received_ = false;
  std::string error_text_;
};

}  // namespace whitewater::discovery

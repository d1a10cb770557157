#include "discovery/kubernetes_connection.hpp"

#include <openssl/x509_vfy.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/assert.hpp"
#include "discovery/candidate.hpp"
#include "net/socket_util.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;

namespace {

constexpr std::size_t read_bytes_initial = 16UL << 10;
constexpr std::uint32_t header_bytes_max = 64U << 10;
constexpr base::Duration user_timeout = base::seconds(30);  // or a half-open watch hangs for hours

}  // namespace

KubernetesConnection::KubernetesConnection(net::Executor executor)
    : executor_(executor), buffer_(read_bytes_initial, header_bytes_max + read_bytes_initial) {}

KubernetesConnection::~KubernetesConnection() = default;

void KubernetesConnection::close() {
  stream_.reset();  // without a farewell: nothing that was asked depends on one
  context_.reset();
  buffer_.clear();
}

net::error_code KubernetesConnection::fail(std::string what, const net::error_code& error) {
  close();
  if (net::is_cancelled(error)) return error;
  error_text_ = std::move(what) + ": " + error.message();
  return Errc::connection_lost;
}

Result<void> KubernetesConnection::prepare_stream(const std::string& host, const std::string& ca_bundle) {
  net::error_code error;
  context_ = std::make_unique<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context_->native_handle(), TLS1_2_VERSION);
  context_->add_certificate_authority(asio::buffer(ca_bundle), error);
  if (error) return fail("the CA bundle is not readable", error);
  stream_ = std::make_unique<Stream>(executor_, *context_);
  stream_->set_verify_mode(ssl::verify_peer, error);
  if (error) return fail("TLS", error);
  // Takes an address as well as a name, each from the alternative names of its own kind.
  const auto verify = [check = ssl::host_name_verification(host)](bool is_trusted, ssl::verify_context& certificate) {
    if (check(is_trusted, certificate)) return true;
    if (is_trusted) X509_STORE_CTX_set_error(certificate.native_handle(), X509_V_ERR_HOSTNAME_MISMATCH);
    return false;
  };
  stream_->set_verify_callback(verify, error);
  if (error) return fail("TLS", error);
  if (!is_ip_literal(host)) SSL_set_tlsext_host_name(stream_->native_handle(), host.c_str());
  return {};
}

net::Awaitable<Result<void>> KubernetesConnection::connect(net::Endpoint endpoint, std::string host,
                                                           std::string ca_bundle) {
  close();
  if (const auto prepared = prepare_stream(host, ca_bundle); !prepared) co_return prepared.error();
  const auto place = net::describe(endpoint);
  const auto [error] = co_await stream_->next_layer().async_connect(endpoint, net::as_result);
  if (error) co_return fail("no connection to " + place, error);
  net::set_stream_options(stream_->next_layer(), user_timeout);
  const auto [tls_error] = co_await stream_->async_handshake(ssl::stream_base::client, net::as_result);
  if (tls_error) {
    const auto verdict = SSL_get_verify_result(stream_->native_handle());
    const auto reason = verdict == X509_V_OK ? "" : std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
    co_return fail("TLS with " + place + reason, tls_error);
  }
  co_return Result<void>();
}

net::Awaitable<Result<void>> KubernetesConnection::exchange(std::string request, std::size_t body_bytes_max,
                                                            bool is_whole) {
  WW_ASSERT(is_connected());
  has_received_ = false;
  scanned_bytes_ = 0;
  parser_.emplace(net::HttpLimits{body_bytes_max, header_bytes_max});
  parser_->eager(true);
  const auto [error, size] = co_await asio::async_write(*stream_, asio::buffer(request), net::as_result);
  if (error) co_return fail("sending a request", error);
  while (is_whole ? !parser_->is_done() : !parser_->is_header_done()) {
    if (const auto read = co_await read_more(); !read) co_return read.error();
  }
  co_return Result<void>();
}

// Waits for bytes and gives them to the parser.
net::Awaitable<Result<void>> KubernetesConnection::read_more() {
  if (!is_connected()) co_return Errc::connection_lost;
  if (buffer_.is_full()) co_return Errc::limit_exceeded;
  const auto room = buffer_.prepare();
  const auto [error, size] = co_await stream_->async_read_some(asio::buffer(room.data(), room.size()), net::as_result);
  if (error) {
    net::error_code parse_error;
    const bool is_body_until_end = parser_->is_header_done() && parser_->need_eof();
    if (!is_body_until_end || net::is_cancelled(error)) co_return fail("the connection was cut", error);
    parser_->put_eof(parse_error);
    close();
    if (parse_error) co_return Errc::connection_lost;
    co_return Result<void>();
  }
  buffer_.commit(size);
  has_received_ = true;
  co_return parse();
}

Result<void> KubernetesConnection::parse() {
  while (!buffer_.empty() && !parser_->is_done()) {
    net::error_code error;
    const auto bytes = buffer_.view();
    const auto size = parser_->put(asio::const_buffer(bytes.data(), bytes.size()), error);
    buffer_.consume(size);
    if (error == net::http::error::need_more) return {};
    if (error) {
      fail("the answer", error);
      return parser_->is_body_too_large || error == net::http::error::header_limit ? Errc::limit_exceeded
                                                                                   : Errc::malformed;
    }
    if (size == 0) return {};
  }
  return {};
}

net::Awaitable<Result<std::optional<std::string>>> KubernetesConnection::read_line() {
  WW_ASSERT(parser_.has_value());
  auto& body = parser_->body;
  while (true) {
    const auto end = body.find('\n', scanned_bytes_);
    if (end != std::string::npos) {
      std::string line = body.substr(0, end);
      body.erase(0, end + 1);
      scanned_bytes_ = 0;
      co_return line;
    }
    scanned_bytes_ = body.size();
    if (parser_->is_done()) {
      scanned_bytes_ = 0;
      if (body.empty()) co_return std::optional<std::string>();
      co_return std::exchange(body, {});  // the last line has no end
    }
    if (const auto read = co_await read_more(); !read) co_return read.error();
  }
}

}  // namespace whitewater::discovery

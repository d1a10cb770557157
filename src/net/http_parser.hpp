// Beast's incremental parser filling the plain structs of net/http_message.hpp: header fields into one string instead
// of one allocation each, the body into a string that is moved to the handler. One parser per message. No socket here.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <string>

#include "net/http_message.hpp"

namespace whitewater::net {

namespace http = boost::beast::http;

struct HttpLimits {
  std::size_t body_bytes_max = 0;
  std::uint32_t header_bytes_max = 0;
};

// What both directions have in common. A body over the limit ends the parse with http::error::body_limit.
template <bool is_request>
class HttpParser final : public http::basic_parser<is_request> {
 public:
  explicit HttpParser(HttpLimits limits);

  std::string method;
  std::string target;
  HttpHeaders headers;
  std::string body;
  unsigned status = 0;
  unsigned version = 11;
  bool is_body_too_large = false;

 private:
  using string_view = boost::beast::string_view;
  using error_code = boost::system::error_code;

  void on_request_impl(http::verb, string_view method_text, string_view target_text, int http_version,
                       error_code& error) override;
  void on_response_impl(int code, string_view, int http_version, error_code& error) override;
  void on_field_impl(http::field, string_view name, string_view value, error_code& error) override;
  void on_header_impl(error_code& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& content_length, error_code& error) override;
  std::size_t on_body_impl(string_view part, error_code& error) override;
  void on_chunk_header_impl(std::uint64_t size_bytes, string_view, error_code& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code& error) override;
  void on_finish_impl(error_code& error) override;
  bool check_body_limit(std::uint64_t size_bytes, error_code& error);

  std::size_t body_bytes_max_;
  bool is_header_over_ = false;  // fields that come now are a trailer's
};

using HttpRequestParser = HttpParser<true>;
using HttpResponseParser = HttpParser<false>;
extern template class HttpParser<true>;
extern template class HttpParser<false>;

}  // namespace whitewater::net

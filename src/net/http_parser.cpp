#include "net/http_parser.hpp"

#include <algorithm>
#include <boost/beast/http/error.hpp>

namespace whitewater::net {
namespace {

// A declared length is believed up to here; a longer body's memory comes as its bytes do.
constexpr std::uint64_t body_bytes_reserved_max = 64UL << 10;

}  // namespace

template <bool is_request>
HttpParser<is_request>::HttpParser(HttpLimits limits) : body_bytes_max_(limits.body_bytes_max) {
  this->header_limit(limits.header_bytes_max);
  // The limit is kept here, so that a message whose body is too large still shows its method and target.
  this->body_limit(boost::none);
}

template <bool is_request>
void HttpParser<is_request>::on_request_impl(http::verb, string_view method_text, string_view target_text,
                                             int http_version, error_code&) {
  method.assign(method_text.data(), method_text.size());
  target.assign(target_text.data(), target_text.size());
  version = static_cast<unsigned>(http_version);
}

template <bool is_request>
void HttpParser<is_request>::on_response_impl(int code, string_view, int http_version, error_code&) {
  status = static_cast<unsigned>(code);
  version = static_cast<unsigned>(http_version);
}

template <bool is_request>
void HttpParser<is_request>::on_field_impl(http::field, string_view name, string_view value, error_code&) {
  // A trailer's fields are dropped: nothing here may be decided by what comes after the body.
  if (is_header_over_) return;
  headers.add({name.data(), name.size()}, {value.data(), value.size()});
}

template <bool is_request>
void HttpParser<is_request>::on_header_impl(error_code&) {
  is_header_over_ = true;
}

template <bool is_request>
bool HttpParser<is_request>::check_body_limit(std::uint64_t size_bytes, error_code& error) {
  if (size_bytes <= body_bytes_max_) return true;
  is_body_too_large = true;
  error = http::make_error_code(http::error::body_limit);
  return false;
}

template <bool is_request>
void HttpParser<is_request>::on_body_init_impl(const boost::optional<std::uint64_t>& content_length,
                                               error_code& error) {
  if (!content_length) return;
  if (!check_body_limit(*content_length, error)) return;
  body.reserve(static_cast<std::size_t>(std::min(*content_length, body_bytes_reserved_max)));
}

template <bool is_request>
std::size_t HttpParser<is_request>::on_body_impl(string_view part, error_code& error) {
  if (!check_body_limit(body.size() + part.size(), error)) return 0;
  body.append(part.data(), part.size());
  return part.size();
}

template <bool is_request>
void HttpParser<is_request>::on_chunk_header_impl(std::uint64_t size_bytes, string_view, error_code& error) {
  // Compared without an addition that a chunk size near 2^64 would wrap.
  (void)check_body_limit(size_bytes > body_bytes_max_ ? size_bytes : body.size() + size_bytes, error);
}

template <bool is_request>
std::size_t HttpParser<is_request>::on_chunk_body_impl(std::uint64_t, string_view part, error_code& error) {
  return on_body_impl(part, error);
}

template <bool is_request>
void HttpParser<is_request>::on_finish_impl(error_code&) {}

template class HttpParser<true>;
template class HttpParser<false>;

}  // namespace whitewater::net

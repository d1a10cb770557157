// HTTP requests and responses as plain values, for handlers that know nothing of sockets, and the text of a response's
// head. Pure: the parser is net/http_parser.hpp, the server net/http_server.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace whitewater::net {

// Header fields in one string: two allocations per request, however many fields there are.
class HttpHeaders {
 public:
  void add(std::string_view name, std::string_view value);
  // Of the first field of that name, case ignored; empty when there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const;
  [[nodiscard]] std::size_t count() const { return fields_.size(); }
  [[nodiscard]] std::pair<std::string_view, std::string_view> at(std::size_t position) const;
  void clear();

 private:
  struct Field {
    std::uint32_t offset = 0;
    std::uint32_t name_bytes = 0;
    std::uint32_t value_bytes = 0;
  };
  [[nodiscard]] const Field* find(std::string_view name) const;
  std::string text_;
  std::vector<Field> fields_;
};

struct HttpRequest {
  std::string method;  // as sent: "GET", "POST", ...
  std::string target;  // path and query, as sent
  HttpHeaders headers;
  std::string body;
  // The body is over the server's limit and was not read: `body` is empty, `content_length` tells how large it said it
  // is, and the connection closes after the response (etcd answers 429 with code 8 here).
  bool is_body_too_large = false;
  std::optional<std::uint64_t> content_length;
  base::Instant received_at;  // when its last byte was read

  [[nodiscard]] std::string_view path() const;   // the target up to '?'
  [[nodiscard]] std::string_view query() const;  // after '?', empty when there is none
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";  // empty: no Content-Type field
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool close = false;  // end the connection after it
};

// "OK", "Not Found", ...; empty for an unknown status.
[[nodiscard]] std::string_view reason_phrase(unsigned status);
// True for the responses that never carry a body (1xx, 204, 304).
[[nodiscard]] bool is_bodiless(unsigned status);
// True when `value` may stand in a header field: no CR, LF or NUL.
[[nodiscard]] bool is_field_text(std::string_view value);

struct ResponseHead {
  unsigned version = 11;  // the request's: 10 or 11
  bool keep_alive = true;
  std::string_view date;  // IMF-fixdate, or empty for none
};
// Appends status line, fields and the empty line. Fields that would break the framing are left out.
void append_head(const HttpResponse& response, const ResponseHead& head, std::string& out);
// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string format_http_date(std::int64_t seconds_since_epoch);

}  // namespace whitewater::net

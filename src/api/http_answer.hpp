// HttpAnswer: a complete HTTP/1.1 answer as a value. Every function of this layer that answers a client returns one;
// the server layer writes it out and adds what belongs to the connection (Content-Length, Connection, cors_headers()).
// Pure data, no thread of its own, no knowledge of sockets.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whitewater::api {

struct HttpHeader {
  std::string_view name;  // always a literal
  std::string value;
  bool operator==(const HttpHeader&) const = default;
};

inline constexpr std::string_view content_type_json = "application/json";
inline constexpr std::string_view content_type_text = "text/plain; charset=utf-8";
inline constexpr std::string_view content_type_html = "text/html; charset=utf-8";
inline constexpr std::string_view content_type_metrics = "text/plain; version=0.0.4; charset=utf-8";

struct HttpAnswer {
  int status = 200;
  std::string_view content_type = content_type_text;  // empty: send no Content-Type
  bool is_rpc = false;  // came from a method behind the gateway: send "Grpc-Metadata-Content-Type: application/grpc"
  std::string body;
  std::vector<HttpHeader> headers;  // empty on the hot path
};

// What etcd adds to every answer of its client port while its list of allowed origins is the default "*".
[[nodiscard]] std::span<const HttpHeader> cors_headers();

}  // namespace whitewater::api

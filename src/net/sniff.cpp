#include "net/sniff.hpp"

#include <algorithm>
#include <array>

#include "net/frame.hpp"

namespace whitewater::net {
namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::array<std::string_view, 9> http1_methods = {"GET ",     "POST ",  "HEAD ",  "PUT ",    "DELETE ",
                                                           "OPTIONS ", "PATCH ", "TRACE ", "CONNECT "};
constexpr std::string_view tls_handshake{"\x16\x03", 2};

enum class Match { no, partly, whole };

Match match(std::string_view head, std::string_view pattern) {
  const auto shown = std::min(head.size(), pattern.size());
  if (head.substr(0, shown) != pattern.substr(0, shown)) return Match::no;
  return shown == pattern.size() ? Match::whole : Match::partly;
}

}  // namespace

Protocol sniff(std::string_view head) {
  bool is_open = false;
  const auto is_whole = [&](std::string_view pattern) {
    const auto found = match(head, pattern);
    is_open = is_open || found == Match::partly;
    return found == Match::whole;
  };
  if (is_whole(frame_magic)) return Protocol::peer;
  if (is_whole(http2_preface)) return Protocol::http2;
  if (is_whole(tls_handshake)) return Protocol::tls;
  for (const auto method : http1_methods) {
    if (is_whole(method)) return Protocol::http1;
  }
  return is_open ? Protocol::need_more : Protocol::unknown;
}

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::need_more:
      return "incomplete";
    case Protocol::peer:
      return "peer";
    case Protocol::http2:
      return "http2";
    case Protocol::http1:
      return "http1";
    case Protocol::tls:
      return "tls";
    case Protocol::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace whitewater::net

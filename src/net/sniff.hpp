// Tells the protocols of the one port apart by the first bytes of a connection. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace whitewater::net {

enum class Protocol {
  need_more,  // the bytes so far fit more than one
  peer,       // the magic of net/frame.hpp
  http2,      // the preface "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
  http1,      // a request line's method
  tls,        // a ClientHello
  unknown,
};

// No answer needs more bytes than this.
inline constexpr std::size_t sniff_bytes_max = 24;

[[nodiscard]] Protocol sniff(std::string_view head);
[[nodiscard]] std::string_view to_string(Protocol protocol);

}  // namespace whitewater::net

// One HTTP/1.1 request on one blocking connection, within a deadline. Plain POSIX sockets with poll, so that a client
// command opens no reactor and works where io_uring is refused; the answer is parsed by Beast. One connection per call,
// no reuse.
#pragma once

#include <chrono>
#include <string>
#include <variant>

#include "server/cli_protocol.hpp"

namespace whitewater::server {

using CliClock = std::chrono::steady_clock;

struct HttpReply {
  unsigned status = 0;
  std::string body;
};
struct HttpProblem {
  bool may_have_arrived = false;  // bytes of the request had left before it failed
  std::string text;
};

// Answers over this are refused; a range of everything is printed in one piece.
inline constexpr std::size_t cli_answer_bytes_max = 1UL << 30;

[[nodiscard]] std::variant<HttpReply, HttpProblem> http_call(const HostPort& endpoint, const CliRequest& request,
                                                             CliClock::time_point deadline);

}  // namespace whitewater::server

#include "server/cli_http.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace whitewater::server {
namespace {

namespace http = boost::beast::http;

// An address that swallows packets must not use up the time that the other endpoints need.
constexpr auto connect_timeout = std::chrono::seconds(2);
constexpr std::size_t read_bytes = 64UL << 10;
constexpr std::uint32_t header_bytes_max = 64U << 10;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// True when the socket is ready for `events`; false at the deadline.
bool wait_until_ready(int fd, short events, CliClock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - CliClock::now()).count();
    if (left <= 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // the next call on the socket names the error
  }
}

std::string error_text(int code) { return std::strerror(code); }

// Empty on success.
std::string connect_to(const Socket& socket, const addrinfo& address, CliClock::time_point deadline) {
  if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return error_text(errno);
  if (!wait_until_ready(socket.fd(), POLLOUT, deadline)) return "no answer to the connection attempt in time";
  int code = 0;
  socklen_t size = sizeof code;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &code, &size);
  return code == 0 ? std::string{} : error_text(code);
}

std::variant<Socket, HttpProblem> open_connection(const HostPort& endpoint, CliClock::time_point deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (code != 0) return HttpProblem{false, ::gai_strerror(code)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  std::string problem = "no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.fd() < 0) {
      problem = error_text(errno);
      continue;
    }
    problem = connect_to(socket, *address, std::min(deadline, CliClock::now() + connect_timeout));
    if (!problem.empty()) continue;
    const int on = 1;
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
  return HttpProblem{false, std::move(problem)};
}

std::string request_text(const HostPort& endpoint, const CliRequest& request) {
  std::string text = (request.body.empty() ? "GET " : "POST ") + request.path +
                     " HTTP/1.1\r\nHost: " + describe(endpoint) + "\r\nUser-Agent: whitewater\r\nConnection: close\r\n";
  if (!request.body.empty()) {
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

// Sends all; a server that answers early and closes (a refusal of a large body) is no failure of sending.
std::optional<HttpProblem> send_all(const Socket& socket, std::string_view text, CliClock::time_point deadline) {
  const std::size_t size = text.size();
  while (!text.empty()) {
    const ssize_t sent = ::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET) && text.size() < size) return std::nullopt;
    const bool must_wait = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (!must_wait) return HttpProblem{text.size() < size, error_text(errno)};
    if (!wait_until_ready(socket.fd(), POLLOUT, deadline))
      return HttpProblem{text.size() < size, "timed out while sending"};
  }
  return std::nullopt;
}

std::variant<HttpReply, HttpProblem> read_reply(const Socket& socket, CliClock::time_point deadline) {
  http::response_parser<http::string_body> parser;
  parser.body_limit(cli_answer_bytes_max);
  parser.header_limit(header_bytes_max);
  parser.eager(true);
  std::string pending;
  std::vector<char> chunk(read_bytes);
  boost::system::error_code code;
  while (!parser.is_done()) {
    const ssize_t got = ::recv(socket.fd(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!wait_until_ready(socket.fd(), POLLIN, deadline)) return HttpProblem{true, "no answer in time"};
      continue;
    }
    if (got < 0) return HttpProblem{true, error_text(errno)};
    if (got == 0) {
      if (!parser.got_some()) return HttpProblem{true, "the connection was closed without an answer"};
      parser.put_eof(code);
      if (code) return HttpProblem{true, "the connection was closed in the middle of the answer"};
      break;
    }
    pending.append(chunk.data(), static_cast<std::size_t>(got));
    while (!pending.empty() && !parser.is_done()) {
      const std::size_t used = parser.put(boost::asio::buffer(pending), code);
      pending.erase(0, used);
      if (code == http::error::need_more) break;
      if (code) return HttpProblem{true, "the answer is not HTTP (" + code.message() + ")"};
      if (used == 0) break;
    }
  }
  return HttpReply{parser.get().result_int(), std::move(parser.get().body())};
}

}  // namespace

std::variant<HttpReply, HttpProblem> http_call(const HostPort& endpoint, const CliRequest& request,
                                               CliClock::time_point deadline) {
  auto connection = open_connection(endpoint, deadline);
  if (auto* problem = std::get_if<HttpProblem>(&connection)) return std::move(*problem);
  const Socket& socket = std::get<Socket>(connection);
  if (auto problem = send_all(socket, request_text(endpoint, request), deadline)) return std::move(*problem);
  return read_reply(socket, deadline);
}

}  // namespace whitewater::server

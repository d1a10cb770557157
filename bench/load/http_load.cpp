#include "load/http_load.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "base/rng.hpp"

namespace whitewater::bench {
namespace {

constexpr std::size_t answer_bytes_max = 1UL << 20;

double now_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t block = 0;
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 3; ++j) {
      block = block << 8 | (j < n ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) out.push_back(j <= n ? digits[block >> (18 - 6 * j) & 63] : '=');
  }
  return out;
}

int connect_to(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("endpoint without a port: " + endpoint);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
  if (::inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error("not an IPv4 address: " + endpoint);
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string cause = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    throw std::runtime_error("cannot connect to " + endpoint + ": " + cause);
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// The value of a field of the head, case ignored.
std::string_view field_of(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    if (::strncasecmp(rest.data(), name.data(), name.size()) != 0) continue;
    std::string_view value = rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

struct Answer {
  bool is_complete = false;
  bool is_ok = false;
  std::string_view server_timing;
};

Answer parse_answer(std::string_view bytes) {
  Answer answer;
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return answer;
  const std::string_view head = bytes.substr(0, end + 2);
  const std::string_view length_text = field_of(head, "content-length");
  if (!length_text.empty()) {
    std::size_t length = 0;
    std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
    answer.is_complete = bytes.size() >= end + 4 + length;
  } else {
    answer.is_complete = bytes.ends_with("0\r\n\r\n");
  }
  answer.is_ok = head.size() > 12 && head.substr(9, 3) == "200";
  answer.server_timing = field_of(head, "server-timing");
  return answer;
}

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options), rng_(options.seed) {
    std::string value(options_.value_bytes, '\0');
    for (char& c : value) c = static_cast<char>('a' + rng_.in_range(0, 25));
    value_ = base64(value);
  }
  ~Load() {
    for (const Connection& c : connections_) {
      if (c.fd >= 0) ::close(c.fd);
    }
    if (epoll_ >= 0) ::close(epoll_);
  }

  LoadResult run() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(options_.connections);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].endpoint = options_.endpoints[i % options_.endpoints.size()];
      connections_[i].fd = connect_to(connections_[i].endpoint);
      watch(i);
    }
    const double start = now_seconds();
    measure_from_ = start + options_.warmup_seconds;
    const double end = measure_from_ + options_.seconds;
    for (std::size_t i = 0; i < connections_.size(); ++i) send_request(connections_[i]);
    epoll_event events[64];
    while (now_seconds() < end) {
      const int ready = ::epoll_wait(epoll_, events, 64, 100);
      for (int i = 0; i < ready; ++i) on_readable(events[i].data.u64);
    }
    result_.seconds = now_seconds() - measure_from_;
    std::sort(result_.latencies_us.begin(), result_.latencies_us.end());
    return std::move(result_);
  }

 private:
  struct Connection {
    int fd = -1;
    std::string endpoint;
    double sent_at = 0;
    std::string received;
  };

  void watch(std::size_t i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].fd, &event);
  }

  void send_request(Connection& c) {
    const std::string key = "bench/" + std::to_string(rng_.in_range(1, options_.keys));
    const std::string body = R"({"key":")" + base64(key) + R"(","value":")" + value_ + "\"}";
    std::string request = "POST /v3/kv/put HTTP/1.1\r\nHost: " + c.endpoint + "\r\n";
    if (options_.ask_timing) request += "whitewater-timing: 1\r\n";
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    c.received.clear();
    c.sent_at = now_seconds();
    std::size_t sent = 0;
    while (sent < request.size()) {
      const ssize_t n = ::send(c.fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;  // the reader sees the broken connection
      sent += static_cast<std::size_t>(n);
    }
  }

  void on_readable(std::uint64_t i) {
    Connection& c = connections_[i];
    char buffer[16384];
    const ssize_t n = ::recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0 || c.received.size() > answer_bytes_max) {
      note_error("connection closed by the server");
      ::close(c.fd);
      c.fd = connect_to(c.endpoint);
      watch(i);
      send_request(c);
      return;
    }
    c.received.append(buffer, static_cast<std::size_t>(n));
    const Answer answer = parse_answer(c.received);
    if (!answer.is_complete) return;
    const double now = now_seconds();
    if (!answer.is_ok) {
      note_error(c.received.substr(0, 400));
    } else if (c.sent_at >= measure_from_) {
      ++result_.completed;
      const double latency_us = (now - c.sent_at) * 1e6;
      result_.latencies_us.push_back(latency_us);
      if (options_.on_timing) options_.on_timing(latency_us, answer.server_timing);
    }
    send_request(c);
  }

  void note_error(std::string text) {
    ++result_.errors;
    if (result_.first_error.empty()) result_.first_error = std::move(text);
  }

  const LoadOptions& options_;
  base::Rng rng_;
  std::string value_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  double measure_from_ = 0;
  LoadResult result_;
};

}  // namespace

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size() - 1, rank == 0 ? 0 : rank - 1)];
}

double LoadResult::quantile_us(double q) const { return quantile(latencies_us, q); }

LoadResult run_puts(const LoadOptions& options) {
  if (options.endpoints.empty()) throw std::runtime_error("no endpoint given");
  return Load(options).run();
}

double cpu_seconds_of(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  std::istringstream fields(text.substr(after_name + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

}  // namespace whitewater::bench

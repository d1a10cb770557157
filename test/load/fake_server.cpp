#include "load/fake_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <stdexcept>
#include <vector>

#include "api/base64.hpp"

namespace whitewater::bench {
namespace {

std::string base64(std::string_view bytes) {
  std::string text;
  api::append_base64(text, bytes);
  return text;
}

std::string bytes_of(const boost::json::object& object, std::string_view name) {
  std::string bytes;
  if (!object.contains(name)) return bytes;
  if (!api::decode_base64(boost::json::value_to<std::string>(object.at(name)), bytes))
    throw std::runtime_error("base64");
  return bytes;
}

std::string header(std::int64_t revision) {
  return R"({"header":{"cluster_id":"7","member_id":"9","revision":")" + std::to_string(revision) +
         R"(","raft_term":"2"})";
}

}  // namespace

FakeServer::FakeServer(std::shared_ptr<FakeStore> store, std::uint16_t port) : store_(std::move(store)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 128) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the fake server cannot listen");
  }
  port_ = ntohs(address.sin_port);
}

FakeServer::~FakeServer() {
  is_stopped_ = true;
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

void FakeServer::start() {
  thread_ = std::thread([this] { run(); });
}

void FakeServer::stall(std::chrono::milliseconds after, std::chrono::milliseconds duration) {
  stall_at_ = std::chrono::steady_clock::now() + after;
  stall_ = duration;
}

void FakeServer::run() {
  std::map<int, std::string> buffers;
  while (!is_stopped_) {
    std::vector<pollfd> waits{{listener_, POLLIN, 0}};
    for (const auto& [fd, buffer] : buffers) waits.push_back({fd, POLLIN, 0});
    ::poll(waits.data(), waits.size(), 10);
    if (waits[0].revents != 0) {
      buffers[::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)];
      ++connections_;
    }
    for (std::size_t i = 1; i < waits.size(); ++i) {
      if (waits[i].revents == 0 || serve(waits[i].fd, buffers[waits[i].fd])) continue;
      buffers.erase(waits[i].fd);
      ::close(waits[i].fd);
    }
  }
  for (const auto& [fd, buffer] : buffers) ::close(fd);
}

bool FakeServer::serve(int fd, std::string& buffer) {
  char bytes[16384];
  const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer.append(bytes, static_cast<std::size_t>(n));
  const std::size_t head_end = buffer.find("\r\n\r\n");
  if (head_end == std::string::npos) return true;
  const std::size_t length = std::stoul(buffer.substr(buffer.find("Content-Length: ") + 16));
  if (buffer.size() < head_end + 4 + length) return true;
  if (std::chrono::steady_clock::now() >= stall_at_) {
    stall_at_ = std::chrono::steady_clock::time_point::max();
    std::this_thread::sleep_for(stall_);
  }
  const std::string body = buffer.substr(head_end + 4, length);
  const std::string target = buffer.substr(5, buffer.find(' ', 5) - 5);
  buffer.erase(0, head_end + 4 + length);
  return answer(fd, target, body);
}

bool FakeServer::answer(int fd, const std::string& target, const std::string& body) {
  if (target == "/v3/kv/range") return reply(fd, 200, range(body));
  switch (const std::uint64_t number = puts_++; on_put ? on_put(number) : Deed::write) {
    case Deed::write:
      return reply(fd, 200, put(body, true));
    case Deed::forget:
      return reply(fd, 200, put(body, false));
    case Deed::hang_up:
      return false;
    case Deed::no_answer:
      return true;
    case Deed::no_leader:
      return reply(fd, 503, R"({"error":"etcdserver: no leader","code":14,"message":"etcdserver: no leader"})");
    case Deed::timed_out:
      return reply(fd, 503, R"({"code":14,"message":"etcdserver: request timed out"})");
    case Deed::too_many:
      return reply(fd, 429, R"({"code":8,"message":"etcdserver: too many requests"})");
    case Deed::good_bye:
      return reply(fd, 200, put(body, true), true);
  }
  return false;
}

std::string FakeServer::put(const std::string& body, bool is_kept) {
  const auto json = boost::json::parse(body);
  const std::lock_guard lock(store_->mutex);
  const std::int64_t revision = ++store_->revision;
  if (is_kept) store_->entries[bytes_of(json.get_object(), "key")] = {bytes_of(json.get_object(), "value"), revision};
  return header(revision) + "}";
}

std::string FakeServer::range(const std::string& body) {
  const auto json = boost::json::parse(body);
  const auto& object = json.get_object();
  const std::size_t limit = std::stoul(boost::json::value_to<std::string>(object.at("limit")));
  const std::lock_guard lock(store_->mutex);
  auto at = store_->entries.lower_bound(bytes_of(object, "key"));
  const auto end = store_->entries.lower_bound(bytes_of(object, "range_end"));
  std::string pairs;
  for (std::size_t i = 0; i < limit && at != end; ++i, ++at) {
    pairs += (pairs.empty() ? "" : ",") + (R"({"key":")" + base64(at->first)) + R"(","mod_revision":")" +
             std::to_string(at->second.revision) + R"(","value":")" + base64(at->second.value) + "\"}";
  }
  return header(store_->revision) + R"(,"kvs":[)" + pairs + "]" + (at == end ? "" : R"(,"more":true)") + "}";
}

bool FakeServer::reply(int fd, int status, const std::string& body, bool is_last) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Whatever\r\n" + (is_last ? "Connection: close\r\n" : "");
  if (sends_chunks) {
    const std::string first = body.substr(0, body.size() / 2);
    const std::string second = body.substr(first.size());
    char sizes[2][20];
    std::snprintf(sizes[0], sizeof sizes[0], "%zx", first.size());
    std::snprintf(sizes[1], sizeof sizes[1], "%zx", second.size());
    text += "Transfer-Encoding: chunked\r\n\r\n" + std::string(sizes[0]) + "\r\n" + first + "\r\n" + sizes[1] + "\r\n" +
            second + "\r\n0\r\n\r\n";
  } else {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return !is_last;
}

}  // namespace whitewater::bench

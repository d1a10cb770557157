#include "load/range_client.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "api/base64.hpp"
#include "load/http_answer.hpp"
#include "load/system.hpp"

namespace whitewater::bench {
namespace {

constexpr std::size_t page_answer_bytes_max = 64UL << 20;
constexpr base::Duration retry_pause = base::milliseconds(100);

std::string text_of(const boost::json::object& object, std::string_view name) {
  const auto* field = object.if_contains(name);
  const auto* text = field == nullptr ? nullptr : field->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

// Nothing when the answer is not a range's.
std::optional<Page> parse_page(std::string_view body) {
  boost::system::error_code error;
  const auto json = boost::json::parse({body.data(), body.size()}, error);
  const auto* object = error ? nullptr : json.if_object();
  if (object == nullptr || !object->contains("header")) return std::nullopt;
  Page page;
  const auto* more = object->if_contains("more");
  page.has_more = more != nullptr && more->is_bool() && more->get_bool();
  const auto* pairs = object->if_contains("kvs");
  if (pairs == nullptr) return page;
  if (!pairs->is_array()) return std::nullopt;
  for (const auto& item : pairs->get_array()) {
    if (!item.is_object()) return std::nullopt;
    KeyValue pair;
    if (!api::decode_base64(text_of(item.get_object(), "key"), pair.key)) return std::nullopt;
    if (!api::decode_base64(text_of(item.get_object(), "value"), pair.value)) return std::nullopt;
    const std::string revision = text_of(item.get_object(), "mod_revision");
    std::from_chars(revision.data(), revision.data() + revision.size(), pair.mod_revision);
    page.pairs.push_back(std::move(pair));
  }
  return page;
}

// All addresses of all endpoints, as DNS has them now.
std::vector<Address> resolve(const std::vector<discovery::HostPort>& endpoints, std::string& error) {
  std::vector<Address> addresses;
  for (const auto& endpoint : endpoints) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
    if (status != 0) error = endpoint.host + ": " + ::gai_strerror(status);
    for (const addrinfo* node = status == 0 ? found : nullptr; node != nullptr; node = node->ai_next) {
      addresses.push_back(make_address(node->ai_addr, node->ai_addrlen, endpoint));
    }
  }
  return addresses;
}

}  // namespace

RangeClient::RangeClient(std::vector<discovery::HostPort> endpoints, base::Duration timeout, base::Duration patience)
    : endpoints_(std::move(endpoints)), timeout_(timeout), patience_(patience) {}

RangeClient::~RangeClient() { close(); }

void RangeClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool RangeClient::connect() {
  const auto addresses = resolve(endpoints_, error_);
  if (addresses.empty()) return false;
  const Address& address = addresses[turn_ % addresses.size()];
  fd_ = ::socket(address.bytes.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{};
  limit.tv_sec = std::chrono::duration_cast<base::seconds>(timeout_).count();
  limit.tv_usec = std::chrono::duration_cast<base::microseconds>(timeout_ % base::seconds(1)).count();
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // connect()'s limit too
  if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) {
    host_ = address.host;
    return true;
  }
  error_ = describe(address) + ": " + std::strerror(errno);
  close();
  return false;
}

std::optional<Page> RangeClient::attempt(const std::string& body) {
  if (fd_ < 0 && !connect()) return std::nullopt;
  const std::string request = "POST /v3/kv/range HTTP/1.1\r\nHost: " + host_ +
                              "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + body;
  HttpAnswer answer(page_answer_bytes_max);
  auto state = HttpAnswer::State::incomplete;
  if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    error_ = host_ + ": connection lost";
    return std::nullopt;
  }
  const auto deadline = now() + timeout_;
  std::string buffer(64UL << 10, '\0');
  while (state == HttpAnswer::State::incomplete) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n <= 0 || now() > deadline) {
      error_ = host_ + (n == 0 ? ": connection closed by the server" : ": no answer in time");
      return std::nullopt;
    }
    state = answer.append({buffer.data(), static_cast<std::size_t>(n)});
  }
  std::optional<Page> page;
  if (state == HttpAnswer::State::complete && answer.status() == 200) page = parse_page(answer.body());
  if (!page) error_ = host_ + ": " + answer.received().substr(0, 300);
  if (answer.is_last()) close();
  return page;
}

Page RangeClient::read(const std::string& from, const std::string& to, std::size_t limit) {
  std::string body = R"({"key":")";
  api::append_base64(body, from);
  body += R"(","range_end":")";
  api::append_base64(body, to);
  body += R"(","limit":")" + std::to_string(limit) + "\"}";
  const auto end = now() + patience_;
  while (true) {
    if (auto page = attempt(body)) return std::move(*page);
    close();
    ++turn_;
    if (now() >= end) throw CannotRead("cannot read: " + error_);
    std::this_thread::sleep_for(retry_pause);
  }
}

}  // namespace whitewater::bench

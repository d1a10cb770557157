#include "load/addresses.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "base/assert.hpp"

namespace whitewater::bench {
namespace {

constexpr std::size_t endpoints_max = 64;
constexpr std::size_t addresses_per_name_max = 256;
constexpr base::Duration refresh_interval = base::milliseconds(200);
constexpr int try_timeout_ms = 1000;
constexpr int tries = 2;

Address address_of(int family, const void* ip, const discovery::HostPort& endpoint) {
  if (family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, ip, sizeof v4.sin_addr);
    return make_address(&v4, sizeof v4, endpoint);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, ip, sizeof v6.sin6_addr);
  return make_address(&v6, sizeof v6, endpoint);
}

bool is_same(const Address& a, const Address& b) { return std::memcmp(&a.bytes, &b.bytes, sizeof a.bytes) == 0; }
bool is_before(const Address& a, const Address& b) { return std::memcmp(&a.bytes, &b.bytes, sizeof a.bytes) < 0; }

}  // namespace

Address make_address(const void* bytes, std::size_t size, const discovery::HostPort& endpoint) {
  WW_ASSERT(size <= sizeof(sockaddr_in6));
  Address address;
  std::memcpy(&address.bytes, bytes, size);
  address.bytes.sin6_port = htons(endpoint.port);  // where an IPv4 address has its port too
  address.size = static_cast<socklen_t>(size);
  address.host = discovery::describe(endpoint);
  return address;
}
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

std::string describe(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool is_v4 = address.bytes.sin6_family == AF_INET;
  sockaddr_in v4{};
  std::memcpy(&v4, &address.bytes, sizeof v4);
  ::inet_ntop(address.bytes.sin6_family, is_v4 ? static_cast<const void*>(&v4.sin_addr) : &address.bytes.sin6_addr,
              text, sizeof text);
  return discovery::describe(discovery::HostPort{text, ntohs(address.bytes.sin6_port)});
}

std::vector<discovery::HostPort> parse_endpoints(const std::vector<std::string>& texts) {
  if (texts.empty()) throw std::runtime_error("--endpoints: none given");
  if (texts.size() > endpoints_max) {
    throw std::runtime_error("--endpoints: more than " + std::to_string(endpoints_max));
  }
  std::vector<discovery::HostPort> endpoints;
  for (const std::string& text : texts) {
    const auto endpoint = discovery::parse_host_port(text);
    if (!endpoint) throw std::runtime_error("--endpoints: \"" + text + "\" is not HOST:PORT");
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

Addresses::Addresses(const std::vector<discovery::HostPort>& endpoints, int epoll) : epoll_(epoll) {
  bool has_names = false;
  for (const auto& endpoint : endpoints) {
    Name name;
    name.owner = this;
    name.endpoint = endpoint;
    unsigned char ip[sizeof(in6_addr)];
    for (const int family : {AF_INET, AF_INET6}) {
      if (::inet_pton(family, endpoint.host.c_str(), ip) != 1) continue;
      name.is_literal = true;
      name.addresses.push_back(address_of(family, ip, endpoint));
    }
    has_names = has_names || !name.is_literal;
    names_.push_back(std::move(name));
  }
  rebuild();
  if (has_names) open_channel();
}

Addresses::~Addresses() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void Addresses::open_channel() {
  // For the process's life; on Linux it only initializes tables.
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  ares_options options{};
  options.timeout = try_timeout_ms;
  options.tries = tries;
  options.sock_state_cb = &Addresses::on_socket_state;
  options.sock_state_cb_data = this;
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
  options.qcache_max_ttl = 0;  // versions from 1.31 on cache by TTL, which would hide a pod's new address
  mask |= ARES_OPT_QUERY_CACHE;
#endif
  if (library != ARES_SUCCESS || ares_init_options(&channel_, &options, mask) != ARES_SUCCESS) {
    throw std::runtime_error("c-ares does not start: is /etc/resolv.conf readable?");
  }
}

void Addresses::refresh(base::Instant now) {
  for (Name& name : names_) {
    if (name.is_literal || name.is_asked) continue;
    if (name.is_answered && now - name.asked_at < refresh_interval) continue;
    name.is_asked = true;
    name.asked_at = now;
    ares_addrinfo_hints hints{};
    hints.ai_flags = ARES_AI_NOSORT;
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const auto on_done = [](void* data, int status, int, ares_addrinfo* answer) {
      Name& asked = *static_cast<Name*>(data);
      asked.is_asked = false;
      asked.is_answered = true;
      if (status != ARES_EDESTRUCTION) asked.owner->on_answer(asked, status, answer);
      if (answer != nullptr) ares_freeaddrinfo(answer);
    };
    ares_getaddrinfo(channel_, name.endpoint.host.c_str(), nullptr, &hints, on_done, &name);
  }
}

// An answer without addresses takes none away: only then does a load outlive its DNS.
void Addresses::on_answer(Name& name, int status, const ares_addrinfo* answer) {
  std::vector<Address> found;
  for (const int family : {AF_INET, AF_INET6}) {
    if (!found.empty()) break;  // members listen on one family; the other would be refused every second time
    for (const auto* node = answer == nullptr ? nullptr : answer->nodes; node != nullptr; node = node->ai_next) {
      if (node->ai_family != family || found.size() == addresses_per_name_max) continue;
      found.push_back(
          make_address(node->ai_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6), name.endpoint));
    }
  }
  if (found.empty()) {
    error_ =
        name.endpoint.host + " does not resolve: " + (status == ARES_SUCCESS ? "no address" : ares_strerror(status));
    return;
  }
  error_.clear();
  std::sort(found.begin(), found.end(), is_before);
  found.erase(std::unique(found.begin(), found.end(), is_same), found.end());
  name.addresses = std::move(found);
  rebuild();
}

void Addresses::rebuild() {
  all_.clear();
  for (const Name& name : names_) all_.insert(all_.end(), name.addresses.begin(), name.addresses.end());
}

void Addresses::on_socket_state(void* self, int fd, int readable, int writable) {
  auto& addresses = *static_cast<Addresses*>(self);
  if (readable == 0 && writable == 0) {
    if (addresses.sockets_.erase(fd) > 0) ::epoll_ctl(addresses.epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return;
  }
  epoll_event event{};
  event.events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
  event.data.u64 = event_mark | static_cast<std::uint64_t>(fd);
  const bool is_new = addresses.sockets_.insert(fd).second;
  ::epoll_ctl(addresses.epoll_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

void Addresses::on_event(std::uint64_t data, std::uint32_t events) {
  const auto fd = static_cast<ares_socket_t>(data & ~event_mark);
  ares_process_fd(channel_, (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 ? fd : ARES_SOCKET_BAD,
                  (events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
}

void Addresses::on_tick() {
  if (!sockets_.empty()) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

const Address* Addresses::pick(std::size_t turn) const {
  for (const Name& name : names_) {
    if (!name.is_literal && !name.is_answered) return nullptr;
  }
  return all_.empty() ? nullptr : &all_[turn % all_.size()];
}

}  // namespace whitewater::bench

// Addresses: the socket addresses behind the endpoints, for a loop on epoll. A name stands for all of its addresses (a
// headless service has one per pod). refresh() asks DNS anew and returns at once; until the answer is there, and
// whenever DNS does not answer, the last known addresses stand. One thread, no waiting: c-ares' sockets are in the
// caller's epoll.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "discovery/candidate.hpp"

struct ares_channeldata;
struct ares_addrinfo;

namespace whitewater::bench {

struct Address {
  sockaddr_in6 bytes{};  // of either family; `size` says how much of it counts
  socklen_t size = 0;
  std::string host;  // for the request's Host field: the endpoint as it was given
};

[[nodiscard]] Address make_address(const void* bytes, std::size_t size, const discovery::HostPort& endpoint);
[[nodiscard]] std::string describe(const Address& address);
// Throws std::runtime_error that names the endpoint which is not "host:port", or when there is none or too many.
[[nodiscard]] std::vector<discovery::HostPort> parse_endpoints(const std::vector<std::string>& texts);

class Addresses {
 public:
  // Readiness of c-ares' sockets arrives with these bits in the event's data, and the descriptor in the lower ones.
  static constexpr std::uint64_t event_mark = std::uint64_t{1} << 63;

  Addresses(const std::vector<discovery::HostPort>& endpoints, int epoll);
  ~Addresses();
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  void refresh(base::Instant now);  // at most every 200 ms, however often it is called
  void on_event(std::uint64_t data, std::uint32_t events);
  void on_tick();  // c-ares' own time-outs; call every few milliseconds

  // In turn over all addresses of all endpoints. Nothing while none is known, or the first answer about a name is
  // awaited.
  [[nodiscard]] const Address* pick(std::size_t turn) const;
  // Why a name is without addresses; empty while its first answer is still awaited.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Name {
    Addresses* owner = nullptr;
    discovery::HostPort endpoint;
    std::vector<Address> addresses;
    bool is_literal = false;
    bool is_asked = false;     // an answer is awaited
    bool is_answered = false;  // once, well or badly
    base::Instant asked_at{};
  };
  void open_channel();
  void on_answer(Name& name, int status, const ares_addrinfo* answer);
  void rebuild();
  static void on_socket_state(void* self, int fd, int readable, int writable);

  std::vector<Name> names_;  // never grows: c-ares holds pointers into it
  std::vector<Address> all_;
  std::string error_;
  int epoll_;
  ares_channeldata* channel_ = nullptr;
  std::set<int> sockets_;
};

}  // namespace whitewater::bench

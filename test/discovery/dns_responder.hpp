// A DNS server for tests, on loopback in the test's own reactor: UDP and TCP on one port, with knobs for everything
// that goes wrong in a cluster's DNS. Its answers are checked against a real server in dnsmasq_test.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/ip/udp.hpp>

#include "net/reactor.hpp"
#include "net/task_group.hpp"

namespace whitewater::discovery {

class DnsResponder {
 public:
  struct Knobs {
    std::uint32_t ttl_seconds = 30;
    base::Duration delay{0};
    bool drops_udp = false;
    bool drops_tcp = false;
    bool truncates_udp = false;          // sets TC and sends no record
    std::size_t udp_targets_max = 1000;  // a shorter answer over UDP, without TC
    bool has_glue = true;
    bool sends_garbage = false;
    std::uint8_t rcode = 0;                   // 3: NXDOMAIN, 2: SERVFAIL
    std::uint32_t negative_ttl_seconds = 30;  // in the SOA record of a denial
    base::Duration denies_again_for{
        0};                       // as a cache: what was denied once stays denied, whatever is published meanwhile
    std::size_t subset_size = 0;  // each SRV answer names only so many, the next ones each time
    bool ready_only = false;      // the service does not publish pods that are not ready
  };

  explicit DnsResponder(net::Executor executor);
  ~DnsResponder();
  // SRV target -> address; the service's record lists those in `published`.
  void add(const std::string& host, const std::string& address);
  void publish(const std::string& host, bool is_published = true);
  void set_ready(const std::string& host, bool is_ready = true);
  // From now on every answer is what it would be now: a stale server. A second call lets it see the truth again.
  void freeze(bool is_frozen = true);
  void stop();

  [[nodiscard]] std::string server() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int count_asked(const std::string& question) const;
  Knobs knobs;
  std::vector<std::string> asked;  // "33 _raft._tcp...", in order; "tcp " in front of those over TCP

  net::Awaitable<void> run();

 private:
  using Udp = boost::asio::ip::udp;
  using UdpSocket = boost::asio::basic_datagram_socket<Udp, net::Executor>;
  net::Awaitable<void> serve_udp();
  net::Awaitable<void> serve_tcp();
  net::Awaitable<void> serve_connection(net::TcpSocket socket);
  std::string answer(std::string_view query, bool is_tcp);
  [[nodiscard]] std::vector<std::string> srv_targets(bool is_tcp);
  bool is_denied_from_cache(const std::string& question);

  struct Records {
    std::map<std::string, std::string> hosts;
    std::set<std::string> published;
    std::set<std::string> not_ready;
  };

  net::TaskGroup tasks_;
  UdpSocket udp_;
  net::TcpAcceptor tcp_;
  std::uint16_t port_ = 0;
  Records records_;
  std::optional<Records> frozen_;
  std::map<std::string, base::Instant> denied_until_;
  std::size_t subset_at_ = 0;
};

}  // namespace whitewater::discovery

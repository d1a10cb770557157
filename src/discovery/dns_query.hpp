// One DNS question through c-ares on the reactor. Each question has a c-ares channel of its own: resolv.conf is
// re-read, no cache, no shared socket, and cancelling one question touches no other. c-ares owns the sockets; Asio only
// waits on them and lets go before c-ares closes. Reactor thread. Does not retry beyond c-ares' own tries and does not
// interpret SRV answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/reactor.hpp"

namespace whitewater::discovery {

struct ResolverOptions {
  // "host:port" of DNS servers, IP literals; empty: those of resolv.conf.
  std::vector<std::string> servers;
  std::string resolv_conf_path;                                  // empty: the system's
  base::Duration try_timeout = base::milliseconds(1000);         // of one packet to one server
  std::uint32_t tries = 2;                                       // rounds over the servers
  base::Duration total_timeout = base::milliseconds(3000);       // of a question, whatever c-ares still plans
  base::Duration second_family_grace = base::milliseconds(200);  // AAAA after A answered, or the reverse
};

enum class DnsTransport : std::uint8_t { udp, tcp };  // udp: EDNS, and TCP by itself when the answer is truncated
enum class AddressFamily : std::uint8_t { v4, v6 };

// The whole response message to an SRV question, whatever its rcode. timed_out, connection_lost (no server answers or
// is reachable), malformed (no usable name or server). Throws operation_aborted when cancelled.
net::Awaitable<base::Result<std::string>> query_srv(net::Executor executor, ResolverOptions options, std::string name,
                                                    DnsTransport transport);

// Both families at once, from separate sockets; /etc/hosts first. At most addresses_per_candidate_max. not_found,
// timed_out, connection_lost, malformed. Throws operation_aborted when cancelled.
net::Awaitable<base::Result<std::vector<std::string>>> query_addresses(net::Executor executor, ResolverOptions options,
                                                                       std::string host);

}  // namespace whitewater::discovery

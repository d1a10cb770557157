// SrvAnswer: a DNS response to an SRV question, read into candidates. The bytes come from the network: every length is
// checked, compression pointers only go backwards, and names, records and addresses are counted against limits. Pure.
// Does not ask, and does not believe a negative answer: that is CandidateBook's part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "discovery/candidate.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t dns_message_bytes_max = 65535;
// Records looked at in one message; the rest is ignored and `is_partial` set.
inline constexpr std::size_t dns_records_max = 1024;

struct SrvAnswer {
  std::vector<Candidate> peers;  // by address, no duplicates; with the addresses of the additional section (glue)
  base::Duration ttl{0};         // the smallest of the SRV records
  bool is_partial = false;       // truncated, or cut at a limit
};

// not_found: NXDOMAIN or no SRV record (root and port-0 targets do not count); malformed: bytes that are no DNS
// response; connection_lost: the server answers with a failure (SERVFAIL, REFUSED).
[[nodiscard]] base::Result<SrvAnswer> decode_srv_answer(std::string_view message);

[[nodiscard]] std::string describe(const SrvAnswer& answer);

}  // namespace whitewater::discovery

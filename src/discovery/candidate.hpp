// Candidates: what discovery yields. A candidate is a place where a member may be, never a decision and never an
// identity: the node id that answers there is what counts. `CandidateBook` keeps the last known set: a failed, empty or
// negative answer takes nothing away from it, and a name that a good answer no longer holds stays for `candidate_keep`.
// Pure values; owned by the peer source, used on the reactor thread. Does not look anything up.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace whitewater::discovery {

// Candidates kept or taken from one answer. Far above the 64 members of a configuration, so that stale names fit too.
inline constexpr std::size_t candidates_max = 256;
inline constexpr std::size_t host_name_bytes_max = 253;  // RFC 1035, without the root's dot
inline constexpr std::size_t addresses_per_candidate_max = 16;
// How long a name is kept that good answers no longer hold: longer than any rolling restart of one pod.
inline constexpr base::Duration candidate_keep = base::seconds(600);

// A place to dial. The host is a name without the root's dot, or an address without brackets.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const HostPort&) const = default;
};
// "host:port", "[v6]:port", or only a host where `default_port` is not 0. Errc::malformed or limit_exceeded.
[[nodiscard]] base::Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port = 0);
[[nodiscard]] std::string describe(const HostPort& address);  // brackets around an IPv6 address

// "whitewater-2" -> 2. The number after the last '-', without leading zeros, at most 6 digits.
[[nodiscard]] std::optional<std::uint32_t> ordinal_of(std::string_view name);
// "whitewater-2" -> "whitewater"; a name without an ordinal is its own stem.
[[nodiscard]] std::string_view stem_of(std::string_view name);
// "whitewater-2.whitewater-headless.default.svc.cluster.local" -> "whitewater-2"; an IP address stays whole.
[[nodiscard]] std::string pod_name_of(std::string_view host);
[[nodiscard]] bool is_ip_literal(std::string_view host);
// Letters, digits, '-', '_' and '.', labels of 1 to 63, at most 253 bytes; or an IP literal.
[[nodiscard]] bool is_host_valid(std::string_view host);

struct Candidate {
  std::string name;                    // pod name ("whitewater-0") or what the list calls it; a label, not an identity
  HostPort address;                    // resolved again at every dial
  std::vector<std::string> addresses;  // IP literals that came with the answer, if any
  std::optional<std::uint32_t> ordinal;
  std::string uid;              // the pod's uid, one per incarnation; empty where the source does not tell
  bool is_terminating = false;  // the pod is being deleted: dialled last, not counted for bootstrap
  bool is_guess = false;        // from no answer: an ordinal name made from the own one (guesses.hpp)
  bool is_current = true;       // held by the newest good answer; else kept from an older one
  bool operator==(const Candidate&) const = default;
};
[[nodiscard]] Candidate make_candidate(std::string name, HostPort address, std::vector<std::string> addresses = {});

// The known candidates, ordered by address.
struct PeerSet {
  std::string source;   // "dns", "static", ...
  std::string absence;  // why a name is not here, for people: "no SRV record", "not in the list"
  std::vector<Candidate> peers;
  base::Instant as_of;       // the last good answer
  bool is_known = false;     // there was a good answer
  bool is_stale = false;     // the newest attempt failed, or part of the set is from an older answer
  std::string last_error;    // of the newest attempt; empty when it was good
  base::Duration ttl{0};     // of the newest good answer; 0 = no statement
  std::uint32_t expect = 0;  // founders that the source itself states; 0: it states none
};

class CandidateBook {
 public:
  CandidateBook(std::string source, std::string absence);

  // A good answer. An empty list counts as a failure. Returns true when the set of addresses changed.
  bool on_answer(base::Instant now, std::vector<Candidate> peers, base::Duration ttl);
  // Time-out, NXDOMAIN, garbage: the last known set stays valid without limit.
  void on_failure(std::string reason);
  [[nodiscard]] const PeerSet& set() const { return set_; }
  // Candidates of the newest good answer alone.
  [[nodiscard]] std::size_t newest_count() const { return newest_count_; }

 private:
  struct Known {
    Candidate candidate;
    base::Instant last_seen;
  };
  void rebuild(base::Instant now);

  std::map<HostPort, Known> known_;
  PeerSet set_;
  std::size_t newest_count_ = 0;
};

// "name=host:port,name=host:port"; "host:port" alone takes the host's first label as name. Errc::malformed for an entry
// that is none of these, for a repeated name, and for an empty list; limit_exceeded above `candidates_max`.
[[nodiscard]] base::Result<std::vector<Candidate>> parse_peer_list(std::string_view text,
                                                                   std::uint16_t default_port = 0);

[[nodiscard]] std::string describe(const Candidate& candidate);
[[nodiscard]] std::string describe(const PeerSet& set);

}  // namespace whitewater::discovery

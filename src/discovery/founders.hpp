// FounderSet: the members that found a cluster together, and the two numbers that follow from it. Every founder derives
// the same cluster id and the same first log entry from the same set, so that committing it twice changes nothing
// (kubernetes.md §3.6 rule 3). Pure values. Does not decide whether to found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "core/types.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t founders_max = core::configuration_members_max;
inline constexpr std::size_t token_bytes_max = 256;
inline constexpr std::size_t advertise_bytes_max = 262;  // a host name, brackets, ':' and a port

struct Founder {
  std::string name;  // ordinal name, "whitewater-0"
  base::NodeId node_id;
  std::string advertise;  // "host:port"; becomes core::Member::name, resolved on every dial
  bool operator==(const Founder&) const = default;
};

// Founders are in the order of their ordinals; the first one coordinates.
struct FounderSet {
  std::string token;
  std::uint64_t attempt = 0;  // the coordinator's incarnation (upper 32 bits) and its running number; not hashed
  std::vector<Founder> founders;
  bool operator==(const FounderSet&) const = default;

  [[nodiscard]] bool empty() const { return founders.empty(); }
  [[nodiscard]] const Founder* find(base::NodeId id) const;
  [[nodiscard]] base::NodeId coordinator() const;  // zero for an empty set
};

// First 64 bits (big-endian, never 0) of SHA-256 over token and every founder's name, id and address.
[[nodiscard]] std::uint64_t set_hash(const FounderSet& set);
// The same over the token and every name and id, whatever their order: what two members compare that may know each
// other's addresses in different forms.
[[nodiscard]] std::uint64_t member_hash(const FounderSet& set);
// First 64 bits (big-endian, never 0) of SHA-256(length of token ‖ token ‖ node ids sorted, 8 bytes big-endian each).
[[nodiscard]] base::ClusterId cluster_id_of(const FounderSet& set);
// The payload of entry 1: every founder is a voter.
[[nodiscard]] core::Configuration configuration_of(const FounderSet& set);
// Same names and node ids in the same order; addresses and attempt may differ.
[[nodiscard]] bool has_same_members(const FounderSet& a, const FounderSet& b);
// Empty text when the set can found: names with ordinals 0..n-1 in order under one stem, node ids distinct and
// non-zero, addresses valid. One founder alone may have a name without an ordinal. Otherwise the reason.
[[nodiscard]] std::string refusal_of(const FounderSet& set);

// For the meta record and for PREPARE; bounded by `founder_set_bytes_max`.
inline constexpr std::size_t founder_set_bytes_max = 48UL << 10;
[[nodiscard]] std::string encode(const FounderSet& set);
// malformed, limit_exceeded or unsupported_version.
[[nodiscard]] base::Result<FounderSet> decode_founder_set(std::string_view bytes);

[[nodiscard]] std::string describe(const FounderSet& set);

}  // namespace whitewater::discovery

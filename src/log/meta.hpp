// The identity record of a data directory: which member this disk is. Two copies with a generation number; a copy is a
// block of its own, written and synced before the other, so that a stop in between leaves one intact. Pure: encode,
// decode and choose; the file is data_dir.hpp's business. The Raft configuration, term and vote are not here but in the
// log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace whitewater::log {

inline constexpr std::uint16_t meta_version = 1;
inline constexpr std::size_t meta_copy_bytes = 4096;
inline constexpr std::size_t meta_file_bytes = 2 * meta_copy_bytes;

enum class MemberState : std::uint8_t {
  fresh = 1,  // belongs to no cluster yet
  prepared,   // agreed to found a cluster with the set of `prepared_set_hash`
  member,     // belongs to `cluster`
  removed,    // was removed from `cluster`; never starts again
};

struct MetaRecord {
  std::uint64_t generation = 0;  // grows by one with every write
  base::ClusterId cluster;       // zero: none yet
  base::NodeId node;
  base::Incarnation incarnation;  // of the running or last process
  MemberState state = MemberState::fresh;
  std::uint64_t prepared_set_hash = 0;
  std::string pod_name;  // at most core::member_name_bytes_max
  bool operator==(const MetaRecord&) const = default;
};

// One copy, padded with zeros to meta_copy_bytes.
[[nodiscard]] std::string encode(const MetaRecord& record);
// malformed, checksum_mismatch, limit_exceeded, unsupported_version; not_found for a copy of zeros.
[[nodiscard]] base::Result<MetaRecord> decode_meta(std::string_view copy);

struct MetaChoice {
  std::optional<MetaRecord> record;  // nothing: the file never held one
  bool needs_rewrite = false;        // one copy is damaged or behind
};
// Picks the newer intact copy. unsupported_version when either is newer than this binary, checksum_mismatch when both
// are damaged, malformed when two intact copies of one generation differ.
[[nodiscard]] base::Result<MetaChoice> choose_meta(std::string_view file);

[[nodiscard]] std::string describe(MemberState state);
[[nodiscard]] std::string describe(const MetaRecord& record);

}  // namespace whitewater::log

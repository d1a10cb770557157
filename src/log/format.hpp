// The bytes of the Raft log, format 1: segment header block, batch header, records (docs/log-format.md is the long
// form). Everything is little-endian; the structs below are the bytes. Pure functions; lengths are bounded before
// anything is read by them. Writing order and places are the planner's business, judging what is missing is recovery's.
//
//   segment := header block | batch | batch | ...        every part starts on a block
//   batch   := BatchHeader | records | zeros to the block
//   record  := RecordHead | fixed fields of its kind | payload (entries only)
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/codec.hpp"
#include "core/types.hpp"
#include "log/types.hpp"

namespace whitewater::log {

inline constexpr std::uint32_t block_bytes = 4096;
inline constexpr std::uint16_t format_version = 1;
inline constexpr std::uint32_t segment_bytes_min = 16U << 10;  // tests use small ones; RaftLog asks for more
inline constexpr std::uint32_t segment_bytes_max = 1U << 30;
// Of sequences, incarnations, indexes and terms: no log gets here, and counting on from more would wrap around.
inline constexpr std::uint64_t counter_max = 1ULL << 62;
inline constexpr std::uint64_t segment_magic = 0x31474553474c5757;  // "WWLGSEG1"
inline constexpr std::uint32_t batch_magic = 0x31425757;            // "WWB1"

// One header block per use of a segment. `crc` covers the bytes before it.
struct SegmentHeader {
  std::uint64_t magic = segment_magic;
  std::uint16_t version = format_version;
  std::uint16_t header_bytes = 0;
  std::uint32_t slot = 0;  // the file it belongs in
  std::uint64_t cluster_id = 0;
  std::uint64_t node_id = 0;
  std::uint64_t log_id = 0;
  std::uint64_t sequence = 0;       // of this use; unique in the log
  std::uint64_t prev_sequence = 0;  // the segment written before it; zero: none
  std::uint64_t first_live = 0;     // the oldest segment still needed
  std::uint64_t incarnation = 0;
  std::uint64_t base_index = 0;      // index of the first entry to come
  std::uint64_t base_prev_term = 0;  // term of base_index - 1; zero: none or not known
  std::uint64_t first_batch_sequence = 0;
  std::uint64_t durable_upto = 0;  // highest batch sequence known durable when this was written
  std::uint64_t term = 0;          // hard state as of here, so that older segments can go
  std::uint64_t vote = 0;
  std::uint32_t segment_bytes = 0;
  std::uint32_t prev_crc = 0;  // header checksum of the batch before the first one
  std::uint32_t reserved = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(SegmentHeader) == 136 && std::is_trivially_copyable_v<SegmentHeader>);

// `crc` covers the bytes before it, seeded by the log's id; it is the batch's identity in the chain.
struct BatchHeader {
  std::uint32_t magic = batch_magic;
  std::uint16_t version = format_version;
  std::uint16_t header_bytes = 0;
  std::uint32_t length_bytes = 0;   // header, records and padding
  std::uint32_t payload_bytes = 0;  // records
  std::uint64_t segment_sequence = 0;
  std::uint32_t offset_bytes = 0;  // of this batch in its segment
  std::uint32_t record_count = 0;
  std::uint64_t sequence = 0;      // grows by one over the whole log
  std::uint64_t durable_upto = 0;  // highest sequence with everything before it durable, at submit time
  std::uint64_t first_live = 0;    // the oldest segment still needed
  std::uint64_t incarnation = 0;
  std::uint64_t first_index = 0;  // of its entries; zero: none
  std::uint32_t entry_count = 0;
  std::uint32_t prev_crc = 0;  // the chain
  std::uint64_t last_term = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(BatchHeader) == 96 && std::is_trivially_copyable_v<BatchHeader>);

enum class RecordKind : std::uint8_t { entry = 1, hard_state = 2, truncate = 3, reset = 4 };

struct RecordHead {
  std::uint8_t kind = 0;
  std::uint8_t entry_type = 0;  // core::EntryType, entries only
  std::uint16_t reserved = 0;
  std::uint32_t payload_bytes = 0;  // entries only
};
static_assert(sizeof(RecordHead) == 8);

// Entries from `from` on are superseded by what follows.
struct TruncateRecord {
  Index from;
  Term prev_term;  // of from - 1; zero: not known
  bool operator==(const TruncateRecord&) const = default;
};

inline constexpr std::size_t entry_record_bytes = sizeof(RecordHead) + 32;  // and the payload
inline constexpr std::size_t small_record_bytes = sizeof(RecordHead) + 16;
inline constexpr std::size_t batch_bytes_max = (sizeof(BatchHeader) + 4 * small_record_bytes + entry_record_bytes +
                                                core::entry_payload_bytes_max + block_bytes - 1) /
                                               block_bytes * block_bytes;

[[nodiscard]] constexpr std::size_t round_up_to_block(std::size_t bytes) {
  return (bytes + block_bytes - 1) / block_bytes * block_bytes;
}
[[nodiscard]] inline std::size_t record_bytes(const core::Entry& entry) {
  return entry_record_bytes + entry.payload.size_bytes();
}

// Puts records into memory that the caller sized with record_bytes and small_record_bytes.
class RecordWriter {
 public:
  explicit RecordWriter(char* to) : to_(to) {}
  void put(const core::HardState& state);
  void put(const TruncateRecord& record);
  void put(const LogReset& record);
  void put(const core::Entry& entry);
  [[nodiscard]] char* position() const { return to_; }

 private:
  void small(RecordKind kind, std::uint64_t a, std::uint64_t b);
  char* to_;
};

// An entry's payload points into `owner`, which holds the bytes that were read.
using Record = std::variant<core::HardState, TruncateRecord, LogReset, core::Entry>;
// Takes one record off the reader: malformed, limit_exceeded, or unsupported_version for an unknown kind.
[[nodiscard]] base::Result<Record> read_record(base::ByteReader& reader, const std::shared_ptr<const void>& owner);

// Fill in sizes and checksums; `block` is block_bytes long and is zeroed behind the header.
void seal_segment_header(SegmentHeader header, char* block);
// `batch` holds the records behind room for the header; pads with zeros up to length_bytes. Returns the header's
// checksum.
std::uint32_t seal_batch(BatchHeader header, std::uint64_t log_id, char* batch);

enum class HeaderCheck : std::uint8_t {
  valid,
  blank,    // zeros: never written
  foreign,  // not such a header
  damaged,  // its magic, and a wrong checksum or impossible lengths
  newer,    // intact and of a newer format
};
[[nodiscard]] bool is_blank(std::string_view bytes);
[[nodiscard]] HeaderCheck check_segment_header(std::string_view block, SegmentHeader& header);
[[nodiscard]] HeaderCheck check_batch_header(std::string_view block, std::uint64_t log_id, BatchHeader& header);
[[nodiscard]] bool is_payload_intact(const BatchHeader& header, std::string_view batch);

// The entries [first, last] of a whole batch that was read from disk; checksum_mismatch or malformed when it is not
// that batch.
[[nodiscard]] base::Result<std::vector<core::Entry>> read_entries(const BatchRef& ref, std::uint64_t log_id,
                                                                  Index first, const std::shared_ptr<const void>& owner,
                                                                  std::string_view batch);

[[nodiscard]] std::string describe(HeaderCheck check);

}  // namespace whitewater::log

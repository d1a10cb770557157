// recover(): reads a log back after any stop. It returns a prefix of what was written that holds everything ever
// reported durable, or refuses and names the place and the reason; it never guesses and changes nothing. Pure: the
// bytes come through LogImage. Runs once, on the thread that opens the log, before the planner exists.
//
// A batch that cannot be read is a torn tail when nothing later proves that it was acknowledged, and damage when a
// later batch or segment header carries a `durable_upto` at or above its sequence.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "log/batch_index.hpp"
#include "log/types.hpp"

namespace whitewater::log {

inline constexpr std::size_t recovery_read_bytes = 1U << 20;

// The segment files as recovery sees them. Reads are block-aligned and inside the segment.
class LogImage {
 public:
  virtual ~LogImage() = default;
  [[nodiscard]] virtual Slot slot_count() const = 0;
  [[nodiscard]] virtual std::uint32_t segment_bytes() const = 0;
  // The view is valid until the next call. An error means that the device could not read.
  [[nodiscard]] virtual base::Result<std::string_view> read(Slot slot, std::uint32_t offset_bytes,
                                                            std::uint32_t size_bytes) = 0;
};

struct RecoveryOptions {
  NodeId node;                             // the directory's; a segment of another is refused
  ClusterId cluster;                       // zero: not known, not compared
  Index keep_from;                         // entries from here on are kept in memory ...
  std::size_t keep_bytes_max = 64U << 20;  // ... the newest of them up to this much payload
};

// One segment that holds live batches.
struct RecoveredSegment {
  Slot slot = 0;
  std::uint64_t sequence = 0;
  Index max_index;
  std::uint64_t last_sequence = 0;  // of its last batch; zero when it has none
};

struct RecoveredLog {
  bool is_fresh = true;  // nothing was ever written
  std::uint64_t log_id = 0;
  core::HardState hard_state;
  Index first_index{1};  // of the oldest entry; last_index + 1 when there is none
  Index last_index;
  TermRuns terms;                   // from first_index - 1 (zero there: not known) to last_index
  BatchIndex index;                 // where each entry lies
  std::deque<core::Entry> entries;  // the newest entries, as RecoveryOptions asked

  // Where and how the planner continues.
  std::vector<RecoveredSegment> live;  // oldest first
  std::uint32_t tail_offset_bytes = 0;
  std::uint64_t next_sequence = 1;
  std::uint32_t chain = 0;
  std::uint64_t next_segment_sequence = 1;
  Incarnation next_incarnation{1};  // greater than any that ever wrote here

  // For the operator.
  std::uint64_t batches = 0;
  std::uint64_t torn_bytes = 0;  // of batches that were under way at the stop and are dropped
  std::uint64_t scanned_bytes = 0;
};

enum class RefusalKind : std::uint8_t {
  corrupt = 1,    // acknowledged data is damaged or missing
  newer_format,   // written by a newer version
  other_member,   // segments carry another node's id
  other_cluster,  // segments carry another cluster's id
  unreadable,     // the device returned an error
};

struct RecoveryRefusal {
  RefusalKind kind = RefusalKind::corrupt;
  Slot slot = 0;
  std::uint32_t offset_bytes = 0;
  std::string reason;  // a sentence without a full stop
};

using RecoveryResult = std::variant<RecoveredLog, RecoveryRefusal>;

[[nodiscard]] RecoveryResult recover(LogImage& image, const RecoveryOptions& options);

[[nodiscard]] std::string describe(RefusalKind kind);
[[nodiscard]] std::string describe(const RecoveryRefusal& refusal);
[[nodiscard]] std::string describe(const RecoveredLog& log);

}  // namespace whitewater::log

// The values that cross the log's interfaces: what the replica appends, where a batch lies, what goes to the device.
// Plain data without I/O. Places are (slot, offset): a slot is one segment file, and keeps its number for the life of
// the directory; a segment's *sequence* is the running number of its current use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace whitewater::log {

using base::ClusterId;
using base::Incarnation;
using base::Index;
using base::NodeId;
using base::Term;

using Slot = std::uint32_t;  // number of a segment file

// The log restarts behind an installed snapshot: everything before `next_index` is gone, and what follows starts there.
struct LogReset {
  Index next_index;
  Term prev_term;  // of the snapshot's last entry, next_index - 1
  bool operator==(const LogReset&) const = default;
};

// One step that must become durable as a whole before `token` is reported. Within one append the order is hard state,
// reset, entries. Entries whose first index is at or below the last one supersede the suffix from there on.
struct LogAppend {
  std::uint64_t token = 0;  // strictly growing
  std::optional<core::HardState> hard_state;
  std::vector<core::Entry> entries;  // contiguous
  std::optional<LogReset> reset;
};

// Whose log this is. `log_id` is drawn at random when the log is created and seeds every batch checksum, so that bytes
// inside a client's value can never pass for a batch, nor can a segment of another log.
struct LogIdentity {
  ClusterId cluster;  // zero until the member belongs to one
  NodeId node;
  std::uint64_t log_id = 0;
  bool operator==(const LogIdentity&) const = default;
};

// Entries [first, last] of the log lie in this batch; a later truncation may have cut `last` below what the batch
// holds.
struct BatchRef {
  Index first;
  Index last;
  std::uint64_t sequence = 0;          // of the batch
  std::uint64_t segment_sequence = 0;  // of the use of the slot
  Slot slot = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
  bool operator==(const BatchRef&) const = default;
};

// A run of entries of one term, from `first` up to the next run.
struct TermRun {
  Index first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

// A write of whole blocks at a block boundary. The bytes stay valid and unchanged until the planner hears of its
// completion.
struct WriteOp {
  std::uint64_t id = 0;
  Slot slot = 0;
  std::uint32_t offset_bytes = 0;
  std::string_view bytes;
  int buffer_slot = -1;  // which buffer of the pool holds the bytes, for registered buffers; -1: none
};

}  // namespace whitewater::log

// LogPlanner: decides what the log writes, where and when. Sans-I/O: appends, releases and completions come in, write
// operations and growth requests come out; the same code runs over a real disk and over the simulator's. Owned by one
// RaftLog or simulated disk and called from its thread. It does not read, does not know the time, and never fails: a
// log without space holds its appends back (`stalled_for_space`), and `is_full` tells the replica before it comes to
// that.
//
// Rules: a batch is written once; at most `writes_in_flight_max` are in flight; durable is the contiguous prefix of
// completed batches; batches of a new segment wait for its header; a slot is reused only after a durable batch said
// that it is no longer needed. docs/log-format.md has the reasons.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "log/batch_index.hpp"
#include "log/buffer_pool.hpp"
#include "log/format.hpp"
#include "log/recovery.hpp"
#include "log/types.hpp"

namespace whitewater::log {

struct PlannerLimits {
  std::uint32_t segment_bytes = 16U << 20;
  std::uint32_t segments_max = 256;           // the size budget: 4 GiB of 16 MiB segments
  std::uint32_t writes_in_flight_max = 4;     // W
  std::uint32_t eager_in_flight_max = 1;      // fewer in flight: write at once; otherwise wait for a full batch
  std::uint32_t group_bytes_max = 256 << 10;  // a batch takes more only for one large entry
  std::uint32_t free_segments_min = 2;        // fewer free: ask for another
  std::uint32_t reserve_segments = 1;         // refused to proposals, kept for hard state, no-ops and configuration
};

struct PlannerOutput {
  std::vector<WriteOp> writes;
  std::optional<Slot> grow;  // please add a zero-filled segment with this slot number
};

class LogPlanner {
 public:
  // `log` is what recovery returned, `slots` how many segment files exist (at least one), `incarnation` greater than
  // any in the log. The pool outlives the planner.
  LogPlanner(const LogIdentity& identity, Incarnation incarnation, const PlannerLimits& limits, const RecoveredLog& log,
             std::uint32_t slots, BufferPool& pool);

  void on_append(LogAppend append);
  // Entries up to `upto` are applied, durable in the store and needed by nobody. Cut to last_index().
  void on_release(Index upto);
  void on_write_done(std::uint64_t op_id);
  void on_segment_added(Slot slot);
  // The disk refused (no space); asked again only after `on_growth_retry`.
  void on_segment_add_failed(Slot slot);
  void on_growth_retry();
  // Written into the headers of segments from now on.
  void on_cluster(ClusterId cluster) { identity_.cluster = cluster; }

  // Moves out what is to be done; `out` is cleared first and its capacity reused.
  void take_output(PlannerOutput& out);

  [[nodiscard]] std::uint64_t durable_token() const { return durable_token_; }
  [[nodiscard]] std::uint64_t durable_sequence() const { return durable_sequence_; }
  [[nodiscard]] const core::HardState& durable_hard_state() const { return durable_hard_state_; }
  // The last entry appended, durable or not.
  [[nodiscard]] Index last_index() const { return last_index_; }
  // The oldest entry that can be read from disk; last_index() + 1 when there is none.
  [[nodiscard]] Index first_index() const;
  // The term of an entry from first_index() - 1 to last_index(); zero when it is not known.
  [[nodiscard]] const PlannerLimits& limits() const { return limits_; }
  [[nodiscard]] Term term_at(Index index) const { return terms_.term_at(index); }
  // Where to read an entry; nothing while it is not durable, or when it was released or superseded.
  [[nodiscard]] std::optional<BatchRef> locate(Index index) const;

  // True when `bytes` more of payload must not be proposed (or accepted from a leader) now. The reserve stays free.
  [[nodiscard]] bool is_full(std::size_t bytes = 0) const;
  [[nodiscard]] std::uint64_t available_bytes() const;
  // Appends wait for a released or an added segment.
  [[nodiscard]] bool stalled_for_space() const { return stalled_; }
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::size_t free_slots() const { return free_.size(); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size() + (roll_ ? 1U : 0U); }
  [[nodiscard]] std::uint64_t batches_written() const { return batches_written_; }
  [[nodiscard]] std::size_t entry_payload_bytes_max() const;
  [[nodiscard]] std::string describe() const;

 private:
  struct TokenMark {
    std::uint64_t token;
  };
  using Item = std::variant<core::HardState, TruncateRecord, LogReset, core::Entry, TokenMark>;
  struct LiveSegment {
    Slot slot;
    std::uint64_t sequence;
    Index max_index;              // highest entry ever put there
    std::uint64_t last_sequence;  // of its last batch; zero while it has none
  };
  struct BatchInFlight {
    std::uint64_t op_id;
    std::uint64_t sequence;
    std::uint64_t first_live;
    core::HardState hard_state;
    Buffer buffer;
    bool is_done = false;
  };
  struct Roll {
    std::uint64_t op_id;
    LiveSegment segment;
    Buffer buffer;
  };
  struct WaitingToken {
    std::uint64_t sequence;  // durable with this batch
    std::uint64_t token;
  };
  struct ReleasedSlot {
    Slot slot;
    std::uint64_t sequence;
  };
  struct Plan {  // which items make up the next batch
    std::size_t items = 0;
    std::size_t payload_bytes = 0;
    std::uint32_t records = 0;
    std::uint32_t entries = 0;
    bool is_blocked_by_space = false;
  };

  void push(Item item, std::size_t bytes);
  void take_leading_marks();
  void pump();
  [[nodiscard]] bool may_write_now() const;
  [[nodiscard]] bool wants_marker() const;
  [[nodiscard]] Plan plan_batch() const;
  void write_batch(const Plan& plan);
  void place_entries(const BatchHeader& header);
  void put_items(const Plan& plan, BatchHeader& header, RecordWriter& writer);
  [[nodiscard]] bool start_roll();
  void finish_roll();
  void advance_durable();
  void advance_first_live();
  void maybe_grow();
  [[nodiscard]] std::uint32_t tail_room_bytes() const;
  void check_basic() const;

  LogIdentity identity_;
  Incarnation incarnation_;
  PlannerLimits limits_;
  BufferPool& pool_;

  // What was appended, in order, and not yet put into a batch.
  std::deque<Item> queue_;
  std::size_t queued_bytes_ = 0;
  Index last_index_;  // with the queue
  TermRuns terms_;    // with the queue
  Index released_;
  std::uint64_t last_token_ = 0;

  // What was put into batches.
  Index placed_index_;
  Term placed_term_;
  core::HardState placed_hard_state_;
  BatchIndex index_;
  std::uint64_t next_sequence_ = 1;
  std::uint32_t chain_ = 0;
  std::uint64_t batches_written_ = 0;

  // Where.
  std::deque<LiveSegment> live_;  // oldest first; the last one is written to
  std::uint32_t tail_offset_ = 0;
  std::uint64_t next_segment_sequence_ = 1;
  std::optional<Roll> roll_;
  std::deque<Slot> free_;
  std::deque<ReleasedSlot> released_slots_;  // free once a durable batch says so
  std::uint64_t first_live_ = 0;
  std::uint64_t announced_first_live_ = 0;  // in a batch that was submitted
  std::uint32_t slots_ = 0;
  bool growing_ = false;
  bool growth_refused_ = false;
  bool stalled_ = false;

  // What is on its way and what arrived.
  std::deque<BatchInFlight> in_flight_;
  std::deque<WaitingToken> waiting_tokens_;
  std::uint64_t next_op_id_ = 1;
  std::uint64_t durable_sequence_ = 0;
  std::uint64_t durable_token_ = 0;
  core::HardState durable_hard_state_;
  PlannerOutput output_;
};

}  // namespace whitewater::log

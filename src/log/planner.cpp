// Inputs, completions and space. Building batches and rolling segments is in planner_write.cpp.
#include "log/planner.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::log {

LogPlanner::LogPlanner(const LogIdentity& identity, Incarnation incarnation, const PlannerLimits& limits,
                       const RecoveredLog& log, std::uint32_t slots, BufferPool& pool)
    : identity_(identity), incarnation_(incarnation), limits_(limits), pool_(pool), slots_(slots) {
  WW_ASSERT(slots_ >= 1);
  WW_ASSERT(!identity.node.is_zero());
  WW_ASSERT(incarnation_ >= log.next_incarnation);
  WW_ASSERT(limits_.segment_bytes >= segment_bytes_min && limits_.segment_bytes <= segment_bytes_max);
  WW_ASSERT(limits_.segment_bytes % block_bytes == 0);
  WW_ASSERT(limits_.writes_in_flight_max >= 1 && limits_.eager_in_flight_max >= 1);
  limits_.segments_max = std::max(limits_.segments_max, slots_);

  last_index_ = placed_index_ = log.last_index;
  terms_ = log.terms;
  placed_term_ = terms_.term_at(last_index_);
  released_ = log.first_index.prev();
  placed_hard_state_ = durable_hard_state_ = log.hard_state;
  index_ = log.index;
  next_sequence_ = log.next_sequence;
  durable_sequence_ = next_sequence_ - 1;
  chain_ = log.chain;
  next_segment_sequence_ = log.next_segment_sequence;
  tail_offset_ = log.tail_offset_bytes;
  for (const auto& segment : log.live) {
    WW_ASSERT(segment.slot < slots_);
    live_.push_back({segment.slot, segment.sequence, segment.max_index, segment.last_sequence});
  }
  for (Slot slot = 0; slot < slots_; ++slot) {
    const bool is_live =
        std::any_of(live_.begin(), live_.end(), [slot](const LiveSegment& segment) { return segment.slot == slot; });
    if (!is_live) free_.push_back(slot);
  }
  first_live_ = announced_first_live_ = live_.empty() ? 0 : live_.front().sequence;
  // The first segment's header goes out before anybody asks, so that the first append does not wait for it.
  if (live_.empty()) {
    const bool has_started = start_roll();
    WW_ASSERT(has_started);
  }
  maybe_grow();
}

void LogPlanner::on_append(LogAppend append) {
  WW_ASSERT(append.token > last_token_);
  last_token_ = append.token;
  if (append.hard_state) push(*append.hard_state, small_record_bytes);
  if (append.reset) {
    WW_ASSERT(append.reset->next_index > released_);
    last_index_ = append.reset->next_index.prev();
    terms_.reset(last_index_, append.reset->prev_term);
    push(*append.reset, small_record_bytes);
  }
  if (!append.entries.empty() && append.entries.front().index <= last_index_) {
    const Index from = append.entries.front().index;
    // What was released is committed, and the committed part is never superseded (S19).
    WW_ASSERT_MSG(from > released_, "a truncation reaches released entries");
    const TruncateRecord record{from, terms_.term_at(from.prev())};
    terms_.truncate_from(from, record.prev_term);
    last_index_ = from.prev();
    push(record, small_record_bytes);
  }
  for (auto& entry : append.entries) {
    WW_ASSERT_MSG(entry.index == last_index_.next(), "entries are not contiguous");
    WW_ASSERT_MSG(entry.payload.size_bytes() <= entry_payload_bytes_max(), "an entry is over the limit");
    terms_.append(entry.index, entry.term);
    last_index_ = entry.index;
    const std::size_t bytes = record_bytes(entry);
    push(std::move(entry), bytes);
  }
  push(TokenMark{append.token}, 0);
  pump();
}

void LogPlanner::push(Item item, std::size_t bytes) {
  queue_.push_back(std::move(item));
  queued_bytes_ += bytes;
}

void LogPlanner::on_release(Index upto) {
  released_ = std::max(released_, std::min(upto, last_index_));
  advance_first_live();
  pump();
}

void LogPlanner::on_write_done(std::uint64_t op_id) {
  if (roll_ && roll_->op_id == op_id) {
    finish_roll();
  } else {
    const auto batch = std::find_if(in_flight_.begin(), in_flight_.end(),
                                    [op_id](const BatchInFlight& b) { return b.op_id == op_id; });
    WW_ASSERT_MSG(batch != in_flight_.end(), "a completion of no write in flight");
    WW_ASSERT(!batch->is_done);
    batch->is_done = true;
    pool_.release(std::move(batch->buffer));
    advance_durable();
  }
  pump();
  check_basic();
}

// Durable is the contiguous prefix: a later batch that is already on the disk does not count while an earlier one is
// not.
void LogPlanner::advance_durable() {
  std::uint64_t durable_first_live = 0;
  while (!in_flight_.empty() && in_flight_.front().is_done) {
    const BatchInFlight& batch = in_flight_.front();
    WW_ASSERT(batch.sequence == durable_sequence_ + 1);
    durable_sequence_ = batch.sequence;
    durable_first_live = batch.first_live;
    durable_hard_state_ = batch.hard_state;
    in_flight_.pop_front();
  }
  while (!waiting_tokens_.empty() && waiting_tokens_.front().sequence <= durable_sequence_) {
    durable_token_ = waiting_tokens_.front().token;
    waiting_tokens_.pop_front();
  }
  // Now that a durable batch says that these are not needed, a torn header over one of them cannot be taken for damage.
  while (!released_slots_.empty() && released_slots_.front().sequence < durable_first_live) {
    free_.push_back(released_slots_.front().slot);
    released_slots_.pop_front();
  }
  advance_first_live();
}

void LogPlanner::advance_first_live() {
  while (live_.size() > 1 && live_.front().max_index <= released_ && live_.front().last_sequence <= durable_sequence_) {
    released_slots_.push_back({live_.front().slot, live_.front().sequence});
    live_.pop_front();
    first_live_ = live_.front().sequence;
  }
  if (!live_.empty()) index_.drop_segments_before(first_live_);
  const Index first = first_index();
  if (first > terms_.boundary() && first <= last_index_.next()) terms_.drop_before(first);
}

void LogPlanner::on_segment_added(Slot slot) {
  WW_ASSERT(growing_);
  WW_ASSERT(slot == slots_);
  growing_ = false;
  ++slots_;
  free_.push_back(slot);
  pump();
}

void LogPlanner::on_segment_add_failed(Slot slot) {
  WW_ASSERT(growing_);
  WW_ASSERT(slot == slots_);
  growing_ = false;
  growth_refused_ = true;
}

void LogPlanner::on_growth_retry() {
  growth_refused_ = false;
  maybe_grow();
}

void LogPlanner::maybe_grow() {
  if (growing_ || growth_refused_ || slots_ >= limits_.segments_max) return;
  if (free_.size() + released_slots_.size() >= limits_.free_segments_min) return;
  growing_ = true;
  output_.grow = slots_;
}

void LogPlanner::take_output(PlannerOutput& out) {
  out.writes.clear();
  out.grow.reset();
  std::swap(out, output_);
}

Index LogPlanner::first_index() const { return index_.empty() ? placed_index_.next() : index_.first(); }

std::optional<BatchRef> LogPlanner::locate(Index index) const {
  const BatchRef* ref = index_.locate(index);
  if (ref == nullptr || ref->sequence > durable_sequence_) return std::nullopt;
  return *ref;
}

std::size_t LogPlanner::entry_payload_bytes_max() const {
  // Header block, marker block, and in the batch room for a hard state and a truncation before the entry.
  const std::size_t room = limits_.segment_bytes - 2 * block_bytes - sizeof(BatchHeader);
  return std::min(core::entry_payload_bytes_max, room - entry_record_bytes - 2 * small_record_bytes);
}

// A careful estimate: each segment may lose its end to a batch that does not fit, so it counts without the largest
// batch (or without its half where segments are small).
std::uint64_t LogPlanner::available_bytes() const {
  const std::uint64_t usable = limits_.segment_bytes - 2 * block_bytes;
  const std::uint64_t packing = usable - std::min<std::uint64_t>(batch_bytes_max, usable / 2);
  const std::uint64_t reserve = limits_.reserve_segments;
  const std::uint64_t whole = free_.size() + (roll_ ? 1U : 0U);
  std::uint64_t bytes = whole > reserve ? (whole - reserve) * packing : 0;
  // The end of the segment in use counts only while the reserve is whole.
  if (whole >= reserve && !live_.empty() && !roll_) bytes += tail_room_bytes();
  const std::uint64_t queued = queued_bytes_ == 0 ? 0 : queued_bytes_ + queued_bytes_ / 8 + block_bytes;
  return bytes > queued ? bytes - queued : 0;
}

bool LogPlanner::is_full(std::size_t bytes) const {
  return stalled_ || available_bytes() < round_up_to_block(bytes + sizeof(BatchHeader) + entry_record_bytes);
}

std::uint32_t LogPlanner::tail_room_bytes() const {
  // The last block is kept for a marker batch, so that a full log can always say which segments it no longer needs.
  const std::uint32_t end = limits_.segment_bytes - block_bytes;
  return tail_offset_ < end ? end - tail_offset_ : 0;
}

void LogPlanner::check_basic() const {
  WW_ASSERT(in_flight_.size() <= limits_.writes_in_flight_max);
  WW_ASSERT(durable_sequence_ + in_flight_.size() + 1 == next_sequence_);
  WW_ASSERT(durable_token_ <= last_token_);
  WW_ASSERT(live_.size() + free_.size() + released_slots_.size() + (roll_ ? 1U : 0U) == slots_);
}

std::string LogPlanner::describe() const {
  std::string text =
      "log{last " + std::to_string(last_index_.value) + ", durable token " + std::to_string(durable_token_);
  text += ", sequence " + std::to_string(durable_sequence_) + " durable of " + std::to_string(next_sequence_ - 1);
  text += ", in flight " + std::to_string(in_flight()) + ", queued " + std::to_string(queued_bytes_) + " bytes";
  text += ", segments " + std::to_string(live_.size()) + " live " + std::to_string(free_.size()) + " free of " +
          std::to_string(slots_);
  if (!live_.empty()) text += ", first live " + std::to_string(first_live_);
  if (stalled_) text += ", stalled for space";
  return text + "}";
}

}  // namespace whitewater::log

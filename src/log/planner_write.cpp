// How LogPlanner turns what was appended into writes: which items make a batch, where it goes, and the step to the next
// segment.
#include <algorithm>

#include "base/assert.hpp"
#include "log/planner.hpp"

namespace whitewater::log {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

void LogPlanner::pump() {
  stalled_ = false;
  for (;;) {
    take_leading_marks();
    if (roll_ || !may_write_now()) break;
    const Plan plan = plan_batch();
    if (plan.is_blocked_by_space) {
      if (start_roll()) break;
      // Every slot is taken. What was released becomes free once a marker in the reserved block says so.
      const bool has_marker_block = tail_offset_ + block_bytes <= limits_.segment_bytes;
      if (wants_marker() && has_marker_block && in_flight_.empty()) {
        write_batch(Plan{});
        continue;
      }
      stalled_ = true;
      break;
    }
    write_batch(plan);
  }
  maybe_grow();
}

// Tokens with nothing left to wait for in the queue are durable with the last batch that was made.
void LogPlanner::take_leading_marks() {
  while (!queue_.empty() && std::holds_alternative<TokenMark>(queue_.front())) {
    const std::uint64_t token = std::get<TokenMark>(queue_.front()).token;
    queue_.pop_front();
    if (next_sequence_ - 1 <= durable_sequence_) {
      durable_token_ = token;
    } else {
      waiting_tokens_.push_back({next_sequence_ - 1, token});
    }
  }
}

// Group commit without a timer: the device is the clock. Nothing in flight: write what there is. Otherwise wait until a
// batch is full or the device is done.
bool LogPlanner::may_write_now() const {
  if (in_flight_.size() >= limits_.writes_in_flight_max) return false;
  // The marker may take the reserved block: a full log gets no append that would make it roll, and would stay full.
  if (queue_.empty()) {
    return wants_marker() && in_flight_.empty() && tail_offset_ + block_bytes <= limits_.segment_bytes;
  }
  if (in_flight_.size() < limits_.eager_in_flight_max) return true;
  return queued_bytes_ + sizeof(BatchHeader) >= limits_.group_bytes_max;
}

// A batch without records, only to say that segments are no longer needed; while slots are plenty the next batch says
// it.
bool LogPlanner::wants_marker() const {
  return announced_first_live_ < first_live_ && free_.size() < limits_.free_segments_min;
}

LogPlanner::Plan LogPlanner::plan_batch() const {
  Plan plan;
  const std::size_t room = tail_room_bytes();
  std::size_t bytes = sizeof(BatchHeader);
  for (const auto& item : queue_) {
    const auto* entry = std::get_if<core::Entry>(&item);
    std::size_t item_bytes = small_record_bytes;
    if (entry != nullptr) item_bytes = record_bytes(*entry);
    if (std::holds_alternative<TokenMark>(item)) item_bytes = 0;
    // In a batch, what supersedes comes before what follows it: then its entries are one contiguous range.
    const bool supersedes = std::holds_alternative<TruncateRecord>(item) || std::holds_alternative<LogReset>(item);
    if (supersedes && plan.entries > 0) break;
    const bool is_over_group = bytes + item_bytes > limits_.group_bytes_max;
    if (is_over_group && plan.entries > 0) break;
    if (bytes + item_bytes > batch_bytes_max) break;
    if (round_up_to_block(bytes + item_bytes) > room) {
      plan.is_blocked_by_space = plan.records == 0;
      break;
    }
    bytes += item_bytes;
    ++plan.items;
    if (item_bytes > 0) ++plan.records;
    if (entry != nullptr) ++plan.entries;
  }
  plan.payload_bytes = bytes - sizeof(BatchHeader);
  return plan;
}

void LogPlanner::write_batch(const Plan& plan) {
  WW_ASSERT(!live_.empty());
  const auto length = static_cast<std::uint32_t>(round_up_to_block(sizeof(BatchHeader) + plan.payload_bytes));
  WW_ASSERT(tail_offset_ + length <= limits_.segment_bytes);
  Buffer buffer = pool_.acquire(length);

  BatchHeader header;
  header.length_bytes = length;
  header.payload_bytes = static_cast<std::uint32_t>(plan.payload_bytes);
  header.segment_sequence = live_.back().sequence;
  header.offset_bytes = tail_offset_;
  header.record_count = plan.records;
  header.sequence = next_sequence_++;
  header.durable_upto = durable_sequence_;
  header.first_live = announced_first_live_ = first_live_;
  header.incarnation = incarnation_.value;
  header.prev_crc = chain_;
  RecordWriter writer(buffer.data + sizeof header);
  put_items(plan, header, writer);
  WW_ASSERT(writer.position() == buffer.data + sizeof header + plan.payload_bytes);
  WW_ASSERT(header.entry_count == plan.entries);
  chain_ = seal_batch(header, identity_.log_id, buffer.data);

  place_entries(header);
  const std::uint64_t op_id = next_op_id_++;
  output_.writes.push_back({op_id, live_.back().slot, tail_offset_, {buffer.data, length}, buffer.slot});
  in_flight_.push_back({op_id, header.sequence, header.first_live, placed_hard_state_, std::move(buffer)});
  tail_offset_ += length;
  ++batches_written_;
}

void LogPlanner::put_items(const Plan& plan, BatchHeader& header, RecordWriter& writer) {
  const auto put_entry = [&](const core::Entry& entry) {
    writer.put(entry);
    if (header.entry_count++ == 0) header.first_index = entry.index.value;
    header.last_term = entry.term.value;
    placed_index_ = entry.index;
    placed_term_ = entry.term;
  };
  for (std::size_t i = 0; i < plan.items; ++i) {
    std::visit(Overloaded{[&](const core::HardState& state) {
                            writer.put(state);
                            placed_hard_state_ = state;
                            queued_bytes_ -= small_record_bytes;
                          },
                          [&](const TruncateRecord& record) {
                            writer.put(record);
                            placed_index_ = record.from.prev();
                            placed_term_ = record.prev_term;
                            index_.truncate_from(record.from);
                            queued_bytes_ -= small_record_bytes;
                          },
                          [&](const LogReset& record) {
                            writer.put(record);
                            placed_index_ = record.next_index.prev();
                            placed_term_ = record.prev_term;
                            index_.clear();
                            queued_bytes_ -= small_record_bytes;
                          },
                          [&](const core::Entry& entry) {
                            put_entry(entry);
                            queued_bytes_ -= record_bytes(entry);
                          },
                          [&](const TokenMark& mark) { waiting_tokens_.push_back({header.sequence, mark.token}); }},
               queue_.front());
    queue_.pop_front();
  }
}

void LogPlanner::place_entries(const BatchHeader& header) {
  LiveSegment& segment = live_.back();
  segment.last_sequence = header.sequence;
  if (header.entry_count == 0) return;
  const Index first(header.first_index);
  const Index last(header.first_index + header.entry_count - 1);
  segment.max_index = std::max(segment.max_index, last);
  index_.add({first, last, header.sequence, segment.sequence, segment.slot, header.offset_bytes, header.length_bytes});
}

// The next segment's header is a write of its own, and batches in that segment wait for it: so a batch in a segment
// without a readable header was never acknowledged. Earlier batches may still be in flight beside it; the chain through
// `prev_crc` makes the segment unreachable when one of them is lost.
bool LogPlanner::start_roll() {
  WW_ASSERT(!roll_);
  if (free_.empty()) return false;
  const Slot slot = free_.front();
  free_.pop_front();

  SegmentHeader header;
  header.slot = slot;
  header.cluster_id = identity_.cluster.value;
  header.node_id = identity_.node.value;
  header.log_id = identity_.log_id;
  header.sequence = next_segment_sequence_++;
  header.prev_sequence = live_.empty() ? 0 : live_.back().sequence;
  header.first_live = live_.empty() ? header.sequence : first_live_;
  header.incarnation = incarnation_.value;
  header.base_index = placed_index_.next().value;
  header.base_prev_term = placed_term_.value;
  header.first_batch_sequence = next_sequence_;
  header.durable_upto = durable_sequence_;
  header.term = placed_hard_state_.term.value;
  header.vote = placed_hard_state_.vote.value;
  header.segment_bytes = limits_.segment_bytes;
  header.prev_crc = chain_;

  Buffer buffer = pool_.acquire(block_bytes);
  seal_segment_header(header, buffer.data);
  const std::uint64_t op_id = next_op_id_++;
  output_.writes.push_back({op_id, slot, 0, {buffer.data, block_bytes}, buffer.slot});
  roll_.emplace(Roll{op_id, {slot, header.sequence, Index(0), 0}, std::move(buffer)});
  return true;
}

void LogPlanner::finish_roll() {
  WW_ASSERT(roll_.has_value());
  live_.push_back(roll_->segment);
  pool_.release(std::move(roll_->buffer));
  roll_.reset();
  tail_offset_ = block_bytes;
  if (live_.size() == 1) first_live_ = announced_first_live_ = live_.front().sequence;
  advance_first_live();
}

}  // namespace whitewater::log

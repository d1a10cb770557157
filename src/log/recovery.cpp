// The order of steps: read every segment header; follow the links from the newest segment back to the oldest; read
// batches forward while each continues the one before; then look behind the end for proof that more had been
// acknowledged.
#include "log/recovery.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/assert.hpp"
#include "log/format.hpp"

namespace whitewater::log {
namespace {

// Reads ahead in large pieces, since batches and blocks are mostly asked for in order.
class Window {
 public:
  explicit Window(LogImage& image) : image_(image) {}

  // Both are empty after an error, which `failure` tells.
  std::string_view view(Slot slot, std::uint32_t offset, std::uint32_t size) {
    return get(slot, offset, size, recovery_read_bytes);
  }
  // For a single block here and there.
  std::string_view peek(Slot slot, std::uint32_t offset) { return get(slot, offset, block_bytes, block_bytes); }

  [[nodiscard]] const std::optional<RecoveryRefusal>& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t scanned_bytes() const { return scanned_bytes_; }

 private:
  std::string_view get(Slot slot, std::uint32_t offset, std::uint32_t size, std::size_t ahead) {
    WW_ASSERT(offset + size <= image_.segment_bytes());
    if (slot != slot_ || offset < start_ || offset + size > start_ + bytes_.size()) {
      const auto most = static_cast<std::uint32_t>(std::max<std::size_t>(size, ahead));
      const auto wanted = std::min<std::uint32_t>(most, image_.segment_bytes() - offset);
      auto read = image_.read(slot, offset, wanted);
      if (read.has_error() || read->size() < wanted) {
        failure_ = RecoveryRefusal{RefusalKind::unreadable, slot, offset,
                                   "the device could not read it: " +
                                       (read.has_error() ? read.error().message() : std::string("a short read"))};
        bytes_ = {};
        return {};
      }
      slot_ = slot;
      start_ = offset;
      bytes_ = *read;
      scanned_bytes_ += wanted;
    }
    return bytes_.substr(offset - start_, size);
  }

  LogImage& image_;
  Slot slot_ = 0;
  std::uint32_t start_ = 0;
  std::string_view bytes_;
  std::uint64_t scanned_bytes_ = 0;
  std::optional<RecoveryRefusal> failure_;
};

struct SlotHead {
  HeaderCheck check = HeaderCheck::blank;
  SegmentHeader header;
};

class Recovery {
 public:
  Recovery(LogImage& image, const RecoveryOptions& options) : image_(image), options_(options), window_(image) {}

  RecoveryResult run() {
    const bool is_done = read_heads() && (is_fresh_ || (scan() && look_for_proof() && finish()));
    if (!is_done) {
      WW_ASSERT(refusal_.has_value());
      return *refusal_;
    }
    log_.is_fresh = is_fresh_;
    log_.scanned_bytes = window_.scanned_bytes();
    return std::move(log_);
  }

 private:
  bool refuse(RefusalKind kind, Slot slot, std::uint32_t offset, std::string reason) {
    refusal_ = window_.failure() ? *window_.failure() : RecoveryRefusal{kind, slot, offset, std::move(reason)};
    return false;
  }
  bool corrupt(Slot slot, std::uint32_t offset, std::string reason) {
    return refuse(RefusalKind::corrupt, slot, offset, std::move(reason));
  }
  // The window's own refusal.
  bool unreadable() { return refuse(RefusalKind::unreadable, 0, 0, {}); }

  bool read_heads();
  bool check_identity(Slot slot, const SegmentHeader& header);
  bool check_no_header_at_all();
  [[nodiscard]] std::vector<Slot> path_to_newest() const;

  bool scan();
  void enter_segment(Slot slot);
  std::optional<Slot> successor() const;
  enum class Step : std::uint8_t { batch, end, refused };
  Step step();
  bool apply(const BatchHeader& header, std::string_view batch);
  bool apply_record(Record record, const BatchHeader& header, std::uint32_t& entries);
  void keep(core::Entry entry);
  void drop_kept_from(Index from);

  bool look_for_proof();
  bool look_in(Slot slot, std::uint32_t from);
  bool finish();

  LogImage& image_;
  const RecoveryOptions options_;
  Window window_;
  std::optional<RecoveryRefusal> refusal_;
  bool is_fresh_ = false;
  RecoveredLog log_;

  std::vector<SlotHead> heads_;
  std::map<std::uint64_t, Slot> by_sequence_;
  std::set<Slot> visited_;
  std::uint64_t first_live_ = 0;
  std::uint64_t incarnation_ = 0;      // of the batch or header read last: it never falls
  std::uint64_t incarnation_max_ = 0;  // ever seen
  std::uint64_t segment_sequence_max_ = 0;
  std::size_t kept_bytes_ = 0;
};

bool Recovery::read_heads() {
  const Slot count = image_.slot_count();
  for (Slot slot = 0; slot < count; ++slot) {
    SlotHead head;
    const auto block = window_.peek(slot, 0);
    if (block.empty()) return unreadable();
    head.check = check_segment_header(block, head.header);
    if (head.check == HeaderCheck::newer) {
      return refuse(RefusalKind::newer_format, slot, 0,
                    "the segment is of format " + std::to_string(head.header.version) + ", this version reads up to " +
                        std::to_string(format_version));
    }
    if (head.check == HeaderCheck::valid) {
      if (!check_identity(slot, head.header)) return false;
      if (!by_sequence_.emplace(head.header.sequence, slot).second) {
        return corrupt(slot, 0, "two segments have the sequence " + std::to_string(head.header.sequence));
      }
      first_live_ = std::max(first_live_, head.header.first_live);
      incarnation_max_ = std::max(incarnation_max_, head.header.incarnation);
      segment_sequence_max_ = std::max(segment_sequence_max_, head.header.sequence);
    }
    heads_.push_back(head);
  }
  return by_sequence_.empty() ? check_no_header_at_all() : true;
}

bool Recovery::check_identity(Slot slot, const SegmentHeader& header) {
  if (header.node_id != options_.node.value) {
    return refuse(RefusalKind::other_member, slot, 0,
                  "the segment belongs to member " + base::to_hex(header.node_id) + ", this one is " +
                      base::to_hex(options_.node));
  }
  if (!options_.cluster.is_zero() && header.cluster_id != 0 && header.cluster_id != options_.cluster.value) {
    return refuse(RefusalKind::other_cluster, slot, 0,
                  "the segment belongs to cluster " + base::to_hex(header.cluster_id) + ", this member to " +
                      base::to_hex(options_.cluster));
  }
  if (header.slot != slot) {
    return corrupt(slot, 0, "the header was written for segment file " + std::to_string(header.slot));
  }
  if (header.segment_bytes != image_.segment_bytes()) {
    return corrupt(slot, 0,
                   "the header says " + std::to_string(header.segment_bytes) + " bytes, the file has " +
                       std::to_string(image_.segment_bytes()));
  }
  if (!by_sequence_.empty() && header.log_id != log_.log_id) {
    return corrupt(slot, 0, "the segment belongs to another log");
  }
  log_.log_id = header.log_id;
  return true;
}

// No batch is written before the header of its segment is durable: so without any header, a log that holds nothing
// behind the header blocks was never used, and one that holds something lost acknowledged data.
bool Recovery::check_no_header_at_all() {
  for (Slot slot = 0; slot < image_.slot_count(); ++slot) {
    const auto block = window_.peek(slot, block_bytes);
    if (block.empty()) return unreadable();
    if (!is_blank(block)) return corrupt(slot, 0, "the segment holds data and its header is not readable");
  }
  is_fresh_ = true;
  return true;
}

// From the segment begun last back along `prev_sequence`. Segments that an earlier recovery left behind a hole are on
// no such path once a newer one was begun, and the forward scan does not reach them before that.
std::vector<Slot> Recovery::path_to_newest() const {
  std::vector<Slot> path;
  auto at = std::prev(by_sequence_.end());
  for (;;) {
    path.push_back(at->second);
    const std::uint64_t prev = heads_[at->second].header.prev_sequence;
    if (prev == 0 || prev < first_live_ || prev >= at->first) break;
    at = by_sequence_.find(prev);
    if (at == by_sequence_.end()) break;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

void Recovery::enter_segment(Slot slot) {
  const SegmentHeader& header = heads_[slot].header;
  log_.live.push_back({slot, header.sequence, Index(0), 0});
  log_.tail_offset_bytes = block_bytes;
  incarnation_ = header.incarnation;
  visited_.insert(slot);
}

bool Recovery::scan() {
  const Slot start = path_to_newest().front();
  const SegmentHeader& header = heads_[start].header;
  log_.hard_state = {Term(header.term), NodeId(header.vote)};
  log_.last_index = Index(header.base_index - 1);
  log_.terms.reset(log_.last_index, Term(header.base_prev_term));
  log_.next_sequence = header.first_batch_sequence;
  log_.chain = header.prev_crc;
  enter_segment(start);
  for (;;) {
    const Step result = step();
    if (result == Step::refused) return false;
    if (result == Step::batch) continue;
    const auto next = successor();
    if (!next) return true;
    enter_segment(*next);
  }
}

std::optional<Slot> Recovery::successor() const {
  for (const auto& [sequence, slot] : by_sequence_) {
    const SegmentHeader& header = heads_[slot].header;
    const bool follows = header.prev_sequence == log_.live.back().sequence && sequence > log_.live.back().sequence;
    const bool continues = header.first_batch_sequence == log_.next_sequence && header.prev_crc == log_.chain;
    if (follows && continues && header.incarnation >= incarnation_ && !visited_.contains(slot)) return slot;
  }
  return std::nullopt;
}

// Reads the batch at the tail if it continues the log. What does not is the end, for now.
Recovery::Step Recovery::step() {
  const RecoveredSegment segment = log_.live.back();
  const std::uint32_t offset = log_.tail_offset_bytes;
  if (offset + block_bytes > image_.segment_bytes()) return Step::end;
  const auto block = window_.view(segment.slot, offset, block_bytes);
  if (block.empty()) return unreadable(), Step::refused;
  BatchHeader header;
  const HeaderCheck check = check_batch_header(block, log_.log_id, header);
  const bool is_here = header.segment_sequence == segment.sequence && header.offset_bytes == offset;
  if (check == HeaderCheck::newer && is_here) {
    refuse(RefusalKind::newer_format, segment.slot, offset,
           "the batch is of format " + std::to_string(header.version) + ", this version reads up to " +
               std::to_string(format_version));
    return Step::refused;
  }
  if (check != HeaderCheck::valid || !is_here) return Step::end;
  incarnation_max_ = std::max(incarnation_max_, header.incarnation);
  if (header.sequence != log_.next_sequence || header.prev_crc != log_.chain) return Step::end;
  if (header.incarnation < incarnation_) return Step::end;
  if (header.length_bytes > image_.segment_bytes() - offset) return Step::end;
  const auto batch = window_.view(segment.slot, offset, header.length_bytes);
  if (batch.empty()) return unreadable(), Step::refused;
  if (!is_payload_intact(header, batch)) return Step::end;
  if (!apply(header, batch)) return Step::refused;
  incarnation_ = header.incarnation;
  first_live_ = std::max(first_live_, header.first_live);
  log_.chain = header.crc;
  log_.next_sequence = header.sequence + 1;
  log_.tail_offset_bytes += header.length_bytes;
  log_.live.back().last_sequence = header.sequence;
  ++log_.batches;
  return Step::batch;
}

// The checksums are right, so whatever does not fit was written wrongly: that is never cut off in silence.
bool Recovery::apply(const BatchHeader& header, std::string_view batch) {
  const Slot slot = log_.live.back().slot;
  const auto payload = batch.substr(sizeof header, header.payload_bytes);
  const bool keeps = options_.keep_bytes_max > 0 && header.entry_count > 0 &&
                     Index(header.first_index + header.entry_count - 1) >= options_.keep_from;
  const auto owner = keeps ? std::make_shared<const std::string>(payload) : nullptr;
  base::ByteReader reader(owner ? std::string_view(*owner) : payload);
  std::uint32_t entries = 0;
  for (std::uint32_t i = 0; i < header.record_count; ++i) {
    auto record = read_record(reader, owner);
    if (record.has_error() && record.error() == base::Errc::unsupported_version) {
      return refuse(RefusalKind::newer_format, slot, header.offset_bytes,
                    "a record is of a kind that this version does not know");
    }
    if (record.has_error()) {
      return corrupt(slot, header.offset_bytes, "a record does not decode: " + record.error().message());
    }
    if (!apply_record(std::move(*record), header, entries)) return false;
  }
  if (!reader.at_end() || entries != header.entry_count) {
    return corrupt(slot, header.offset_bytes, "the batch does not hold what its header says");
  }
  if (entries == 0) return true;
  auto& segment = log_.live.back();
  segment.max_index = std::max(segment.max_index, log_.last_index);
  log_.index.add({Index(header.first_index), log_.last_index, header.sequence, segment.sequence, slot,
                  header.offset_bytes, header.length_bytes});
  return true;
}

bool Recovery::apply_record(Record record, const BatchHeader& header, std::uint32_t& entries) {
  const Slot slot = log_.live.back().slot;
  if (const auto* state = std::get_if<core::HardState>(&record)) {
    log_.hard_state = *state;
    return true;
  }
  if (auto* entry = std::get_if<core::Entry>(&record)) {
    const bool is_first = entries++ == 0;
    if (entry->index != log_.last_index.next() || (is_first && entry->index.value != header.first_index)) {
      return corrupt(slot, header.offset_bytes,
                     "entry " + std::to_string(entry->index.value) + " does not follow entry " +
                         std::to_string(log_.last_index.value));
    }
    if (!log_.terms.runs().empty() && log_.terms.runs().back().term > entry->term) {
      return corrupt(slot, header.offset_bytes, "the term falls at entry " + std::to_string(entry->index.value));
    }
    log_.last_index = entry->index;
    log_.terms.append(entry->index, entry->term);
    keep(std::move(*entry));
    return true;
  }
  if (entries > 0) return corrupt(slot, header.offset_bytes, "a truncation follows entries in one batch");
  if (const auto* truncate = std::get_if<TruncateRecord>(&record)) {
    if (truncate->from > log_.last_index.next()) {
      return corrupt(slot, header.offset_bytes, "a truncation lies behind the end of the log");
    }
    log_.terms.truncate_from(truncate->from, truncate->prev_term);
    log_.index.truncate_from(truncate->from);
    log_.last_index = truncate->from.prev();
    drop_kept_from(truncate->from);
    return true;
  }
  const auto& reset = std::get<LogReset>(record);
  log_.last_index = reset.next_index.prev();
  log_.terms.reset(log_.last_index, reset.prev_term);
  log_.index.clear();
  drop_kept_from(Index(0));
  return true;
}

void Recovery::keep(core::Entry entry) {
  if (options_.keep_bytes_max == 0 || entry.index < options_.keep_from) return;
  kept_bytes_ += entry_record_bytes + entry.payload.size_bytes();
  log_.entries.push_back(std::move(entry));
  while (kept_bytes_ > options_.keep_bytes_max && log_.entries.size() > 1) {
    kept_bytes_ -= entry_record_bytes + log_.entries.front().payload.size_bytes();
    log_.entries.pop_front();
  }
}

void Recovery::drop_kept_from(Index from) {
  while (!log_.entries.empty() && log_.entries.back().index >= from) {
    kept_bytes_ -= entry_record_bytes + log_.entries.back().payload.size_bytes();
    log_.entries.pop_back();
  }
}

// Everything behind the end is either unreachable leftovers or damage. A batch or header that says "durable up to n"
// with n at or behind the end proves that a batch which is not there was acknowledged.
bool Recovery::look_for_proof() {
  if (!look_in(log_.live.back().slot, log_.tail_offset_bytes)) return false;
  for (Slot slot = 0; slot < image_.slot_count(); ++slot) {
    if (visited_.contains(slot)) continue;
    const SlotHead& head = heads_[slot];
    const bool is_newer = head.check == HeaderCheck::valid && head.header.sequence > log_.live.back().sequence;
    if (is_newer && head.header.durable_upto >= log_.next_sequence) {
      return corrupt(log_.live.back().slot, log_.tail_offset_bytes,
                     "batch " + std::to_string(log_.next_sequence) + " is damaged or missing, and segment file " +
                         std::to_string(slot) + " proves that it was acknowledged");
    }
    if (image_.segment_bytes() < 2 * block_bytes) continue;
    // A slot whose first batch belongs to a later use than its header lost that header.
    const auto block = window_.peek(slot, block_bytes);
    if (block.empty()) return unreadable();
    BatchHeader first;
    const bool has_batch = check_batch_header(block, log_.log_id, first) == HeaderCheck::valid;
    const bool lost_its_header = has_batch && first.segment_sequence > head.header.sequence;
    const bool is_suspect = is_newer || lost_its_header || (head.check != HeaderCheck::valid && !is_blank(block));
    if (is_suspect && !look_in(slot, block_bytes)) return false;
  }
  return true;
}

bool Recovery::look_in(Slot slot, std::uint32_t from) {
  const bool is_tail = slot == log_.live.back().slot;
  for (std::uint32_t offset = from; offset + block_bytes <= image_.segment_bytes(); offset += block_bytes) {
    const auto block = window_.view(slot, offset, block_bytes);
    if (block.empty()) return unreadable();
    BatchHeader header;
    const HeaderCheck check = check_batch_header(block, log_.log_id, header);
    if (check == HeaderCheck::blank) continue;
    const bool is_here = check == HeaderCheck::valid && header.offset_bytes == offset;
    if (!is_here) {
      // The torn batch's own first block; its later blocks are counted by the header where that is whole.
      if (is_tail && offset == log_.tail_offset_bytes) log_.torn_bytes += block_bytes;
      continue;
    }
    incarnation_max_ = std::max(incarnation_max_, header.incarnation);
    segment_sequence_max_ = std::max(segment_sequence_max_, header.segment_sequence);
    if (header.durable_upto >= log_.next_sequence) {
      return corrupt(log_.live.back().slot, log_.tail_offset_bytes,
                     "batch " + std::to_string(log_.next_sequence) + " is damaged or missing, and batch " +
                         std::to_string(header.sequence) + " in segment file " + std::to_string(slot) + " at offset " +
                         std::to_string(offset) + " proves that it was acknowledged");
    }
    const bool was_under_way = header.sequence >= log_.next_sequence && header.incarnation >= incarnation_;
    if (was_under_way) log_.torn_bytes += header.length_bytes;
  }
  return true;
}

bool Recovery::finish() {
  if (log_.live.front().sequence > first_live_) {
    return corrupt(log_.live.front().slot, 0,
                   "segment " + std::to_string(first_live_) + " is still needed and its header is not readable");
  }
  if (first_live_ > log_.live.back().sequence) {
    return corrupt(log_.live.back().slot, log_.tail_offset_bytes,
                   "the log ends before segment " + std::to_string(first_live_) + ", which is still needed");
  }
  while (log_.live.front().sequence < first_live_) log_.live.erase(log_.live.begin());
  log_.index.drop_segments_before(first_live_);
  log_.first_index = log_.index.empty() ? log_.last_index.next() : log_.index.first();
  log_.terms.drop_before(log_.first_index);
  while (!log_.entries.empty() && log_.entries.front().index < log_.first_index) log_.entries.pop_front();
  log_.next_segment_sequence = segment_sequence_max_ + 1;
  log_.next_incarnation = Incarnation(incarnation_max_ + 1);
  return true;
}

}  // namespace

RecoveryResult recover(LogImage& image, const RecoveryOptions& options) {
  WW_ASSERT(image.segment_bytes() >= segment_bytes_min);
  WW_ASSERT(image.segment_bytes() % block_bytes == 0);
  return Recovery(image, options).run();
}

std::string describe(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::corrupt:
      return "corrupt";
    case RefusalKind::newer_format:
      return "newer format";
    case RefusalKind::other_member:
      return "of another member";
    case RefusalKind::other_cluster:
      return "of another cluster";
    case RefusalKind::unreadable:
      return "unreadable";
  }
  return "unknown";
}

std::string describe(const RecoveryRefusal& refusal) {
  return "the log is " + describe(refusal.kind) + ": segment file " + std::to_string(refusal.slot) + ", offset " +
         std::to_string(refusal.offset_bytes) + ": " + refusal.reason;
}

std::string describe(const RecoveredLog& log) {
  return "recovered{entries " + std::to_string(log.first_index.value) + ".." + std::to_string(log.last_index.value) +
         ", term " + std::to_string(log.hard_state.term.value) + ", vote " + base::to_hex(log.hard_state.vote) +
         ", batches " + std::to_string(log.batches) + ", segments " + std::to_string(log.live.size()) +
         ", torn bytes " + std::to_string(log.torn_bytes) + "}";
}

}  // namespace whitewater::log

// Recovery of the log from segments that the input describes: batches of chosen records with right checksums and
// chains, since no fuzzer guesses them, single fields of headers changed before they are sealed, and bytes overwritten.
// A log without such damage comes back as it was written; any other is refused or comes back as a log that makes sense.
#include <optional>

#include "base/codec.hpp"
#include "fuzz/fuzz.hpp"
#include "log/format.hpp"
#include "log/recovery.hpp"

namespace whitewater::fuzz {
namespace {

using namespace log;

constexpr Slot slots = 3;
constexpr std::uint32_t file_bytes = 32U << 10;
constexpr std::uint64_t log_id = 77;
constexpr NodeId member{7};
constexpr int steps_max = 40;
constexpr int records_max = 6;

class Image final : public LogImage {
 public:
  Image() : bytes_(slots, std::string(file_bytes, '\0')) {}
  [[nodiscard]] Slot slot_count() const override { return slots; }
  [[nodiscard]] std::uint32_t segment_bytes() const override { return file_bytes; }
  [[nodiscard]] base::Result<std::string_view> read(Slot slot, std::uint32_t offset, std::uint32_t size) override {
    WW_ASSERT(slot < slots);
    WW_ASSERT(offset % block_bytes == 0 && size % block_bytes == 0);
    WW_ASSERT(std::uint64_t{offset} + size <= file_bytes);
    return std::string_view(bytes_[slot]).substr(offset, size);
  }
  std::string& segment(Slot slot) { return bytes_[slot]; }

 private:
  std::vector<std::string> bytes_;
};

// Writes as the planner would, and remembers what a recovery is to find.
class Writer {
 public:
  Writer(Image& image, Choices& choices) : image_(image), choices_(choices) {}

  void run() {
    begin_segment();
    for (int i = 0; i < steps_max && !choices_.empty(); ++i) {
      const std::uint8_t step = choices_.u8() % 16;
      if (step == 0) {
        overwrite();
      } else if (step == 1) {
        begin_segment();
      } else {
        append_batch();
      }
    }
  }
  [[nodiscard]] bool is_clean() const { return is_clean_; }
  [[nodiscard]] Index last() const { return last_; }
  [[nodiscard]] const core::HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] std::uint64_t batches() const { return next_batch_ - 1; }

 private:
  // A field of the header, on eight bytes, becomes something else.
  template <class Header>
  void maybe_change(Header& header) {
    if (!choices_.chance(32)) return;
    is_clean_ = false;
    std::uint64_t word = 0;
    const std::size_t at = choices_.u8() % (sizeof header / sizeof word) * sizeof word;
    std::memcpy(&word, reinterpret_cast<char*>(&header) + at, sizeof word);
    word = choices_.chance(2) ? word + 1 : choices_.u64();
    std::memcpy(reinterpret_cast<char*>(&header) + at, &word, sizeof word);
  }

  void begin_segment() {
    if (next_segment_ > slots) return;
    slot_ = static_cast<Slot>(next_segment_ - 1);
    SegmentHeader header;
    header.slot = slot_;
    header.node_id = member.value;
    header.log_id = log_id;
    header.sequence = next_segment_;
    header.prev_sequence = next_segment_ - 1;
    header.first_live = 1;
    header.incarnation = 1;
    header.base_index = last_.value + 1;
    header.base_prev_term = term_.value;
    header.first_batch_sequence = next_batch_;
    header.term = hard_state_.term.value;
    header.vote = hard_state_.vote.value;
    header.segment_bytes = file_bytes;
    header.prev_crc = chain_;
    maybe_change(header);
    if (header.sequence == 0) header.sequence = next_segment_;  // is not sealed at all
    seal_segment_header(header, image_.segment(slot_).data());
    ++next_segment_;
    offset_ = block_bytes;
  }

  void append_batch() {
    std::string batch(sizeof(BatchHeader), '\0');
    BatchHeader header;
    header.first_index = 0;
    const bool is_raw = choices_.chance(8);
    if (is_raw) {
      is_clean_ = false;
      batch += choices_.short_bytes();
      header.record_count = choices_.u8() % 4;
      header.entry_count = choices_.u8() % 4;
      header.first_index = last_.value + 1;
    } else {
      put_records(batch, header);
    }
    header.payload_bytes = static_cast<std::uint32_t>(batch.size() - sizeof header);
    header.length_bytes = static_cast<std::uint32_t>(round_up_to_block(batch.size()));
    if (header.length_bytes > file_bytes - offset_) {
      is_clean_ = is_clean_ && header.entry_count == 0 && header.record_count == 0;
      return;
    }
    batch.resize(header.length_bytes);
    header.segment_sequence = next_segment_ - 1;
    header.offset_bytes = offset_;
    header.sequence = next_batch_;
    header.durable_upto = next_batch_ - 1 - std::min<std::uint64_t>(next_batch_ - 1, choices_.u8() % 4);
    header.first_live = 1;
    header.incarnation = 1;
    header.prev_crc = chain_;
    header.last_term = term_.value;
    const std::uint32_t length = header.length_bytes;
    maybe_change(header);
    // What no sealed header says of itself.
    header.length_bytes = length;
    header.payload_bytes = std::min<std::uint32_t>(header.payload_bytes, length - sizeof header);
    chain_ = seal_batch(header, log_id, batch.data());
    std::memcpy(image_.segment(slot_).data() + offset_, batch.data(), batch.size());
    offset_ += length;
    ++next_batch_;
  }

  void put_records(std::string& batch, BatchHeader& header) {
    const int count = 1 + choices_.u8() % records_max;
    for (int i = 0; i < count; ++i) {
      const std::uint8_t kind = choices_.u8() % 8;
      if (kind == 0) {
        hard_state_ = {Term(choices_.u8()), NodeId(choices_.u8())};
        put(batch, small_record_bytes, hard_state_);
      } else if (kind == 1 && header.entry_count == 0 && last_ > floor_) {
        const Index from(floor_.value + 1 + choices_.u8() % (last_ - floor_));
        truncate(from);
        put(batch, small_record_bytes, TruncateRecord{from, term_});
      } else if (kind == 2 && header.entry_count == 0) {
        last_ = floor_ = last_ + choices_.u8();
        entry_terms_.clear();
        floor_term_ = term_;
        put(batch, small_record_bytes, LogReset{last_.next(), term_});
      } else {
        put_entry(batch, header);
      }
      ++header.record_count;
    }
  }
  void put_entry(std::string& batch, BatchHeader& header) {
    term_ = Term(std::max<std::uint64_t>(1, term_.value) + choices_.u8() % 2);
    last_ = last_.next();
    entry_terms_.push_back(term_);
    const core::Entry entry{term_,
                            last_,
                            core::EntryType::command,
                            {NodeId(1), choices_.u8()},
                            core::SharedBytes(std::string(choices_.take(choices_.u8() % 64)))};
    if (header.entry_count++ == 0) header.first_index = last_.value;
    put(batch, record_bytes(entry), entry);
  }
  template <class Record>
  static void put(std::string& batch, std::size_t size_bytes, const Record& record) {
    const std::size_t at = batch.size();
    batch.resize(at + size_bytes);
    RecordWriter(batch.data() + at).put(record);
  }
  void truncate(Index from) {
    last_ = from.prev();
    entry_terms_.resize(last_ - floor_);
    term_ = entry_terms_.empty() ? floor_term_ : entry_terms_.back();
  }
  void overwrite() {
    is_clean_ = false;
    std::string& segment = image_.segment(choices_.u8() % slots);
    const std::size_t at = choices_.u16() % file_bytes;
    const std::string_view bytes = choices_.short_bytes().substr(0, file_bytes - at);
    std::memcpy(segment.data() + at, bytes.data(), bytes.size());
  }

  Image& image_;
  Choices& choices_;
  bool is_clean_ = true;
  core::HardState hard_state_;
  Index last_;
  Index floor_;  // of the newest reset
  Term floor_term_;
  Term term_;                      // of the last entry
  std::vector<Term> entry_terms_;  // of the entries behind floor_
  Slot slot_ = 0;
  std::uint32_t offset_ = block_bytes;
  std::uint32_t chain_ = 0;
  std::uint64_t next_segment_ = 1;
  std::uint64_t next_batch_ = 1;
};

void check_log(Image& image, const RecoveredLog& found) {
  WW_ASSERT(found.first_index <= found.last_index.next());
  for (std::size_t i = 0; i < found.entries.size(); ++i) {
    const core::Entry& entry = found.entries[i];
    WW_ASSERT(entry.index + (found.entries.size() - 1 - i) == found.last_index);
    WW_ASSERT(found.terms.term_at(entry.index) == entry.term);
  }
  // Every entry is where the index says.
  for (const BatchRef& ref : found.index.refs()) {
    WW_ASSERT(ref.first <= ref.last);
    const auto batch = image.read(ref.slot, ref.offset_bytes, ref.length_bytes);
    const auto entries = read_entries(ref, found.log_id, ref.first, nullptr, *batch);
    WW_ASSERT(entries.has_value());
    WW_ASSERT(entries->size() == ref.last - ref.first + 1);
  }
}

void check_records(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const auto record = read_record(reader, nullptr);
  if (!record) return;
  const auto* entry = std::get_if<core::Entry>(&*record);
  std::string again(entry == nullptr ? small_record_bytes : record_bytes(*entry), '\0');
  RecordWriter writer(again.data());
  std::visit([&](const auto& value) { writer.put(value); }, *record);
  base::ByteReader again_reader(again);
  const auto same = read_record(again_reader, nullptr);
  WW_ASSERT(same.has_value());
  WW_ASSERT(again_reader.at_end());
  WW_ASSERT_MSG(*same == *record, "what decodes encodes to the same record");
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  if (choices.chance(16)) return check_records(choices.rest());
  Image image;
  const RecoveryOptions options{member, ClusterId(0), Index(choices.u8() % 32), choices.chance(4) ? 100U : 1U << 20};
  Writer writer(image, choices);
  writer.run();
  const RecoveryResult result = recover(image, options);
  if (const auto* refusal = std::get_if<RecoveryRefusal>(&result)) {
    WW_ASSERT_MSG(!writer.is_clean(), "a log without damage is refused");
    WW_ASSERT(!refusal->reason.empty());
    return;
  }
  const auto& found = std::get<RecoveredLog>(result);
  check_log(image, found);
  WW_ASSERT(describe(std::get<RecoveredLog>(recover(image, options))) == describe(found));
  if (!writer.is_clean()) return;
  WW_ASSERT(found.last_index == writer.last());
  WW_ASSERT(found.hard_state == writer.hard_state());
  WW_ASSERT(found.batches == writer.batches());
  WW_ASSERT(found.torn_bytes == 0);
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (int length = 30; length <= 1000; length *= 2) {
    for (int step : {3, 7, 11}) {
      std::string seed(3, '\1');
      for (int i = 0; i < length; ++i) seed += static_cast<char>(3 + i * step % 61);
      seeds.push_back(seed);
    }
  }
  std::string record(record_bytes({Term(3), Index(4), core::EntryType::command, {NodeId(1), 2}, {}}), '\0');
  RecordWriter(record.data()).put(core::Entry{Term(3), Index(4), core::EntryType::command, {NodeId(1), 2}, {}});
  seeds.push_back(std::string(1, '\0') + record);
  return seeds;
}

}  // namespace whitewater::fuzz

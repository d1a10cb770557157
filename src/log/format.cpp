#include "log/format.hpp"

#include <algorithm>
#include <cstddef>

#include "base/assert.hpp"
#include "base/crc32c.hpp"

namespace whitewater::log {
namespace {

// Both halves of the id take part in the seed of every batch checksum.
std::uint32_t seed_of(std::uint64_t log_id) { return static_cast<std::uint32_t>(log_id ^ (log_id >> 32)); }

template <class T>
std::string_view bytes_of(const T& value, std::size_t count = sizeof(T)) {
  return {reinterpret_cast<const char*>(&value), count};
}

std::uint32_t crc_of(const SegmentHeader& header) {
  return base::crc32c(bytes_of(header, offsetof(SegmentHeader, crc)));
}
std::uint32_t crc_of(const BatchHeader& header, std::uint64_t log_id) {
  return base::crc32c(bytes_of(header, offsetof(BatchHeader, crc)), seed_of(log_id));
}

template <class T>
char* append(char* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

bool is_known(core::EntryType type) {
  return type == core::EntryType::noop || type == core::EntryType::configuration || type == core::EntryType::command;
}

}  // namespace

void RecordWriter::small(RecordKind kind, std::uint64_t a, std::uint64_t b) {
  to_ = append(to_, RecordHead{static_cast<std::uint8_t>(kind), 0, 0, 0});
  to_ = append(to_, a);
  to_ = append(to_, b);
}
void RecordWriter::put(const core::HardState& state) {
  small(RecordKind::hard_state, state.term.value, state.vote.value);
}
void RecordWriter::put(const TruncateRecord& record) {
  small(RecordKind::truncate, record.from.value, record.prev_term.value);
}
void RecordWriter::put(const LogReset& record) {
  small(RecordKind::reset, record.next_index.value, record.prev_term.value);
}
void RecordWriter::put(const core::Entry& entry) {
  WW_ASSERT(entry.payload.size_bytes() <= core::entry_payload_bytes_max);
  to_ = append(to_, RecordHead{static_cast<std::uint8_t>(RecordKind::entry), static_cast<std::uint8_t>(entry.type), 0,
                               static_cast<std::uint32_t>(entry.payload.size_bytes())});
  to_ = append(to_, entry.term.value);
  to_ = append(to_, entry.index.value);
  to_ = append(to_, entry.request.node.value);
  to_ = append(to_, entry.request.sequence);
  if (!entry.payload.empty()) std::memcpy(to_, entry.payload.data(), entry.payload.size_bytes());
  to_ += entry.payload.size_bytes();
}

base::Result<Record> read_record(base::ByteReader& reader, const std::shared_ptr<const void>& owner) {
  const auto kind = static_cast<RecordKind>(reader.u8());
  const auto type = static_cast<core::EntryType>(reader.u8());
  const std::uint16_t reserved = reader.u16();
  const std::uint32_t payload_bytes = reader.u32();
  const std::uint64_t a = reader.u64();
  const std::uint64_t b = reader.u64();
  if (!reader.ok()) return base::Errc::malformed;
  const bool is_known_kind = kind >= RecordKind::entry && kind <= RecordKind::reset;
  if (!is_known_kind || reserved != 0) return base::Errc::unsupported_version;
  if (kind != RecordKind::entry && payload_bytes != 0) return base::Errc::malformed;
  switch (kind) {
    case RecordKind::hard_state:
      return Record(core::HardState{Term(a), NodeId(b)});
    case RecordKind::truncate:
      if (a == 0) return base::Errc::malformed;
      return Record(TruncateRecord{Index(a), Term(b)});
    case RecordKind::reset:
      if (a == 0) return base::Errc::malformed;
      return Record(LogReset{Index(a), Term(b)});
    case RecordKind::entry:
      break;
  }
  if (!is_known(type)) return base::Errc::unsupported_version;
  if (payload_bytes > core::entry_payload_bytes_max) return base::Errc::limit_exceeded;
  core::Entry entry;
  entry.term = Term(a);
  entry.index = Index(b);
  entry.type = type;
  entry.request.node = NodeId(reader.u64());
  entry.request.sequence = reader.u64();
  const auto payload = reader.bytes(payload_bytes);
  if (!reader.ok() || entry.index.is_zero() || entry.term.is_zero()) return base::Errc::malformed;
  if (!payload.empty()) entry.payload = core::SharedBytes(owner, payload);
  return Record(std::move(entry));
}

void seal_segment_header(SegmentHeader header, char* block) {
  WW_ASSERT(header.sequence != 0);
  header.header_bytes = sizeof header;
  header.crc = crc_of(header);
  std::memcpy(block, &header, sizeof header);
  std::memset(block + sizeof header, 0, block_bytes - sizeof header);
}

std::uint32_t seal_batch(BatchHeader header, std::uint64_t log_id, char* batch) {
  WW_ASSERT(header.length_bytes % block_bytes == 0);
  WW_ASSERT(sizeof header + header.payload_bytes <= header.length_bytes);
  header.header_bytes = sizeof header;
  header.payload_crc = base::crc32c({batch + sizeof header, header.payload_bytes});
  header.crc = crc_of(header, log_id);
  std::memcpy(batch, &header, sizeof header);
  const std::size_t used = sizeof header + header.payload_bytes;
  std::memset(batch + used, 0, header.length_bytes - used);
  return header.crc;
}

bool is_blank(std::string_view bytes) {
  return bytes.empty() || (bytes.front() == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

HeaderCheck check_segment_header(std::string_view block, SegmentHeader& header) {
  WW_ASSERT(block.size() >= sizeof header);
  std::memcpy(&header, block.data(), sizeof header);
  if (header.magic != segment_magic) return is_blank(block) ? HeaderCheck::blank : HeaderCheck::foreign;
  if (header.crc != crc_of(header)) return HeaderCheck::damaged;
  if (header.version > format_version) return HeaderCheck::newer;
  if (header.version == 0 || header.header_bytes != sizeof header || header.sequence == 0) return HeaderCheck::damaged;
  if (header.base_index == 0 || header.first_batch_sequence == 0) return HeaderCheck::damaged;
  if (std::max({header.sequence, header.first_batch_sequence, header.base_index, header.incarnation, header.term}) >
      counter_max) {
    return HeaderCheck::damaged;
  }
  return HeaderCheck::valid;
}

HeaderCheck check_batch_header(std::string_view block, std::uint64_t log_id, BatchHeader& header) {
  WW_ASSERT(block.size() >= sizeof header);
  std::memcpy(&header, block.data(), sizeof header);
  if (header.magic != batch_magic) return is_blank(block) ? HeaderCheck::blank : HeaderCheck::foreign;
  if (header.crc != crc_of(header, log_id)) return HeaderCheck::damaged;
  if (header.version > format_version) return HeaderCheck::newer;
  if (header.version == 0 || header.header_bytes != sizeof header) return HeaderCheck::damaged;
  if (header.length_bytes == 0 || header.length_bytes % block_bytes != 0) return HeaderCheck::damaged;
  if (header.length_bytes > batch_bytes_max) return HeaderCheck::damaged;
  if (header.payload_bytes > header.length_bytes - sizeof header) return HeaderCheck::damaged;
  if (header.sequence == 0 || header.durable_upto >= header.sequence) return HeaderCheck::damaged;
  if (std::max({header.sequence, header.segment_sequence, header.incarnation, header.first_index, header.last_term}) >
      counter_max) {
    return HeaderCheck::damaged;
  }
  return HeaderCheck::valid;
}

bool is_payload_intact(const BatchHeader& header, std::string_view batch) {
  if (batch.size() < sizeof header + header.payload_bytes) return false;
  return base::crc32c(batch.substr(sizeof header, header.payload_bytes)) == header.payload_crc;
}

base::Result<std::vector<core::Entry>> read_entries(const BatchRef& ref, std::uint64_t log_id, Index first,
                                                    const std::shared_ptr<const void>& owner, std::string_view batch) {
  BatchHeader header;
  if (batch.size() < ref.length_bytes || batch.size() < block_bytes) return base::Errc::malformed;
  if (check_batch_header(batch, log_id, header) != HeaderCheck::valid) return base::Errc::checksum_mismatch;
  const bool is_in_place = header.sequence == ref.sequence && header.segment_sequence == ref.segment_sequence &&
                           header.offset_bytes == ref.offset_bytes && header.length_bytes == ref.length_bytes;
  if (!is_in_place || !is_payload_intact(header, batch)) return base::Errc::checksum_mismatch;
  base::ByteReader reader(batch.substr(sizeof header, header.payload_bytes));
  std::vector<core::Entry> entries;
  for (std::uint32_t i = 0; i < header.record_count; ++i) {
    auto record = read_record(reader, owner);
    if (record.has_error()) return record.error();
    auto* entry = std::get_if<core::Entry>(&*record);
    if (entry != nullptr && entry->index >= first && entry->index <= ref.last) entries.push_back(std::move(*entry));
  }
  return entries;
}

std::string describe(HeaderCheck check) {
  switch (check) {
    case HeaderCheck::valid:
      return "valid";
    case HeaderCheck::blank:
      return "blank";
    case HeaderCheck::foreign:
      return "not a header";
    case HeaderCheck::damaged:
      return "damaged";
    case HeaderCheck::newer:
      return "of a newer format";
  }
  return "unknown";
}

}  // namespace whitewater::log

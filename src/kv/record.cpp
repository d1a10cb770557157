#include "kv/record.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::kv {
namespace {

enum class RecordKind : std::uint8_t { put = 1, tombstone = 2 };

constexpr std::uint8_t meta_version = 1;

template <class T>
void put_big_endian(char* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)) & 0xff);
  }
}
template <class T>
T get_big_endian(std::string_view in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | static_cast<std::uint8_t>(in[i]));
  return value;
}

}  // namespace

std::array<char, record_name_bytes> encode_name(RecordId id) {
  WW_ASSERT(id.main > 0);
  std::array<char, record_name_bytes> out{};
  put_big_endian(out.data(), static_cast<std::uint64_t>(id.main));
  put_big_endian(out.data() + sizeof(std::uint64_t), id.sub);
  return out;
}

RecordId decode_name(std::string_view name) {
  WW_ASSERT(name.size() == record_name_bytes);
  return {static_cast<Revision>(get_big_endian<std::uint64_t>(name.substr(0, 8))),
          get_big_endian<std::uint32_t>(name.substr(8))};
}

std::string encode_record(const RecordView& record) {
  std::string out;
  out.reserve(32 + record.key.size() + record.value.size());
  base::ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(record.tombstone ? RecordKind::tombstone : RecordKind::put));
  if (!record.tombstone) {
    writer.u64(static_cast<std::uint64_t>(record.create_revision));
    writer.u64(static_cast<std::uint64_t>(record.version));
    writer.u64(static_cast<std::uint64_t>(record.lease));
  }
  writer.blob(record.key);
  if (!record.tombstone) writer.bytes(record.value);
  return out;
}

base::Result<RecordView> decode_record(std::string_view bytes) {
  base::ByteReader reader(bytes);
  RecordView record;
  const auto kind = static_cast<RecordKind>(reader.u8());
  if (kind != RecordKind::put && kind != RecordKind::tombstone) return base::Errc::malformed;
  record.tombstone = kind == RecordKind::tombstone;
  if (!record.tombstone) {
    record.create_revision = static_cast<Revision>(reader.u64());
    record.version = static_cast<std::int64_t>(reader.u64());
    record.lease = static_cast<std::int64_t>(reader.u64());
    if (record.create_revision <= 0 || record.version <= 0) return base::Errc::malformed;
  }
  record.key = reader.blob(record_bytes_max);
  if (!record.tombstone) record.value = reader.bytes(reader.remaining_bytes());
  if (!reader.at_end()) return base::Errc::malformed;
  return record;
}

KeyValue to_key_value(RecordId id, const RecordView& record) {
  return {.key = std::string(record.key),
          .create_revision = record.create_revision,
          .mod_revision = id.main,
          .version = record.version,
          .value = std::string(record.value),
          .lease = record.lease};
}

CheckedRecord check_record(const StoreMeta& meta, RecordId previous, RecordId id, std::string_view bytes) {
  const auto problem = [](const char* what) { return CheckedRecord{.record = {}, .problem = what}; };
  if (meta.applied == Index()) return problem("records without a meta record");
  if (id.main <= 0 || id.sub == record_sub_meta) return problem("a record with a name that no record has");
  if (id <= previous) return problem("records out of order");
  if (id.main > meta.current) return problem("a record newer than the store's revision");
  const auto record = decode_record(bytes);
  if (!record) return problem("a record does not decode");
  if (record->create_revision > id.main) return problem("a record created after it was changed");
  return {.record = *record, .problem = nullptr};
}

std::string encode_meta(const StoreMeta& meta) {
  std::string out;
  base::ByteWriter writer(out);
  writer.u8(meta_version);
  writer.u64(meta.applied.value);
  writer.u64(static_cast<std::uint64_t>(meta.current));
  writer.u64(static_cast<std::uint64_t>(meta.compacted));
  writer.u64(static_cast<std::uint64_t>(meta.compaction_finished));
  writer.blob(meta.configuration.view());
  return out;
}

base::Result<StoreMeta> decode_meta(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const auto version = reader.u8();
  if (reader.ok() && version != meta_version) return base::Errc::unsupported_version;
  StoreMeta meta;
  meta.applied = Index(reader.u64());
  meta.current = static_cast<Revision>(reader.u64());
  meta.compacted = static_cast<Revision>(reader.u64());
  meta.compaction_finished = static_cast<Revision>(reader.u64());
  meta.configuration = base::SharedBytes(std::string(reader.blob(configuration_bytes_max)));
  if (!reader.at_end()) return base::Errc::malformed;
  if (meta.current < 1 || meta.compacted > meta.current) return base::Errc::malformed;
  if (meta.compaction_finished > meta.compacted) return base::Errc::malformed;
  return meta;
}

}  // namespace whitewater::kv

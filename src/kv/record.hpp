// Records: what the store keeps per key and revision, their names, their bytes, and the store's meta record. Pure
// encoding; owned by the store's thread. Does not know where records are kept (backend.hpp) nor which are current
// (index.hpp).
//
// A record's name is its revision (main, sub), 12 bytes big-endian, so that byte order is the order of history.
// A record's bytes: u8 kind (1 put, 2 tombstone), then for a put u64 create revision, u64 version, u64 lease; then u32
// key length and key; for a put the rest is the value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "kv/types.hpp"

namespace whitewater::kv {

using base::Index;

inline constexpr std::size_t record_name_bytes = 12;
// Subs of one revision end below this value; the name (main, record_sub_meta) belongs to the meta record
// (rocksdb_backend).
inline constexpr std::uint32_t record_sub_meta = 0xffffffffU;
// A record holds one key and value of a command (command_codec.hpp: command_bytes_max) and its own header.
inline constexpr std::size_t record_bytes_max = (2UL << 20) + 64;
// The configuration in the meta record: 64 members with the longest names take 17 KiB.
inline constexpr std::size_t configuration_bytes_max = 64UL << 10;

// One change of one key: the revision of its transaction and its running number in it.
struct RecordId {
  Revision main = 0;  // > 0
  std::uint32_t sub = 0;
  auto operator<=>(const RecordId&) const = default;
};

[[nodiscard]] std::array<char, record_name_bytes> encode_name(RecordId id);
// `name` has record_name_bytes bytes.
[[nodiscard]] RecordId decode_name(std::string_view name);

// Points into the bytes that it was decoded from.
struct RecordView {
  bool tombstone = false;
  std::string_view key;
  Revision create_revision = 0;  // 0 in a tombstone, like version and lease
  std::int64_t version = 0;
  std::int64_t lease = 0;
  std::string_view value;
};

[[nodiscard]] std::string encode_record(const RecordView& record);
// malformed: not bytes of encode_record.
[[nodiscard]] base::Result<RecordView> decode_record(std::string_view bytes);
[[nodiscard]] KeyValue to_key_value(RecordId id, const RecordView& record);

// What is true of the records beside them; always written in the same atomic group.
struct StoreMeta {
  Index applied;                      // every log entry up to here is in the records
  Revision current = 1;               // revision of the newest write transaction; 1: none
  Revision compacted = -1;            // reads below are refused; -1: never compacted
  Revision compaction_finished = -1;  // records made obsolete by compactions up to here are gone
  base::SharedBytes configuration;    // of the cluster at `applied`, opaque here; empty: none was applied yet
  bool operator==(const StoreMeta&) const = default;
};

// A record that may follow `previous` in a store whose meta record is `meta`, decoded. Whatever comes from the disk or
// from another member passes here before it enters the index.
struct CheckedRecord {
  RecordView record;
  const char* problem = nullptr;  // what is wrong with it; null: nothing
};
[[nodiscard]] CheckedRecord check_record(const StoreMeta& meta, RecordId previous, RecordId id, std::string_view bytes);

[[nodiscard]] std::string encode_meta(const StoreMeta& meta);
// malformed, or unsupported_version for a store that a newer version wrote.
[[nodiscard]] base::Result<StoreMeta> decode_meta(std::string_view bytes);

}  // namespace whitewater::kv

// IndexEntry: one key of the index with its history since the last compaction, in one allocation with the key's bytes
// behind it. Owned by the CountedTree that holds it. An entry is alive (newest record is a put) or dead (newest is a
// tombstone that a historic read or a watcher may still need). Not a container: KeyIndex keeps its rules.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kv/record.hpp"

namespace whitewater::kv {

struct RecordMark {
  Revision main = 0;
  std::uint32_t sub = 0;
  bool tombstone = false;

  [[nodiscard]] RecordId id() const { return {main, sub}; }
};

struct IndexEntry {
  // The newest record. `main` is 0 only between the insertion and the first record.
  Revision main = 0;
  Revision create_revision = 0;  // 0 in a tombstone
  std::int64_t version = 0;      // 0 in a tombstone
  std::uint32_t sub = 0;
  std::uint32_t key_bytes = 0;
  std::unique_ptr<std::vector<RecordMark>> older;  // ascending; none for the many keys that are written once

  [[nodiscard]] std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
  [[nodiscard]] bool is_alive() const { return version != 0; }
  [[nodiscard]] RecordId newest() const { return {main, sub}; }
  [[nodiscard]] RecordMark newest_mark() const { return {main, sub, !is_alive()}; }

  [[nodiscard]] static IndexEntry* make(std::string_view key);
  static void destroy(IndexEntry* entry);
};

}  // namespace whitewater::kv

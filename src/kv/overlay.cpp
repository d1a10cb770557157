#include "kv/overlay.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.hpp"

namespace whitewater::kv {

void RecordOverlay::add(RecordId id, std::string bytes) {
  WW_ASSERT(records_.empty() || records_.back().id < id);
  WW_ASSERT(id.sub < record_sub_meta);
  bytes_ += record_name_bytes + bytes.size();
  records_.push_back({id, std::move(bytes)});
}

void RecordOverlay::truncate(std::size_t count) {
  WW_ASSERT(count >= records_in_entries_);
  while (records_.size() > count) {
    bytes_ -= record_name_bytes + records_.back().bytes.size();
    records_.pop_back();
  }
}

void RecordOverlay::end_entry(const StoreMeta& meta) {
  WW_ASSERT(entries_.empty() || entries_.back().meta.applied < meta.applied);
  entries_.push_back({meta, records_.size() - records_in_entries_});
  records_in_entries_ = records_.size();
}

const std::string* RecordOverlay::find(RecordId id) const {
  if (records_.empty() || id < records_.front().id) return nullptr;
  const auto place = std::lower_bound(records_.begin(), records_.end(), id,
                                      [](const PendingRecord& record, RecordId wanted) { return record.id < wanted; });
  WW_ASSERT_MSG(place != records_.end() && place->id == id, "the index names a record that was never written");
  return &place->bytes;
}

void RecordOverlay::read(std::span<const RecordId> ids,
                         const std::function<void(std::size_t, std::string_view)>& visit) const {
  std::vector<RecordId> older;
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (const std::string* bytes = find(ids[i])) {
      visit(i, *bytes);
    } else {
      older.push_back(ids[i]);
      positions.push_back(i);
    }
  }
  if (older.empty()) return;
  backend_.read(older, [&](std::size_t i, std::string_view bytes) { visit(positions[i], bytes); });
}

KeyValue RecordOverlay::read_key_value(RecordId id) const {
  KeyValue out;
  read(std::span(&id, 1), [&](std::size_t, std::string_view bytes) {
    const auto record = decode_record(bytes);
    if (!record) throw base::FatalError(base::ExitCode::corrupt, "a record of the store does not decode");
    out = to_key_value(id, *record);
  });
  return out;
}

bool RecordOverlay::persist_upto(Index durable, WriteMode mode, std::size_t group_bytes_max) {
  std::vector<RecordWrite> writes;
  while (!entries_.empty() && entries_.front().meta.applied <= durable) {
    writes.clear();
    std::size_t group_bytes = 0;
    std::size_t entries = 0;
    while (entries < entries_.size() && entries_[entries].meta.applied <= durable && group_bytes < group_bytes_max) {
      const std::size_t end = writes.size() + entries_[entries].record_count;
      while (writes.size() < end) {
        const PendingRecord& record = records_[writes.size()];
        group_bytes += record_name_bytes + record.bytes.size();
        writes.push_back({record.id, record.bytes});
      }
      ++entries;
    }
    StoreMeta meta = entries_[entries - 1].meta;
    meta.compaction_finished = backend_.meta().compaction_finished;
    if (!backend_.write({writes, {}, meta}, mode)) return false;
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(writes.size()));
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(entries));
    records_in_entries_ -= writes.size();
    bytes_ -= group_bytes;
  }
  return true;
}

}  // namespace whitewater::kv

#include "kv/index.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::kv {
namespace {

// The record that is the key's state at `at`, if it is alive there.
std::optional<RecordId> alive_record(const IndexEntry& entry, Revision at) {
  if (entry.main <= at) return entry.is_alive() ? std::optional(entry.newest()) : std::nullopt;
  const std::size_t upto = KeyIndex::marks_upto(entry, at);
  if (upto == 0) return std::nullopt;
  const RecordMark mark = KeyIndex::mark(entry, upto - 1);
  return mark.tombstone ? std::nullopt : std::optional(mark.id());
}

std::size_t obsolete_count(const IndexEntry& entry, Revision compacted) {
  const std::size_t upto = KeyIndex::marks_upto(entry, compacted);
  if (upto == 0) return 0;
  const RecordMark last = KeyIndex::mark(entry, upto - 1);
  return last.tombstone && last.main < compacted ? upto : upto - 1;
}

}  // namespace

std::size_t KeyIndex::mark_count(const IndexEntry& entry) { return entry.older ? entry.older->size() + 1 : 1; }

RecordMark KeyIndex::mark(const IndexEntry& entry, std::size_t position) {
  const std::size_t older = entry.older ? entry.older->size() : 0;
  WW_ASSERT(position <= older);
  return position == older ? entry.newest_mark() : (*entry.older)[position];
}

std::size_t KeyIndex::marks_upto(const IndexEntry& entry, Revision at) {
  if (entry.main <= at) return mark_count(entry);
  if (!entry.older) return 0;
  const auto after = std::upper_bound(entry.older->begin(), entry.older->end(), at,
                                      [](Revision revision, const RecordMark& mark) { return revision < mark.main; });
  return static_cast<std::size_t>(after - entry.older->begin());
}

void KeyIndex::record(CountedTree::Path& path, IndexEntry* entry, RecordId id, PutOutcome outcome, bool log_count) {
  WW_ASSERT(entry->newest() < id);
  WW_ASSERT(id.main > 0);
  const bool was_alive = entry->is_alive();
  const bool is_alive = outcome.version != 0;
  const bool is_logged = log_count && was_alive != is_alive;
  if (is_undo_on_) undo_.push_back({entry, entry->create_revision, entry->version, is_logged});
  if (entry->main != 0) {
    if (!entry->older) entry->older = std::make_unique<std::vector<RecordMark>>();
    entry->older->push_back(entry->newest_mark());
  }
  entry->main = id.main;
  entry->sub = id.sub;
  entry->create_revision = outcome.create_revision;
  entry->version = outcome.version;
  tree_.set_alive(path, is_alive);
  if (is_logged) count_log_.push_back({is_alive ? id.main : -id.main, entry});
}

PutOutcome KeyIndex::put(std::string_view key, RecordId id) {
  auto path = tree_.locate(key);
  IndexEntry* entry = CountedTree::entry_at(path, key);
  if (entry == nullptr) entry = tree_.insert(path, key);
  const PutOutcome outcome =
      entry->is_alive() ? PutOutcome{entry->create_revision, entry->version + 1} : PutOutcome{id.main, 1};
  record(path, entry, id, outcome, true);
  return outcome;
}

bool KeyIndex::remove(std::string_view key, RecordId id) {
  auto path = tree_.locate(key);
  IndexEntry* entry = CountedTree::entry_at(path, key);
  if (entry == nullptr || !entry->is_alive()) return false;
  record(path, entry, id, PutOutcome{}, true);
  return true;
}

void KeyIndex::restore(std::string_view key, RecordId id, Revision create_revision, std::int64_t version,
                       Revision compacted) {
  auto path = tree_.locate(key);
  IndexEntry* entry = CountedTree::entry_at(path, key);
  if (entry == nullptr) entry = tree_.insert(path, key);
  record(path, entry, id, {create_revision, version}, id.main > compacted);
}

void KeyIndex::begin_undo() {
  WW_ASSERT(!is_undo_on_);
  WW_ASSERT(undo_.empty());
  is_undo_on_ = true;
}

void KeyIndex::commit_undo() {
  WW_ASSERT(is_undo_on_);
  is_undo_on_ = false;
  undo_.clear();
}

void KeyIndex::rollback() {
  WW_ASSERT(is_undo_on_);
  is_undo_on_ = false;
  for (auto item = undo_.rbegin(); item != undo_.rend(); ++item) {
    IndexEntry* entry = item->entry;
    if (item->is_logged) {
      WW_ASSERT(!count_log_.empty() && count_log_.back().entry == entry);
      count_log_.pop_back();
    }
    auto path = tree_.locate(entry->key());
    const bool has_older = entry->older && !entry->older->empty();
    if (!has_older) {
      tree_.erase(path);
      continue;
    }
    entry->main = entry->older->back().main;
    entry->sub = entry->older->back().sub;
    entry->create_revision = item->create_revision;
    entry->version = item->version;
    entry->older->pop_back();
    tree_.set_alive(path, entry->is_alive());
  }
  undo_.clear();
}

const IndexEntry* KeyIndex::find_alive(std::string_view key) const {
  const IndexEntry* entry = tree_.find(key);
  return entry != nullptr && entry->is_alive() ? entry : nullptr;
}

std::vector<RecordId> KeyIndex::collect(const KeyRange& range, Revision at, std::size_t limit) const {
  std::vector<RecordId> out;
  if (range.is_single()) {
    const IndexEntry* entry = tree_.find(range.begin());
    const auto id = entry == nullptr ? std::nullopt : alive_record(*entry, at);
    if (id) out.push_back(*id);
    return out;
  }
  for (auto cursor = tree_.lower_bound(range.begin()); cursor.is_valid(); cursor.next()) {
    const IndexEntry& entry = *cursor.entry();
    if (range.is_past(entry.key())) break;
    const auto id = alive_record(entry, at);
    if (!id) continue;
    out.push_back(*id);
    if (limit != no_limit && out.size() == limit) break;
  }
  return out;
}

std::vector<const IndexEntry*> KeyIndex::collect_alive(const KeyRange& range) const {
  std::vector<const IndexEntry*> out;
  for (auto cursor = tree_.lower_bound(range.begin()); cursor.is_valid(); cursor.next()) {
    const IndexEntry* entry = cursor.entry();
    if (range.is_past(entry->key())) break;
    if (entry->is_alive()) out.push_back(entry);
  }
  return out;
}

std::size_t KeyIndex::count_now(const KeyRange& range) const {
  if (range.is_single()) return find_alive(range.begin()) != nullptr ? 1 : 0;
  if (!range.is_open() && range.end() <= range.begin()) return 0;
  const std::size_t upper = range.is_open() ? tree_.size().alive : tree_.rank(range.end()).alive;
  return upper - tree_.rank(range.begin()).alive;
}

std::size_t KeyIndex::entries_in(const KeyRange& range) const {
  const std::size_t upper = range.is_open() ? tree_.size().total : tree_.rank(range.end()).total;
  return upper - tree_.rank(range.begin()).total;
}

std::size_t KeyIndex::count(const KeyRange& range, Revision at) const {
  if (range.is_single()) return collect(range, at).size();
  if (!range.is_open() && range.end() <= range.begin()) return 0;
  const auto after =
      std::upper_bound(count_log_.begin(), count_log_.end(), at,
                       [](Revision revision, const CountChange& change) { return revision < change.revision(); });
  const auto changes = static_cast<std::size_t>(count_log_.end() - after);
  if (changes == 0) return count_now(range);
  if (changes > entries_in(range)) {
    std::size_t walked = 0;
    for (auto cursor = tree_.lower_bound(range.begin()); cursor.is_valid(); cursor.next()) {
      if (range.is_past(cursor.entry()->key())) break;
      if (alive_record(*cursor.entry(), at)) ++walked;
    }
    return walked;
  }
  auto result = static_cast<std::int64_t>(count_now(range));
  for (auto change = after; change != count_log_.end(); ++change) {
    if (range.contains(change->entry->key())) result -= change->is_creation() ? 1 : -1;
  }
  WW_ASSERT(result >= 0);
  return static_cast<std::size_t>(result);
}

void KeyIndex::forget_counts(Revision compacted) {
  WW_ASSERT(!is_undo_on_);
  while (!count_log_.empty() && count_log_.front().revision() <= compacted) count_log_.pop_front();
}

bool KeyIndex::collect_obsolete(std::string& cursor, Revision compacted, std::size_t records_max, std::size_t keys_max,
                                std::vector<ObsoleteRecords>& out) const {
  std::size_t records = 0;
  std::size_t keys = 0;
  for (auto place = tree_.lower_bound(cursor); place.is_valid(); place.next()) {
    IndexEntry* entry = place.entry();
    if (keys == keys_max || records == records_max) {
      cursor = entry->key();
      return true;
    }
    ++keys;
    const std::size_t obsolete = obsolete_count(*entry, compacted);
    if (obsolete == 0) continue;
    const std::size_t taken = std::min(obsolete, records_max - records);
    records += taken;
    out.push_back({entry, taken});
    if (taken < obsolete) {
      // The oldest go first, so that what is left is a history without a gap; the rest of this key is for the next
      // step.
      cursor = entry->key();
      return true;
    }
  }
  return false;
}

void KeyIndex::drop(const ObsoleteRecords& obsolete) {
  WW_ASSERT(!is_undo_on_);
  IndexEntry* entry = obsolete.entry;
  WW_ASSERT(obsolete.count <= mark_count(*entry));
  if (obsolete.count == mark_count(*entry)) {
    WW_ASSERT(!entry->is_alive());
    auto path = tree_.locate(entry->key());
    tree_.erase(path);
    return;
  }
  if (obsolete.count == 0) return;
  auto& older = *entry->older;
  if (obsolete.count == older.size()) {
    entry->older.reset();
    return;
  }
  older.erase(older.begin(), older.begin() + static_cast<std::ptrdiff_t>(obsolete.count));
  if (older.capacity() > 2 * older.size()) older.shrink_to_fit();
}

void KeyIndex::check_basic() const {
  tree_.check_basic();
  for (auto cursor = begin(); cursor.is_valid(); cursor.next()) {
    const IndexEntry& entry = *cursor.entry();
    WW_ASSERT(entry.main > 0);
    WW_ASSERT(entry.is_alive() == (entry.create_revision != 0));
    for (std::size_t i = 1; i < mark_count(entry); ++i) WW_ASSERT(mark(entry, i - 1).id() < mark(entry, i).id());
  }
  for (std::size_t i = 1; i < count_log_.size(); ++i) {
    WW_ASSERT(count_log_[i - 1].revision() <= count_log_[i].revision());
  }
}

}  // namespace whitewater::kv

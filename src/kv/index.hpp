// KeyIndex: every key with its revision history since the last compaction, in key order, with counts. Owned by the
// Store and used on its thread. Holds no values: it says which record (record.hpp) answers a read. Pure, deterministic.
//
// Cost: a key in use takes 40 bytes, its own bytes and 8 to 16 in its leaf; each older revision 16; each creation or
// deletion since the last compaction 16 (the count log). The count of a range now is two descents. The count at an
// earlier revision is that count less what was created and deleted since, or a walk over the range's keys, whichever is
// less work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/counted_tree.hpp"

namespace whitewater::kv {

// A request's key and range_end in etcd's meaning. Points into the request.
class KeyRange {
 public:
  KeyRange(std::string_view key, std::string_view range_end)
      : begin_(key), end_(range_end), is_single_(range_end.empty()), is_open_(range_end == std::string_view("\0", 1)) {}
  [[nodiscard]] static KeyRange everything() { return {std::string_view("\0", 1), std::string_view("\0", 1)}; }

  [[nodiscard]] std::string_view begin() const { return begin_; }
  [[nodiscard]] std::string_view end() const { return end_; }  // only of a half-open range
  [[nodiscard]] bool is_single() const { return is_single_; }
  [[nodiscard]] bool is_open() const { return is_open_; }  // no upper bound
  [[nodiscard]] bool is_past(std::string_view key) const {
    return is_single_ ? key != begin_ : !is_open_ && key >= end_;
  }
  [[nodiscard]] bool contains(std::string_view key) const { return key >= begin_ && !is_past(key); }

 private:
  std::string_view begin_;
  std::string_view end_;
  bool is_single_;
  bool is_open_;
};

// What a put makes of its key.
struct PutOutcome {
  Revision create_revision = 0;
  std::int64_t version = 0;
};

// Records of one key that a compaction has made obsolete: its `count` oldest.
struct ObsoleteRecords {
  IndexEntry* entry = nullptr;
  std::size_t count = 0;
};

class KeyIndex {
 public:
  static constexpr std::size_t no_limit = 0;

  // Changes; `id` is newer than every record so far.
  PutOutcome put(std::string_view key, RecordId id);
  // False, and nothing happens, when the key is not alive.
  bool remove(std::string_view key, RecordId id);
  // As put or remove, from a record that says what came of it (version 0: a tombstone), when the index is rebuilt. What
  // happened up to `compacted` is not entered into the count log.
  void restore(std::string_view key, RecordId id, Revision create_revision, std::int64_t version, Revision compacted);

  // Everything from begin_undo() to commit_undo() can be taken back by rollback(). Not nested.
  void begin_undo();
  void commit_undo();
  void rollback();

  // The newest record's entry, when the key is alive now.
  [[nodiscard]] const IndexEntry* find_alive(std::string_view key) const;
  // The record of each key of the range that is alive at `at`, in key order, up to `limit` keys. `at` is not compacted.
  [[nodiscard]] std::vector<RecordId> collect(const KeyRange& range, Revision at, std::size_t limit = no_limit) const;
  // The keys alive now.
  [[nodiscard]] std::vector<const IndexEntry*> collect_alive(const KeyRange& range) const;
  // How many keys of the range are alive at `at`.
  [[nodiscard]] std::size_t count(const KeyRange& range, Revision at) const;
  [[nodiscard]] std::size_t keys_alive() const { return tree_.size().alive; }
  [[nodiscard]] CountedTree::Cursor begin() const { return tree_.begin(); }

  // Logical compaction: counts at revisions below are no longer asked for.
  void forget_counts(Revision compacted);
  // Physical compaction. Which records are obsolete, from the key `cursor` on: those before the last one at or below
  // `compacted`, and that one too when it is a tombstone below `compacted` (a tombstone of exactly that revision stays
  // for watchers). Stops after `records_max` records or `keys_max` keys; then `cursor` is where to go on and true is
  // returned.
  bool collect_obsolete(std::string& cursor, Revision compacted, std::size_t records_max, std::size_t keys_max,
                        std::vector<ObsoleteRecords>& out) const;
  // Forgets them; an entry without records goes.
  void drop(const ObsoleteRecords& obsolete);

  // The marks of an entry, oldest first: older ones and the newest.
  [[nodiscard]] static std::size_t mark_count(const IndexEntry& entry);
  [[nodiscard]] static RecordMark mark(const IndexEntry& entry, std::size_t position);
  // How many marks have a revision at or below `at`.
  [[nodiscard]] static std::size_t marks_upto(const IndexEntry& entry, Revision at);

  void check_basic() const;

 private:
  // One creation or deletion of a key: what a count at an earlier revision takes back. The entry outlives it: entries
  // go only when all their records are compacted, and then so is the log.
  struct CountChange {
    Revision main = 0;
    const IndexEntry* entry = nullptr;
    [[nodiscard]] bool is_creation() const { return main > 0; }
    [[nodiscard]] Revision revision() const { return main > 0 ? main : -main; }
  };
  struct UndoItem {
    IndexEntry* entry = nullptr;
    Revision create_revision = 0;  // before
    std::int64_t version = 0;
    bool is_logged = false;  // a count change was entered
  };

  void record(CountedTree::Path& path, IndexEntry* entry, RecordId id, PutOutcome outcome, bool log_count);
  [[nodiscard]] std::size_t count_now(const KeyRange& range) const;
  [[nodiscard]] std::size_t entries_in(const KeyRange& range) const;

  CountedTree tree_;
  std::deque<CountChange> count_log_;  // ascending revisions; creations positive, deletions negative
  std::vector<UndoItem> undo_;
  bool is_undo_on_ = false;
};

}  // namespace whitewater::kv

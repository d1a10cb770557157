// RecordOverlay: records that are applied and not yet in the backend, and reads that see both. Owned by the Store. A
// record enters when its transaction executes, is taken back when the transaction fails, and moves to the backend when
// the log entry that made it is durable in this member's own log: otherwise a crash could leave a state machine that is
// ahead of its log.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "kv/backend.hpp"

namespace whitewater::kv {

class RecordOverlay {
 public:
  explicit RecordOverlay(Backend& backend) : backend_(backend) {}

  // `id` is newer than every record so far.
  void add(RecordId id, std::string bytes);
  [[nodiscard]] std::size_t record_count() const { return records_.size(); }
  // Takes back the newest records until `count` are left.
  void truncate(std::size_t count);
  // The entry `meta.applied` is applied; everything added since the last call is its work.
  void end_entry(const StoreMeta& meta);

  // The bytes of every id, each of which exists here or in the backend; in any order, with its position in `ids`.
  void read(std::span<const RecordId> ids, const std::function<void(std::size_t, std::string_view)>& visit) const;
  [[nodiscard]] KeyValue read_key_value(RecordId id) const;

  // Moves whole entries up to `durable` into the backend, in groups of about `group_bytes_max`. False when a group was
  // refused; it stays here.
  bool persist_upto(Index durable, WriteMode mode, std::size_t group_bytes_max);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct PendingRecord {
    RecordId id;
    std::string bytes;
  };
  struct PendingEntry {
    StoreMeta meta;
    std::size_t record_count = 0;
  };
  [[nodiscard]] const std::string* find(RecordId id) const;

  Backend& backend_;
  std::deque<PendingRecord> records_;  // ascending
  std::deque<PendingEntry> entries_;   // their records are a prefix of records_
  std::size_t records_in_entries_ = 0;
  std::size_t bytes_ = 0;  // of records and their names
};

}  // namespace whitewater::kv

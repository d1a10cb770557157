// WriteTxn: one write transaction while it executes: it gives every change the next revision and its running number,
// and either commit()s (one new revision, or none when nothing changed) or rolls everything back. Lives within one
// Store::apply. Does not evaluate compares or order operations; txn.hpp does.
#pragma once

#include <variant>

#include "kv/read_view.hpp"

namespace whitewater::kv {

class WriteTxn {
 public:
  WriteTxn(KeyIndex& index, RecordOverlay& records, Revision current, Revision compacted);
  // Rolls back what was not committed.
  ~WriteTxn();
  WriteTxn(const WriteTxn&) = delete;
  WriteTxn& operator=(const WriteTxn&) = delete;

  // Errors: key_not_found (an ignore flag without the key), lease_not_found.
  [[nodiscard]] std::variant<ErrorCode, PutResponse> put(const PutRequest& request);
  [[nodiscard]] DeleteRangeResponse delete_range(const DeleteRangeRequest& request);
  // What reads see now, the changes so far included.
  [[nodiscard]] ReadView view() const { return {index_, records_, revision(), compacted_}; }
  // The store's revision if it ended now.
  [[nodiscard]] Revision revision() const { return changes_ == 0 ? begin_ : begin_ + 1; }
  struct Counts {
    std::uint64_t puts = 0;
    std::uint64_t deletes = 0;
    std::uint64_t put_bytes = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  // Returns the store's new revision.
  [[nodiscard]] Revision commit();

 private:
  [[nodiscard]] RecordId next_id();

  KeyIndex& index_;
  RecordOverlay& records_;
  Revision begin_;
  Revision compacted_;
  std::uint32_t changes_ = 0;
  std::size_t records_before_;
  Counts counts_;
  bool is_committed_ = false;
};

// No lease has been granted yet: leases are a later layer's, and until then every id but 0 is unknown.
[[nodiscard]] inline bool is_lease_known(std::int64_t lease) { return lease == 0; }

}  // namespace whitewater::kv

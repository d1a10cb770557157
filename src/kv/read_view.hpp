// ReadView: the store as of one revision, for one read. Made on the spot by the Store and by a running write
// transaction (which sees its own changes); holds references and is not kept. Evaluates range requests with etcd's
// rules for limits, filters, sorting and counts.
#pragma once

#include <variant>

#include "kv/index.hpp"
#include "kv/overlay.hpp"
#include "kv/types.hpp"

namespace whitewater::kv {

class ReadView {
 public:
  ReadView(const KeyIndex& index, const RecordOverlay& records, Revision current, Revision compacted)
      : index_(index), records_(records), current_(current), compacted_(compacted) {}

  [[nodiscard]] Revision current() const { return current_; }
  [[nodiscard]] Revision compacted() const { return compacted_; }
  // Errors: compacted, future_revision.
  [[nodiscard]] RangeResult range(const RangeRequest& request) const;
  // A compare of a transaction: it must hold for every key of its range.
  [[nodiscard]] bool holds(const Compare& compare) const;

 private:
  [[nodiscard]] bool holds_for(const Compare& compare, const IndexEntry& entry) const;

  const KeyIndex& index_;
  const RecordOverlay& records_;
  Revision current_;
  Revision compacted_;
};

}  // namespace whitewater::kv

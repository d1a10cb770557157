// BatchIndex: which batch holds an entry. TermRuns: the term of every entry, as runs. Both follow truncation, reset and
// release. Plain in-memory structures of the planner and of recovery; nothing here is stored.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "log/types.hpp"

namespace whitewater::log {

class BatchIndex {
 public:
  // Entries at or after `ref.first` that were there before are superseded.
  void add(const BatchRef& ref);
  void truncate_from(Index from);
  void clear() { refs_.clear(); }
  // Forgets batches of segments before `first_live`.
  void drop_segments_before(std::uint64_t first_live);
  [[nodiscard]] const BatchRef* locate(Index index) const;
  [[nodiscard]] bool empty() const { return refs_.empty(); }
  [[nodiscard]] Index first() const { return refs_.front().first; }
  [[nodiscard]] std::size_t size() const { return refs_.size(); }
  [[nodiscard]] const std::deque<BatchRef>& refs() const { return refs_; }

 private:
  std::deque<BatchRef> refs_;  // ordered by `first`, without overlap
};

// Knows the terms of (boundary, last]; and of the boundary itself where its term was given.
class TermRuns {
 public:
  // Nothing is known but that the next entry is boundary + 1.
  void reset(Index boundary, Term boundary_term);
  void append(Index index, Term term);
  // `prev_term` is the term of from - 1, for the case that this is before the boundary.
  void truncate_from(Index from, Term prev_term);
  // Forgets entries before `first`; first - 1 becomes the boundary.
  void drop_before(Index first);
  // Zero when not known.
  [[nodiscard]] Term term_at(Index index) const;
  [[nodiscard]] Index boundary() const { return boundary_; }
  [[nodiscard]] Index last() const { return last_; }
  [[nodiscard]] const std::deque<TermRun>& runs() const { return runs_; }

 private:
  Index boundary_;
  Term boundary_term_;
  Index last_;
  std::deque<TermRun> runs_;
};

}  // namespace whitewater::log

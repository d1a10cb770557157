#include "log/batch_index.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::log {

void BatchIndex::add(const BatchRef& ref) {
  WW_ASSERT(ref.first <= ref.last);
  WW_ASSERT(refs_.empty() || refs_.back().last < ref.first);
  refs_.push_back(ref);
}

void BatchIndex::truncate_from(Index from) {
  while (!refs_.empty() && refs_.back().first >= from) refs_.pop_back();
  if (!refs_.empty() && refs_.back().last >= from) refs_.back().last = from.prev();
}

void BatchIndex::drop_segments_before(std::uint64_t first_live) {
  while (!refs_.empty() && refs_.front().segment_sequence < first_live) refs_.pop_front();
}

const BatchRef* BatchIndex::locate(Index index) const {
  const auto next = std::upper_bound(refs_.begin(), refs_.end(), index,
                                     [](Index wanted, const BatchRef& ref) { return wanted < ref.first; });
  if (next == refs_.begin()) return nullptr;
  const BatchRef& ref = *std::prev(next);
  return index <= ref.last ? &ref : nullptr;
}

void TermRuns::reset(Index boundary, Term boundary_term) {
  boundary_ = boundary;
  boundary_term_ = boundary_term;
  last_ = boundary;
  runs_.clear();
}

void TermRuns::append(Index index, Term term) {
  WW_ASSERT(index == last_.next());
  WW_ASSERT(runs_.empty() || runs_.back().term <= term);
  if (runs_.empty() || runs_.back().term != term) runs_.push_back({index, term});
  last_ = index;
}

void TermRuns::truncate_from(Index from, Term prev_term) {
  WW_ASSERT(!from.is_zero());
  if (from.prev() <= boundary_) {
    const bool is_boundary = from.prev() == boundary_ && prev_term.is_zero();
    reset(from.prev(), is_boundary ? boundary_term_ : prev_term);
    return;
  }
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
  last_ = std::min(last_, from.prev());
}

void TermRuns::drop_before(Index first) {
  WW_ASSERT(!first.is_zero());
  if (first.prev() <= boundary_) return;
  const Term term = term_at(first.prev());
  if (first.prev() >= last_) {
    reset(first.prev(), term);
    return;
  }
  while (runs_.size() > 1 && runs_[1].first <= first) runs_.pop_front();
  runs_.front().first = std::max(runs_.front().first, first);
  boundary_ = first.prev();
  boundary_term_ = term;
}

Term TermRuns::term_at(Index index) const {
  if (index == boundary_) return boundary_term_;
  if (index < boundary_ || index > last_) return Term(0);
  const auto next = std::upper_bound(runs_.begin(), runs_.end(), index,
                                     [](Index wanted, const TermRun& run) { return wanted < run.first; });
  WW_ASSERT(next != runs_.begin());
  return std::prev(next)->term;
}

}  // namespace whitewater::log

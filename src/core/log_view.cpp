#include "core/log_view.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::core {
namespace {

// What an entry costs in memory beside its payload.
constexpr std::size_t entry_overhead_bytes = sizeof(Entry) + 48;

std::size_t cost_bytes(const Entry& entry) { return entry.payload.size_bytes() + entry_overhead_bytes; }

}  // namespace

LogView::LogView(LogStart start)
    : terms_(std::move(start.terms)), last_(start.last_index), durable_(last_), released_term_(start.prev_term) {
  first_ = terms_.empty() ? last_.next() : terms_.front().first;
  WW_ASSERT(start.entries.empty() || start.entries.back().index == last_);
  WW_ASSERT(start.entries.empty() || start.entries.front().index >= first_);
  for (Entry& entry : start.entries) push_cached(std::move(entry));
}

void LogView::push_cached(Entry entry) {
  if (entries_.full()) entries_.set_capacity(std::max<std::size_t>(64, 2 * entries_.capacity()));
  cached_bytes_ += cost_bytes(entry);
  entries_.push_back(std::move(entry));
}

Term LogView::last_term() const { return terms_.empty() ? released_term_.value_or(Term(0)) : terms_.back().term; }

std::optional<Term> LogView::term_at(Index index) const {
  if (index.is_zero()) return Term(0);
  if (index.next() == first_ && released_term_) return released_term_;
  if (index < first_ || index > last_) return std::nullopt;
  const auto after =
      std::upper_bound(terms_.begin(), terms_.end(), index, [](Index i, const TermRun& run) { return i < run.first; });
  WW_ASSERT(after != terms_.begin());
  return std::prev(after)->term;
}

bool LogView::is_up_to_date(Index last_index, Term last_term_of_other) const {
  const Term mine = last_term();
  return last_term_of_other > mine || (last_term_of_other == mine && last_index >= last_);
}

Index LogView::last_index_at_most(Index index, Term term) const {
  index = std::min(index, last_);
  while (index >= first_ && !index.is_zero()) {
    const auto after = std::upper_bound(terms_.begin(), terms_.end(), index,
                                        [](Index i, const TermRun& run) { return i < run.first; });
    const TermRun& run = *std::prev(after);
    if (run.term <= term) return index;
    index = run.first.prev();
  }
  return index;
}

const Entry& LogView::at(Index index) const {
  WW_ASSERT(index >= cached_from());
  WW_ASSERT(index <= last_);
  return entries_[index - cached_from()];
}

std::vector<Entry> LogView::slice(Index first, std::size_t count_max, std::size_t bytes_max) const {
  std::vector<Entry> out;
  if (first > last_) return out;
  WW_ASSERT(first >= cached_from());
  const std::size_t start = first - cached_from();
  const std::size_t available = std::min(count_max, entries_.size() - start);
  out.reserve(available);
  std::size_t bytes = 0;
  for (std::size_t i = start; i < start + available; ++i) {
    bytes += cost_bytes(entries_[i]);
    if (!out.empty() && bytes > bytes_max) break;
    out.push_back(entries_[i]);
  }
  return out;
}

void LogView::reset(Index index, Term term) {
  terms_.clear();
  entries_.clear();
  cached_bytes_ = 0;
  last_ = durable_ = index;
  first_ = index.next();
  released_term_ = term;
}

void LogView::append(Entry entry) {
  WW_ASSERT(entry.index == last_.next());
  WW_ASSERT(entry.term >= last_term());
  if (terms_.empty()) first_ = entry.index;
  if (terms_.empty() || terms_.back().term != entry.term) terms_.push_back({entry.index, entry.term});
  last_ = entry.index;
  push_cached(std::move(entry));
}

void LogView::truncate_from(Index index) {
  WW_ASSERT(index >= first_);
  WW_ASSERT(index >= cached_from());
  while (last_ >= index) {
    cached_bytes_ -= cost_bytes(entries_.back());
    entries_.pop_back();
    last_ = last_.prev();
  }
  while (!terms_.empty() && terms_.back().first > last_) terms_.pop_back();
  durable_ = std::min(durable_, last_);
}

void LogView::set_durable(Index index) {
  WW_ASSERT(index <= last_);
  durable_ = std::max(durable_, index);
}

void LogView::release(Index upto) {
  WW_ASSERT(upto <= last_);
  if (upto < first_) return;
  released_term_ = term_at(upto);
  evict(upto, 0);
  first_ = upto.next();
  while (terms_.size() > 1 && terms_[1].first <= first_) terms_.erase(terms_.begin());
  // The newest run stays, so that last_term() is known even when nothing is retained.
  if (!terms_.empty()) terms_.front().first = std::min(first_, last_);
}

void LogView::evict(Index upto, std::size_t bytes_max) {
  while (cached_bytes_ > bytes_max && !entries_.empty() && entries_.front().index <= upto) {
    cached_bytes_ -= cost_bytes(entries_.front());
    entries_.pop_front();
  }
}

}  // namespace whitewater::core

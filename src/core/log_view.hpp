// LogView: the core's picture of the log: every retained index's term, and the newest entries themselves. It owns no
// disk: what it holds may not be durable yet (`durable_index` says how far the own disk is), and old entries may have
// been dropped from memory (`cached_from`), in which case the leader asks for them by an Output::LogRead.
#pragma once

#include <boost/circular_buffer.hpp>
#include <deque>
#include <optional>
#include <vector>

#include "core/types.hpp"

namespace whitewater::core {

// From `first` on, up to the next run, entries have `term`.
struct TermRun {
  Index first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

// What a restart hands to the core.
struct LogStart {
  std::vector<TermRun> terms;     // of all retained entries, in order; empty for an empty log
  std::optional<Term> prev_term;  // of the entry before the first retained one, where it is known
  Index last_index;               // zero for an empty log; all of it is durable
  std::deque<Entry> entries;  // the newest entries, contiguous up to last_index; at least those after the applied index
};

class LogView {
 public:
  explicit LogView(LogStart start);

  // The oldest retained index; last_index + 1 when nothing is retained.
  [[nodiscard]] Index first_index() const { return first_; }
  [[nodiscard]] Index last_index() const { return last_; }
  [[nodiscard]] Term last_term() const;
  [[nodiscard]] Index durable_index() const { return durable_; }
  [[nodiscard]] Index cached_from() const { return Index(last_.value + 1 - entries_.size()); }
  [[nodiscard]] std::size_t cached_bytes() const { return cached_bytes_; }

  // Zero at index 0; nothing for an index that is not retained or not there yet (never a wrong answer: hazard S21). The
  // term of the newest released entry stays known: it is the previous entry of the first retained one.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  [[nodiscard]] bool matches(Index index, Term term) const { return term_at(index) == term; }
  // Thesis §3.6.1: the later last term wins, then the longer log.
  [[nodiscard]] bool is_up_to_date(Index last_index, Term last_term) const;
  // The largest index <= `index` whose term is <= `term`: where two logs may agree (one round trip per term).
  [[nodiscard]] Index last_index_at_most(Index index, Term term) const;

  [[nodiscard]] const Entry& at(Index index) const;  // must be cached
  // Cached entries from `first`: at least one when there is one, then up to both limits.
  [[nodiscard]] std::vector<Entry> slice(Index first, std::size_t count_max, std::size_t bytes_max) const;

  void reset(Index index, Term term);  // an empty log that begins after this entry
  void append(Entry entry);            // entry.index == last_index + 1
  void truncate_from(Index index);     // drops index and everything after it
  void set_durable(Index index);       // only grows
  void release(Index upto);            // forgets terms and entries up to `upto`
  // Drops the oldest cached entries, none after `upto`, until at most `bytes_max` remain.
  void evict(Index upto, std::size_t bytes_max);

 private:
  void push_cached(Entry entry);

  std::vector<TermRun> terms_;
  boost::circular_buffer<Entry> entries_;  // grows by doubling: an entry costs no allocation of its own
  Index first_;
  Index last_;
  Index durable_;
  std::optional<Term> released_term_;  // of first_ - 1, once release() has run
  std::size_t cached_bytes_ = 0;
};

}  // namespace whitewater::core

// Schedule: when each put of an open loop is meant to be sent: put k at k / rate. A backlog of at most ten seconds
// waits; the oldest beyond it are given up, so that a load that comes back from an outage is not ten minutes behind.
// Only arithmetic: however long the backlog, it takes no memory. Pure.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace whitewater::bench {

inline constexpr double backlog_seconds_max = 10;

class Schedule {
 public:
  Schedule(base::Instant begin, double rate, base::Instant measure_from, base::Instant end);

  // Gives up what is too far behind: how many of the measured part.
  std::uint64_t drop_before(base::Instant now);
  [[nodiscard]] bool is_due(base::Instant now) const { return next_ < total_ && intended(next_) <= now; }
  [[nodiscard]] bool is_over() const { return next_ >= total_; }
  // When the next put is, or was, meant to be sent; meaningless when over.
  [[nodiscard]] base::Instant next() const { return intended(next_); }
  base::Instant take() { return intended(next_++); }
  // What will never be sent: those before `until` that are left, of the measured part.
  [[nodiscard]] std::uint64_t left_before(base::Instant until) const;

 private:
  [[nodiscard]] base::Instant intended(std::uint64_t index) const;
  [[nodiscard]] std::uint64_t count_before(base::Instant time) const;  // puts meant for a time before it
  [[nodiscard]] std::uint64_t measured_between(std::uint64_t from, std::uint64_t to) const;

  base::Instant begin_;
  double rate_;
  std::uint64_t first_measured_;
  std::uint64_t total_;
  std::uint64_t backlog_max_;
  std::uint64_t next_ = 0;
};

}  // namespace whitewater::bench

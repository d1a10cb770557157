#include "load/schedule.hpp"

#include <algorithm>
#include <cmath>

namespace whitewater::bench {

Schedule::Schedule(base::Instant begin, double rate, base::Instant measure_from, base::Instant end)
    : begin_(begin),
      rate_(rate),
      first_measured_(count_before(measure_from)),
      total_(count_before(end)),
      backlog_max_(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate * backlog_seconds_max))) {}

base::Instant Schedule::intended(std::uint64_t index) const {
  return begin_ + base::Duration(static_cast<std::int64_t>(std::llround(static_cast<double>(index) / rate_ * 1e9)));
}

std::uint64_t Schedule::count_before(base::Instant time) const {
  if (time <= begin_) return 0;
  auto count = static_cast<std::uint64_t>(static_cast<double>((time - begin_).count()) * 1e-9 * rate_);
  while (intended(count) < time) ++count;  // at most twice: the division rounds
  while (count > 0 && intended(count - 1) >= time) --count;
  return count;
}

std::uint64_t Schedule::measured_between(std::uint64_t from, std::uint64_t to) const {
  from = std::max(from, first_measured_);
  return to > from ? to - from : 0;
}

std::uint64_t Schedule::drop_before(base::Instant now) {
  const std::uint64_t due = std::min(total_, count_before(now));
  if (due <= next_ + backlog_max_) return 0;
  const std::uint64_t from = next_;
  next_ = due - backlog_max_;
  return measured_between(from, next_);
}

std::uint64_t Schedule::left_before(base::Instant until) const {
  return measured_between(next_, std::min(total_, count_before(until)));
}

}  // namespace whitewater::bench

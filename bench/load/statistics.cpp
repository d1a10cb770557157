#include "load/statistics.hpp"

#include <algorithm>
#include <utility>

namespace whitewater::bench {
namespace {

constexpr std::size_t error_bytes_max = 400;

double seconds_of(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Statistics::Statistics(base::Instant begin, base::Instant measure_from, base::Instant measure_until)
    : begin_(begin),
      measure_from_(measure_from),
      measure_until_(measure_until),
      last_acknowledged_(measure_from),
      last_line_(begin) {}

void Statistics::on_end(Outcome outcome, base::Instant intended, base::Instant now) {
  const base::Duration latency = now - intended;
  if (outcome == Outcome::acknowledged) {
    second_.add(latency);
    note_gap(now);
  } else {
    ++(outcome == Outcome::failed ? since_line_.failed : since_line_.unknown);
  }
  if (intended < measure_from_ || intended >= measure_until_) return;
  const auto index = static_cast<std::size_t>((now - measure_from_) / series_interval);
  if (index >= result_.series.size()) result_.series.resize(index + 1);
  Interval& interval = result_.series[index];
  if (outcome != Outcome::acknowledged) {
    ++(outcome == Outcome::failed ? result_.failed : result_.unknown);
    ++interval.failed;
    return;
  }
  ++result_.completed;
  result_.latency.add(latency);
  ++interval.completed;
  interval.max = std::max(interval.max, latency);
}

void Statistics::note_gap(base::Instant now) {
  if (now <= last_acknowledged_) return;  // still in the warm-up
  const Gap gap{last_acknowledged_ - measure_from_, now - last_acknowledged_};
  last_acknowledged_ = now;
  auto& gaps = result_.gaps;
  if (gaps.size() == gaps_max && gap.length <= gaps.back().length) return;
  const auto is_longer = [](const Gap& a, const Gap& b) { return a.length > b.length; };
  gaps.insert(std::upper_bound(gaps.begin(), gaps.end(), gap, is_longer), gap);
  if (gaps.size() > gaps_max) gaps.pop_back();
}

void Statistics::note_error(std::string_view text) {
  if (result_.first_error.empty() && !text.empty()) result_.first_error = text.substr(0, error_bytes_max);
}

Progress Statistics::take_progress(base::Instant now) {
  Progress progress = std::exchange(since_line_, {});
  const double seconds = seconds_of(now - last_line_);
  progress.elapsed_seconds = seconds_of(now - begin_);
  progress.per_second = seconds > 0 ? static_cast<double>(second_.count()) / seconds : 0;
  progress.p50_us = micros_of(second_.quantile(0.5));
  progress.p99_us = micros_of(second_.quantile(0.99));
  second_.clear();
  last_line_ = now;
  return progress;
}

LoadResult Statistics::take_result(base::Instant until) {
  note_gap(until);  // the servers may not have come back before the end
  result_.seconds = std::max(0.0, seconds_of(until - measure_from_));
  const auto whole = static_cast<std::size_t>(std::max(base::Duration{0}, until - measure_from_) / series_interval);
  if (result_.series.size() < whole) result_.series.resize(whole);
  return std::move(result_);
}

}  // namespace whitewater::bench

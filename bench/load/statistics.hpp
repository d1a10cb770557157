// Statistics: what one load saw, while it runs and as its result. An operation belongs to the measured part when it was
// meant to begin in it, whenever it ended; so that completed + failed + unknown + dropped is every operation. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "load/histogram.hpp"
#include "load/outcome.hpp"

namespace whitewater::bench {

[[nodiscard]] inline double micros_of(base::Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

inline constexpr base::Duration series_interval = base::milliseconds(100);
inline constexpr std::size_t gaps_max = 10;

// One interval of the series, by the time at which the operations ended.
struct Interval {
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;  // unknown ones too
  base::Duration max{0};
};

// A time without an acknowledgement on any connection, between two of them or an end of the measured part.
struct Gap {
  base::Duration start{0};  // since the measured part began
  base::Duration length{0};
};

struct LoadResult {
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t dropped = 0;           // open loop: not sent, too far behind or still waiting at the end
  std::uint64_t connect_failures = 0;  // attempts, the warm-up's too
  double seconds = 0;                  // measured
  double cpu_seconds = 0;              // the generator's own, from its start to its end
  std::int64_t started_unix_ms = 0;    // the measured part's beginning
  Histogram latency;
  std::vector<Interval> series;
  std::vector<Gap> gaps;  // longest first
  std::string first_error;
  [[nodiscard]] double per_second() const { return seconds > 0 ? static_cast<double>(completed) / seconds : 0; }
  [[nodiscard]] double quantile_us(double q) const { return micros_of(latency.quantile(q)); }
};

// What a progress line shows: everything since the one before it, the warm-up too.
struct Progress {
  double elapsed_seconds = 0;
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  std::uint64_t failed = 0;
  std::uint64_t unknown = 0;
};

class Statistics {
 public:
  Statistics(base::Instant begin, base::Instant measure_from, base::Instant measure_until);

  // `intended`: when the operation was meant to begin; its latency counts from there.
  void on_end(Outcome outcome, base::Instant intended, base::Instant now);
  void on_dropped(std::uint64_t count) { result_.dropped += count; }  // of the measured part
  void on_connect_failure() { ++result_.connect_failures; }
  void note_error(std::string_view text);

  [[nodiscard]] Progress take_progress(base::Instant now);
  // `until`: where the measured part ended, earlier than planned when the load was stopped.
  [[nodiscard]] LoadResult take_result(base::Instant until);

 private:
  void note_gap(base::Instant now);

  base::Instant begin_;
  base::Instant measure_from_;
  base::Instant measure_until_;
  base::Instant last_acknowledged_;  // or the beginning of the measured part
  LoadResult result_;
  Histogram second_;
  Progress since_line_;
  base::Instant last_line_;
};

}  // namespace whitewater::bench

// StrategyFsm: decides when writes through io_uring have become slower than a blocking thread would be, from the
// latency of writes that were alone in flight. Pure: latencies and the time come in, "switch" comes out, once. The
// reason it exists: on a device without FUA an asynchronous DSYNC write completes on a kernel worker, which waits
// behind busy processes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace whitewater::log {

inline constexpr std::int64_t degraded_factor = 3;  // times the probe's median
inline constexpr base::Duration degraded_window = base::milliseconds(50);
inline constexpr std::size_t degraded_samples_min = 5;
inline constexpr std::size_t degraded_samples_max = 256;  // of one window; more are not looked at
// Medians below this are not worth a switch, whatever the probe said.
inline constexpr base::Duration degraded_latency_min = base::microseconds(300);

[[nodiscard]] base::Duration median(std::vector<base::Duration> samples);

class StrategyFsm {
 public:
  // Watches from now on against the median that the probe measured; a zero median switches the watch off.
  void on_start(base::Duration probe_p50);
  // A write that had the device to itself took `latency`. True when it is time to switch, once.
  [[nodiscard]] bool on_sample(base::Instant now, base::Duration latency);
  [[nodiscard]] base::Duration last_p50() const { return last_p50_; }

 private:
  base::Duration limit_{0};
  base::Instant window_start_;
  std::vector<base::Duration> window_;
  base::Duration last_p50_{0};
};

}  // namespace whitewater::log

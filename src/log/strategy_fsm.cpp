#include "log/strategy_fsm.hpp"

#include <algorithm>

namespace whitewater::log {

base::Duration median(std::vector<base::Duration> samples) {
  if (samples.empty()) return base::Duration{0};
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

void StrategyFsm::on_start(base::Duration probe_p50) {
  limit_ = probe_p50.count() == 0 ? base::Duration{0} : std::max(probe_p50 * degraded_factor, degraded_latency_min);
  window_.clear();
}

bool StrategyFsm::on_sample(base::Instant now, base::Duration latency) {
  if (limit_.count() == 0) return false;
  if (window_.empty()) window_start_ = now - latency;
  if (window_.size() < degraded_samples_max) window_.push_back(latency);
  // A window ends when it is old enough and holds enough to judge by; a quiet log simply takes longer to be judged.
  if (now - window_start_ < degraded_window || window_.size() < degraded_samples_min) return false;
  last_p50_ = median(window_);
  window_.clear();
  if (last_p50_ <= limit_) return false;
  limit_ = base::Duration{0};
  return true;
}

}  // namespace whitewater::log

#include "discovery/refresh_fsm.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::discovery {

namespace {
std::string describe_ms(base::Duration d) {
  return std::to_string(std::chrono::duration_cast<base::milliseconds>(d).count()) + " ms";
}
}  // namespace

RefreshFsm::RefreshFsm(RefreshOptions options, base::Rng rng)
    : options_(options), rng_(rng), back_off_(options.looking_min) {
  WW_ASSERT(options.looking_min > base::Duration(0));
  WW_ASSERT(options.formed_min > base::Duration(0));
  WW_ASSERT(options.jitter_percent < 100);
}

void RefreshFsm::on_formed(bool is_formed) {
  if (is_formed_ != is_formed) back_off_ = options_.looking_min;
  is_formed_ = is_formed;
}

void RefreshFsm::on_answer(base::Duration ttl, bool is_changed) {
  ttl_ = std::clamp(ttl, base::Duration(0), options_.formed_max);
  has_failed_ = false;
  if (is_changed) back_off_ = options_.looking_min;
}

void RefreshFsm::on_failure() { has_failed_ = true; }

base::Duration RefreshFsm::next_delay() {
  if (is_first_) {
    is_first_ = false;
    return options_.first_delay;
  }
  if (is_formed_) {
    // A failure after good answers is asked again at the calm pace of formed_min: the last known set stays valid
    // anyway.
    return with_jitter(has_failed_ ? options_.formed_min : std::max(options_.formed_min, ttl_));
  }
  const auto delay = with_jitter(std::min(back_off_, options_.looking_max));
  back_off_ = std::min(back_off_ * 2, options_.looking_max);
  return std::min(delay, options_.looking_cap);
}

base::Duration RefreshFsm::with_jitter(base::Duration delay) {
  const std::uint64_t j = options_.jitter_percent;
  // While formed only longer waits: never before the record's TTL ran out.
  const auto percent = is_formed_ ? rng_.in_range(100, 100 + j) : rng_.in_range(100 - j, 100 + j);
  return delay / 100 * static_cast<std::int64_t>(percent);
}

std::string describe(const RefreshOptions& options) {
  return "every " + describe_ms(options.looking_min) + " to " + describe_ms(options.looking_max) +
         " while looking, every " + describe_ms(options.formed_min) + " or the TTL once formed";
}

std::string describe(const RefreshFsm& fsm) { return fsm.is_formed() ? "formed" : "looking for peers"; }

}  // namespace whitewater::discovery

#include "sim/shrink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

namespace whitewater::sim {
namespace {

using Knob = std::uint64_t SimOptions::*;
using Change = std::function<void(SimOptions&)>;

// Each is off at zero.
constexpr Knob faults[] = {
    &SimOptions::crash_interval_ms,      &SimOptions::crash_leader_interval_ms,
    &SimOptions::crash_all_interval_ms,  &SimOptions::crash_voting_percent,
    &SimOptions::rot_crash_percent,      &SimOptions::partition_interval_ms,
    &SimOptions::pause_interval_ms,      &SimOptions::slow_disk_interval_ms,
    &SimOptions::clock_jump_interval_ms, &SimOptions::disconnect_interval_ms,
    &SimOptions::transfer_interval_ms,   &SimOptions::change_interval_ms,
    &SimOptions::growth_failure_percent, &SimOptions::loss_per_mille,
    &SimOptions::duplicate_per_mille,    &SimOptions::is_reordering,
    &SimOptions::is_outliving_restarts,  &SimOptions::delay_tail_percent,
    &SimOptions::write_tail_percent,     &SimOptions::clock_drift_ppm,
    &SimOptions::store_busy_percent,     &SimOptions::release_early_percent,
    &SimOptions::step_delay_us,          &SimOptions::past_get_percent,
    &SimOptions::remove_weight,          &SimOptions::cas_weight,
    &SimOptions::compact_weight,
};
// Of each change, when the seed itself brings no more.
constexpr std::uint64_t seeds_tried = 8;
constexpr std::size_t fault_count = std::size(faults);

struct Size {
  Knob knob;
  std::uint64_t least;
};
constexpr Size sizes[] = {{&SimOptions::duration_ms, 100}, {&SimOptions::spares, 0}, {&SimOptions::members, 1},
                          {&SimOptions::clients, 1},       {&SimOptions::keys, 1},   {&SimOptions::value_bytes_max, 0}};

// The largest first: all faults, then fewer at a time, then the sizes.
std::vector<Change> all_changes() {
  std::vector<Change> changes;
  for (const std::size_t group : {fault_count, (fault_count + 1) / 2, (fault_count + 3) / 4, std::size_t{1}}) {
    for (std::size_t first = 0; first < fault_count; first += group) {
      changes.emplace_back([=](SimOptions& o) {
        for (std::size_t i = first; i < std::min(fault_count, first + group); ++i) o.*faults[i] = 0;
      });
    }
  }
  // An even number of members tolerates no more than the odd one below it.
  for (const std::uint64_t members : {1, 3}) {
    changes.emplace_back([=](SimOptions& o) { o.members = std::min(o.members, members); });
  }
  for (const Size& size : sizes) {
    for (const std::uint64_t divisor : {8, 2}) {
      changes.emplace_back([=](SimOptions& o) {
        o.*size.knob = std::min(o.*size.knob, std::max(size.least, (o.*size.knob + 1) / divisor));
      });
    }
    changes.emplace_back(
        [=](SimOptions& o) { o.*size.knob = std::min(o.*size.knob, std::max(size.least, o.*size.knob / 4 * 3)); });
  }
  return changes;
}

}  // namespace

SimOptions shrink(const SimOptions& failing, std::uint64_t runs_max,
                  const std::function<bool(const SimOptions& smaller, const std::string& change)>& still_fails) {
  const std::vector<Change> changes = all_changes();
  SimOptions smallest = failing;
  std::set<std::string> asked{describe(failing)};
  // True when a run with this change fails, and is the smallest now.
  const auto try_change = [&](const Change& change, std::uint64_t seeds) {
    for (std::uint64_t i = 0; i < seeds && asked.size() <= runs_max; ++i) {
      SimOptions smaller = smallest;
      change(smaller);
      if (describe(smaller) == describe(smallest)) return false;
      smaller.seed += i;
      if (!asked.insert(describe(smaller)).second) continue;
      if (!still_fails(smaller, fmt::format("{}", fmt::join(differences(smallest, smaller), " ")))) continue;
      smallest = smaller;
      return true;
    }
    return false;
  };
  for (const std::uint64_t seeds : {std::uint64_t{1}, seeds_tried}) {
    for (bool is_progressing = true; is_progressing;) {
      is_progressing = false;
      for (const Change& change : changes) {
        // As often as it helps: what was halved may be halved again.
        while (try_change(change, seeds)) is_progressing = true;
      }
    }
  }
  return smallest;
}

}  // namespace whitewater::sim

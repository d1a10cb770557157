#include "sim/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/rng.hpp"

namespace whitewater::sim {
namespace {

// The one list of names; `visit(name, field)` for each.
template <class Options, class Visit>
void for_each_option(Options& o, Visit&& visit) {
#define WW_OPTION(name) visit(#name, o.name)
  WW_OPTION(seed);
  WW_OPTION(members);
  WW_OPTION(spares);
  WW_OPTION(duration_ms);
  WW_OPTION(bootstrap);
  WW_OPTION(bootstrap_settle_ms);
  WW_OPTION(election_timeout_ms);
  WW_OPTION(heartbeat_ms);
  WW_OPTION(tick_us);
  WW_OPTION(window_messages);
  WW_OPTION(append_bytes);
  WW_OPTION(cache_bytes);
  WW_OPTION(apply_entries);
  WW_OPTION(uncommitted_bytes);
  WW_OPTION(request_timeout_ms);
  WW_OPTION(read_retry_ms);
  WW_OPTION(pending_proposals);
  WW_OPTION(pending_reads);
  WW_OPTION(step_delay_us);
  WW_OPTION(clock_drift_ppm);
  WW_OPTION(lease_reads);
  WW_OPTION(promotion_lag_entries);
  WW_OPTION(segment_kib);
  WW_OPTION(segments_max);
  WW_OPTION(group_bytes);
  WW_OPTION(writes_in_flight);
  WW_OPTION(flush_interval_ms);
  WW_OPTION(release_early_percent);
  WW_OPTION(snapshot_chunk_us_max);
  WW_OPTION(store_busy_percent);
  WW_OPTION(delay_us_min);
  WW_OPTION(delay_us_max);
  WW_OPTION(delay_tail_percent);
  WW_OPTION(is_reordering);
  WW_OPTION(loss_per_mille);
  WW_OPTION(duplicate_per_mille);
  WW_OPTION(is_outliving_restarts);
  WW_OPTION(write_us_min);
  WW_OPTION(write_us_max);
  WW_OPTION(write_tail_percent);
  WW_OPTION(crash_interval_ms);
  WW_OPTION(crash_leader_interval_ms);
  WW_OPTION(crash_all_interval_ms);
  WW_OPTION(crash_voting_percent);
  WW_OPTION(rot_crash_percent);
  WW_OPTION(restart_ms_max);
  WW_OPTION(partition_interval_ms);
  WW_OPTION(one_way_percent);
  WW_OPTION(partition_ms_max);
  WW_OPTION(pause_interval_ms);
  WW_OPTION(pause_ms_max);
  WW_OPTION(slow_disk_interval_ms);
  WW_OPTION(slow_disk_ms_max);
  WW_OPTION(clock_jump_interval_ms);
  WW_OPTION(clock_jump_ms_max);
  WW_OPTION(disconnect_interval_ms);
  WW_OPTION(transfer_interval_ms);
  WW_OPTION(change_interval_ms);
  WW_OPTION(growth_failure_percent);
  WW_OPTION(clients);
  WW_OPTION(keys);
  WW_OPTION(think_ms_max);
  WW_OPTION(client_timeout_ms);
  WW_OPTION(value_bytes_max);
  WW_OPTION(get_weight);
  WW_OPTION(past_get_percent);
  WW_OPTION(put_weight);
  WW_OPTION(remove_weight);
  WW_OPTION(cas_weight);
  WW_OPTION(compact_weight);
#undef WW_OPTION
}

// One of the listed values.
template <std::size_t n>
std::uint64_t one_of(base::Rng& rng, const std::uint64_t (&values)[n]) {
  return values[rng.in_range(0, n - 1)];
}

// A fault is in about `percent` of the runs, and then about this often.
std::uint64_t maybe(base::Rng& rng, std::uint64_t percent, std::uint64_t low, std::uint64_t high) {
  const std::uint64_t value = rng.in_range(low, high);
  return rng.chance(percent, 100) ? value : 0;
}

void draw_raft(base::Rng& rng, SimOptions& o) {
  o.election_timeout_ms = rng.in_range(80, 400);
  o.heartbeat_ms = o.election_timeout_ms / rng.in_range(4, 10);
  o.tick_us = rng.in_range(1000, 20'000);
  o.window_messages = one_of(rng, {1, 2, 4, 8, 32});
  o.append_bytes = one_of(rng, {1, 256, 4096, 64 << 10});
  o.cache_bytes = one_of(rng, {0, 2048, 64 << 20, 64 << 20});
  o.apply_entries = one_of(rng, {1, 3, 64, 1024});
  o.uncommitted_bytes = one_of(rng, {4096, 64 << 20, 64 << 20});
  o.request_timeout_ms = rng.in_range(300, 3000);
  o.read_retry_ms = rng.in_range(50, 500);
  o.pending_proposals = one_of(rng, {2, 16384, 16384, 16384});
  o.pending_reads = one_of(rng, {2, 65536, 65536, 65536});
  o.step_delay_us = maybe(rng, 40, 1, 2000);
  o.clock_drift_ppm = maybe(rng, 40, 10, 50'000);
}

void draw_storage(base::Rng& rng, SimOptions& o) {
  o.segment_kib = one_of(rng, {16, 32, 64, 256});
  o.segments_max = 4096 / o.segment_kib + rng.in_range(0, 200);
  if (rng.chance(15, 100)) {
    // So few that the log fills up while a member is away. The reserve of one segment has to hold the terms and no-ops
    // of the elections meanwhile, a block each.
    o.segment_kib = 128;
    o.segments_max = rng.in_range(4, 10);
  }
  o.group_bytes = one_of(rng, {1024, 4096, 64 << 10});
  o.writes_in_flight = rng.in_range(1, 8);
  o.flush_interval_ms = rng.in_range(20, 1000);
  o.store_busy_percent = maybe(rng, 20, 10, 80);
  o.write_us_min = rng.in_range(20, 500);
  o.write_us_max = o.write_us_min + one_of(rng, {10, 200, 2000, 20'000});
  o.write_tail_percent = maybe(rng, 40, 1, 10);
  o.growth_failure_percent = maybe(rng, 10, 5, 60);
}

void draw_network(base::Rng& rng, SimOptions& o) {
  o.delay_us_min = rng.in_range(50, 1000);
  o.delay_us_max = o.delay_us_min + one_of(rng, {50, 1000, 5000, 20'000});
  o.delay_tail_percent = maybe(rng, 40, 1, 10);
  o.is_reordering = rng.in_range(0, 1);
  o.loss_per_mille = maybe(rng, 40, 1, 100);
  o.duplicate_per_mille = maybe(rng, 40, 1, 100);
  o.is_outliving_restarts = rng.in_range(0, 1);
}

void draw_faults(base::Rng& rng, SimOptions& o) {
  o.crash_interval_ms = maybe(rng, 50, 100, 1500);
  o.crash_leader_interval_ms = maybe(rng, 35, 150, 1000);
  o.crash_all_interval_ms = maybe(rng, 30, 500, 3000);
  o.crash_voting_percent = maybe(rng, 25, 2, 40);
  o.restart_ms_max = one_of(rng, {5, 50, 300, 1000});
  o.partition_interval_ms = maybe(rng, 45, 100, 1500);
  o.one_way_percent = one_of(rng, {0, 50, 100});
  o.partition_ms_max = rng.in_range(50, 1500);
  o.pause_interval_ms = maybe(rng, 30, 100, 1500);
  o.pause_ms_max = rng.in_range(20, 800);
  o.slow_disk_interval_ms = maybe(rng, 30, 100, 1500);
  o.slow_disk_ms_max = rng.in_range(50, 2000);
  o.disconnect_interval_ms = maybe(rng, 30, 20, 500);
  o.transfer_interval_ms = maybe(rng, 30, 50, 800);
}

void draw_membership(base::Rng& rng, SimOptions& o) {
  o.lease_reads = rng.chance(25, 100) ? 1 : 0;
  o.release_early_percent = maybe(rng, 40, 5, 100);
  o.snapshot_chunk_us_max = one_of(rng, {100, 2000, 20'000});
  o.promotion_lag_entries = one_of(rng, {1, 100, 4096});
  if (!rng.chance(40, 100)) return;
  o.spares = rng.in_range(0, 2);
  o.change_interval_ms = rng.in_range(50, 1000);
}

void draw_clients(base::Rng& rng, SimOptions& o) {
  o.clients = rng.in_range(2, 8);
  o.keys = rng.in_range(1, 6);
  o.think_ms_max = one_of(rng, {4, 20, 60});
  o.client_timeout_ms = rng.in_range(100, 3000);
  // A transaction holds two values, and must fit into a small segment.
  o.value_bytes_max = std::min<std::uint64_t>(one_of(rng, {0, 64, 1024, 6000}), (o.segment_kib << 10) / 8);
  o.get_weight = rng.in_range(5, 60);
  o.put_weight = rng.in_range(20, 60);
  o.remove_weight = rng.in_range(0, 10);
  o.cas_weight = rng.in_range(0, 20);
  o.compact_weight = rng.in_range(0, 2);
}

// Drawn last, so that the knobs above are what they were for each seed.
void draw_later_additions(base::Rng& rng, SimOptions& o) {
  o.past_get_percent = maybe(rng, 50, 5, 50);
  o.rot_crash_percent = maybe(rng, 15, 10, 100);
  o.clock_jump_interval_ms = maybe(rng, 25, 50, 1500);
  o.clock_jump_ms_max = one_of(rng, {1, 200, 5000});
}

}  // namespace

SimOptions draw_options(std::uint64_t seed, std::uint64_t members) {
  base::Rng rng(seed ^ 0x6f7074696f6e73ULL);  // a stream of its own: a new knob does not shift the others' draws
  SimOptions o;
  o.seed = seed;
  const std::uint64_t draw = rng.in_range(1, 100);
  o.members = members != 0 ? members : draw <= 70 ? 3 : draw <= 92 ? 5 : 1;
  o.duration_ms = rng.in_range(2000, 8000);
  draw_raft(rng, o);
  draw_storage(rng, o);
  draw_network(rng, o);
  draw_faults(rng, o);
  draw_clients(rng, o);
  draw_membership(rng, o);
  draw_later_additions(rng, o);
  return o;
}

std::string describe(const SimOptions& options) {
  std::string text;
  for_each_option(options, [&](std::string_view name, std::uint64_t value) {
    fmt::format_to(std::back_inserter(text), "{}{}={}", text.empty() ? "" : " ", name, value);
  });
  return text;
}

std::vector<std::string> differences(const SimOptions& from, const SimOptions& to) {
  std::vector<std::uint64_t> values;
  for_each_option(from, [&](std::string_view, std::uint64_t value) { values.push_back(value); });
  std::vector<std::string> assignments;
  std::size_t position = 0;
  for_each_option(to, [&](std::string_view name, std::uint64_t value) {
    if (value != values[position++]) assignments.push_back(fmt::format("{}={}", name, value));
  });
  return assignments;
}

base::Result<void> set_option(SimOptions& options, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return base::make_error_code(base::Errc::malformed);
  const std::string_view wanted = assignment.substr(0, equals);
  const std::string_view digits = assignment.substr(equals + 1);
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return base::make_error_code(base::Errc::malformed);
  }
  bool is_known = false;
  for_each_option(options, [&](std::string_view name, std::uint64_t& value) {
    if (name != wanted) return;
    value = number;
    is_known = true;
  });
  if (!is_known) return base::make_error_code(base::Errc::not_found);
  return {};
}

}  // namespace whitewater::sim

// SimOptions: every knob of one simulated run. Each run draws its own ("swarm": most runs leave most faults out, so
// that rare combinations get a run to themselves). Plain numbers with their unit in the name, so that one table serves
// drawing, printing and overriding on the command line. Zero turns a fault off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace whitewater::sim {

struct SimOptions {
  std::uint64_t seed = 1;
  std::uint64_t members = 3;         // that found the cluster
  std::uint64_t spares = 0;          // more, with an empty disk, for changes of the members
  std::uint64_t duration_ms = 4000;  // of phase 1
  // How the cluster comes to be: 0: it is there, 1: empty members that are told their number found it, 2: that are not.
  std::uint64_t bootstrap = 0;
  std::uint64_t bootstrap_settle_ms = 500;

  // Raft
  std::uint64_t election_timeout_ms = 300;
  std::uint64_t heartbeat_ms = 40;
  std::uint64_t tick_us = 10'000;
  std::uint64_t window_messages = 8;
  std::uint64_t append_bytes = 64 << 10;
  std::uint64_t cache_bytes = 64 << 20;
  std::uint64_t apply_entries = 1024;
  std::uint64_t uncommitted_bytes = 64 << 20;
  std::uint64_t request_timeout_ms = 2000;
  std::uint64_t read_retry_ms = 200;
  std::uint64_t pending_proposals = 16384;
  std::uint64_t pending_reads = 65536;
  std::uint64_t step_delay_us = 0;  // a member gathers input for up to this long before it takes its effects
  std::uint64_t clock_drift_ppm = 0;
  std::uint64_t lease_reads = 0;  // 1: on
  std::uint64_t promotion_lag_entries = 100;

  // Log and store
  std::uint64_t segment_kib = 64;
  std::uint64_t segments_max = 64;
  std::uint64_t group_bytes = 64 << 10;
  std::uint64_t writes_in_flight = 4;
  std::uint64_t flush_interval_ms = 300;
  std::uint64_t release_early_percent = 0;  // of the releases wait for no follower
  std::uint64_t snapshot_chunk_us_max = 2000;
  std::uint64_t store_busy_percent = 0;  // of the time the store's backend refuses to be written in passing

  // Network
  std::uint64_t delay_us_min = 100;
  std::uint64_t delay_us_max = 1000;
  std::uint64_t delay_tail_percent = 0;  // of the messages take up to fifty times as long
  std::uint64_t is_reordering = 0;       // zero: each connection keeps its order
  std::uint64_t loss_per_mille = 0;
  std::uint64_t duplicate_per_mille = 0;
  // Messages outlive the restart of their receiver. A connection cannot do that, but an answer to a message that its
  // peer had received before the restart arrives just so.
  std::uint64_t is_outliving_restarts = 0;

  // Disk
  std::uint64_t write_us_min = 50;
  std::uint64_t write_us_max = 300;
  std::uint64_t write_tail_percent = 0;  // of the writes take up to fifty times as long

  // Faults: mean time between two
  std::uint64_t crash_interval_ms = 0;
  std::uint64_t crash_leader_interval_ms = 0;
  std::uint64_t crash_all_interval_ms = 0;
  std::uint64_t crash_voting_percent =
      0;  // of the writes of a term or vote, a crash follows before or soon after the end
  // Of the crashes, until one has left bits that rotted: a member that refuses its log is gone for good.
  std::uint64_t rot_crash_percent = 0;
  std::uint64_t restart_ms_max = 300;
  std::uint64_t partition_interval_ms = 0;
  std::uint64_t one_way_percent = 0;  // of the partitions
  std::uint64_t partition_ms_max = 1000;
  std::uint64_t pause_interval_ms = 0;
  std::uint64_t pause_ms_max = 500;
  std::uint64_t slow_disk_interval_ms = 0;
  std::uint64_t slow_disk_ms_max = 1000;
  std::uint64_t clock_jump_interval_ms = 0;
  std::uint64_t clock_jump_ms_max = 1000;  // forward, beyond half an election time-out
  std::uint64_t disconnect_interval_ms = 0;
  std::uint64_t transfer_interval_ms = 0;
  std::uint64_t change_interval_ms = 0;      // of the members
  std::uint64_t growth_failure_percent = 0;  // of the new log segments, the disk refuses

  // Clients
  std::uint64_t clients = 5;
  std::uint64_t keys = 5;
  std::uint64_t think_ms_max = 20;
  std::uint64_t client_timeout_ms = 1500;
  std::uint64_t value_bytes_max = 64;
  std::uint64_t get_weight = 40;
  std::uint64_t past_get_percent = 10;  // of the gets ask for an older revision
  std::uint64_t put_weight = 40;
  std::uint64_t remove_weight = 8;
  std::uint64_t cas_weight = 10;
  std::uint64_t compact_weight = 1;
};

[[nodiscard]] inline std::size_t member_count(const SimOptions& o) { return o.members + o.spares; }

// Draws every knob from the seed. `members` zero: drawn too (mostly three).
[[nodiscard]] SimOptions draw_options(std::uint64_t seed, std::uint64_t members = 0);
// "name=value" for every knob, in the order of the struct.
[[nodiscard]] std::string describe(const SimOptions& options);
// "name=value" for every knob in which `to` differs.
[[nodiscard]] std::vector<std::string> differences(const SimOptions& from, const SimOptions& to);
// "name=value": not_found for a name that does not exist, malformed for what is no number.
[[nodiscard]] base::Result<void> set_option(SimOptions& options, std::string_view assignment);

}  // namespace whitewater::sim

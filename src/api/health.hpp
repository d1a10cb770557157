// Probes: /health as etcd has it, /livez, /readyz, /startupz and /healthz (etcd-v3-api §2.5, kubernetes §3.11).
// parse_probe reads the request and says what the server must do first (ProbeNeed); answer_probe turns a HealthInput, a
// snapshot of the member's state, into the answer. Pure: no clock, no I/O, any thread. Liveness never looks past this
// process, readiness never needs a quorum round unless it was asked for one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http_answer.hpp"

namespace whitewater::api {

inline constexpr std::int64_t event_loop_gap_ms_max = 10'000;  // a loop that did not turn for longer is dead
inline constexpr std::int64_t disk_stall_ms_max = 60'000;      // then a follower is better off restarted
inline constexpr std::int64_t applied_lag_ms_max = 5'000;      // a member that is further behind is not ready

enum class StartupPhase : std::uint8_t {
  reading_metadata,  // the data directory's identity
  replaying_log,     // may take minutes; phase_text reports the progress
  opening_store,
  binding_listener,
  waiting_for_peers,  // in bootstrap or joining: started, as far as the kubelet is concerned
  serving,
};

enum class MemberState : std::uint8_t {
  none,  // not (yet, or any more) part of a configuration
  learner,
  voter,
};

struct HealthInput {
  StartupPhase phase = StartupPhase::reading_metadata;
  std::string phase_text;  // progress in words, for people; empty when there is nothing to say
  MemberState member = MemberState::none;
  bool is_learner_by_intent = false;  // configured to stay a learner: ready as one
  bool is_leader = false;
  bool is_leader_known = false;
  bool is_draining = false;
  bool has_caught_up = true;        // since the start: with what was committed when a leader was first heard
  std::int64_t applied_lag_ms = 0;  // age of the oldest thing that is known to be committed and not applied
  std::uint64_t applied_index = 0;  // for the text
  std::uint64_t committed_index = 0;
  std::int64_t event_loop_gap_ms = 0;  // since the loop's previous turn, measured before this probe woke it
  std::int64_t disk_stalled_ms = 0;    // age of the oldest log write that has not returned; 0: none is late
  std::int64_t disk_stall_limit_ms = 5'000;
  std::string disk_error;   // the disk refuses writes (full, read-only); empty: writable
  std::string fatal;        // the latch of a fatal failure on its way out; empty: none
  std::string store_error;  // a local read fails; empty: it works
  bool has_nospace_alarm = false;
  bool has_corrupt_alarm = false;
  // The outcome of what ProbeNeed asked for; not set: it was not done. Empty text: it worked.
  std::optional<std::string> proof_error;
};

// What the server does before answer_probe; it puts the outcome in proof_error, as text of etcd's error.
enum class ProbeNeed : std::uint8_t {
  nothing,
  linearizable_read,  // one ReadIndex round, as for a range with limit 1
  commit,             // a command that changes nothing, through the log: a delete of a key that cannot exist
};

enum class ProbeKind : std::uint8_t { health, livez, readyz, startupz, healthz };

struct Probe {
  ProbeKind kind = ProbeKind::livez;
  ProbeNeed need = ProbeNeed::nothing;  // not for /livez, /startupz and /readyz without ?mode=write
  bool is_verbose = false;
  bool is_serializable = false;       // /health only: no leader needed, local read
  std::string only;                   // the check of a sub-path such as /readyz/disk; empty: all
  std::vector<std::string> excluded;  // checks, for /health alarms
};

// Nothing: not a path of a probe, or OPTIONS (both are parse_call's). An answer: 404 of an unknown sub-path, 405.
[[nodiscard]] std::optional<std::variant<Probe, HttpAnswer>> parse_probe(std::string_view method,
                                                                         std::string_view target);
[[nodiscard]] HttpAnswer answer_probe(const Probe& probe, const HealthInput& input);

struct CheckResult {
  std::string_view name;
  std::string error;  // empty: passed
};
// The checks behind a probe in the order of its output; without exclusions. For log lines ("why not ready") and
// metrics.
[[nodiscard]] std::vector<CheckResult> run_checks(ProbeKind kind, const HealthInput& input);

[[nodiscard]] std::string_view describe(StartupPhase phase);

}  // namespace whitewater::api

#include "api/health.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "api/json_writer.hpp"
#include "api/method.hpp"
#include "api/target.hpp"

namespace whitewater::api {
namespace {

using Text = std::string;
using CheckFunction = Text (*)(const HealthInput&);
struct Check {
  std::string_view name;
  CheckFunction run;
};

Text check_event_loop(const HealthInput& in) {
  if (in.event_loop_gap_ms <= event_loop_gap_ms_max) return {};
  return "the event loop did not turn for " + std::to_string(in.event_loop_gap_ms) + " ms";
}

Text late_write(const HealthInput& in, std::int64_t limit_ms) {
  if (in.disk_stalled_ms <= limit_ms) return {};
  return "a log write has not returned for " + std::to_string(in.disk_stalled_ms) + " ms";
}

// A leader whose disk stalls steps down by its own watchdog; killing it first would cost the cluster the hand-over.
Text check_disk_watchdog(const HealthInput& in) { return in.is_leader ? Text() : late_write(in, disk_stall_ms_max); }

Text check_fatal(const HealthInput& in) { return in.fatal; }
Text check_serializable_read(const HealthInput& in) { return in.store_error; }

Text starting(const HealthInput& in) {
  Text text(describe(in.phase));
  if (!in.phase_text.empty()) text += ": " + in.phase_text;
  return text;
}

Text check_started(const HealthInput& in) {
  return in.phase >= StartupPhase::waiting_for_peers ? Text() : starting(in);
}

Text check_data_corruption(const HealthInput& in) { return in.has_corrupt_alarm ? "alarm activated: CORRUPT" : Text(); }

Text check_serving(const HealthInput& in) { return in.phase == StartupPhase::serving ? Text() : starting(in); }

Text check_member(const HealthInput& in) {
  return in.member == MemberState::none ? "not a member of the cluster" : Text();
}

Text check_non_learner(const HealthInput& in) {
  const bool fails = in.member == MemberState::learner && !in.is_learner_by_intent;
  return fails ? "this member is a learner and not yet promoted" : Text();
}

Text check_leader(const HealthInput& in) { return in.is_leader_known ? Text() : "etcdserver: no leader"; }

Text check_applied(const HealthInput& in) {
  if (in.has_caught_up && in.applied_lag_ms <= applied_lag_ms_max) return {};
  return "catching up: " + std::to_string(in.applied_index) + " of " + std::to_string(in.committed_index) +
         " entries are applied";
}

Text check_not_draining(const HealthInput& in) { return in.is_draining ? "draining" : Text(); }

Text check_disk(const HealthInput& in) {
  const Text late = late_write(in, in.disk_stall_limit_ms);
  return late.empty() ? in.disk_error : late;
}

Text check_proof(const HealthInput& in) { return in.proof_error ? *in.proof_error : Text("not done"); }

constexpr std::array livez_checks{Check{"serializable_read", check_serializable_read},
                                  Check{"event_loop", check_event_loop}, Check{"disk_watchdog", check_disk_watchdog},
                                  Check{"fatal", check_fatal}};
constexpr std::array startupz_checks{Check{"started", check_started}, Check{"fatal", check_fatal}};
// etcd's names for what etcd checks too, in its order.
constexpr std::array readyz_checks{Check{"data_corruption", check_data_corruption},
                                   Check{"serializable_read", check_serializable_read},
                                   Check{"non_learner", check_non_learner},
                                   Check{"serving", check_serving},
                                   Check{"member", check_member},
                                   Check{"leader", check_leader},
                                   Check{"applied", check_applied},
                                   Check{"disk", check_disk},
                                   Check{"not_draining", check_not_draining}};
constexpr std::array healthz_checks{Check{"started", check_started},
                                    Check{"event_loop", check_event_loop},
                                    Check{"disk_watchdog", check_disk_watchdog},
                                    Check{"fatal", check_fatal},
                                    Check{"data_corruption", check_data_corruption},
                                    Check{"serializable_read", check_serializable_read},
                                    Check{"non_learner", check_non_learner},
                                    Check{"serving", check_serving},
                                    Check{"member", check_member},
                                    Check{"leader", check_leader},
                                    Check{"applied", check_applied},
                                    Check{"disk", check_disk},
                                    Check{"not_draining", check_not_draining}};
// Asked for by name or with ?mode=write only: as part of the kubelet's probe it would empty the Service on a loss of
// quorum.
constexpr Check linearizable_check{"linearizable_read", check_proof};
constexpr Check commit_check{"commit", check_proof};

std::span<const Check> checks_of(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::livez:
      return livez_checks;
    case ProbeKind::startupz:
      return startupz_checks;
    case ProbeKind::readyz:
      return readyz_checks;
    case ProbeKind::healthz:
      return healthz_checks;
    case ProbeKind::health:
      break;
  }
  return {};
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct ProbePath {
  std::string_view path;
  ProbeKind kind;
};
constexpr std::array probe_paths{ProbePath{"/health", ProbeKind::health}, ProbePath{"/livez", ProbeKind::livez},
                                 ProbePath{"/readyz", ProbeKind::readyz}, ProbePath{"/startupz", ProbeKind::startupz},
                                 ProbePath{"/healthz", ProbeKind::healthz}};

HttpAnswer unknown_check() {
  HttpAnswer answer;
  answer.status = 404;
  answer.body = "404 page not found\n";
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return answer;
}

void apply_query(Probe& probe, std::string_view query) {
  for (const auto& [name, value] : parse_query(query)) {
    if (name == "verbose") probe.is_verbose = true;  // whatever its value, as in etcd
    if (name == "exclude") probe.excluded.push_back(value);
    if (name == "serializable" && value == "true") probe.is_serializable = probe.kind == ProbeKind::health;
    if (name == "mode" && value == "write" && probe.kind == ProbeKind::readyz) probe.need = ProbeNeed::commit;
  }
  if (probe.kind == ProbeKind::health && !probe.is_serializable) probe.need = ProbeNeed::linearizable_read;
  if (probe.only == linearizable_check.name) probe.need = ProbeNeed::linearizable_read;
  if (contains(probe.excluded, commit_check.name) && probe.need == ProbeNeed::commit) probe.need = ProbeNeed::nothing;
}

bool has_check(ProbeKind kind, std::string_view name) {
  const auto checks = checks_of(kind);
  if (kind == ProbeKind::readyz && name == linearizable_check.name) return true;
  return std::any_of(checks.begin(), checks.end(), [name](const Check& check) { return check.name == name; });
}

std::vector<CheckResult> run_probe(const Probe& probe, const HealthInput& input) {
  std::vector<CheckResult> results;
  const auto run = [&](const Check& check) {
    if (!probe.only.empty() && check.name != probe.only) return;
    if (contains(probe.excluded, check.name)) return;
    results.push_back({check.name, check.run(input)});
  };
  for (const Check& check : checks_of(probe.kind)) run(check);
  if (probe.need == ProbeNeed::linearizable_read) run(linearizable_check);
  if (probe.need == ProbeNeed::commit) run(commit_check);
  return results;
}

HttpAnswer text_answer(const std::vector<CheckResult>& results, bool is_verbose) {
  HttpAnswer answer;
  std::string lines;
  for (const CheckResult& result : results) {
    if (result.error.empty()) {
      lines.append("[+]").append(result.name).append(" ok\n");
    } else {
      lines.append("[-]").append(result.name).append(" failed: ").append(result.error).append("\n");
      answer.status = 503;
    }
  }
  // A failure always tells its reasons; success only when asked.
  if (answer.status == 200) {
    answer.body = is_verbose ? lines + "ok\n" : "ok\n";
  } else {
    answer.body = std::move(lines);
  }
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return answer;
}

HttpAnswer healthz_answer(const std::vector<CheckResult>& results, const HealthInput& input) {
  HttpAnswer answer;
  const bool is_healthy =
      std::all_of(results.begin(), results.end(), [](const CheckResult& result) { return result.error.empty(); });
  answer.status = is_healthy ? 200 : 503;
  answer.content_type = content_type_json;
  JsonWriter json(answer.body);
  json.begin_object();
  json.key("status").string(is_healthy ? "ok" : "failed");
  json.key("phase").string(describe(input.phase));
  json.string_field("phase_text", input.phase_text);
  json.key("checks").begin_array();
  for (const CheckResult& result : results) {
    json.begin_object();
    json.key("name").string(result.name);
    json.key("ok").boolean(result.error.empty());
    json.string_field("reason", result.error);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  answer.body += '\n';
  return answer;
}

// etcd's order: alarms, then the leader, then the read.
Text health_reason(const Probe& probe, const HealthInput& input) {
  if (input.has_nospace_alarm && !contains(probe.excluded, "NOSPACE")) return "ALARM NOSPACE";
  if (input.has_corrupt_alarm && !contains(probe.excluded, "CORRUPT")) return "ALARM CORRUPT";
  if (!probe.is_serializable && !input.is_leader_known) return "RAFT NO LEADER";
  const Text error = probe.is_serializable ? check_serializable_read(input) : check_proof(input);
  return error.empty() ? Text() : "RANGE ERROR:" + error;
}

HttpAnswer health_answer(const Probe& probe, const HealthInput& input) {
  const Text reason = health_reason(probe, input);
  HttpAnswer answer;
  answer.status = reason.empty() ? 200 : 503;
  JsonWriter json(answer.body);
  json.begin_object();
  json.key("health").string(reason.empty() ? "true" : "false");
  json.key("reason").string(reason);
  json.end_object();
  return answer;
}

}  // namespace

std::string_view describe(StartupPhase phase) {
  switch (phase) {
    case StartupPhase::reading_metadata:
      return "reading the data directory";
    case StartupPhase::replaying_log:
      return "replaying the log";
    case StartupPhase::opening_store:
      return "opening the store";
    case StartupPhase::binding_listener:
      return "binding the listener";
    case StartupPhase::waiting_for_peers:
      return "waiting for peers";
    case StartupPhase::serving:
      return "serving";
  }
  return "unknown";
}

std::optional<std::variant<Probe, HttpAnswer>> parse_probe(std::string_view method, std::string_view target) {
  if (method == "OPTIONS") return std::nullopt;
  const auto parsed = parse_target(target);
  if (!parsed) return std::nullopt;
  for (const ProbePath& row : probe_paths) {
    std::string_view rest = parsed->path;
    if (!rest.starts_with(row.path)) continue;
    rest.remove_prefix(row.path.size());
    if (!rest.empty() && !rest.starts_with('/')) continue;
    if (clean_path(parsed->raw_path) != parsed->raw_path) return std::nullopt;  // to be redirected
    Probe probe;
    probe.kind = row.kind;
    if (!rest.empty()) {
      probe.only = rest.substr(1);
      if (!has_check(probe.kind, probe.only)) return unknown_check();
    }
    if (method != "GET") return method_not_allowed();
    apply_query(probe, parsed->query);
    return probe;
  }
  return std::nullopt;
}

HttpAnswer answer_probe(const Probe& probe, const HealthInput& input) {
  if (probe.kind == ProbeKind::health) return health_answer(probe, input);
  const auto results = run_probe(probe, input);
  if (probe.kind == ProbeKind::healthz) return healthz_answer(results, input);
  return text_answer(results, probe.is_verbose);
}

std::vector<CheckResult> run_checks(ProbeKind kind, const HealthInput& input) {
  Probe probe;
  probe.kind = kind;
  if (kind == ProbeKind::health) {
    probe.need = ProbeNeed::linearizable_read;
    return {{"health", health_reason(probe, input)}};
  }
  return run_probe(probe, input);
}

}  // namespace whitewater::api

#include "api/doctor.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "api/json_writer.hpp"

namespace whitewater::api {
namespace {

using Findings = std::vector<Finding>;

constexpr std::string_view bootstrap_subject = "bootstrap";
constexpr std::string_view discovery_subject = "discovery";
constexpr std::string_view disk_subject = "disk";
constexpr std::string_view clock_subject = "clock";
constexpr std::string_view members_subject = "members";
constexpr std::string_view reactor_subject = "reactor";

bool is_waiting_for_cluster(const DoctorInput& in) { return in.health.phase == StartupPhase::waiting_for_peers; }

std::size_t wanted_peers(const DoctorInput& in) {
  return in.bootstrap.members != 0 ? in.bootstrap.members : static_cast<std::size_t>(in.bootstrap.expect);
}

std::string bootstrap_step(const DoctorInput& in) {
  if (in.bootstrap.is_removed) {
    return "a member that is to come back begins anew: delete its pod where rejoin_removed is set (the chart does), "
           "else empty its data directory, or start it once with --rejoin-removed; one that is not to come back can "
           "be deleted";
  }
  if (in.bootstrap.is_refused) {
    return "this does not pass by itself. All members need the same --bootstrap-expect and --bootstrap-token, names "
           "that end in an ordinal of their own, and one cluster under their service; `whitewater config` at each "
           "shows what it has";
  }
  const std::string there =
      "`whitewater doctor` at the members it waits for tells why they do not answer; a network "
      "policy must allow the port from pod to pod";
  if (in.bootstrap.expect != 0) {
    return there + ". Fewer than " + std::to_string(in.bootstrap.expect) +
           " found nothing: is --bootstrap-expect the number of replicas?";
  }
  return there + ". --bootstrap-expect N states how many members found the cluster, for less waiting and more safety";
}

// What to do about a check that fails; `about` and the step.
struct CheckRow {
  std::string_view check;
  std::string_view about;
  std::string_view next_step;
};
constexpr CheckRow check_rows[] = {
    {"event_loop", "process",
     "is the process starved of CPU (limits, a busy node) or stopped? The liveness probe restarts it"},
    {"disk_watchdog", disk_subject, "look at the volume and its node: the liveness probe restarts this member"},
    {"fatal", "process", "the log of this member says what failed; it ends by itself"},
    {"data_corruption", disk_subject,
     "keep the data directory for a look, then empty it: the member comes back as a new one"},
    {"serializable_read", disk_subject,
     "the store cannot be read: look at the volume. With an empty data directory the member comes back as a new one"},
    {"non_learner", members_subject,
     "it gets its vote once it keeps up with the leader; `whitewater member promote` gives it now"},
    {"member", members_subject,
     "the leader adds a member that asks, within seconds. `whitewater members` and `whitewater membership history` at "
     "another member tell what it does instead; `whitewater member add ADDRESS` asks it to"},
    {"leader", members_subject,
     "a majority of the members must run and reach each other: `whitewater members` shows who does not"},
    {"applied", members_subject,
     "wait while the numbers grow; when they stand still, look at the disk here and at the network to the leader"},
    {"disk", disk_subject,
     "look at the volume and its node (`df`, `iostat`), and at `whitewater members` for one that is away"},
    {"not_draining", "process", "it was asked to stop or to drain; a restart makes it ready again"},
};

const CheckRow* row_of(std::string_view check) {
  const auto* row = std::find_if(std::begin(check_rows), std::end(check_rows),
                                 [check](const CheckRow& one) { return one.check == check; });
  return row == std::end(check_rows) ? nullptr : row;
}

// Checks that fail only because of another one add nothing to it.
bool is_consequence(std::string_view check, const DoctorInput& in) {
  const bool is_of_membership = check == "member" || check == "non_learner" || check == "leader" || check == "applied";
  if (in.health.phase != StartupPhase::serving) return is_of_membership;
  return in.health.member == MemberState::none && is_of_membership && check != "member";
}

void add_failed_checks(const DoctorInput& in, Findings& findings) {
  std::vector<std::string> told;
  for (const CheckResult& result : run_checks(ProbeKind::healthz, in.health)) {
    if (result.error.empty() || is_consequence(result.name, in)) continue;
    if (std::find(told.begin(), told.end(), result.error) != told.end()) continue;
    told.push_back(result.error);
    Finding finding{Severity::problem, "process", result.error, {}};
    if (const CheckRow* row = row_of(result.name)) {
      finding.about = row->about;
      finding.next_step = row->next_step;
    } else if (is_waiting_for_cluster(in)) {
      finding.about = bootstrap_subject;
      finding.next_step = bootstrap_step(in);
    } else {
      finding.next_step = "wait: the log of this member tells how far it is";
    }
    if (result.name == "member" && !in.health.phase_text.empty()) finding.text += ": " + in.health.phase_text;
    findings.push_back(std::move(finding));
  }
}

void add_bootstrap(const DoctorInput& in, Findings& findings) {
  if (!in.bootstrap.other_cluster.empty()) {
    findings.push_back({Severity::problem, bootstrap_subject,
                        "another cluster, " + in.bootstrap.other_cluster + ", answers under this service",
                        "find its members with `whitewater members --endpoints` at each pod; stop those of the wrong "
                        "one and empty their data directories"});
  }
  if (!in.bootstrap.is_inferred) return;
  const std::string count = in.bootstrap.members != 0 ? std::to_string(in.bootstrap.members) : "N";
  findings.push_back({Severity::warning, bootstrap_subject,
                      "the number of founders is not stated; it is inferred from who answers",
                      "--bootstrap-expect " + count + " (WHITEWATER_BOOTSTRAP_EXPECT) states it on all members"});
}

std::string discovery_step(const DoctorInput& in) {
  std::string look = "`whitewater discover` asks now and says what to check";
  if (in.discovery.method == "dns") {
    return look +
           "; `kubectl get endpoints SERVICE` shows what the records are made of, and the headless service "
           "needs publishNotReadyAddresses: true for members that are not ready yet";
  }
  return look;
}

void add_discovery(const DoctorInput& in, Findings& findings) {
  const auto& discovery = in.discovery;
  if (discovery.method.empty()) {
    findings.push_back({Severity::ok, discovery_subject, "nobody is looked for: " + discovery.reason, {}});
    return;
  }
  // A formed cluster knows its members; discovery matters to it for those who move or come.
  const Severity severity = is_waiting_for_cluster(in) ? Severity::problem : Severity::warning;
  for (const std::string& problem : discovery.access_problems) {
    findings.push_back({discovery.is_known ? Severity::warning : severity, discovery_subject, problem,
                        "`kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME` shows what it may do"});
  }
  const std::string where = discovery.method + " (" + discovery.reason + "), " + discovery.place;
  const std::string count = std::to_string(discovery.found);
  const std::size_t wanted = wanted_peers(in);
  const std::string since = std::to_string(discovery.stale_ms / 1000) + " s";
  const std::string error = discovery.last_error.empty() ? "" : ": " + discovery.last_error;
  if (!discovery.is_known) {
    findings.push_back(
        {severity, discovery_subject, "no answer for " + since + " from " + where + error, discovery_step(in)});
  } else if (discovery.names_everybody && discovery.found < wanted) {
    findings.push_back(
        {severity, discovery_subject,
         "records are missing: " + count + " of " + std::to_string(wanted) + " members are named by " + where + error,
         discovery_step(in)});
  } else if (!discovery.last_error.empty()) {
    findings.push_back(
        {Severity::warning, discovery_subject,
         "the last good answer is " + since + " old, from " + where + error + "; what was known stays in use",
         discovery_step(in)});
  } else {
    findings.push_back({Severity::ok, discovery_subject, "names " + count + " members: " + where, {}});
  }
}

void add_disk(const DoctorInput& in, Findings& findings) {
  const auto& disk = in.disk;
  const std::string log = "log written by " + disk.log_strategy + " (" + disk.log_reason + ")";
  Findings found;
  if (disk.is_volatile) {
    found.push_back({Severity::warning, disk_subject,
                     "no volume: " + disk.path + " is on " + disk.filesystem + ", which is gone with the container",
                     "a restart is a lost disk: the member comes back as a new one. A volumeClaimTemplate keeps what "
                     "it holds; without one a restart of all members at once loses everything"});
  }
  if (disk.is_buffered) {
    found.push_back({Severity::warning, disk_subject, log + ": it goes through the page cache",
                     "a file system with O_DIRECT (ext4, xfs) takes the faster and more predictable way"});
  }
  if (disk.write_us >= slow_write_us_min) {
    found.push_back({Severity::warning, disk_subject,
                     "slow: one durable write took " + std::to_string(disk.write_us / 1000) +
                         " ms at the median of the start-up probe",
                     "every write of a client waits for it; use a faster volume (local SSD)"});
  }
  if (found.empty()) {
    found.push_back({Severity::ok, disk_subject, disk.path + " is on " + disk.filesystem + "; " + log, {}});
  }
  findings.insert(findings.end(), found.begin(), found.end());
}

void add_reactor(const DoctorInput& in, Findings& findings) {
  const std::string text = in.reactor.name + ": " + in.reactor.reason;
  if (!in.reactor.is_second_choice) {
    findings.push_back({Severity::ok, reactor_subject, text, {}});
    return;
  }
  findings.push_back(
      {Severity::warning, reactor_subject, "io_uring is not used; " + text,
       "nothing is broken, requests cost more CPU. Most often it is the seccomp profile, which must allow "
       "io_uring_setup, io_uring_enter and io_uring_register; --reactor epoll says that this is meant"});
}

// Two members of one name are usual only while one that is gone is being replaced.
void add_doubles(const DoctorInput& in, Findings& findings) {
  std::map<std::string, std::vector<std::string>> addresses{{in.name, {in.address}}};
  for (const auto& peer : in.peers) {
    if (peer.is_reachable) addresses[peer.name].push_back(peer.address);
  }
  for (const auto& [name, places] : addresses) {
    if (places.size() < 2) continue;
    std::string list;
    for (const std::string& place : places) list += (list.empty() ? "" : " and ") + place;
    findings.push_back({Severity::problem, members_subject,
                        std::to_string(places.size()) + " members that run are called " + name + ": " + list,
                        "each member needs a name (POD_NAME) and a data directory of its own; stop the wrong one, then "
                        "`whitewater member remove` takes it out by id"});
  }
}

void add_peers(const DoctorInput& in, Findings& findings) {
  for (const auto& peer : in.peers) {
    if (peer.is_reachable) continue;
    findings.push_back({Severity::warning, members_subject, peer.name + " (" + peer.address + "): " + peer.reason,
                        "`kubectl get pod " + peer.name +
                            "` and its log; a member that stays away is replaced by a "
                            "new one of its name"});
  }
  add_doubles(in, findings);
  for (const auto& peer : in.peers) {
    const std::int64_t offset = peer.clock_offset_ms.value_or(0);
    if (offset <= clock_offset_ms_max && offset >= -clock_offset_ms_max) continue;
    const std::string amount = std::to_string((offset < 0 ? -offset : offset) / 1000) + " s";
    findings.push_back({Severity::warning, clock_subject,
                        "the clock of " + peer.name + " is " + amount + (offset < 0 ? " behind" : " ahead"),
                        "consensus does not depend on it; certificates, tokens and the times of log lines do: look at "
                        "the time service of both nodes"});
  }
}

std::vector<std::string> names_with_role(const DoctorInput& in, std::string_view role) {
  std::vector<std::string> names;
  if (in.role == role) names.push_back(in.name);
  for (const auto& peer : in.peers) {
    if (peer.role == role) names.push_back(peer.name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What was asked for, against the configuration and every member's own word.
void add_wanted(const DoctorInput& in, Findings& findings) {
  if (in.members_wanted == 0 || in.bootstrap.members == 0) return;  // without a cluster there is a problem already
  Findings found;
  const std::string wanted = std::to_string(in.members_wanted);
  if (in.bootstrap.members != in.members_wanted) {
    std::vector<std::string> names{in.name};
    for (const auto& peer : in.peers) names.push_back(peer.name);
    found.push_back({Severity::problem, members_subject,
                     "the cluster has " + std::to_string(in.bootstrap.members) + " members instead of " + wanted +
                         ": " + joined(names),
                     "one that is left over goes by `whitewater member remove NAME`; one that is missing joins when it "
                     "runs and finds the others: `whitewater doctor` at it"});
  }
  // Votes are given in odd numbers, so that of an even number of members one may wait for the next.
  const auto learners = names_with_role(in, "learner");
  if (learners.size() > (in.members_wanted % 2 == 0 ? 1U : 0U)) {
    found.push_back({Severity::problem, members_subject, "without a vote: " + joined(learners),
                     "learners that keep up vote within seconds; `whitewater membership history` tells what happened"});
  }
  const auto leaders = names_with_role(in, "leader");
  if (leaders.size() != 1) {
    found.push_back({Severity::problem, members_subject,
                     leaders.empty() ? "nobody says that it leads" : "several say that they lead: " + joined(leaders),
                     "an election may be running: ask again in some seconds"});
  }
  if (found.empty()) {
    found.push_back(
        {Severity::ok, members_subject, wanted + " members as asked for, " + leaders.front() + " leads", {}});
  }
  findings.insert(findings.end(), found.begin(), found.end());
}

bool is_ready(const DoctorInput& in) {
  const auto results = run_checks(ProbeKind::readyz, in.health);
  return std::all_of(results.begin(), results.end(), [](const CheckResult& one) { return one.error.empty(); });
}

std::string role_text(const DoctorInput& in) {
  if (in.health.is_leader) return "leads";
  return in.health.member == MemberState::learner ? "is a learner in" : "is a voter in";
}

}  // namespace

std::string_view describe(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::warning:
      return "warning";
    case Severity::problem:
      return "problem";
  }
  return "unknown";
}

std::vector<Finding> diagnose(const DoctorInput& input) {
  Findings findings;
  add_failed_checks(input, findings);
  if (findings.empty()) {
    findings.push_back({Severity::ok,
                        members_subject,
                        "ready: " + role_text(input) + " a cluster of " + std::to_string(input.bootstrap.members),
                        {}});
  }
  add_bootstrap(input, findings);
  add_discovery(input, findings);
  add_disk(input, findings);
  add_reactor(input, findings);
  add_peers(input, findings);
  add_wanted(input, findings);
  Findings ordered;
  for (const Severity severity : {Severity::problem, Severity::warning, Severity::ok}) {
    std::copy_if(findings.begin(), findings.end(), std::back_inserter(ordered),
                 [severity](const Finding& one) { return one.severity == severity; });
  }
  return ordered;
}

std::string encode_doctor(const DoctorInput& input, std::span<const Finding> findings) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("name").string(input.name);
  json.key("address").string(input.address);
  json.key("ready").boolean(is_ready(input));
  json.key("findings").begin_array();
  for (const Finding& finding : findings) {
    json.begin_object();
    json.key("severity").string(describe(finding.severity));
    json.key("about").string(finding.about);
    json.key("text").string(finding.text);
    json.key("next_step").string(finding.next_step);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  out += '\n';
  return out;
}

}  // namespace whitewater::api

// Facts of a member, and what the doctor makes of them.
#include "api/doctor.hpp"

#include <algorithm>

#include "api/router.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::DoctorInput;
using api::Finding;
using api::Severity;

namespace {

DoctorInput ready_member() {
  DoctorInput in;
  in.name = "whitewater-0";
  in.address = "whitewater-0.x:8090";
  in.health.phase = api::StartupPhase::serving;
  in.health.member = api::MemberState::voter;
  in.health.is_leader_known = true;
  in.bootstrap.expect = 3;
  in.bootstrap.members = 3;
  in.discovery = {"dns", "SERVICE_NAME is set", "the SRV record _raft._tcp.x", 3, true, true, 0, "", {}};
  in.disk = {"/data", "ext4", false, "uring", "probe: uring 80 us, thread 90 us", false, 80};
  in.reactor = {"io_uring", "the start-up probe succeeded", false};
  in.role = "follower";
  in.peers = {{"whitewater-1", "whitewater-1.x:8090", "leader", true, "", 12},
              {"whitewater-2", "whitewater-2.x:8090", "follower", true, "", {}}};
  return in;
}

DoctorInput waiting_member() {
  DoctorInput in = ready_member();
  in.health.phase = api::StartupPhase::waiting_for_peers;
  in.health.phase_text = "1 of 3 founders answer";
  in.health.member = api::MemberState::none;
  in.health.is_leader_known = false;
  in.bootstrap.members = 0;
  in.peers.clear();
  return in;
}

std::vector<Finding> of_subject(const DoctorInput& in, std::string_view about, Severity severity) {
  std::vector<Finding> found;
  for (const Finding& finding : api::diagnose(in)) {
    if (finding.about == about && finding.severity == severity) found.push_back(finding);
  }
  return found;
}

// The one finding of this kind; its text and step are looked at.
Finding only(const DoctorInput& in, std::string_view about, Severity severity) {
  const auto found = of_subject(in, about, severity);
  REQUIRE(found.size() == 1);
  return found.front();
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::size_t count_of(const DoctorInput& in, Severity severity) {
  const auto findings = api::diagnose(in);
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [=](const Finding& one) { return one.severity == severity; }));
}

}  // namespace

TEST_CASE("a member that is well has nothing but good findings") {
  const DoctorInput in = ready_member();
  CHECK(count_of(in, Severity::problem) == 0);
  CHECK(count_of(in, Severity::warning) == 0);
  CHECK(contains(only(in, "members", Severity::ok).text, "is a voter in a cluster of 3"));
  CHECK(contains(only(in, "discovery", Severity::ok).text, "names 3 members"));
  CHECK(contains(only(in, "disk", Severity::ok).text, "ext4; log written by uring (probe"));
  CHECK(contains(only(in, "reactor", Severity::ok).text, "probe succeeded"));
}

TEST_CASE("a member that is not ready always has a problem with a next step") {
  // Every check of readiness and liveness, one at a time.
  const auto broken = GENERATE(range(0, 14));
  DoctorInput in = ready_member();
  api::HealthInput& health = in.health;
  switch (broken) {
    case 0:
      health.phase = api::StartupPhase::replaying_log;
      break;
    case 1:
      health.phase = api::StartupPhase::waiting_for_peers;
      break;
    case 2:
      health.member = api::MemberState::none;
      break;
    case 3:
      health.member = api::MemberState::learner;
      break;
    case 4:
      health.is_leader_known = false;
      break;
    case 5:
      health.has_caught_up = false;
      break;
    case 6:
      health.applied_lag_ms = api::applied_lag_ms_max + 1;
      break;
    case 7:
      health.disk_stalled_ms = health.disk_stall_limit_ms + 1;
      break;
    case 8:
      health.disk_error = "full";
      break;
    case 9:
      health.is_draining = true;
      break;
    case 10:
      health.has_corrupt_alarm = true;
      break;
    case 11:
      health.store_error = "unreadable";
      break;
    case 12:
      health.fatal = "a write failed";
      break;
    case 13:
      health.event_loop_gap_ms = api::event_loop_gap_ms_max + 1;
      break;
  }
  CAPTURE(broken);
  const auto findings = api::diagnose(in);
  CHECK(findings.front().severity == Severity::problem);
  CHECK(count_of(in, Severity::problem) == 1);
  CHECK_FALSE(findings.front().next_step.empty());
  CHECK(std::is_sorted(findings.begin(), findings.end(),
                       [](const Finding& a, const Finding& b) { return a.severity > b.severity; }));
}

TEST_CASE("what follows from one cause is told once") {
  DoctorInput in = waiting_member();
  CHECK(count_of(in, Severity::problem) == 1);
  const Finding waiting = only(in, "bootstrap", Severity::problem);
  CHECK(waiting.text == "waiting for peers: 1 of 3 founders answer");
  CHECK(contains(waiting.next_step, "--bootstrap-expect"));
  in = ready_member();
  in.health.member = api::MemberState::none;
  in.health.is_leader_known = false;
  in.health.phase_text = "waits to be added";
  CHECK(count_of(in, Severity::problem) == 1);
  CHECK(only(in, "members", Severity::problem).text == "not a member of the cluster: waits to be added");
}

TEST_CASE("bootstrap that needs a person says which step is its own") {
  DoctorInput in = waiting_member();
  const std::string looking = only(in, "bootstrap", Severity::problem).next_step;
  in.bootstrap.is_refused = true;
  const std::string refused = only(in, "bootstrap", Severity::problem).next_step;
  CHECK(contains(refused, "--bootstrap-token"));
  in.bootstrap.is_removed = true;
  const std::string removed = only(in, "bootstrap", Severity::problem).next_step;
  CHECK(contains(removed, "--rejoin-removed"));
  CHECK(looking != refused);

  in = ready_member();
  in.bootstrap.is_inferred = true;
  CHECK(contains(only(in, "bootstrap", Severity::warning).next_step, "--bootstrap-expect 3"));
  in.bootstrap.other_cluster = "00000000000000ab";
  CHECK(contains(only(in, "bootstrap", Severity::problem).text, "00000000000000ab"));
}

TEST_CASE("missing records are a problem before there is a cluster and a warning afterwards") {
  DoctorInput in = waiting_member();
  in.discovery.found = 1;
  CHECK(contains(only(in, "discovery", Severity::problem).text, "1 of 3 members are named"));
  in = ready_member();
  in.bootstrap.members = 5;
  CHECK(contains(only(in, "discovery", Severity::warning).text, "3 of 5 members are named"));
  CHECK(count_of(in, Severity::problem) == 0);
  in.discovery.names_everybody = false;  // a peers file
  CHECK(of_subject(in, "discovery", Severity::ok).size() == 1);
}

TEST_CASE("a source without an answer, with an old one, and without anybody to look for") {
  DoctorInput in = waiting_member();
  in.discovery.is_known = false;
  in.discovery.found = 0;
  in.discovery.stale_ms = 12'345;
  in.discovery.last_error = "NXDOMAIN";
  const Finding none = only(in, "discovery", Severity::problem);
  CHECK(contains(none.text, "no answer for 12 s from dns (SERVICE_NAME is set)"));
  CHECK(contains(none.text, ": NXDOMAIN"));
  CHECK(contains(none.next_step, "whitewater discover"));

  in = ready_member();
  in.discovery.last_error = "timed out";
  in.discovery.stale_ms = 60'000;
  CHECK(contains(only(in, "discovery", Severity::warning).text, "60 s old"));
  in.discovery = {};
  in.discovery.reason = "nothing says how to find peers";
  CHECK(contains(only(in, "discovery", Severity::ok).text, "nobody is looked for"));
}

TEST_CASE("a verb that the service account lacks is named") {
  DoctorInput in = waiting_member();
  in.discovery.method = "kubernetes";
  in.discovery.access_problems = {"the service account may not watch pods"};
  CHECK(contains(only(in, "discovery", Severity::warning).text, "may not watch pods"));  // the list came
  in.discovery.is_known = false;
  CHECK(of_subject(in, "discovery", Severity::problem).size() == 2);
}

TEST_CASE("a disk without a volume, through the page cache, and slow") {
  DoctorInput in = ready_member();
  in.disk.filesystem = "overlay";
  in.disk.is_volatile = true;
  CHECK(contains(only(in, "disk", Severity::warning).text, "no volume: /data is on overlay"));
  in.disk.is_buffered = true;
  in.disk.write_us = api::slow_write_us_min;
  CHECK(of_subject(in, "disk", Severity::warning).size() == 3);
  CHECK(of_subject(in, "disk", Severity::ok).empty());
  in = ready_member();
  in.disk.write_us = api::slow_write_us_min - 1;
  CHECK(of_subject(in, "disk", Severity::ok).size() == 1);
}

TEST_CASE("epoll is a warning only where nobody asked for it") {
  DoctorInput in = ready_member();
  in.reactor = {"epoll", "seccomp refuses io_uring_setup", true};
  CHECK(contains(only(in, "reactor", Severity::warning).text, "seccomp refuses io_uring_setup"));
  in.reactor = {"epoll", "--reactor epoll", false};
  CHECK(of_subject(in, "reactor", Severity::ok).size() == 1);
}

TEST_CASE("members that do not answer, that share a name, and whose clock is off") {
  DoctorInput in = ready_member();
  in.peers[0].is_reachable = false;
  in.peers[0].reason = "does not answer: timed out";
  CHECK(contains(only(in, "members", Severity::warning).text, "whitewater-1 (whitewater-1.x:8090): does not answer"));
  // One that is gone and its replacement are no double.
  in.peers[1].name = "whitewater-1";
  CHECK(of_subject(in, "members", Severity::problem).empty());
  in.peers[1].name = "whitewater-0";
  CHECK(contains(only(in, "members", Severity::problem).text, "2 members that run are called whitewater-0"));

  in = ready_member();
  in.peers[0].clock_offset_ms = api::clock_offset_ms_max;
  CHECK(of_subject(in, "clock", Severity::warning).empty());
  in.peers[0].clock_offset_ms = -61'000;
  CHECK(only(in, "clock", Severity::warning).text == "the clock of whitewater-1 is 61 s behind");
  in.peers[0].clock_offset_ms = 2'000;
  CHECK(only(in, "clock", Severity::warning).text == "the clock of whitewater-1 is 2 s ahead");
}

TEST_CASE("findings travel as JSON") {
  const DoctorInput in = waiting_member();
  const std::vector<Finding> findings{{Severity::problem, "disk", "a \"full\" disk", "make room"},
                                      {Severity::ok, "reactor", "io_uring", ""}};
  CHECK(api::encode_doctor(in, findings) ==
        R"({"name":"whitewater-0","address":"whitewater-0.x:8090","ready":false,"findings":[)"
        R"({"severity":"problem","about":"disk","text":"a \"full\" disk","next_step":"make room"},)"
        R"({"severity":"ok","about":"reactor","text":"io_uring","next_step":""}]})"
        "\n");
  CHECK(contains(api::encode_doctor(ready_member(), {}), R"("ready":true,"findings":[])"));
}

TEST_CASE("the page of the doctor is read and nothing else") {
  CHECK(std::holds_alternative<api::DoctorPage>(api::route("GET", "/whitewater/doctor", "", "0")));
  const auto refused = api::route("POST", "/whitewater/doctor", "", "0");
  REQUIRE(std::holds_alternative<api::HttpAnswer>(refused));
  CHECK(std::get<api::HttpAnswer>(refused).status == 405);
}

TEST_CASE("a number of members that was asked for has to be met exactly, with one leader and no learner left over") {
  DoctorInput in = ready_member();
  in.members_wanted = 3;
  CHECK(count_of(in, Severity::problem) == 0);
  const auto fine = of_subject(in, "members", Severity::ok);
  CHECK(contains(fine.back().text, "3 members as asked for, whitewater-1 leads"));

  in.members_wanted = 2;
  CHECK(contains(only(in, "members", Severity::problem).text,
                 "3 members instead of 2: whitewater-0, whitewater-1, whitewater-2"));
  in.members_wanted = 5;
  CHECK(contains(only(in, "members", Severity::problem).text, "3 members instead of 5"));

  in = ready_member();
  in.peers[1].role = "learner";
  CHECK(count_of(in, Severity::problem) == 0);  // nobody asked
  in.members_wanted = 3;
  CHECK(contains(only(in, "members", Severity::problem).text, "without a vote: whitewater-2"));

  for (const std::string role : {"leader", "candidate"}) {
    in = ready_member();
    in.members_wanted = 3;
    in.role = role;
    if (role == "candidate") in.peers[0].role = "follower";
    CHECK(contains(only(in, "members", Severity::problem).text,
                   role == "leader" ? "several say that they lead: whitewater-0, whitewater-1" : "nobody says"));
  }
}

TEST_CASE("of an even number of members one may be a learner, since votes are given in odd numbers") {
  DoctorInput in = ready_member();
  in.members_wanted = in.bootstrap.members = 4;
  in.peers.push_back({"whitewater-3", "whitewater-3.x:8090", "learner", true, "", {}});
  CHECK(count_of(in, Severity::problem) == 0);
  in.peers[1].role = "learner";
  CHECK(contains(only(in, "members", Severity::problem).text, "without a vote: whitewater-2, whitewater-3"));
}

TEST_CASE("the number of members comes with the request, bounded") {
  const auto wanted = [](std::string_view target) {
    const auto route = api::route("GET", target, "", "v");
    const auto* page = std::get_if<api::DoctorPage>(&route);
    return page != nullptr ? static_cast<int>(page->members_wanted) : -1;
  };
  CHECK(wanted("/whitewater/doctor") == 0);
  CHECK(wanted("/whitewater/doctor?members=3") == 3);
  CHECK(wanted("/whitewater/doctor?members=64") == 64);
  for (const char* wrong : {"0", "65", "-1", "three", "3x", ""}) {
    CHECK(wanted(std::string("/whitewater/doctor?members=") + wrong) == -1);
  }
}

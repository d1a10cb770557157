// Probes: which path fails for which state, and the exact text (etcd-v3-api §2.5, kubernetes §3.11).
#include "api/health.hpp"

#include <boost/json.hpp>
#include <functional>

#include "catch.hpp"

using namespace whitewater::api;

namespace {

HealthInput healthy() {
  HealthInput in;
  in.phase = StartupPhase::serving;
  in.member = MemberState::voter;
  in.is_leader_known = true;
  in.proof_error = "";
  return in;
}

Probe probe_of(std::string_view target) {
  INFO(target);
  const auto parsed = parse_probe("GET", target);
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<Probe>(*parsed));
  return std::get<Probe>(*parsed);
}

HttpAnswer ask(std::string_view target, const HealthInput& input) { return answer_probe(probe_of(target), input); }

struct Fault {
  std::string_view check;
  std::function<void(HealthInput&)> apply;
  std::string_view failing;  // the paths that must fail, as letters: l r s z
  std::string_view line;
};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> rows{
      {"event_loop", [](auto& in) { in.event_loop_gap_ms = 10'001; }, "lz", "the event loop did not turn for 10001 ms"},
      {"disk_watchdog", [](auto& in) { in.disk_stalled_ms = 60'001; }, "lrz",
       "a log write has not returned for 60001 ms"},
      {"fatal", [](auto& in) { in.fatal = "log write failed: EIO"; }, "lsz", "log write failed: EIO"},
      {"serializable_read", [](auto& in) { in.store_error = "store closed"; }, "lrz", "store closed"},
      {"started",
       [](auto& in) {
         in.phase = StartupPhase::replaying_log;
         in.phase_text = "12 of 90 MiB";
       },
       "rsz", "replaying the log: 12 of 90 MiB"},
      {"serving", [](auto& in) { in.phase = StartupPhase::waiting_for_peers; }, "rz", "waiting for peers"},
      {"data_corruption", [](auto& in) { in.has_corrupt_alarm = true; }, "rz", "alarm activated: CORRUPT"},
      {"non_learner", [](auto& in) { in.member = MemberState::learner; }, "rz",
       "this member is a learner and not yet promoted"},
      {"member", [](auto& in) { in.member = MemberState::none; }, "rz", "not a member of the cluster"},
      {"leader", [](auto& in) { in.is_leader_known = false; }, "rz", "etcdserver: no leader"},
      {"applied",
       [](auto& in) {
         in.applied_lag_ms = 5'001;
         in.applied_index = 7;
         in.committed_index = 9;
       },
       "rz", "catching up: 7 of 9 entries are applied"},
      {"applied", [](auto& in) { in.has_caught_up = false; }, "rz", "catching up: 0 of 0 entries are applied"},
      {"disk", [](auto& in) { in.disk_stalled_ms = 5'001; }, "rz", "a log write has not returned for 5001 ms"},
      {"disk", [](auto& in) { in.disk_error = "read-only file system"; }, "rz", "read-only file system"},
      {"not_draining", [](auto& in) { in.is_draining = true; }, "rz", "draining"},
  };
  return rows;
}

}  // namespace

TEST_CASE("a healthy member passes every probe") {
  for (const std::string_view target : {"/livez", "/readyz", "/startupz", "/readyz?mode=write"}) {
    const auto answer = ask(target, healthy());
    CHECK(answer.status == 200);
    CHECK(answer.body == "ok\n");
    CHECK(answer.content_type == content_type_text);
  }
  CHECK(ask("/health", healthy()).body == R"({"health":"true","reason":""})");
  CHECK(ask("/healthz", healthy()).status == 200);
}

TEST_CASE("each fault fails the probes that it concerns, and no other") {
  const std::pair<char, std::string_view> paths[] = {
      {'l', "/livez"}, {'r', "/readyz"}, {'s', "/startupz"}, {'z', "/healthz"}};
  for (const Fault& fault : faults()) {
    HealthInput input = healthy();
    fault.apply(input);
    for (const auto& [letter, path] : paths) {
      INFO(fault.check << " on " << path);
      const auto answer = ask(path, input);
      const bool must_fail = fault.failing.find(letter) != std::string_view::npos;
      CHECK(answer.status == (must_fail ? 503 : 200));
      if (must_fail) CHECK(answer.body.find(fault.line) != std::string::npos);
    }
  }
}

TEST_CASE("values at their bounds still pass") {
  HealthInput input = healthy();
  input.event_loop_gap_ms = event_loop_gap_ms_max;
  input.disk_stalled_ms = disk_stall_ms_max;
  CHECK(ask("/livez", input).status == 200);
  input.disk_stalled_ms = input.disk_stall_limit_ms;
  input.applied_lag_ms = applied_lag_ms_max;
  CHECK(ask("/readyz", input).status == 200);
}

TEST_CASE("liveness does not need peers, a leader, membership or a finished start") {
  HealthInput input;  // just started
  input.phase = StartupPhase::replaying_log;
  CHECK(ask("/livez", input).status == 200);
  input.disk_stalled_ms = 100'000;
  input.is_leader = true;  // its own watchdog hands the leadership over first
  CHECK(ask("/livez", input).status == 200);
  input.is_leader = false;
  CHECK(ask("/livez", input).status == 503);
}

TEST_CASE("waiting for peers counts as started, every earlier phase does not") {
  for (const auto phase : {StartupPhase::reading_metadata, StartupPhase::replaying_log, StartupPhase::opening_store,
                           StartupPhase::binding_listener, StartupPhase::waiting_for_peers, StartupPhase::serving}) {
    HealthInput input;
    input.phase = phase;
    INFO(describe(phase));
    CHECK(ask("/startupz", input).status == (phase >= StartupPhase::waiting_for_peers ? 200 : 503));
  }
}

TEST_CASE("a learner by intent is ready") {
  HealthInput input = healthy();
  input.member = MemberState::learner;
  input.is_learner_by_intent = true;
  CHECK(ask("/readyz", input).status == 200);
}

TEST_CASE("verbose lists every check in order, whatever its value") {
  CHECK(ask("/livez?verbose", healthy()).body ==
        "[+]serializable_read ok\n[+]event_loop ok\n[+]disk_watchdog ok\n[+]fatal ok\nok\n");
  CHECK(ask("/livez?verbose=false", healthy()).body.starts_with("[+]serializable_read ok\n"));
  CHECK(ask("/readyz?verbose", healthy()).body ==
        "[+]data_corruption ok\n[+]serializable_read ok\n[+]non_learner ok\n[+]serving ok\n[+]member ok\n[+]leader ok\n"
        "[+]applied ok\n[+]disk ok\n[+]not_draining ok\nok\n");
}

TEST_CASE("a failure lists every check without being asked") {
  HealthInput input = healthy();
  input.is_draining = true;
  const auto answer = ask("/readyz", input);
  CHECK(answer.body.find("[+]leader ok\n") != std::string::npos);
  CHECK(answer.body.ends_with("[-]not_draining failed: draining\n"));
  CHECK(answer.body.find("\nok\n") == std::string::npos);
}

TEST_CASE("exclude leaves checks out, an unknown name changes nothing") {
  HealthInput input = healthy();
  input.is_draining = true;
  input.is_leader_known = false;
  CHECK(ask("/readyz?exclude=leader", input).status == 503);
  CHECK(ask("/readyz?exclude=leader&exclude=not_draining", input).status == 200);
  CHECK(ask("/readyz?exclude=nope", healthy()).status == 200);
  CHECK(ask("/healthz?exclude=leader&exclude=not_draining", input).status == 200);
}

TEST_CASE("a sub-path runs one check") {
  HealthInput input = healthy();
  input.is_draining = true;
  CHECK(ask("/readyz/leader", input).body == "ok\n");
  CHECK(ask("/readyz/leader?verbose", input).body == "[+]leader ok\nok\n");
  CHECK(ask("/readyz/not_draining", input).body == "[-]not_draining failed: draining\n");
  CHECK(ask("/livez/fatal", input).status == 200);
}

TEST_CASE("a quorum round is made only for the paths that ask for one") {
  CHECK(probe_of("/livez").need == ProbeNeed::nothing);
  CHECK(probe_of("/startupz").need == ProbeNeed::nothing);
  CHECK(probe_of("/readyz").need == ProbeNeed::nothing);
  CHECK(probe_of("/healthz").need == ProbeNeed::nothing);
  CHECK(probe_of("/livez?mode=write").need == ProbeNeed::nothing);
  CHECK(probe_of("/readyz?mode=write").need == ProbeNeed::commit);
  CHECK(probe_of("/readyz?mode=write&exclude=commit").need == ProbeNeed::nothing);
  CHECK(probe_of("/readyz/linearizable_read").need == ProbeNeed::linearizable_read);
  CHECK(probe_of("/health").need == ProbeNeed::linearizable_read);
  CHECK(probe_of("/health?serializable=true").need == ProbeNeed::nothing);
  CHECK(probe_of("/health?serializable=false").need == ProbeNeed::linearizable_read);
}

TEST_CASE("a proof that failed or was not made fails the probe that needs it") {
  HealthInput input = healthy();
  input.proof_error = "etcdserver: request timed out";
  CHECK(ask("/readyz?mode=write", input).body.ends_with("[-]commit failed: etcdserver: request timed out\n"));
  CHECK(ask("/readyz/linearizable_read", input).body == "[-]linearizable_read failed: etcdserver: request timed out\n");
  CHECK(ask("/readyz", input).status == 200);
  input.proof_error.reset();
  CHECK(ask("/readyz?mode=write", input).status == 503);
  CHECK(ask("/health", input).status == 503);
}

TEST_CASE("/health tells etcd's reasons in etcd's order") {
  HealthInput input = healthy();
  input.proof_error = "etcdserver: request timed out";
  const auto body = [&input](std::string_view target) {
    const auto answer = ask(target, input);
    CHECK(answer.status == 503);
    return answer.body;
  };
  CHECK(body("/health") == R"({"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"})");
  input.is_leader_known = false;
  CHECK(body("/health") == R"({"health":"false","reason":"RAFT NO LEADER"})");
  input.has_corrupt_alarm = true;
  CHECK(body("/health") == R"({"health":"false","reason":"ALARM CORRUPT"})");
  input.has_nospace_alarm = true;
  CHECK(body("/health") == R"({"health":"false","reason":"ALARM NOSPACE"})");
  CHECK(body("/health?exclude=NOSPACE") == R"({"health":"false","reason":"ALARM CORRUPT"})");
  CHECK(body("/health?exclude=NOSPACE&exclude=CORRUPT") == R"({"health":"false","reason":"RAFT NO LEADER"})");
  CHECK(ask("/health?exclude=NOSPACE&exclude=CORRUPT&serializable=true", input).status == 200);
  input.store_error = "closed";
  CHECK(body("/health?exclude=NOSPACE&exclude=CORRUPT&serializable=true") ==
        R"({"health":"false","reason":"RANGE ERROR:closed"})");
}

TEST_CASE("/healthz is JSON of every check with its reason") {
  HealthInput input = healthy();
  input.disk_error = "no space \"left\"";
  const auto answer = ask("/healthz", input);
  CHECK(answer.status == 503);
  CHECK(answer.content_type == content_type_json);
  const auto json = boost::json::parse(answer.body);
  CHECK(json.at("status") == "failed");
  CHECK(json.at("phase") == "serving");
  CHECK(json.at("checks").as_array().size() == 13);
  for (const auto& check : json.at("checks").as_array()) {
    const bool is_disk = check.at("name") == "disk";
    CHECK(check.at("ok").as_bool() == !is_disk);
    if (is_disk) CHECK(check.at("reason") == "no space \"left\"");
  }
}

TEST_CASE("other methods, unknown checks and other paths are told apart") {
  for (const std::string_view method : {"POST", "HEAD", "PUT"}) {
    const auto parsed = parse_probe(method, "/livez");
    REQUIRE(parsed);
    const auto& answer = std::get<HttpAnswer>(*parsed);
    CHECK(answer.status == 405);
    CHECK(answer.headers[0] == HttpHeader{"Allow", "GET"});
  }
  for (const std::string_view target :
       {"/readyz/nope", "/livez/", "/health/", "/livez/linearizable_read", "/readyz/commit"}) {
    INFO(target);
    const auto parsed = parse_probe("GET", target);
    REQUIRE(parsed);
    CHECK(std::get<HttpAnswer>(*parsed).status == 404);
  }
  CHECK_FALSE(parse_probe("GET", "/healthy"));
  CHECK_FALSE(parse_probe("GET", "/"));
  CHECK_FALSE(parse_probe("GET", "//health"));
  CHECK_FALSE(parse_probe("OPTIONS", "/health"));
}

TEST_CASE("the checks behind readiness can be read one by one") {
  HealthInput input = healthy();
  input.is_draining = true;
  int failed = 0;
  for (const auto& result : run_checks(ProbeKind::readyz, input)) failed += result.error.empty() ? 0 : 1;
  CHECK(failed == 1);
  CHECK(run_checks(ProbeKind::health, input)[0].error.empty());
}

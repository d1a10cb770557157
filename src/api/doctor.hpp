// What `whitewater doctor` says about a member: facts in, findings out, each with a next step where there is one (GET
// /whitewater/doctor). Whether a member is ready stays the business of the health checks (health.hpp): each of them
// that fails is a problem here, so a member that is not ready always has one. The rest are facts that explain it, or
// that would hurt later. Filled by the server; pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/health.hpp"

namespace whitewater::api {

// A write of the log that takes this long at the median makes every request at least as slow.
inline constexpr std::int64_t slow_write_us_min = 10'000;
// Nothing in Raft needs a common clock. Certificates, tokens and people who compare log lines do.
inline constexpr std::int64_t clock_offset_ms_max = 1'000;

struct DoctorInput {
  struct Bootstrap {
    std::uint64_t expect = 0;   // founders that were stated; 0: none
    bool is_refused = false;    // needs a person; the reason is health.phase_text
    bool is_removed = false;    // this member was removed from its cluster
    bool is_inferred = false;   // it founds, or founded in this run, with as many founders as it saw
    std::string other_cluster;  // another cluster that answers under this service; empty: none
    std::size_t members = 0;    // of the configuration; 0 while there is none
  };
  struct Discovery {
    std::string method;  // "dns", ...; empty: nobody is looked for
    std::string reason;  // why this one
    std::string place;   // where it looks
    std::size_t found = 0;
    bool names_everybody = true;               // false: a source that may leave out members by design (a peers file)
    bool is_known = false;                     // there was a good answer
    std::int64_t stale_ms = 0;                 // since the last good answer; since the start when there was none
    std::string last_error;                    // of the newest attempt; empty: it was good
    std::vector<std::string> access_problems;  // verbs that the service account lacks, each with its next step
  };
  struct Disk {
    std::string path;
    std::string filesystem;
    bool is_volatile = false;  // gone with the container
    std::string log_strategy;
    std::string log_reason;
    bool is_buffered = false;
    std::int64_t write_us = 0;  // median of the start-up probe; 0: not measured
  };
  struct Reactor {
    std::string name;
    std::string reason;
    bool is_second_choice = false;  // epoll, though nobody asked for it
  };
  struct Peer {
    std::string name;
    std::string address;
    std::string role;  // "leader", "follower", "learner", ... by its own word
    bool is_reachable = false;
    std::string reason;                           // why not reachable
    std::optional<std::int64_t> clock_offset_ms;  // its clock minus this one's, to about 250 ms
  };
  std::string name;
  std::string address;
  std::string role;  // as a peer's
  HealthInput health;
  Bootstrap bootstrap;
  Discovery discovery;
  Disk disk;
  Reactor reactor;
  std::vector<Peer> peers;           // the other members of the configuration
  std::uint64_t members_wanted = 0;  // as many there should be, by whoever asks; 0: any number is fine
};

enum class Severity : std::uint8_t { ok, warning, problem };
[[nodiscard]] std::string_view describe(Severity severity);

struct Finding {
  Severity severity = Severity::ok;
  std::string_view about;  // one word: "bootstrap", "discovery", "disk", ...
  std::string text;
  std::string next_step;  // empty: nothing is to be done
};

// The worst first; otherwise in the order of the subjects above. Never empty.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorInput& input);

// {"name":…,"address":…,"ready":…,"findings":[{"severity":…,"about":…,"text":…,"next_step":…},…]} and a newline.
[[nodiscard]] std::string encode_doctor(const DoctorInput& input, std::span<const Finding> findings);

}  // namespace whitewater::api

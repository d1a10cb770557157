#include "server/cli_membership.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <optional>
#include <thread>
#include <utility>

#include "server/cli_call.hpp"
#include "server/cli_output.hpp"
#include "server/cli_print.hpp"

namespace whitewater::server {
namespace {

constexpr std::chrono::milliseconds poll_interval{200};

// "whitewater-4" -> 4
std::optional<std::uint32_t> ordinal_in(const std::string& name) {
  const auto dash = name.rfind('-');
  if (dash == std::string::npos) return std::nullopt;
  std::uint32_t ordinal = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + dash + 1, end, ordinal);
  if (error != std::errc{} || stop != end || stop == name.data() + dash + 1) return std::nullopt;
  return ordinal;
}

struct MembersAnswer {
  std::vector<CliMember> members;
  int exit = 0;  // not 0: it was complained about
};

MembersAnswer ask_members(CliCommand command, CliClock::time_point deadline) {
  command.verb = CliVerb::members;
  const CallOutcome outcome = call_endpoints(command, make_request(command, ""), deadline);
  if (outcome.exit != CliExit::ok) return {{}, complain(outcome.exit, outcome.problem)};
  auto members = parse_members(outcome.body);
  if (!members) return {{}, complain(CliExit::failure, "the server's answer is no list of members")};
  return {std::move(*members), 0};
}

std::uint64_t id_of(const CliMember& member) {
  std::uint64_t id = 0;
  std::from_chars(member.id.data(), member.id.data() + member.id.size(), id, 16);
  return id;
}

// By name, else by id. Two members may have one name while one replaces the other.
int find_member(CliCommand& command, CliClock::time_point deadline) {
  const MembersAnswer answer = ask_members(command, deadline);
  if (answer.exit != 0) return answer.exit;
  std::vector<std::uint64_t> found;
  std::string names;
  for (const CliMember& member : answer.members) {
    names += (names.empty() ? "" : ", ") + member.name;
    if (member.name == command.member || member.id == command.member || member.address == command.member) {
      found.push_back(id_of(member));
    }
  }
  if (found.size() > 1) {
    return complain(CliExit::usage, "two members are called " + command.member + "; give the id (whitewater members)");
  }
  if (found.empty()) {
    return complain(CliExit::refused, "no member is called " + command.member + "; the members are " + names);
  }
  command.member_id = found.front();
  return 0;
}

int change_member(CliCommand command, CliClock::time_point deadline) {
  if (command.verb != CliVerb::member_add) {
    if (const int exit = find_member(command, deadline); exit != 0) return exit;
  }
  const CallOutcome outcome = call_endpoints(command, make_request(command, ""), deadline);
  if (outcome.exit == CliExit::outcome_unknown) {
    return complain(outcome.exit, outcome.problem +
                                      "\n  The change may or may not have been made; whitewater members "
                                      "shows it.");
  }
  if (outcome.exit != CliExit::ok) return complain(outcome.exit, outcome.problem);
  if (command.output == CliOutput::json) return print(outcome.body + "\n") ? 0 : exit_code(CliExit::failure);
  const char* done = command.verb == CliVerb::member_add      ? "joined as a learner"
                     : command.verb == CliVerb::member_remove ? "removed"
                                                              : "promoted";
  return print(command.member + " " + done + "\n") ? 0 : exit_code(CliExit::failure);
}

std::string time_text(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

int show_history(const CliCommand& command, CliClock::time_point deadline) {
  const CallOutcome outcome = call_endpoints(command, make_request(command, ""), deadline);
  if (outcome.exit != CliExit::ok) return complain(outcome.exit, outcome.problem);
  if (command.output == CliOutput::json) return print(outcome.body) ? 0 : exit_code(CliExit::failure);
  const auto events = parse_history(outcome.body);
  if (!events) return complain(CliExit::failure, "the server's answer is no history");
  std::vector<std::vector<std::string>> rows;
  for (const CliMembershipEvent& event : *events) {
    rows.push_back(
        {time_text(event.unix_seconds), std::to_string(event.index), event.kind, event.name, event.id, event.reason});
  }
  return print(format_table({"TIME", "INDEX", "WHAT", "MEMBER", "ID", "REASON"}, rows)) ? 0
                                                                                        : exit_code(CliExit::failure);
}

// Who stays must be well, or the next step could cost the majority.
std::string obstacle_to_removal(const std::vector<CliMember>& members, std::uint32_t scale_to) {
  std::string unwell;
  std::size_t staying = 0;
  for (const CliMember& member : members) {
    if (ordinal_in(member.name).value_or(0) >= scale_to) continue;
    ++staying;
    if (!member.healthy) unwell += (unwell.empty() ? "" : "; ") + member.name + ": " + member.reason;
  }
  if (staying == 0) return "no member would be left";
  return unwell.empty() ? "" : "a member that stays is not well, so nobody is taken out: " + unwell;
}

// The highest ordinal from `scale_to` on.
const CliMember* next_to_go(const std::vector<CliMember>& members, std::uint32_t scale_to) {
  const CliMember* last = nullptr;
  for (const CliMember& member : members) {
    const auto ordinal = ordinal_in(member.name);
    if (!ordinal || *ordinal < scale_to) continue;
    if (last == nullptr || *ordinal > *ordinal_in(last->name)) last = &member;
  }
  return last;
}

int scale(const CliCommand& command) {
  for (std::size_t step = 0; step <= cli_endpoints_max; ++step) {
    const auto deadline = CliClock::now() + command.timeout;
    MembersAnswer answer;
    std::string obstacle;
    do {  // a member that was just promoted or lost its leader is well again in a moment
      if (!obstacle.empty()) std::this_thread::sleep_for(poll_interval);
      answer = ask_members(command, deadline);
      if (answer.exit != 0) return answer.exit;
      if (next_to_go(answer.members, command.scale_to) == nullptr) break;
      obstacle = obstacle_to_removal(answer.members, command.scale_to);
    } while (!obstacle.empty() && CliClock::now() < deadline);
    const CliMember* leaving = next_to_go(answer.members, command.scale_to);
    const std::string count = std::to_string(answer.members.size());
    if (leaving == nullptr) {
      if (answer.members.size() < command.scale_to) {
        return complain(CliExit::refused,
                        "there are " + count + " members; to grow, start more: they join by themselves");
      }
      return print(count + " members, none with an ordinal from " + std::to_string(command.scale_to) + " on\n")
                 ? 0
                 : exit_code(CliExit::failure);
    }
    if (!obstacle.empty()) return complain(CliExit::refused, obstacle);
    CliCommand removal = command;
    removal.member_id = id_of(*leaving);
    const CallOutcome outcome = call_endpoints(removal, make_request(removal, ""), deadline);
    // Its own answer may be lost with it, and a change may be under way: the next look at the members tells.
    const bool is_settling = outcome.exit == CliExit::outcome_unknown ||
                             outcome.problem.find("membership change is in progress") != std::string::npos;
    if (outcome.exit != CliExit::ok && !is_settling) return complain(outcome.exit, outcome.problem);
    if (outcome.exit == CliExit::ok && !print("removed " + leaving->name + " (" + count + " members before)\n")) {
      return exit_code(CliExit::failure);
    }
    if (is_settling) std::this_thread::sleep_for(poll_interval);
  }
  return complain(CliExit::failure, "the members do not become fewer; whitewater membership history tells why");
}

int drain(CliCommand command) {
  if (command.endpoints.size() > 1) return complain(CliExit::usage, "drain is for one member: name one endpoint");
  // The server's own limit is a little shorter, so that its answer arrives.
  const auto deadline = CliClock::now() + command.timeout;
  command.timeout = std::max(command.timeout - std::chrono::milliseconds(500), std::chrono::milliseconds(1));
  const CallOutcome outcome = call_endpoints(command, make_request(command, ""), deadline);
  if (outcome.exit != CliExit::ok) return complain(outcome.exit, outcome.problem);
  return print("drained: not ready, not the leader\n") ? 0 : exit_code(CliExit::failure);
}

}  // namespace

bool is_membership_verb(CliVerb verb) {
  return verb == CliVerb::member_add || verb == CliVerb::member_remove || verb == CliVerb::member_promote ||
         verb == CliVerb::membership_history || verb == CliVerb::scale || verb == CliVerb::drain;
}

int run_membership_command(CliCommand command) {
  const auto deadline = CliClock::now() + command.timeout;
  switch (command.verb) {
    case CliVerb::membership_history:
      return show_history(command, deadline);
    case CliVerb::scale:
      return scale(command);
    case CliVerb::drain:
      return drain(std::move(command));
    default:
      return change_member(std::move(command), deadline);
  }
}

}  // namespace whitewater::server

#include "server/cli.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/cli_arguments.hpp"
#include "server/cli_call.hpp"
#include "server/cli_doctor.hpp"
#include "server/cli_http.hpp"
#include "server/cli_membership.hpp"
#include "server/cli_output.hpp"
#include "server/cli_print.hpp"
#include "server/cli_protocol.hpp"
#include "server/config.hpp"

namespace whitewater::server {
namespace {

constexpr std::size_t value_bytes_max = 16UL
                                        << 20;  // far over what the server takes; its refusal is the better message

std::optional<std::string> read_standard_input() {
  std::string value;
  std::vector<char> chunk(64UL << 10);
  while (value.size() <= value_bytes_max) {
    const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), stdin);
    value.append(chunk.data(), got);
    if (got < chunk.size()) return std::ferror(stdin) != 0 ? std::nullopt : std::optional(std::move(value));
  }
  return std::nullopt;
}

std::string advice(CliExit exit) {
  switch (exit) {
    case CliExit::outcome_unknown:
      return "\n  The write may or may not have been applied; read the key to find out.";
    case CliExit::unreachable:
      return "\n  Is a member running there? --endpoints or WHITEWATER_ENDPOINTS names others.";
    default:
      return {};
  }
}

int finish_get(const CliCommand& command, const std::string& body) {
  const auto range = parse_range(body);
  if (!range) return complain(CliExit::failure, "the server's answer is no range response");
  const bool printed = print(command.output == CliOutput::json ? body + "\n" : format_range(command, *range));
  if (!printed) return exit_code(CliExit::failure);
  if (range->kvs.empty() && !command.count_only) return exit_code(CliExit::not_found);
  if (command.value_expected && range->kvs.front().value != *command.value_expected) {
    return complain(CliExit::not_found, "the value is another than --expect");
  }
  return exit_code(CliExit::ok);
}

int finish_del(const CliCommand& command, const std::string& body) {
  const auto deleted = parse_deleted(body);
  if (!deleted) return complain(CliExit::failure, "the server's answer is no delete response");
  const bool printed = print(command.output == CliOutput::json ? body + "\n" : std::to_string(*deleted) + "\n");
  if (!printed) return exit_code(CliExit::failure);
  return exit_code(*deleted == 0 ? CliExit::not_found : CliExit::ok);
}

int finish_members(const CliCommand& command, const std::string& body) {
  const auto members = parse_members(body);
  if (!members) return complain(CliExit::failure, "the server's answer is no list of members");
  const std::string json = body.ends_with('\n') ? body : body + "\n";
  return exit_code(print(command.output == CliOutput::json ? json : format_members(command.output, *members))
                       ? CliExit::ok
                       : CliExit::failure);
}

int run_status(const CliCommand& command, CliClock::time_point deadline) {
  const CliRequest request = make_request(command, "");
  std::vector<EndpointStatus> statuses;
  std::string json;
  bool all_answered = true;
  for (const HostPort& endpoint : command.endpoints) {
    CliCommand single = command;
    single.endpoints = {endpoint};
    CallOutcome outcome = call_endpoints(single, request, deadline);
    EndpointStatus row{describe(endpoint), std::nullopt, std::move(outcome.problem)};
    if (outcome.exit == CliExit::ok) row.status = parse_status(outcome.body);
    if (!row.status && row.problem.empty()) row.problem = "the answer is no status";
    all_answered = all_answered && row.status.has_value();
    if (row.status) {
      json.append(json.empty() ? "[" : ",").append(R"({"Endpoint":")").append(row.endpoint).append(R"(","Status":)");
      json.append(outcome.body).append("}");
    }
    statuses.push_back(std::move(row));
  }
  json.append(json.empty() ? "[]\n" : "]\n");
  if (!print(command.output == CliOutput::json ? json : format_statuses(command.output, statuses))) {
    return exit_code(CliExit::failure);
  }
  if (command.output == CliOutput::json) {
    for (const auto& row : statuses) {
      if (!row.status) complain(CliExit::unreachable, row.problem);
    }
  }
  return exit_code(all_answered ? CliExit::ok : CliExit::unreachable);
}

int run_command(const CliCommand& command) {
  if (command.verb == CliVerb::version) {
    return exit_code(print("whitewater " WHITEWATER_VERSION "\n") ? CliExit::ok : CliExit::failure);
  }
  std::optional<std::string> value = command.value;
  if (command.verb == CliVerb::put && command.value == "-") value = read_standard_input();
  if (!value) return complain(CliExit::usage, "standard input cannot be read, or holds more than 16MiB");
  const auto deadline = CliClock::now() + command.timeout;
  if (command.verb == CliVerb::status) return run_status(command, deadline);
  if (command.verb == CliVerb::doctor) return run_doctor_command(command);
  if (is_membership_verb(command.verb)) return run_membership_command(command);

  const CallOutcome outcome = call_endpoints(command, make_request(command, *value), deadline);
  if (outcome.exit != CliExit::ok) return complain(outcome.exit, outcome.problem + advice(outcome.exit));
  switch (command.verb) {
    case CliVerb::get:
      return finish_get(command, outcome.body);
    case CliVerb::del:
      return finish_del(command, outcome.body);
    case CliVerb::members:
      return finish_members(command, outcome.body);
    default:
      break;
  }
  return exit_code(print(command.output == CliOutput::json ? outcome.body + "\n" : "OK\n") ? CliExit::ok
                                                                                           : CliExit::failure);
}

}  // namespace

std::optional<int> run_client_command(int argc, char** argv) {
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!arguments.empty() && arguments.front() == "serve") {
    for (const auto& argument : arguments) {
      if (argument != "--help" && argument != "-h") continue;
      return exit_code(print(options_help()) ? CliExit::ok : CliExit::failure);
    }
    return std::nullopt;
  }
  if (!arguments.empty() && arguments.front() == "config") {
    return run_config_command({arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && arguments.front() == "--version") arguments.front() = "version";
  const auto parsed = parse_cli(arguments, gather_option_inputs({}).environment);
  if (const auto* text = std::get_if<CliText>(&parsed)) {
    std::fputs(text->text.c_str(), text->is_error ? stderr : stdout);
    return exit_code(text->is_error ? CliExit::usage : CliExit::ok);
  }
  return run_command(std::get<CliCommand>(parsed));
}

}  // namespace whitewater::server

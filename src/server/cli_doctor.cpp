#include "server/cli_doctor.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "server/cli_call.hpp"
#include "server/cli_output.hpp"
#include "server/config.hpp"
#include "server/discovery_setup.hpp"
#include "server/doctor_report.hpp"

namespace whitewater::server {
namespace {

DoctorReport silence_of(const HostPort& endpoint, const std::string& problem) {
  const LoadedOptions loaded = load_options(gather_option_inputs({}));
  return report_of_silence(describe(endpoint), problem, loaded,
                           loaded.errors.empty() ? describe_place(loaded.options) : std::string());
}

}  // namespace

int run_doctor_command(const CliCommand& command) {
  const auto deadline = CliClock::now() + command.timeout;
  const CliRequest request = make_request(command, "");
  std::vector<DoctorReport> reports;
  bool has_silence = false;
  for (const HostPort& endpoint : command.endpoints) {
    CliCommand single = command;
    single.endpoints = {endpoint};
    const CallOutcome outcome = call_endpoints(single, request, deadline);
    if (outcome.exit == CliExit::unreachable) {
      has_silence = true;
      reports.push_back(silence_of(endpoint, outcome.problem));
      continue;
    }
    if (outcome.exit != CliExit::ok) return complain(outcome.exit, outcome.problem);
    auto report = parse_doctor(describe(endpoint), outcome.body);
    if (!report) return complain(CliExit::failure, describe(endpoint) + ": the answer is no report of a member");
    reports.push_back(std::move(*report));
  }
  const std::string text = command.output == CliOutput::json ? doctor_as_json(reports) : format_doctor(reports);
  const bool printed = print(text);
  if (!printed) return exit_code(CliExit::failure);
  if (has_silence) return exit_code(CliExit::unreachable);
  const bool has_problem =
      std::any_of(reports.begin(), reports.end(), [](const DoctorReport& report) { return report.has_problem(); });
  return exit_code(has_problem ? CliExit::not_found : CliExit::ok);
}

}  // namespace whitewater::server

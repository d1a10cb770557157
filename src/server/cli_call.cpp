#include "server/cli_call.hpp"

#include <utility>
#include <variant>

namespace whitewater::server {

CallOutcome call_endpoints(const CliCommand& command, const CliRequest& request, CliClock::time_point deadline) {
  CallOutcome outcome{CliExit::unreachable, "", ""};
  for (const HostPort& endpoint : command.endpoints) {
    auto answer = http_call(endpoint, request, deadline);
    const std::string place = describe(endpoint) + ": ";
    std::string problem;
    if (auto* reply = std::get_if<HttpReply>(&answer)) {
      const ServerAnswer judged = judge_answer(request.is_write, reply->status, reply->body);
      if (judged.meaning == AnswerMeaning::success) return {CliExit::ok, std::move(reply->body), ""};
      if (judged.meaning == AnswerMeaning::refused) return {CliExit::refused, "", place + judged.message};
      if (judged.meaning == AnswerMeaning::outcome_unknown)
        return {CliExit::outcome_unknown, "", place + judged.message};
      outcome.exit = CliExit::refused;
      problem = place + judged.message;
    } else {
      const auto& failure = std::get<HttpProblem>(answer);
      problem = place + failure.text;
      if (request.is_write && failure.may_have_arrived) return {CliExit::outcome_unknown, "", std::move(problem)};
    }
    outcome.problem.append(outcome.problem.empty() ? "" : "; ").append(problem);
    if (CliClock::now() >= deadline) break;
  }
  return outcome;
}

}  // namespace whitewater::server

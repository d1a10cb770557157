#include "api/router.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "api/method.hpp"
#include "api/target.hpp"
#include "api/version.hpp"

namespace whitewater::api {
namespace {

constexpr std::uint64_t drain_timeout_ms_max = 600'000;
constexpr std::uint64_t members_wanted_max = 64;

// Takes a number from 1 to `max` out of the query into `number`, which stays as it is where the query has none of this
// name. A refusal where it is no such number.
std::optional<HttpAnswer> read_number(std::string_view query, std::string_view wanted, std::uint64_t max,
                                      std::uint64_t& number) {
  for (const auto& [name, value] : parse_query(query)) {
    if (name != wanted) continue;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc{} && end == value.data() + value.size() && number != 0 && number <= max) continue;
    return to_answer(
        Status{GrpcCode::invalid_argument, std::string(wanted) + " is not a number from 1 to " + std::to_string(max)});
  }
  return std::nullopt;
}

Route drain_request(std::string_view query) {
  DrainRequest request;
  if (auto refusal = read_number(query, "timeout_ms", drain_timeout_ms_max, request.timeout_ms)) return *refusal;
  return request;
}

Route doctor_page(std::string_view query) {
  DoctorPage page;
  if (auto refusal = read_number(query, "members", members_wanted_max, page.members_wanted)) return *refusal;
  return page;
}

}  // namespace

Route route(std::string_view method, std::string_view target, std::string_view body,
            std::string_view whitewater_version) {
  const bool is_for_gateway = target.starts_with("/v3/") || method == "OPTIONS";
  if (!is_for_gateway) {
    if (auto probe = parse_probe(method, target)) {
      if (auto* answer = std::get_if<HttpAnswer>(&*probe)) return std::move(*answer);
      return std::get<Probe>(std::move(*probe));
    }
    const auto parsed = parse_target(target);
    if (parsed && parsed->raw_path == parsed->path) {
      if (parsed->path == "/version") return answer_version(method, whitewater_version);
      if (parsed->path == "/metrics") return MetricsPage{};
      if (parsed->path == "/whitewater/members") {
        if (method != "GET") return method_not_allowed();
        return MemberTablePage{};
      }
      if (parsed->path == "/whitewater/doctor") {
        if (method != "GET") return method_not_allowed();
        return doctor_page(parsed->query);
      }
      if (parsed->path == "/whitewater/membership") {
        if (method != "GET") return method_not_allowed();
        return MembershipPage{};
      }
      if (parsed->path == "/whitewater/drain") {
        if (method != "POST") return method_not_allowed("POST");
        return drain_request(parsed->query);
      }
    }
  }
  auto call = parse_call(method, target, body);
  if (auto* answer = std::get_if<HttpAnswer>(&call)) return std::move(*answer);
  return std::get<Call>(std::move(call));
}

HttpAnswer answer_metrics(std::string exposition) {
  HttpAnswer answer;
  answer.content_type = content_type_metrics;
  answer.body = std::move(exposition);
  return answer;
}

HttpAnswer answer_json(std::string text) {
  HttpAnswer answer;
  answer.content_type = content_type_json;
  answer.body = std::move(text);
  return answer;
}

}  // namespace whitewater::api

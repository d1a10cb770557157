#include "api/router.hpp"

#include <charconv>
#include <utility>

#include "api/method.hpp"
#include "api/target.hpp"
#include "api/version.hpp"

namespace whitewater::api {
namespace {

constexpr std::uint64_t drain_timeout_ms_max = 600'000;

Route drain_request(std::string_view query) {
  DrainRequest request;
  for (const auto& [name, value] : parse_query(query)) {
    if (name != "timeout_ms") continue;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), request.timeout_ms);
    const bool is_number = error == std::errc{} && end == value.data() + value.size();
    if (!is_number || request.timeout_ms == 0 || request.timeout_ms > drain_timeout_ms_max) {
      return to_answer(Status{GrpcCode::invalid_argument, "timeout_ms is not a number from 1 to 600000"});
    }
  }
  return request;
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
        return DoctorPage{};
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

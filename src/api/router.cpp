#include "api/router.hpp"

#include <utility>

#include "api/method.hpp"
#include "api/target.hpp"
#include "api/version.hpp"

namespace whitewater::api {

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

HttpAnswer answer_member_table(std::string table) {
  HttpAnswer answer;
  answer.content_type = content_type_json;
  answer.body = std::move(table);
  return answer;
}

}  // namespace whitewater::api

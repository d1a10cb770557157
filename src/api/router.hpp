// The client port's HTTP side in one function: which of gateway, probes, /version, /metrics and
// /whitewater/… a request is for. Called by the server's connection loops on the reactor's thread; pure. It answers
// what needs no state; everything else comes back as a value for the server to do.
#pragma once

#include <string_view>
#include <variant>

#include "api/health.hpp"
#include "api/http_answer.hpp"
#include "api/json_gateway.hpp"

namespace whitewater::api {

struct MetricsPage {};      // answer with answer_metrics(registry.expose())
struct MemberTablePage {};  // answer with answer_json(encode_member_table(rows))
struct MembershipPage {};   // answer with answer_json of what changed in the membership
// Answer with answer_json(encode_doctor(input, diagnose(input))).
struct DoctorPage {
  std::uint64_t members_wanted = 0;  // of the query ("members=3"); 0: any number is fine
};
// POST: not ready any more, and leadership handed over, within the time-out of the query ("timeout_ms=5000").
struct DrainRequest {
  std::uint64_t timeout_ms = 10'000;
};
using Route =
    std::variant<Call, Probe, MetricsPage, MemberTablePage, DoctorPage, MembershipPage, DrainRequest, HttpAnswer>;

[[nodiscard]] Route route(std::string_view method, std::string_view target, std::string_view body,
                          std::string_view whitewater_version);

[[nodiscard]] HttpAnswer answer_metrics(std::string exposition);
[[nodiscard]] HttpAnswer answer_json(std::string text);

}  // namespace whitewater::api

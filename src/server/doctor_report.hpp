// What `whitewater doctor` prints: the findings of members that answered, and, for one that did not, what can be said
// without it. Pure text in, text out; cli_doctor.cpp asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/options.hpp"

namespace whitewater::server {

struct DoctorFinding {
  std::string severity;  // "problem", "warning", "ok"
  std::string about;
  std::string text;
  std::string next_step;
};
struct DoctorReport {
  std::string endpoint;
  std::string name;  // empty: nobody answered
  std::string address;
  bool ready = false;
  std::vector<DoctorFinding> findings;  // the worst first

  [[nodiscard]] bool has_problem() const;
};

// nullopt: the body is not what a member says.
[[nodiscard]] std::optional<DoctorReport> parse_doctor(std::string endpoint, std::string_view body);
// In place of a member that does not answer: that, and what a member in this process's environment would do. `place` is
// where it would look for peers.
[[nodiscard]] DoctorReport report_of_silence(std::string endpoint, const std::string& problem,
                                             const LoadedOptions& loaded, const std::string& place);

[[nodiscard]] std::string format_doctor(const std::vector<DoctorReport>& reports);
// [{"endpoint":…,"name":…,"address":…,"ready":…,"findings":[…]},…], as the members' own.
[[nodiscard]] std::string doctor_as_json(const std::vector<DoctorReport>& reports);

}  // namespace whitewater::server

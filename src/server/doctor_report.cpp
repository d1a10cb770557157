#include "server/doctor_report.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "server/cli_print.hpp"
#include "server/options_check.hpp"
#include "server/options_enum.hpp"

namespace whitewater::server {
namespace {

namespace json = boost::json;

std::string string_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

DoctorFinding discovery_finding(const LoadedOptions& loaded, const std::string& place) {
  const Options& options = loaded.options;
  if (effective_discovery(options) == DiscoveryMethod::automatic) {
    return {"warning", "discovery", "in the environment of this command nothing says how to find peers",
            "set SERVICE_NAME, LABEL_SELECTOR or PEERS_FILE for the member, or run this command in its container"};
  }
  return {"ok", "discovery",
          "in the environment of this command a member would use " +
              std::string(choice_name(effective_discovery(options))) + " (" + reason_of_method(options) + "), " + place,
          "`whitewater discover` asks now, without a member"};
}

}  // namespace

bool DoctorReport::has_problem() const {
  return std::any_of(findings.begin(), findings.end(), [](const auto& one) { return one.severity == "problem"; });
}

std::optional<DoctorReport> parse_doctor(std::string endpoint, std::string_view body) {
  boost::system::error_code error;
  const json::value document = json::parse(body, error);
  if (error || !document.is_object()) return std::nullopt;
  const json::object& object = document.get_object();
  const json::value* findings = object.if_contains("findings");
  if (findings == nullptr || !findings->is_array()) return std::nullopt;
  DoctorReport report;
  report.endpoint = std::move(endpoint);
  report.name = string_in(object, "name");
  report.address = string_in(object, "address");
  const json::value* ready = object.if_contains("ready");
  report.ready = ready != nullptr && ready->is_bool() && ready->get_bool();
  for (const json::value& item : findings->get_array()) {
    if (!item.is_object()) return std::nullopt;
    const json::object& row = item.get_object();
    report.findings.push_back(
        {string_in(row, "severity"), string_in(row, "about"), string_in(row, "text"), string_in(row, "next_step")});
  }
  return report;
}

DoctorReport report_of_silence(std::string endpoint, const std::string& problem, const LoadedOptions& loaded,
                               const std::string& place) {
  DoctorReport report;
  report.endpoint = std::move(endpoint);
  report.findings.push_back(
      {"problem", "process", "no member answers: " + problem,
       "does it run, and listen there? `kubectl logs POD` and `kubectl logs POD --previous` end with why it stopped; "
       "its exit code says the same (3 data directory, 4 damage, 7 address in use, 8 replaced or removed)"});
  for (const std::string& wrong : loaded.errors) {
    report.findings.push_back({"problem", "options", "in the environment of this command: " + wrong,
                               "a member with these options ends at once with exit code 2; `whitewater config` shows "
                               "where each value comes from"});
  }
  for (const std::string& warning : loaded.warnings) {
    report.findings.push_back({"warning", "options", "in the environment of this command: " + warning, ""});
  }
  // Options with errors are not to be used.
  if (loaded.errors.empty()) report.findings.push_back(discovery_finding(loaded, place));
  return report;
}

std::string format_doctor(const std::vector<DoctorReport>& reports) {
  std::string text;
  for (const DoctorReport& report : reports) {
    text.append(text.empty() ? "" : "\n");
    if (report.name.empty()) {
      text.append(report.endpoint).append(": no answer\n");
    } else {
      text.append(report.name).append(" (").append(report.address).append("): ");
      text.append(report.ready ? "ready\n" : "not ready\n");
    }
    std::vector<std::vector<std::string>> rows;
    for (const DoctorFinding& finding : report.findings) {
      rows.push_back({finding.severity, finding.about + ": " + finding.text});
      if (!finding.next_step.empty()) rows.push_back({"", "next: " + finding.next_step});
    }
    text.append(format_table({"SEVERITY", "FINDING"}, rows));
  }
  return text;
}

std::string doctor_as_json(const std::vector<DoctorReport>& reports) {
  json::array all;
  for (const DoctorReport& report : reports) {
    json::array findings;
    for (const DoctorFinding& one : report.findings) {
      findings.push_back(json::object{
          {"severity", one.severity}, {"about", one.about}, {"text", one.text}, {"next_step", one.next_step}});
    }
    all.push_back(json::object{{"endpoint", report.endpoint},
                               {"name", report.name},
                               {"address", report.address},
                               {"ready", report.ready},
                               {"findings", std::move(findings)}});
  }
  return json::serialize(all) + "\n";
}

}  // namespace whitewater::server

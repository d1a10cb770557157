#include "server/doctor_report.hpp"

#include "catch.hpp"
#include "options_env.hpp"

using namespace whitewater::server;

namespace {

constexpr const char* body = R"({"name":"whitewater-0","address":"a:8090","ready":false,"findings":[)"
                             R"({"severity":"problem","about":"members","text":"no leader","next_step":"look"},)"
                             R"({"severity":"ok","about":"disk","text":"ext4","next_step":""}]})";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a member's report is read, and printed with a line for each next step") {
  const auto report = parse_doctor("127.0.0.1:8090", body);
  REQUIRE(report);
  CHECK(report->has_problem());
  CHECK(format_doctor({*report}) ==
        "whitewater-0 (a:8090): not ready\n"
        "SEVERITY  FINDING\n"
        "problem   members: no leader\n"
        "          next: look\n"
        "ok        disk: ext4\n");
  CHECK(doctor_as_json({*report}) == std::string(R"([{"endpoint":"127.0.0.1:8090",)") + (body + 1) + "]\n");
}

TEST_CASE("what is no report is refused") {
  for (const char* text : {"", "[]", "{}", R"({"findings":{}})", R"({"findings":[1]})", R"({"findings":[)"}) {
    CHECK_FALSE(parse_doctor("e", text));
  }
  const auto quiet = parse_doctor("e", R"({"name":"a","ready":true,"findings":[{"severity":"warning"}]})");
  REQUIRE(quiet);
  CHECK(quiet->ready);
  CHECK_FALSE(quiet->has_problem());
}

TEST_CASE("where nobody answers, the environment tells how a member would look for peers") {
  test::Setting setting;
  const auto silent = report_of_silence("a:1", "a:1: connection refused", setting.load(), "the SRV record x");
  CHECK(silent.has_problem());
  const std::string text = format_doctor({silent});
  CHECK(contains(text, "a:1: no answer\n"));
  CHECK(contains(text, "connection refused"));
  CHECK(contains(text, "would use dns (SERVICE_NAME is set), the SRV record x"));
  CHECK(contains(text, "next: `whitewater discover`"));

  setting.arguments = {"--heartbeat-interval-ms", "none"};
  const auto wrong = report_of_silence("a:1", "refused", setting.load(), "");
  CHECK(contains(format_doctor({wrong}), "options: in the environment of this command: "));
  CHECK_FALSE(contains(format_doctor({wrong}), "would use"));
}

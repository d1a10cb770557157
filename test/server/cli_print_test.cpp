#include "server/cli_print.hpp"

#include "catch.hpp"

using namespace whitewater::server;

TEST_CASE("a table has columns as wide as their widest cell and no trailing blanks") {
  CHECK(format_table({"A", "LONG NAME", "C"}, {{"wide cell", "x", ""}, {"y", "z", "w"}}) ==
        "A          LONG NAME  C\n"
        "wide cell  x\n"
        "y          z          w\n");
  CHECK(format_table({"A", "B"}, {{"caf\xC3\xA9", "x"}}) == "A     B\ncaf\xC3\xA9  x\n");
  CHECK(format_table({"A"}, {{"line\nbreak"}}) == "A\nline\\x0abreak\n");
}

TEST_CASE("pairs are printed raw, a line each, and only the parts that were asked for") {
  CliRange range{{{"k", std::string("v\0w", 3), 2, 5, 3}, {"l", "", 4, 4, 1}}, 2, false};
  CliCommand command;
  CHECK(format_range(command, range) == std::string("k\nv\0w\nl\n\n", 9));
  command.keys_only = true;
  CHECK(format_range(command, range) == "k\nl\n");
  command = {};
  command.values_only = true;
  CHECK(format_range(command, range) == std::string("v\0w\n\n", 5));
  command = {};
  command.count_only = true;
  CHECK(format_range(command, range) == "2\n");
  command = {};
  command.output = CliOutput::table;
  CHECK(format_range(command, range) ==
        "KEY  VALUE   VERSION  CREATED  MODIFIED\n"
        "k    v\\x00w  3        2        5\n"
        "l            1        4        4\n");
}

TEST_CASE("the members' table shows a reason column only when a member has one") {
  CliMember member;
  member.name = "whitewater-0";
  member.id = "00000000000000ab";
  member.role = "leader";
  member.term = 4;
  member.commit_index = 17;
  member.address = "127.8.90.1:8090";
  member.healthy = true;
  CHECK(format_members(CliOutput::table, {member}).find("REASON") == std::string::npos);
  member.healthy = false;
  member.reason = "unreachable for 3 s";
  const auto table = format_members(CliOutput::table, {member});
  CHECK(table.find("REASON") != std::string::npos);
  CHECK(table.find("unreachable for 3 s") != std::string::npos);
  CHECK(format_members(CliOutput::simple, {member}) ==
        "whitewater-0, 00000000000000ab, leader, 4, 17, 0, 127.8.90.1:8090, -, -, no, unreachable for 3 s\n");
}

TEST_CASE("an endpoint that does not answer has its problem in the table") {
  CliStatus status;
  status.member_id = status.leader = "00000000000000ab";
  status.version = "3.6.14";
  const auto table =
      format_statuses(CliOutput::table, {{"a:1", status, ""}, {"b:2", std::nullopt, "b:2: Connection refused"}});
  CHECK(table.find("yes") != std::string::npos);
  CHECK(table.find("Connection refused") != std::string::npos);
}

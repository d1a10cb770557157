#include "server/cli_arguments.hpp"

#include "catch.hpp"

using namespace whitewater::server;
using namespace std::chrono_literals;

namespace {

using Environment = std::map<std::string, std::string>;

CliCommand command_of(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  const auto parsed = parse_cli(arguments, environment);
  if (const auto* text = std::get_if<CliText>(&parsed)) FAIL(text->text);
  return std::get<CliCommand>(parsed);
}

CliText text_of(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  const auto parsed = parse_cli(arguments, environment);
  REQUIRE(std::holds_alternative<CliText>(parsed));
  return std::get<CliText>(parsed);
}

}  // namespace

TEST_CASE("each command is taken apart") {
  auto command = command_of({"put", "greeting", "hello"});
  CHECK(command.verb == CliVerb::put);
  CHECK(command.key == "greeting");
  CHECK(command.value == "hello");
  CHECK(command.output == CliOutput::simple);
  CHECK(command.timeout == 10s);
  CHECK(command.endpoints == std::vector<HostPort>{{"127.0.0.1", 8090}});

  command = command_of({"get", "k", "--prefix", "--rev", "7", "--limit", "3", "--keys-only", "--serializable"});
  CHECK(command.verb == CliVerb::get);
  CHECK(command.prefix);
  CHECK(command.revision == 7);
  CHECK(command.limit == 3);
  CHECK(command.keys_only);
  CHECK(command.serializable);
  CHECK_FALSE(command.count_only);

  CHECK(command_of({"del", "--prefix", "k"}).verb == CliVerb::del);
  CHECK(command_of({"members"}).output == CliOutput::table);
  CHECK(command_of({"status"}).verb == CliVerb::status);
  CHECK(command_of({"doctor"}).verb == CliVerb::doctor);
  CHECK(command_of({"doctor", "--output", "json"}).output == CliOutput::json);
  CHECK(command_of({"version"}).verb == CliVerb::version);
}

TEST_CASE("what a script expects is bounded and fits the command") {
  CHECK(command_of({"doctor"}).members_wanted == 0);
  CHECK(command_of({"doctor", "--members", "64"}).members_wanted == 64);
  for (const char* wrong : {"0", "65", "many", "1 "}) {
    CHECK(text_of({"doctor", "--members", wrong}).text.find("not a number from 1 to 64") != std::string::npos);
  }
  CHECK_FALSE(command_of({"get", "k"}).value_expected);
  CHECK(command_of({"get", "k", "--expect", ""}).value_expected == "");
  CHECK(command_of({"get", "k", "--expect", "v", "--value-only"}).value_expected == "v");
  for (const char* other : {"--prefix", "--keys-only", "--count-only"}) {
    CHECK(text_of({"get", "k", "--expect", "v", other}).text.find("--expect: is for the value") != std::string::npos);
  }
}

TEST_CASE("values that look like flags or like nothing are kept") {
  CHECK(command_of({"put", "k", "-"}).value == "-");
  CHECK(command_of({"put", "k", ""}).value.empty());
  CHECK(command_of({"put", "--", "k", "--prefix"}).value == "--prefix");
  CHECK(command_of({"get", "--prefix", ""}).key == std::string(1, '\0'));
}

TEST_CASE("endpoints come from the flag, else from the environment") {
  const Environment environment{{"WHITEWATER_ENDPOINTS", "a:1,b:2"}};
  CHECK(command_of({"get", "k"}, environment).endpoints == std::vector<HostPort>{{"a", 1}, {"b", 2}});
  CHECK(command_of({"get", "k", "--endpoints", "http://c:3/,[::1]:4,d"}, environment).endpoints ==
        std::vector<HostPort>{{"c", 3}, {"::1", 4}, {"d", 8090}});
  CHECK(command_of({"--endpoints", "e:5", "get", "k"}).endpoints == std::vector<HostPort>{{"e", 5}});
  CHECK(command_of({"get", "k"}, {{"WHITEWATER_ENDPOINTS", ""}}).endpoints.size() == 1);
  CHECK(text_of({"get", "k"}, {{"WHITEWATER_ENDPOINTS", "a:b:c"}}).text.find("WHITEWATER_ENDPOINTS: \"a:b:c\"") !=
        std::string::npos);
  CHECK(text_of({"get", "k", "--endpoints", ","}).is_error);
}

TEST_CASE("the form of output comes from the flag, else from the environment, else from the command") {
  CHECK(command_of({"get", "k"}, {{"WHITEWATER_OUTPUT", "json"}}).output == CliOutput::json);
  CHECK(command_of({"get", "k", "--output=table"}, {{"WHITEWATER_OUTPUT", "json"}}).output == CliOutput::table);
  CHECK(command_of({"members", "--output", "simple"}).output == CliOutput::simple);
  CHECK(text_of({"get", "k", "--output", "xml"}).text.find("\"xml\" is not simple|table|json") != std::string::npos);
}

TEST_CASE("wrong lines are errors that say what to do") {
  const std::vector<std::vector<std::string>> wrong{{"put", "k"},
                                                    {"put"},
                                                    {"get"},
                                                    {"get", "a", "b"},
                                                    {"get", ""},
                                                    {"get", "k", "--rev", "x"},
                                                    {"get", "k", "--rev", "-1"},
                                                    {"get", "k", "--limit", "1e9"},
                                                    {"get", "k", "--timeout", "0"},
                                                    {"get", "k", "--timeout", "soon"},
                                                    {"get", "k", "--frobnicate"},
                                                    {"get", "k", "--keys-only", "--value-only"},
                                                    {"members", "x"}};
  for (const auto& arguments : wrong) {
    const auto text = text_of(arguments);
    INFO(arguments.front() << " " << text.text);
    CHECK(text.is_error);
    CHECK(text.text.find("Try: whitewater " + arguments.front() + " --help") != std::string::npos);
  }
}

TEST_CASE("an unknown command names the nearest one") {
  CHECK(text_of({"membres"}).text.find("unknown command \"membres\"; did you mean members?") != std::string::npos);
  CHECK(text_of({"gett", "k"}).text.find("did you mean get?") != std::string::npos);
  CHECK(text_of({"xyzzyxyzzy"}).is_error);
}

TEST_CASE("help is help, and no command is an error with the same text") {
  CHECK_FALSE(text_of({"--help"}).is_error);
  CHECK(text_of({"--help"}).text == cli_help());
  CHECK(text_of({}).is_error);
  CHECK(text_of({}).text == cli_help());
  for (const char* verb : {"put", "get", "del", "members", "status", "version"}) {
    const auto text = text_of({verb, "--help"});
    CHECK_FALSE(text.is_error);
    CHECK(text.text.find("--endpoints") != std::string::npos);
    CHECK(cli_help().find(verb) != std::string::npos);
  }
}

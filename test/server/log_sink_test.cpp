#include "server/log_sink.hpp"

#include <boost/json/parse.hpp>
#include <string>

#include "catch.hpp"

using namespace whitewater::server;
using whitewater::base::LogField;
using whitewater::base::LogLevel;
using whitewater::base::LogLine;

namespace {

boost::json::object as_object(const LogLine& line, const std::vector<LogField>& member_fields = {}) {
  return boost::json::parse("{" + format_log_line(LogLineFormat::json, line, member_fields) + "}").as_object();
}

}  // namespace

TEST_CASE("a line in JSON carries level, component, message, the member's fields and its own") {
  const auto object = as_object({LogLevel::warn, "dns", "no records yet", {{"attempt", 3U}, {"name", "x"}}},
                                {{"member", "whitewater-0"}});
  CHECK(object.at("level").as_string() == "warn");
  CHECK(object.at("component").as_string() == "dns");
  CHECK(object.at("msg").as_string() == "no records yet");
  CHECK(object.at("member").as_string() == "whitewater-0");
  CHECK(object.at("attempt").as_string() == "3");
  CHECK(object.at("name").as_string() == "x");
}

TEST_CASE("whatever a line holds, it stays one line of valid JSON") {
  // Bytes from the network end up in messages.
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte.push_back(static_cast<char>(c));
  for (const auto format : {LogLineFormat::json, LogLineFormat::text}) {
    const auto text = format_log_line(format, {LogLevel::info, "net", every_byte, {{"peer", every_byte}}}, {});
    CHECK(text.find('\n') == std::string::npos);
    CHECK(text.find('\0') == std::string::npos);
  }
  const auto object = as_object({LogLevel::info, "net", every_byte, {{every_byte, every_byte}}});
  CHECK(object.at("msg").as_string().starts_with("\\u0000") == false);
  CHECK(object.at("msg").as_string().size() > 256);
}

TEST_CASE("text that is UTF-8 is kept, what is not becomes the replacement character") {
  const auto message_of = [](const std::string& text) {
    return std::string(as_object({LogLevel::info, "x", text, {}}).at("msg").as_string());
  };
  for (const std::string good : {"caf\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8A", "a\tb", "quote\" back\\slash"}) {
    CHECK(message_of(good) == good);
  }
  for (const std::string bad :
       {"\xC0\x80", "\xED\xA0\x80", "\xE0\x80\x80", "\xF4\x90\x80\x80", "\xF8", "\xE2\x82", "\x80"}) {
    CHECK(message_of(bad).find("\xEF\xBF\xBD") == 0);
  }
}

TEST_CASE("a field with one of the line's own names does not hide it") {
  const auto object = as_object({LogLevel::info, "x", "y", {{"msg", "z"}, {"level", "q"}}});
  CHECK(object.at("msg").as_string() == "y");
  CHECK(object.at("field_msg").as_string() == "z");
  CHECK(object.at("field_level").as_string() == "q");
}

TEST_CASE("a text line quotes the values that need it") {
  const auto text = format_log_line(
      LogLineFormat::text, {LogLevel::info, "raft", "became \"leader\"", {{"term", 4U}, {"why", "a b"}, {"none", ""}}},
      {{"member", "w-0"}});
  CHECK(text == "info  raft      became \"leader\" term=4 why=\"a b\" none=\"\" member=w-0");
}

TEST_CASE("an endless value is cut") {
  const auto object = as_object({LogLevel::info, "x", std::string(1UL << 20, 'a'), {}});
  CHECK(object.at("msg").as_string().size() == 8192);
}

TEST_CASE("lines under the level are dropped") {
  const StderrLogSink sink(LogLineFormat::json, LogLevel::warn);
  CHECK_FALSE(sink.is_enabled(LogLevel::debug));
  CHECK_FALSE(sink.is_enabled(LogLevel::info));
  CHECK(sink.is_enabled(LogLevel::warn));
  CHECK(sink.is_enabled(LogLevel::error));
}

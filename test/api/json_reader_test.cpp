// The pull reader on its own: numbers, strings, structure. What it accepts is compared with Boost.JSON in
// fuzz_test.cpp.
#include "api/json_reader.hpp"

#include "catch.hpp"

using namespace whitewater::api;

namespace {

// The first value of `text`, skipped; the error, or "" when it was accepted.
std::string error_of(std::string_view text, std::size_t depth_max = 64) {
  JsonReader in(text, depth_max);
  const bool was_skipped = in.skip_value();
  CHECK(was_skipped == !in.has_failed());
  return in.error();
}

std::string string_of(std::string_view text) {
  JsonReader in(text, 8);
  std::string_view value;
  return in.read_string(value) ? std::string(value) : "refused: " + in.error();
}

}  // namespace

TEST_CASE("an integer is any JSON number that is one mathematically") {
  const std::pair<std::string_view, std::optional<std::int64_t>> rows[] = {
      {"5", 5},
      {"-5", -5},
      {"0", 0},
      {"-0", 0},
      {"5.0", 5},
      {"-5.00", -5},
      {"5e0", 5},
      {"1e2", 100},
      {"1E+2", 100},
      {"1e-0", 1},
      {"0.5e1", 5},
      {"1.50e1", 15},
      {"50e-1", 5},
      {"100e-2", 1},
      {"10.00e-1", 1},
      {"0.0", 0},
      {"0e99999999999", 0},
      {"0.000e-3", 0},
      {"1e18", 1'000'000'000'000'000'000},
      {"9.223372036854775807e18", INT64_MAX},
      {"9223372036854775807", INT64_MAX},
      {"-9223372036854775808", INT64_MIN},
      {"9223372036854775808", std::nullopt},
      {"-9223372036854775809", std::nullopt},
      {"1e19", std::nullopt},
      {"1e99999999999", std::nullopt},
      {"1.5", std::nullopt},
      {"5e-1", std::nullopt},
      {"10e-3", std::nullopt},
      {"1.55e1", std::nullopt},
      {"12345678901234567890123e-10", std::nullopt},
      {"100000000000000000000000", std::nullopt},
  };
  for (const auto& [text, value] : rows) {
    INFO(text);
    CHECK(number_length(text) == text.size());
    CHECK(integer_of_number(text) == value);
  }
}

TEST_CASE("a number follows JSON's grammar") {
  for (const std::string_view text : {"", "-", "+5", ".5", "5.", "5.e1", "5e", "5e+", "e5", "x", "-x", "NaN"}) {
    INFO(text);
    CHECK(number_length(text) == 0);
  }
  CHECK(number_length("05") == 1);
  CHECK(number_length("12,") == 2);
}

TEST_CASE("strings are unescaped and must be valid UTF-8") {
  CHECK(string_of(R"("plain")") == "plain");
  CHECK(string_of(R"("")").empty());
  CHECK(string_of(R"("a\"\\\/\b\f\n\r\tz")") == "a\"\\/\b\f\n\r\tz");
  CHECK(string_of(R"("\u0041\u00e9\u20ac\ud83d\ude00")") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  CHECK(string_of("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"") == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f");
  for (const std::string_view text : {"\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xc3\"",
                                      "\"\xe0\x80\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xe2\x82\"",
                                      "\"\xf0\x80\x80\x80\"",
                                      "\"\xf4\x90\x80\x80\"",
                                      "\"\xf5\x80\x80\x80\"",
                                      "\"\x80\"",
                                      "\"\x1f\"",
                                      "\"\n\"",
                                      R"("\q")",
                                      R"("\u12")",
                                      R"("\u12x4")",
                                      R"("\ud800")",
                                      R"("\ud800x")",
                                      R"("\ud800\n")",
                                      R"("\ud800\u0041")",
                                      R"("\udc00")",
                                      R"("open)",
                                      R"("open\)",
                                      R"("\u")",
                                      "\"",
                                      "x"}) {
    INFO(text);
    CHECK(string_of(text).starts_with("refused: invalid JSON at byte 0: "));
  }
}

TEST_CASE("structure is checked also where values are skipped") {
  for (const std::string_view text : {"{}", "[]", " [ 1 , 2 ] ", R"({"a":{"b":[null,true,false,-1.5e3,"x"]},"c":{}})",
                                      "\t\r\n{}", "[[[]]]", "[{},{}]"}) {
    INFO(text);
    CHECK(error_of(text).empty());
  }
  for (const std::string_view text : {"",
                                      "  ",
                                      "{",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{,}",
                                      R"({"a"})",
                                      R"({"a":})",
                                      R"({"a":1,})",
                                      R"({"a":1 "b":2})",
                                      R"({a:1})",
                                      R"({'a':1})",
                                      "{1:2}",
                                      "nul",
                                      "tru",
                                      "fals",
                                      "nulx",
                                      "]",
                                      "}",
                                      ":",
                                      "\xef\xbb\xbf{}",
                                      R"({"a":01})",
                                      R"({"a":1]})",
                                      "[1}",
                                      R"({"a" 1})",
                                      "[tru]"}) {
    INFO(text);
    CHECK_FALSE(error_of(text).empty());
  }
}

TEST_CASE("nesting is bounded") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(error_of(nested(64), 64).empty());
  CHECK(error_of(nested(65), 64) == "invalid JSON at byte 64: nested too deeply");
  CHECK(error_of(std::string(100'000, '['), 64) == "invalid JSON at byte 64: nested too deeply");
  CHECK(error_of("[[[]],[[]]]", 3).empty());
}

TEST_CASE("the first failure is the one that is told") {
  JsonReader in(R"({"a": 1, "b": x})", 8);
  CHECK_FALSE(in.skip_value());
  CHECK(in.error() == "invalid JSON at byte 14: unexpected character");
  CHECK_FALSE(in.fail("something later"));
  CHECK(in.error() == "invalid JSON at byte 14: unexpected character");
  std::string_view name;
  CHECK_FALSE(in.next_member(name));
}

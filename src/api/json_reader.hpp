// JsonReader: a pull reader over one JSON text in memory, as strict as protobuf's JSON mapping in Go is. Owned by one
// parse, on the caller's stack. Why not a packaged parser: a DOM has already dropped duplicate names and the spelling
// of numbers, both of which decide here, and a push parser turns nested transactions inside out. Boost.JSON is the
// oracle in the tests. Does not know any message: request_reader.cpp does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace whitewater::api {

// A JSON number that is mathematically an integer of 64 bits: 5, 5.0, 1e2, 50e-1. Nothing when it is not, or needs more
// than 20 digits in the exponent's long form (protobuf's rule).
[[nodiscard]] std::optional<std::int64_t> integer_of_number(std::string_view number);
// Length of the JSON number that `text` begins with; 0 when it begins with none.
[[nodiscard]] std::size_t number_length(std::string_view text);

class JsonReader {
 public:
  enum class Kind : std::uint8_t { object, array, string, number, boolean, null, end, invalid };

  JsonReader(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

  // What the next value is, by its first character; white space is skipped.
  [[nodiscard]] Kind peek();

  // All of these return false on failure; then error() says what and where, and nothing else may be read.
  [[nodiscard]] bool begin_object();
  // False also at the end of the object: tell the two apart with has_failed(). `name` is valid until the next read.
  [[nodiscard]] bool next_member(std::string_view& name);
  [[nodiscard]] bool begin_array();
  [[nodiscard]] bool next_element();                        // false also at the end
  [[nodiscard]] bool read_string(std::string_view& value);  // unescaped, valid UTF-8, valid until the next read
  [[nodiscard]] bool read_number(std::string_view& text);
  [[nodiscard]] bool read_boolean(bool& value);
  [[nodiscard]] bool skip_value();
  [[nodiscard]] bool take_null();  // true when the next value was null, which is now read; no failure when it is not

  // Records the first failure at the position of the last value begun. Always false, for `return fail(…)`.
  bool fail(std::string_view what);
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  // "invalid JSON at byte 17: duplicate field key"
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void skip_space();
  bool begin_container(char open);
  bool next_in_container(char close);  // past the comma; false at the end
  bool read_literal(std::string_view literal);
  bool read_string_slowly(std::size_t from, std::string_view& value);
  bool append_escape();
  bool append_utf8_sequence();
  bool read_hex4(std::uint32_t& unit);

  std::string_view text_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  std::size_t value_at_ = 0;  // where the value being read begins
  std::size_t depth_ = 0;
  bool is_first_ = false;  // the innermost container has had no member yet
  bool has_failed_ = false;
  std::string scratch_;
  std::string error_;
};

}  // namespace whitewater::api

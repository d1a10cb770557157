// JsonWriter: appends compact JSON to a string, in protobuf's mapping where asked (int64 as decimal strings, bytes as
// base64, zero values left out). Lives on the caller's stack; knows no message. Numbers are printed without a locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/base64.hpp"

namespace whitewater::api {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  // `name` is a literal without characters that need an escape.
  JsonWriter& key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    needs_comma_ = false;
    return *this;
  }
  JsonWriter& string(std::string_view text);  // bytes that are not UTF-8 become U+FFFD
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& number(std::uint64_t value);

  // Fields of a protobuf message: nothing when the value is the type's zero.
  void int64_field(std::string_view name, std::int64_t value);
  void uint64_field(std::string_view name, std::uint64_t value);
  void bool_field(std::string_view name, bool value) {
    if (value) key(name).raw("true");
  }
  void bytes_field(std::string_view name, std::string_view value);
  void string_field(std::string_view name, std::string_view value) {
    if (!value.empty()) key(name).string(value);
  }

 private:
  void separate() {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
  }
  JsonWriter& open(char c) {
    separate();
    out_ += c;
    needs_comma_ = false;
    return *this;
  }
  JsonWriter& close(char c) {
    out_ += c;
    needs_comma_ = true;
    return *this;
  }
  JsonWriter& raw(std::string_view text) {
    separate();
    out_ += text;
    return *this;
  }

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace whitewater::api

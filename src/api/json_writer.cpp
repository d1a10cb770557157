#include "api/json_writer.hpp"

#include <array>
#include <charconv>

#include "api/utf8.hpp"

namespace whitewater::api {
namespace {

template <class Integer>
void append_quoted_integer(std::string& out, Integer value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out += '"';
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out += '"';
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  out_ += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80) {
      const std::size_t length = utf8_sequence_length(text.substr(at));
      out_ += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(at, length);
      at += length == 0 ? 1 : length;
      continue;
    }
    if (c < 0x20 || c == '"' || c == '\\') {
      append_escaped(out_, text[at]);
    } else {
      out_ += text[at];
    }
    ++at;
  }
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t value) {
  separate();
  out_ += std::to_string(value);
  return *this;
}

void JsonWriter::int64_field(std::string_view name, std::int64_t value) {
  if (value == 0) return;
  key(name);
  append_quoted_integer(out_, value);
  needs_comma_ = true;
}

void JsonWriter::uint64_field(std::string_view name, std::uint64_t value) {
  if (value == 0) return;
  key(name);
  append_quoted_integer(out_, value);
  needs_comma_ = true;
}

void JsonWriter::bytes_field(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  key(name);
  out_ += '"';
  append_base64(out_, value);
  out_ += '"';
  needs_comma_ = true;
}

}  // namespace whitewater::api

#include "api/json_reader.hpp"

#include <array>
#include <charconv>

#include "api/utf8.hpp"

namespace whitewater::api {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes that a string may hold as they are: printable ASCII without quote and backslash.
constexpr std::array<bool, 256> make_plain_table() {
  std::array<bool, 256> table{};
  for (int c = 0x20; c < 0x80; ++c) table[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return table;
}
constexpr auto is_plain = make_plain_table();

void append_code_point(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | c >> 12));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | c >> 18));
    out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

// The parts of a JSON number: significant digits as integer and fraction, without leading zeros of the one and trailing
// zeros of the other.
struct NumberParts {
  bool is_negative = false;
  std::string_view integer;
  std::string_view fraction;
  std::string_view exponent;  // with its sign, without the "e"
};

NumberParts split_number(std::string_view number) {
  NumberParts parts;
  if (number.starts_with('-')) {
    parts.is_negative = true;
    number.remove_prefix(1);
  }
  const std::size_t e = number.find_first_of("eE");
  if (e != std::string_view::npos) {
    parts.exponent = number.substr(e + 1);
    if (parts.exponent.starts_with('+')) parts.exponent.remove_prefix(1);
    number = number.substr(0, e);
  }
  const std::size_t dot = number.find('.');
  parts.integer = number.substr(0, dot);
  if (dot != std::string_view::npos) parts.fraction = number.substr(dot + 1);
  if (parts.integer == "0") parts.integer = {};
  while (parts.fraction.ends_with('0')) parts.fraction.remove_suffix(1);
  return parts;
}

}  // namespace

std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto peek = [&text, &at] { return at < text.size() ? text[at] : '\0'; };
  const auto skip_digits = [&peek, &at] {
    const std::size_t from = at;
    while (is_digit(peek())) ++at;
    return at > from;
  };
  if (peek() == '-') ++at;
  if (peek() == '0') {
    ++at;
  } else if (!skip_digits()) {
    return 0;
  }
  if (peek() == '.') {
    ++at;
    if (!skip_digits()) return 0;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at;
    if (peek() == '+' || peek() == '-') ++at;
    if (!skip_digits()) return 0;
  }
  return at;
}

std::optional<std::int64_t> integer_of_number(std::string_view number) {
  constexpr std::int64_t digits_max = 20;  // protobuf's bound before it writes an exponent's zeros out
  const NumberParts parts = split_number(number);
  if (parts.integer.empty() && parts.fraction.empty()) return 0;  // whatever the exponent
  std::int32_t exponent = 0;
  if (!parts.exponent.empty()) {
    const auto [end, error] =
        std::from_chars(parts.exponent.data(), parts.exponent.data() + parts.exponent.size(), exponent);
    if (error != std::errc{}) return std::nullopt;
  }
  std::string digits;
  if (parts.is_negative) digits.push_back('-');
  if (exponent >= 0) {
    const auto fraction_digits = static_cast<std::int64_t>(parts.fraction.size());
    if (fraction_digits > exponent) return std::nullopt;
    if (static_cast<std::int64_t>(parts.integer.size()) + exponent > digits_max) return std::nullopt;
    digits.append(parts.integer).append(parts.fraction);
    digits.append(static_cast<std::size_t>(exponent - fraction_digits), '0');
  } else {
    const std::int64_t kept = static_cast<std::int64_t>(parts.integer.size()) + exponent;
    if (!parts.fraction.empty() || kept < 0) return std::nullopt;
    const auto cut = static_cast<std::size_t>(kept);
    if (parts.integer.find_first_not_of('0', cut) != std::string_view::npos) return std::nullopt;
    digits.append(parts.integer.substr(0, cut));
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

void JsonReader::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    ++at_;
  }
}

JsonReader::Kind JsonReader::peek() {
  skip_space();
  if (at_ == text_.size()) return Kind::end;
  switch (text_[at_]) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return text_[at_] == '-' || is_digit(text_[at_]) ? Kind::number : Kind::invalid;
  }
}

bool JsonReader::fail(std::string_view what) {
  if (!has_failed_) {
    has_failed_ = true;
    error_ = "invalid JSON at byte " + std::to_string(value_at_) + ": ";
    error_ += what;
  }
  return false;
}

bool JsonReader::begin_container(char open) {
  skip_space();
  value_at_ = at_;
  if (at_ == text_.size()) return fail("unexpected end");
  if (text_[at_] != open) return fail(open == '{' ? "expected an object" : "expected an array");
  if (depth_ == depth_max_) return fail("nested too deeply");
  ++depth_;
  ++at_;
  is_first_ = true;
  return true;
}

bool JsonReader::begin_object() { return begin_container('{'); }
bool JsonReader::begin_array() { return begin_container('['); }

bool JsonReader::next_in_container(char close) {
  if (has_failed_) return false;
  skip_space();
  value_at_ = at_;
  if (at_ == text_.size()) return fail("unexpected end");
  if (text_[at_] == close) {
    ++at_;
    --depth_;
    is_first_ = false;
    return false;
  }
  if (!is_first_) {
    if (text_[at_] != ',') return fail("expected a comma or the end of the object or array");
    ++at_;
    skip_space();
    value_at_ = at_;
  }
  is_first_ = false;
  return true;
}

bool JsonReader::next_element() { return next_in_container(']'); }

bool JsonReader::next_member(std::string_view& name) {
  if (!next_in_container('}')) return false;
  if (at_ == text_.size()) return fail("unexpected end");
  if (text_[at_] != '"') return fail("expected a name in double quotes");
  if (!read_string(name)) return false;
  skip_space();
  if (at_ == text_.size() || text_[at_] != ':') return fail("expected a colon after the name");
  ++at_;
  return true;
}

bool JsonReader::read_string(std::string_view& value) {
  skip_space();
  value_at_ = at_;
  if (at_ == text_.size()) return fail("unexpected end");
  if (text_[at_] != '"') return fail("expected a string");
  const std::size_t from = ++at_;
  while (at_ < text_.size() && is_plain[static_cast<unsigned char>(text_[at_])]) ++at_;
  if (at_ < text_.size() && text_[at_] == '"') {
    value = text_.substr(from, at_ - from);
    ++at_;
    return true;
  }
  return read_string_slowly(from, value);
}

bool JsonReader::read_string_slowly(std::size_t from, std::string_view& value) {
  scratch_.assign(text_.substr(from, at_ - from));
  while (at_ < text_.size()) {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      ++at_;
      value = scratch_;
      return true;
    }
    if (c < 0x20) return fail("control character in a string");
    if (c == '\\') {
      if (!append_escape()) return false;
    } else if (c >= 0x80) {
      if (!append_utf8_sequence()) return false;
    } else {
      scratch_.push_back(text_[at_++]);
    }
  }
  return fail("unexpected end in a string");
}

bool JsonReader::append_utf8_sequence() {
  const std::size_t length = utf8_sequence_length(text_.substr(at_));
  if (length == 0) return fail("invalid UTF-8 in a string");
  scratch_.append(text_.substr(at_, length));
  at_ += length;
  return true;
}

bool JsonReader::read_hex4(std::uint32_t& unit) {
  if (text_.size() - at_ < 4) return fail("unexpected end in a string");
  const char* from = text_.data() + at_;
  if (std::from_chars(from, from + 4, unit, 16).ptr != from + 4) return fail("invalid \\u escape in a string");
  at_ += 4;
  return true;
}

bool JsonReader::append_escape() {
  ++at_;
  if (at_ == text_.size()) return fail("unexpected end in a string");
  const char c = text_[at_++];
  switch (c) {
    case '"':
    case '\\':
    case '/':
      scratch_.push_back(c);
      return true;
    case 'b':
      scratch_.push_back('\b');
      return true;
    case 'f':
      scratch_.push_back('\f');
      return true;
    case 'n':
      scratch_.push_back('\n');
      return true;
    case 'r':
      scratch_.push_back('\r');
      return true;
    case 't':
      scratch_.push_back('\t');
      return true;
    case 'u':
      break;
    default:
      return fail("unknown escape in a string");
  }
  std::uint32_t unit = 0;
  if (!read_hex4(unit)) return false;
  if (unit >= 0xd800 && unit < 0xe000) {
    // Half a surrogate pair is no character; protobuf refuses it even in a field that is ignored.
    std::uint32_t low = 0;
    if (unit >= 0xdc00 || !text_.substr(at_).starts_with("\\u")) return fail("unpaired surrogate in a string");
    at_ += 2;
    if (!read_hex4(low)) return false;
    if (low < 0xdc00 || low >= 0xe000) return fail("unpaired surrogate in a string");
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  append_code_point(scratch_, unit);
  return true;
}

bool JsonReader::read_number(std::string_view& text) {
  skip_space();
  value_at_ = at_;
  const std::size_t length = number_length(text_.substr(at_));
  if (length == 0) return fail("expected a number");
  text = text_.substr(at_, length);
  at_ += length;
  return true;
}

bool JsonReader::read_literal(std::string_view literal) {
  skip_space();
  value_at_ = at_;
  if (!text_.substr(at_).starts_with(literal)) return fail("unexpected character");
  at_ += literal.size();
  return true;
}

bool JsonReader::read_boolean(bool& value) {
  skip_space();
  value_at_ = at_;
  value = text_.substr(at_).starts_with('t');
  return read_literal(value ? "true" : "false");
}

bool JsonReader::take_null() {
  if (peek() != Kind::null) return false;
  return read_literal("null");  // a failure is noticed by the next read of a member
}

bool JsonReader::skip_value() {
  std::string_view ignored;
  bool boolean = false;
  switch (peek()) {
    case Kind::object:
      if (!begin_object()) return false;
      while (next_member(ignored)) {
        if (!skip_value()) return false;
      }
      return !has_failed_;
    case Kind::array:
      if (!begin_array()) return false;
      while (next_element()) {
        if (!skip_value()) return false;
      }
      return !has_failed_;
    case Kind::string:
      return read_string(ignored);
    case Kind::number:
      return read_number(ignored);
    case Kind::boolean:
      return read_boolean(boolean);
    case Kind::null:
      return read_literal("null");
    case Kind::end:
    case Kind::invalid:
      break;
  }
  value_at_ = at_;
  return fail(at_ == text_.size() ? "unexpected end" : "unexpected character");
}

}  // namespace whitewater::api

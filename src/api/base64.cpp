#include "api/base64.hpp"

#include <array>
#include <cstdint>

namespace whitewater::api {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The low six bits of an entry are the value; the flags say what the character commits its text to.
constexpr std::uint16_t standard_only = 0x100;
constexpr std::uint16_t url_safe_only = 0x200;
constexpr std::uint16_t invalid = 0x400;

constexpr std::array<std::uint16_t, 256> make_decode_table() {
  std::array<std::uint16_t, 256> table{};
  for (auto& entry : table) entry = invalid;
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint16_t>(i | (i >= 62 ? standard_only : 0));
  }
  table['-'] = 62 | url_safe_only;
  table['_'] = 63 | url_safe_only;
  return table;
}
constexpr auto decode_table = make_decode_table();

std::uint32_t lookup(char c) { return decode_table[static_cast<unsigned char>(c)]; }

// `text` holds no padding; its length is not 1 modulo 4.
bool decode_unpadded(std::string_view text, std::string& out) {
  out.resize(text.size() / 4 * 3 + (text.size() % 4 == 0 ? 0 : text.size() % 4 - 1));
  std::uint32_t flags = 0;
  char* to = out.data();
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t a = lookup(text[i]);
    const std::uint32_t b = lookup(text[i + 1]);
    const std::uint32_t c = lookup(text[i + 2]);
    const std::uint32_t d = lookup(text[i + 3]);
    flags |= a | b | c | d;
    const std::uint32_t bits = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
    *to++ = static_cast<char>(bits >> 16);
    *to++ = static_cast<char>(bits >> 8);
    *to++ = static_cast<char>(bits);
  }
  if (i < text.size()) {
    const std::uint32_t a = lookup(text[i]);
    const std::uint32_t b = lookup(text[i + 1]);
    flags |= a | b;
    *to++ = static_cast<char>((a & 63) << 2 | (b & 63) >> 4);
    if (i + 2 < text.size()) {
      const std::uint32_t c = lookup(text[i + 2]);
      flags |= c;
      *to++ = static_cast<char>((b & 15) << 4 | (c & 63) >> 2);
    }
  }
  return (flags & invalid) == 0 && (flags & (standard_only | url_safe_only)) != (standard_only | url_safe_only);
}

bool decode_in_one_line(std::string_view text, bool is_padded, std::string& out) {
  if (is_padded) {
    if (text.size() % 4 != 0) return false;
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return false;
  return decode_unpadded(text, out);
}

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  const std::size_t at = out.size();
  out.resize(at + base64_size_bytes(bytes.size()));
  char* to = out.data() + at;
  const auto byte = [&bytes](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = alphabet[bits >> 18];
    *to++ = alphabet[bits >> 12 & 63];
    *to++ = alphabet[bits >> 6 & 63];
    *to++ = alphabet[bits & 63];
  }
  if (i == bytes.size()) return;
  const bool has_two = i + 2 == bytes.size();
  const std::uint32_t bits = byte(i) << 16 | (has_two ? byte(i + 1) << 8 : 0);
  *to++ = alphabet[bits >> 18];
  *to++ = alphabet[bits >> 12 & 63];
  *to++ = has_two ? alphabet[bits >> 6 & 63] : '=';
  *to++ = '=';
}

bool decode_base64(std::string_view text, std::string& out) {
  const bool is_padded = text.size() % 4 == 0;
  if (text.find_first_of("\r\n") == std::string_view::npos) return decode_in_one_line(text, is_padded, out);
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    if (c != '\r' && c != '\n') line.push_back(c);
  }
  return decode_in_one_line(line, is_padded, out);
}

}  // namespace whitewater::api

#include "server/log_sink.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace whitewater::server {
namespace {

// A line longer than this is cut: stderr of a container is read by agents that drop or split longer ones.
constexpr std::size_t text_bytes_max = 8UL << 10;
constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

std::string_view level_name(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::debug:
      return "debug";
    case base::LogLevel::info:
      return "info";
    case base::LogLevel::warn:
      return "warn";
    case base::LogLevel::error:
      return "error";
  }
  return "?";
}

spdlog::level::level_enum spdlog_level(base::LogLevel level) {
  switch (level) {
    case base::LogLevel::debug:
      return spdlog::level::debug;
    case base::LogLevel::info:
      return spdlog::level::info;
    case base::LogLevel::warn:
      return spdlog::level::warn;
    case base::LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The length of the well-formed UTF-8 sequence at the front (RFC 3629, no surrogates, no overlong forms), 0 if there is
// none.
std::size_t utf8_sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto is_tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!is_tail(1) || !is_tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_control(std::string& out, unsigned char c) {
  constexpr std::array<char, 16> digits{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  switch (c) {
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00").push_back(digits[c >> 4]);
      out.push_back(digits[c & 0xF]);
  }
}

// Escapes for both forms: the inside of a JSON string, which is readable as text too.
void append_escaped(std::string& out, std::string_view text) {
  if (text.size() > text_bytes_max) text = text.substr(0, text_bytes_max);
  while (!text.empty()) {
    const std::size_t bytes = utf8_sequence_bytes(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (bytes == 0) {
      out.append(replacement_character);
    } else if (c < 0x20 || c == 0x7F) {
      append_control(out, c);
    } else if (c == '"' || c == '\\') {
      out.append("\\").push_back(text.front());
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
}

void append_json_member(std::string& out, std::string_view key, std::string_view value) {
  out.append(out.empty() ? "\"" : ",\"");
  append_escaped(out, key);
  out.append("\":\"");
  append_escaped(out, value);
  out.append("\"");
}

// Keys that the line itself uses; a field of the same name would make the object ambiguous.
std::string json_field_key(const std::string& key) {
  for (const std::string_view taken : {"ts", "level", "component", "msg"}) {
    if (key == taken) return "field_" + key;
  }
  return key;
}

std::string format_json(const base::LogLine& line, const std::vector<base::LogField>& member_fields) {
  std::string out;
  append_json_member(out, "level", level_name(line.level));
  append_json_member(out, "component", line.component);
  append_json_member(out, "msg", line.message);
  for (const auto& field : member_fields) append_json_member(out, json_field_key(field.key), field.value);
  for (const auto& field : line.fields) append_json_member(out, json_field_key(field.key), field.value);
  return out;
}

void append_text_field(std::string& out, const base::LogField& field) {
  out.append(" ").append(field.key).append("=");
  const bool is_plain = !field.value.empty() && field.value.find_first_of(" \t\r\n\"\\=") == std::string::npos;
  if (!is_plain) out.append("\"");
  append_escaped(out, field.value);
  if (!is_plain) out.append("\"");
}

void append_unquoted(std::string& out, std::string_view message) {
  std::string escaped;
  append_escaped(escaped, message);
  // A sentence outside of quotes reads better with its own quotes as they are.
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\\' && i + 1 < escaped.size() && escaped[i + 1] == '"') continue;
    out.push_back(escaped[i]);
  }
}

std::string format_text(const base::LogLine& line, const std::vector<base::LogField>& member_fields) {
  constexpr std::size_t level_width = 5;
  constexpr std::size_t component_width = 9;
  std::string out(level_name(line.level));
  out.resize(std::max(out.size(), level_width), ' ');
  out.append(" ").append(line.component);
  out.resize(std::max(out.size(), level_width + 1 + component_width), ' ');
  out.append(" ");
  append_unquoted(out, line.message);
  for (const auto& field : line.fields) append_text_field(out, field);
  for (const auto& field : member_fields) append_text_field(out, field);
  return out;
}

constexpr const char* json_pattern = R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";
constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %v";

}  // namespace

std::string format_log_line(LogLineFormat format, const base::LogLine& line,
                            const std::vector<base::LogField>& member_fields) {
  return format == LogLineFormat::json ? format_json(line, member_fields) : format_text(line, member_fields);
}

struct StderrLogSink::Impl {
  LogLineFormat format;
  base::LogLevel level;
  std::vector<base::LogField> member_fields;
  spdlog::logger logger;
};

StderrLogSink::StderrLogSink(LogLineFormat format, base::LogLevel level)
    : impl_(std::make_unique<Impl>(
          Impl{format, level, {}, spdlog::logger("whitewater", std::make_shared<spdlog::sinks::stderr_sink_mt>())})) {
  impl_->logger.set_level(spdlog_level(level));
  impl_->logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format == LogLineFormat::json ? json_pattern : text_pattern, spdlog::pattern_time_type::utc));
}

StderrLogSink::~StderrLogSink() = default;

bool StderrLogSink::is_enabled(base::LogLevel level) const { return level >= impl_->level; }

void StderrLogSink::write(base::LogLine line) {
  if (!is_enabled(line.level)) return;
  impl_->logger.log(spdlog_level(line.level),
                    spdlog::string_view_t(format_log_line(impl_->format, line, impl_->member_fields)));
}

void StderrLogSink::set_member_fields(std::vector<base::LogField> fields) { impl_->member_fields = std::move(fields); }

void StderrLogSink::flush() { impl_->logger.flush(); }

}  // namespace whitewater::server

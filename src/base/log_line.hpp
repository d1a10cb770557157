// Structured log lines. Pure code gets a LogSink by reference and knows neither where lines go nor what time it is;
// the server's sink prints them as JSON or text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace whitewater::base {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct LogField {
  std::string key;  // snake_case
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(std::to_string(v)) {}
};

struct LogLine {
  LogLevel level = LogLevel::info;
  std::string_view component;  // "raft", "log", "dns", ...
  std::string message;         // one sentence without a full stop: what happened and, for a problem, the next step
  std::vector<LogField> fields;
};

class LogSink {
 public:
  virtual ~LogSink() = default;
  [[nodiscard]] virtual bool is_enabled(LogLevel level) const = 0;
  virtual void write(LogLine line) = 0;

  void info(std::string_view component, std::string message, std::vector<LogField> fields = {}) {
    write({LogLevel::info, component, std::move(message), std::move(fields)});
  }
  void warn(std::string_view component, std::string message, std::vector<LogField> fields = {}) {
    write({LogLevel::warn, component, std::move(message), std::move(fields)});
  }
  void error(std::string_view component, std::string message, std::vector<LogField> fields = {}) {
    write({LogLevel::error, component, std::move(message), std::move(fields)});
  }
};

// Drops every line.
class NullLogSink final : public LogSink {
 public:
  [[nodiscard]] bool is_enabled(LogLevel) const override { return false; }
  void write(LogLine) override {}
};

}  // namespace whitewater::base

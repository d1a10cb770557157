// The member's log lines on stderr, one JSON object or one line of text each: time (UTC), level, component, message,
// the member's own fields, the line's fields. Created by main before anything else; safe to call from any thread. It
// neither limits repeated lines (the caller's matter) nor writes files (the container runtime's).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log_line.hpp"

namespace whitewater::server {

enum class LogLineFormat : std::uint8_t { json, text };

// The part of a line after its time, without a line end. JSON: `"level":"info",...` without the braces; bytes that are
// not UTF-8 become U+FFFD, control characters are escaped, so that a line is always one line and always valid JSON.
[[nodiscard]] std::string format_log_line(LogLineFormat format, const base::LogLine& line,
                                          const std::vector<base::LogField>& member_fields);

class StderrLogSink final : public base::LogSink {
 public:
  StderrLogSink(LogLineFormat format, base::LogLevel level);
  ~StderrLogSink() override;

  [[nodiscard]] bool is_enabled(base::LogLevel level) const override;
  void write(base::LogLine line) override;
  // Fields that every later line carries (member, node_id, cluster_id). Before other threads write.
  void set_member_fields(std::vector<base::LogField> fields);
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace whitewater::server

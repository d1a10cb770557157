// The client commands' side of the JSON API: request bodies, the meaning of answers, and the question whether the next
// endpoint may be tried. Pure text in, text and values out; cli_http.hpp moves it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/cli_arguments.hpp"

namespace whitewater::server {

struct CliRequest {
  std::string path;
  std::string body;  // empty: GET
  bool is_write = false;
};

// The request of a command; `value` is what put writes (already read from standard input).
[[nodiscard]] CliRequest make_request(const CliCommand& command, std::string_view value);

// The end of the range of all keys that start with `prefix`; one zero byte where there is none.
[[nodiscard]] std::string prefix_range_end(std::string_view prefix);

enum class AnswerMeaning : std::uint8_t {
  success,
  refused,          // final: every member would say the same, and nothing was changed
  try_another,      // nothing was changed and another member may do better
  outcome_unknown,  // a write that may have been applied
};

struct ServerAnswer {
  AnswerMeaning meaning = AnswerMeaning::success;
  std::string message;  // the server's own words when it is no success
};

// What an HTTP answer means for a read or a write. A write's answer counts as a refusal only where the server's message
// is known to be given before anything was proposed.
[[nodiscard]] ServerAnswer judge_answer(bool is_write, unsigned status, std::string_view body);

struct CliKeyValue {
  std::string key;
  std::string value;
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
};
struct CliRange {
  std::vector<CliKeyValue> kvs;
  std::int64_t count = 0;
  bool more = false;
};
struct CliMember {
  std::string name, id, role, address, log_strategy, reactor, leader, reason;
  std::int64_t term = 0;
  std::int64_t commit_index = 0;
  std::int64_t applied_index = 0;
  bool healthy = false;
};
struct CliStatus {
  std::string member_id, version, leader;  // leader: "" when there is none
  std::int64_t db_size_bytes = 0;
  std::int64_t raft_term = 0;
  std::int64_t raft_index = 0;
  std::int64_t raft_applied_index = 0;
  std::vector<std::string> errors;
};

struct CliMembershipEvent {
  std::int64_t index = 0;
  std::int64_t unix_seconds = 0;
  std::string kind, id, name, reason;
};

// nullopt: the body is not such an answer.
[[nodiscard]] std::optional<CliRange> parse_range(std::string_view body);
[[nodiscard]] std::optional<std::int64_t> parse_deleted(std::string_view body);
[[nodiscard]] std::optional<std::vector<CliMember>> parse_members(std::string_view body);
[[nodiscard]] std::optional<std::vector<CliMembershipEvent>> parse_history(std::string_view body);
[[nodiscard]] std::optional<CliStatus> parse_status(std::string_view body);

}  // namespace whitewater::server

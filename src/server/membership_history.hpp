// MembershipHistory: what changed in the membership, when and why, as this member has applied it: a bounded file of
// JSON lines in the data directory, for `whitewater membership history` and for people. Owned by Membership; reactor
// thread. Nothing depends on it: a line that was lost or cannot be read is left out.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "replica/replica.hpp"

namespace whitewater::server {

struct MembershipEvent {
  std::uint64_t index = 0;  // of the log entry that made it so
  std::uint64_t term = 0;
  std::int64_t unix_seconds = 0;  // when this member applied it
  std::string kind;               // founded, joined, promoted, demoted, removed, address
  std::string id;                 // of the member, 16 hexadecimal digits
  std::string name;               // its address in the configuration
  std::string reason;
};

// What is different, member by member, in the order of ids; a joint configuration counts as what it will end in.
[[nodiscard]] std::vector<MembershipEvent> changes_between(const core::Configuration& before,
                                                           const core::Configuration& after);
[[nodiscard]] std::string encode(const MembershipEvent& event);  // one line of JSON, without the line's end

class MembershipHistory {
 public:
  // Reads what is there. An empty path keeps it in memory only.
  explicit MembershipHistory(std::string path);

  // The configuration that the store held when this process began or a snapshot brought.
  void on_base(core::Configuration configuration) { last_ = std::move(configuration); }
  // Returns what is new; nothing for a joint configuration, whose changes count once it is left, and for entries that
  // are applied again after a restart.
  std::vector<MembershipEvent> on_configuration(const replica::AppliedConfiguration& applied,
                                                std::int64_t unix_seconds);

  // Oldest first, at most history_events_max.
  [[nodiscard]] const std::deque<MembershipEvent>& events() const { return events_; }

 private:
  void append(const MembershipEvent& event);
  void rewrite();

  std::string path_;
  core::Configuration last_;
  std::deque<MembershipEvent> events_;
  std::size_t lines_in_file_ = 0;
  std::uint64_t last_index_ = 0;
};

inline constexpr std::size_t history_events_max = 1000;
inline constexpr std::size_t history_file_bytes_max = 4UL << 20;

}  // namespace whitewater::server

// Changes of the configuration, as values: what an administrator or the discovery asks for, and what it makes of the
// configuration in force. One vote more or less is one step (thesis §4.1); anything larger goes through a joint
// configuration that the leader leaves by itself (§4.3). Pure. Who may propose a change, and when, is the leader's
// business (leader.cpp).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace whitewater::core {

enum class ChangeKind : std::uint8_t {
  add_learner = 1,  // receives the log, does not vote
  promote = 2,      // a learner that has caught up gets a vote
  demote = 3,       // a voter becomes a learner
  remove = 4,       // voter or learner
};

struct MemberChange {
  ChangeKind kind = ChangeKind::add_learner;
  Member member;  // the name counts for add_learner only
  bool operator==(const MemberChange&) const = default;
};

// All of it happens or nothing. At least one and at most configuration_members_max changes, no member twice.
struct ConfigurationChange {
  std::vector<MemberChange> changes;
  std::string reason{};  // for people; goes with the configuration, at most change_reason_bytes_max of it
  bool operator==(const ConfigurationChange&) const = default;
};

[[nodiscard]] std::string encode(const ConfigurationChange& change);
// malformed or unsupported_version.
[[nodiscard]] base::Result<ConfigurationChange> decode_change(std::string_view bytes);

// The configuration to append: joint when more than one vote changes. Errors: change_in_progress (`current` is joint),
// member_exists, member_not_found, no_voters, limit_exceeded.
[[nodiscard]] base::Result<Configuration> next_configuration(const Configuration& current,
                                                             const ConfigurationChange& change);
// What a committed joint configuration ends in.
[[nodiscard]] Configuration left_joint(const Configuration& joint);

[[nodiscard]] std::string describe(const ConfigurationChange& change);

}  // namespace whitewater::core

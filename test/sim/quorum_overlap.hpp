// Majorities counted anew, apart from core/quorum.hpp, for the checkers: who decides in a configuration, and whether
// two configurations leave room for two decisions at once. Pure.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/types.hpp"

namespace whitewater::sim {

// The members for which `holds` is true decide in this configuration, joint or not (thesis §4.3). False without voters.
[[nodiscard]] bool can_decide(const core::Configuration& configuration, const std::function<bool(core::NodeId)>& holds);

// Members that can decide in the first configuration while all others can in the second; nothing when every two quorums
// share a member. Tries every set: for the few members of a simulated cluster.
[[nodiscard]] std::optional<std::vector<core::NodeId>> find_split(const core::Configuration& first,
                                                                  const core::Configuration& second);

}  // namespace whitewater::sim

// Majorities, also joint ones (thesis §4.3): what a configuration's votes and match indexes decide. Pure functions; a
// learner never counts.
#pragma once

#include <functional>
#include <map>

#include "core/types.hpp"

namespace whitewater::core {

enum class VoteResult : std::uint8_t { pending, won, lost };

// The votes received so far, by voter; whoever is absent has not answered.
using VoteMap = std::map<NodeId, bool>;
[[nodiscard]] VoteResult count_votes(const Configuration& configuration, const VoteMap& votes);

// The largest index that a quorum holds, given each voter's durable match index (thesis §3.6.2). Zero without voters.
[[nodiscard]] Index quorum_index(const Configuration& configuration, const std::function<Index(NodeId)>& match_index);

// True when the ids for which `holds` is true form a quorum. False without voters.
[[nodiscard]] bool is_quorum(const Configuration& configuration, const std::function<bool(NodeId)>& holds);

}  // namespace whitewater::core

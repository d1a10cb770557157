#include "core/quorum.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace whitewater::core {
namespace {

std::size_t majority(const std::vector<Member>& voters) { return voters.size() / 2 + 1; }

VoteResult count_in(const std::vector<Member>& voters, const VoteMap& votes) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const Member& m : voters) {
    const auto vote = votes.find(m.id);
    if (vote == votes.end()) continue;
    (vote->second ? granted : refused) += 1;
  }
  if (granted >= majority(voters)) return VoteResult::won;
  if (voters.size() - refused < majority(voters)) return VoteResult::lost;
  return VoteResult::pending;
}

Index quorum_index_in(const std::vector<Member>& voters, const std::function<Index(NodeId)>& match_index) {
  WW_ASSERT(voters.size() <= configuration_members_max);
  std::array<Index, configuration_members_max> matches;
  for (std::size_t i = 0; i < voters.size(); ++i) matches[i] = match_index(voters[i].id);
  // The majority-th largest value is held by a majority.
  const auto nth = matches.begin() + static_cast<std::ptrdiff_t>(majority(voters) - 1);
  std::nth_element(matches.begin(), nth, matches.begin() + static_cast<std::ptrdiff_t>(voters.size()),
                   std::greater<>());
  return *nth;
}

bool is_quorum_in(const std::vector<Member>& voters, const std::function<bool(NodeId)>& holds) {
  const auto count = std::count_if(voters.begin(), voters.end(), [&](const Member& m) { return holds(m.id); });
  return static_cast<std::size_t>(count) >= majority(voters);
}

}  // namespace

VoteResult count_votes(const Configuration& configuration, const VoteMap& votes) {
  if (configuration.voters.empty()) return VoteResult::lost;
  const VoteResult incoming = count_in(configuration.voters, votes);
  if (!configuration.is_joint()) return incoming;
  const VoteResult outgoing = count_in(configuration.outgoing, votes);
  if (incoming == VoteResult::lost || outgoing == VoteResult::lost) return VoteResult::lost;
  if (incoming == VoteResult::won && outgoing == VoteResult::won) return VoteResult::won;
  return VoteResult::pending;
}

Index quorum_index(const Configuration& configuration, const std::function<Index(NodeId)>& match_index) {
  if (configuration.voters.empty()) return Index(0);
  const Index incoming = quorum_index_in(configuration.voters, match_index);
  if (!configuration.is_joint()) return incoming;
  return std::min(incoming, quorum_index_in(configuration.outgoing, match_index));
}

bool is_quorum(const Configuration& configuration, const std::function<bool(NodeId)>& holds) {
  if (configuration.voters.empty()) return false;
  if (!is_quorum_in(configuration.voters, holds)) return false;
  return !configuration.is_joint() || is_quorum_in(configuration.outgoing, holds);
}

}  // namespace whitewater::core

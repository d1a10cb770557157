#include "sim/quorum_overlap.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::sim {
namespace {

constexpr std::size_t tried_members_max = 16;

bool is_majority(const std::vector<core::Member>& voters, const std::function<bool(core::NodeId)>& holds) {
  const auto count = std::count_if(voters.begin(), voters.end(), [&](const core::Member& m) { return holds(m.id); });
  return 2 * static_cast<std::size_t>(count) > voters.size();
}

}  // namespace

bool can_decide(const core::Configuration& configuration, const std::function<bool(core::NodeId)>& holds) {
  return is_majority(configuration.voters, holds) &&
         (configuration.outgoing.empty() || is_majority(configuration.outgoing, holds));
}

std::optional<std::vector<core::NodeId>> find_split(const core::Configuration& first,
                                                    const core::Configuration& second) {
  const std::vector<core::Member> all = first.members();  // others decide nothing in the first
  WW_ASSERT(all.size() <= tried_members_max);
  for (std::uint64_t set = 0; set < (1ULL << all.size()); ++set) {
    const auto is_in = [&](core::NodeId id) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].id == id) return (set >> i & 1) != 0;
      }
      return false;
    };
    if (!can_decide(first, is_in) || !can_decide(second, [&](core::NodeId id) { return !is_in(id); })) continue;
    std::vector<core::NodeId> split;
    for (const core::Member& member : all) {
      if (is_in(member.id)) split.push_back(member.id);
    }
    return split;
  }
  return std::nullopt;
}

}  // namespace whitewater::sim

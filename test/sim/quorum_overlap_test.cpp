// The checker's own count of majorities, and what it makes of successive configurations.
#include "sim/quorum_overlap.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::sim;

namespace {

core::Configuration voters(const std::vector<std::uint64_t>& ids, const std::vector<std::uint64_t>& outgoing = {}) {
  core::Configuration configuration;
  for (const std::uint64_t id : ids) configuration.voters.push_back({core::NodeId(id), std::to_string(id)});
  for (const std::uint64_t id : outgoing) configuration.outgoing.push_back({core::NodeId(id), std::to_string(id)});
  return configuration;
}

bool decides(const core::Configuration& configuration, const std::vector<std::uint64_t>& ids) {
  return can_decide(configuration,
                    [&](core::NodeId id) { return std::find(ids.begin(), ids.end(), id.value) != ids.end(); });
}

}  // namespace

TEST_CASE("a majority decides, of both halves while a configuration is joint") {
  CHECK(decides(voters({1, 2, 3}), {1, 3}));
  CHECK_FALSE(decides(voters({1, 2, 3}), {2}));
  CHECK_FALSE(decides(voters({1, 2, 3, 4}), {1, 2}));
  CHECK_FALSE(decides(voters({}), {1}));
  CHECK_FALSE(decides(voters({1, 2, 3}, {3, 4, 5}), {1, 2}));
  CHECK(decides(voters({1, 2, 3}, {3, 4, 5}), {1, 3, 4}));
}

TEST_CASE("one vote more or less leaves no room for two decisions, more do") {
  CHECK_FALSE(find_split(voters({1, 2, 3}), voters({1, 2, 3, 4})));
  CHECK_FALSE(find_split(voters({1, 2, 3}), voters({1, 2})));
  const auto split = find_split(voters({1, 2, 3}), voters({1, 2, 3, 4, 5}));
  REQUIRE(split);
  CHECK(split->size() == 2);
  CHECK(find_split(voters({1, 2, 3}), voters({1, 4, 5})));
}

TEST_CASE("a joint configuration bridges any two") {
  const core::Configuration joint = voters({4, 5, 6}, {1, 2, 3});
  CHECK_FALSE(find_split(voters({1, 2, 3}), joint));
  CHECK_FALSE(find_split(joint, voters({4, 5, 6})));
  CHECK(find_split(voters({1, 2, 3}), voters({4, 5, 6})));
}

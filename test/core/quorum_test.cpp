#include "core/quorum.hpp"

#include <set>

#include "catch.hpp"
#include "core/builders.hpp"

namespace whitewater::core::test {
namespace {

// The definition itself: a majority of each list of voters, counted one by one.
bool is_majority(const std::vector<Member>& voters, const std::set<std::uint64_t>& ids) {
  std::size_t count = 0;
  for (const Member& m : voters) count += ids.contains(m.id.value) ? 1 : 0;
  return 2 * count > voters.size();
}

bool is_quorum_by_definition(const Configuration& c, const std::set<std::uint64_t>& ids) {
  return is_majority(c.voters, ids) && (c.outgoing.empty() || is_majority(c.outgoing, ids));
}

constexpr int random_configurations = 300;
constexpr std::uint64_t ids_max = 7;

}  // namespace

TEST_CASE("a set of members is a quorum exactly when the definition says so") {
  base::Rng rng(1);
  for (int i = 0; i < random_configurations; ++i) {
    const Configuration c = random_configuration(rng, ids_max);
    const std::uint64_t bits = rng.next();
    std::set<std::uint64_t> ids;
    for (std::uint64_t id = 1; id <= ids_max + 1; ++id) {
      if ((bits >> id) & 1) ids.insert(id);
    }
    INFO(describe(c));
    CHECK(is_quorum(c, [&](NodeId id) { return ids.contains(id.value); }) == is_quorum_by_definition(c, ids));
  }
}

TEST_CASE("the quorum index is the largest index that a quorum holds") {
  base::Rng rng(2);
  for (int i = 0; i < random_configurations; ++i) {
    const Configuration c = random_configuration(rng, ids_max);
    std::map<NodeId, Index> match;
    for (std::uint64_t id = 1; id <= ids_max + 1; ++id) match[NodeId(id)] = Index(rng.in_range(0, 6));
    std::uint64_t expected = 0;
    for (std::uint64_t candidate = 1; candidate <= 6; ++candidate) {
      std::set<std::uint64_t> holders;
      for (const auto& [id, index] : match) {
        if (index.value >= candidate) holders.insert(id.value);
      }
      if (is_quorum_by_definition(c, holders)) expected = candidate;
    }
    INFO(describe(c));
    CHECK(quorum_index(c, [&](NodeId id) { return match.at(id); }).value == expected);
  }
}

TEST_CASE("a vote is won with a quorum, lost when a quorum is out of reach, and else pending") {
  base::Rng rng(3);
  for (int i = 0; i < random_configurations; ++i) {
    const Configuration c = random_configuration(rng, ids_max);
    VoteMap votes;
    std::set<std::uint64_t> granted;
    std::set<std::uint64_t> possible;
    for (std::uint64_t id = 1; id <= ids_max + 1; ++id) {
      const std::uint64_t answer = rng.in_range(0, 2);
      if (answer != 2) votes[NodeId(id)] = answer == 1;
      if (answer == 1) granted.insert(id);
      if (answer != 0) possible.insert(id);
    }
    const VoteResult expected = is_quorum_by_definition(c, granted)    ? VoteResult::won
                                : is_quorum_by_definition(c, possible) ? VoteResult::pending
                                                                       : VoteResult::lost;
    INFO(describe(c));
    CHECK(count_votes(c, votes) == expected);
  }
}

TEST_CASE("a configuration without voters decides nothing") {
  const Configuration c = make_configuration({}, {}, {1, 2});
  CHECK(count_votes(c, {{NodeId(1), true}, {NodeId(2), true}}) == VoteResult::lost);
  CHECK(quorum_index(c, [](NodeId) { return Index(5); }) == Index(0));
  CHECK_FALSE(is_quorum(c, [](NodeId) { return true; }));
}

TEST_CASE("learners never count, whatever they answer") {
  const Configuration c = make_configuration({1, 2, 3}, {}, {4, 5});
  CHECK(count_votes(c, {{NodeId(1), true}, {NodeId(4), true}, {NodeId(5), true}}) == VoteResult::pending);
  CHECK(quorum_index(c, [](NodeId id) { return Index(id.value >= 4 ? 9 : id.value); }) == Index(2));
}

TEST_CASE("a full configuration of the largest size is counted") {
  Configuration c;
  for (std::uint64_t id = 1; id <= configuration_members_max; ++id) c.voters.push_back({NodeId(id), "n"});
  CHECK(quorum_index(c, [](NodeId id) { return Index(id.value); }) == Index(configuration_members_max / 2));
}

}  // namespace whitewater::core::test

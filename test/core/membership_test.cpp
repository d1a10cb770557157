#include "core/membership.hpp"

#include "catch.hpp"
#include "core/builders.hpp"

namespace whitewater::core::test {
namespace {

MemberChange change(ChangeKind kind, std::uint64_t id) { return {kind, make_members({id}).front()}; }

Configuration next(const Configuration& current, std::vector<MemberChange> changes) {
  auto result = next_configuration(current, {std::move(changes)});
  REQUIRE(result.has_value());
  return *result;
}

boost::system::error_code refusal(const Configuration& current, std::vector<MemberChange> changes) {
  const auto result = next_configuration(current, {std::move(changes)});
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

const Configuration three = make_configuration({1, 2, 3});

}  // namespace

TEST_CASE("one vote more or less is one step, two go through a joint configuration") {
  CHECK(next(three, {change(ChangeKind::add_learner, 4)}) == make_configuration({1, 2, 3}, {}, {4}));
  const Configuration with_learners = make_configuration({1, 2, 3}, {}, {4, 5});
  CHECK(next(with_learners, {change(ChangeKind::promote, 4)}) == make_configuration({1, 2, 3, 4}, {}, {5}));
  CHECK(next(three, {change(ChangeKind::remove, 3)}) == make_configuration({1, 2}));
  CHECK(next(three, {change(ChangeKind::demote, 3)}) == make_configuration({1, 2}, {}, {3}));
  CHECK(next(with_learners, {change(ChangeKind::promote, 4), change(ChangeKind::remove, 3)}) ==
        make_configuration({1, 2, 4}, {1, 2, 3}, {5}));
}

TEST_CASE("several voters become learners in one joint change, and vote until it is left") {
  const Configuration five = make_configuration({1, 2, 3, 4, 5});
  const Configuration joint = next(five, {change(ChangeKind::demote, 4), change(ChangeKind::demote, 5)});
  CHECK(joint.voters == make_members({1, 2, 3}));
  CHECK(joint.outgoing == make_members({1, 2, 3, 4, 5}));
  CHECK(joint.next_learners == make_members({4, 5}));
  CHECK(joint.is_voter(NodeId(5)));
  CHECK_FALSE(joint.is_learner(NodeId(5)));
  CHECK(left_joint(joint) == make_configuration({1, 2, 3}, {}, {4, 5}));
  const auto decoded = decode_configuration(encode(joint));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == joint);
}

TEST_CASE("the reason of a change goes with the configuration, cut to its bound") {
  ConfigurationChange wanted{{{ChangeKind::add_learner, make_members({4})[0]}}, "asks to join"};
  CHECK(decode_change(encode(wanted)).value() == wanted);
  const auto next = next_configuration(make_configuration({1, 2, 3}), wanted);
  REQUIRE(next.has_value());
  CHECK(next->reason == "asks to join");
  CHECK(decode_configuration(encode(*next)).value() == *next);
  wanted.reason = std::string(10 * change_reason_bytes_max, 'x');
  CHECK(decode_change(encode(wanted))->reason.size() == change_reason_bytes_max);
  CHECK(next_configuration(make_configuration({1, 2, 3}), wanted)->reason.size() == change_reason_bytes_max);
}

TEST_CASE("next learners that do not vote in the outgoing half are malformed") {
  Configuration bad = make_configuration({1, 2}, {1, 2, 3});
  bad.next_learners = make_members({4});
  CHECK_FALSE(decode_configuration(encode(bad)).has_value());
  bad.next_learners = make_members({2});
  CHECK_FALSE(decode_configuration(encode(bad)).has_value());
}

TEST_CASE("changes that make no sense are refused whole") {
  CHECK(refusal(three, {change(ChangeKind::add_learner, 2)}) == base::Errc::member_exists);
  CHECK(refusal(three, {change(ChangeKind::promote, 4)}) == base::Errc::member_not_found);
  CHECK(refusal(three, {change(ChangeKind::promote, 2)}) == base::Errc::member_exists);
  CHECK(refusal(three, {change(ChangeKind::demote, 7)}) == base::Errc::member_not_found);
  CHECK(refusal(three, {change(ChangeKind::remove, 7)}) == base::Errc::member_not_found);
  CHECK(refusal(make_configuration({1}), {change(ChangeKind::remove, 1)}) == base::Errc::no_voters);
  CHECK(refusal(make_configuration({1, 2}, {1, 3}), {change(ChangeKind::remove, 1)}) == base::Errc::change_in_progress);
  Ids many;
  for (std::uint64_t id = 1; id <= configuration_members_max; ++id) many.push_back(id);
  CHECK(refusal(make_configuration(many), {change(ChangeKind::add_learner, 1000)}) == base::Errc::limit_exceeded);
}

TEST_CASE("a change survives encoding, and bytes that are none are refused") {
  const ConfigurationChange value{{change(ChangeKind::add_learner, 4), change(ChangeKind::remove, 2)}};
  const std::string bytes = encode(value);
  const auto decoded = decode_change(bytes);
  REQUIRE(decoded.has_value());
  CHECK(*decoded == value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_change(std::string_view(bytes).substr(0, size)).has_value());
  }
  CHECK_FALSE(decode_change(bytes + "x").has_value());
  CHECK_FALSE(decode_change(encode(ConfigurationChange{})).has_value());
  CHECK_FALSE(decode_change(encode({{change(ChangeKind::remove, 2), change(ChangeKind::promote, 2)}})).has_value());
  CHECK_FALSE(decode_change(encode({{change(static_cast<ChangeKind>(9), 2)}})).has_value());
  base::Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = bytes;
    damaged[rng.in_range(0, damaged.size() - 1)] = static_cast<char>(rng.in_range(0, 255));
    const auto result = decode_change(damaged);
    if (result) CHECK(encode(*result) == damaged);
  }
}

TEST_CASE("random changes keep every promise of a configuration") {
  base::Rng rng(2);
  Configuration current = three;
  int joint = 0;
  for (int i = 0; i < 5000; ++i) {
    ConfigurationChange value;
    for (std::uint64_t id = 1; id <= 7; ++id) {
      if (rng.chance(1, 4)) value.changes.push_back(change(static_cast<ChangeKind>(rng.in_range(1, 4)), id));
    }
    auto result = next_configuration(current, value);
    if (!result) continue;
    const auto decoded = decode_configuration(encode(*result));
    REQUIRE(decoded.has_value());
    CHECK(*decoded == *result);
    if (result->is_joint()) {
      ++joint;
      CHECK(result->outgoing == current.voters);
      result = left_joint(*result);
    }
    CHECK_FALSE(result->voters.empty());
    current = *result;
  }
  CHECK(joint > 50);
}

}  // namespace whitewater::core::test

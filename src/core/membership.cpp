#include "core/membership.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::core {
namespace {

constexpr std::uint8_t change_format = 2;

using Members = std::vector<Member>;

auto position_of(Members& members, NodeId id) {
  return std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.id == id; });
}

bool has(const Members& members, NodeId id) {
  return std::any_of(members.begin(), members.end(), [&](const Member& m) { return m.id == id; });
}

bool move_member(Members& from, Members& to, NodeId id) {
  const auto at = position_of(from, id);
  if (at == from.end()) return false;
  to.push_back(std::move(*at));
  from.erase(at);
  return true;
}

base::Result<void> apply_one(Configuration& target, const MemberChange& change) {
  const NodeId id = change.member.id;
  switch (change.kind) {
    case ChangeKind::add_learner:
      if (target.contains(id)) return base::make_error_code(base::Errc::member_exists);
      target.learners.push_back(change.member);
      return {};
    case ChangeKind::promote:
      if (has(target.voters, id)) return base::make_error_code(base::Errc::member_exists);
      if (!move_member(target.learners, target.voters, id)) break;
      return {};
    case ChangeKind::demote:
      if (has(target.learners, id)) return base::make_error_code(base::Errc::member_exists);
      if (!move_member(target.voters, target.learners, id)) break;
      return {};
    case ChangeKind::remove:
      if (std::erase_if(target.voters, [&](const Member& m) { return m.id == id; }) +
              std::erase_if(target.learners, [&](const Member& m) { return m.id == id; }) ==
          0) {
        break;
      }
      return {};
  }
  return base::make_error_code(base::Errc::member_not_found);
}

std::size_t votes_that_differ(const Members& before, const Members& after) {
  const auto missing_in = [](const Members& other) { return [&other](const Member& m) { return !has(other, m.id); }; };
  return static_cast<std::size_t>(std::count_if(before.begin(), before.end(), missing_in(after)) +
                                  std::count_if(after.begin(), after.end(), missing_in(before)));
}

}  // namespace

std::string encode(const ConfigurationChange& change) {
  WW_ASSERT(change.changes.size() <= configuration_members_max);
  std::string out;
  base::ByteWriter w(out);
  w.u8(change_format);
  w.u16(static_cast<std::uint16_t>(change.changes.size()));
  for (const MemberChange& one : change.changes) {
    w.u8(static_cast<std::uint8_t>(one.kind));
    w.u64(one.member.id.value);
    w.blob(one.member.name);
  }
  w.blob(std::string_view(change.reason).substr(0, change_reason_bytes_max));
  return out;
}

base::Result<ConfigurationChange> decode_change(std::string_view bytes) {
  base::ByteReader r(bytes);
  if (r.u8() != change_format) return base::make_error_code(base::Errc::unsupported_version);
  const std::size_t count = r.u16();
  if (!r.ok() || count == 0 || count > configuration_members_max) return base::make_error_code(base::Errc::malformed);
  ConfigurationChange change;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t kind = r.u8();
    const NodeId id(r.u64());
    std::string name(r.blob(member_name_bytes_max));
    const bool is_repeated = std::any_of(change.changes.begin(), change.changes.end(),
                                         [&](const MemberChange& earlier) { return earlier.member.id == id; });
    if (!r.ok() || id.is_zero() || is_repeated || kind < 1 || kind > static_cast<std::uint8_t>(ChangeKind::remove)) {
      return base::make_error_code(base::Errc::malformed);
    }
    change.changes.push_back({static_cast<ChangeKind>(kind), {id, std::move(name)}});
  }
  change.reason = std::string(r.blob(change_reason_bytes_max));
  if (!r.at_end()) return base::make_error_code(base::Errc::malformed);
  return change;
}

base::Result<Configuration> next_configuration(const Configuration& current, const ConfigurationChange& change) {
  if (current.is_joint()) return base::make_error_code(base::Errc::change_in_progress);
  Configuration target = current;
  target.reason = change.reason.substr(0, change_reason_bytes_max);
  for (const MemberChange& one : change.changes) {
    if (auto applied = apply_one(target, one); !applied) return applied.error();
  }
  if (target.voters.empty()) return base::make_error_code(base::Errc::no_voters);
  if (target.members().size() > configuration_members_max) return base::make_error_code(base::Errc::limit_exceeded);
  if (votes_that_differ(current.voters, target.voters) > 1) {
    // A voter that is to become a learner still votes in the outgoing half.
    for (const Member& voter : current.voters) move_member(target.learners, target.next_learners, voter.id);
    target.outgoing = current.voters;
  }
  return normalized(std::move(target));
}

Configuration left_joint(const Configuration& joint) {
  WW_ASSERT(joint.is_joint());
  Configuration left{joint.voters, {}, joint.learners, {}, joint.reason};
  left.learners.insert(left.learners.end(), joint.next_learners.begin(), joint.next_learners.end());
  return normalized(std::move(left));
}

std::string describe(const ConfigurationChange& change) {
  static constexpr const char* names[] = {"?", "add-learner", "promote", "demote", "remove"};
  std::string text;
  for (const MemberChange& one : change.changes) {
    fmt::format_to(std::back_inserter(text), "{}{}({})", text.empty() ? "" : " ", names[static_cast<int>(one.kind)],
                   base::to_hex(one.member.id));
  }
  return text;
}

}  // namespace whitewater::core

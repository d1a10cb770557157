#include "replica/autopilot_fsm.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace whitewater::replica {
namespace {

using core::ChangeKind;
using core::Configuration;
using core::ConfigurationChange;
using core::Member;
using core::MemberChange;

// A replacement adds no vote, so that it need not be watched for as long as a new member.
constexpr int replacement_share = 5;

std::uint64_t seconds_of(base::Duration duration) { return static_cast<std::uint64_t>(duration / base::seconds(1)); }

AutopilotDecision decision(MembershipEventKind kind, std::vector<MemberChange> changes, std::string reason) {
  return {kind, ConfigurationChange{std::move(changes), std::move(reason)}};
}

}  // namespace

std::string_view describe(MembershipEventKind kind) {
  switch (kind) {
    case MembershipEventKind::join:
      return "join";
    case MembershipEventKind::promote:
      return "promote";
    case MembershipEventKind::replace:
      return "replace";
    case MembershipEventKind::step_aside:
      return "step-aside";
    case MembershipEventKind::remove_left:
      return "remove-left";
    case MembershipEventKind::remove_dead:
      return "remove-dead";
  }
  return "?";
}

AutopilotFsm::AutopilotFsm(AutopilotOptions options, SlotOf slot_of)
    : options_(options), slot_of_(std::move(slot_of)) {}

void AutopilotFsm::on_joiner(base::Instant now, Member member) {
  const auto known = joiners_.find(member.id);
  if (known == joiners_.end() && joiners_.size() == joiners_max) {
    std::erase_if(joiners_, [&](const auto& item) { return now - item.second.heard > options_.contact_age_max; });
    if (joiners_.size() == joiners_max) return;
  }
  const base::NodeId id = member.id;
  joiners_.insert_or_assign(id, Joiner{std::move(member), now});
}

void AutopilotFsm::on_heard(base::NodeId node, base::Incarnation incarnation) {
  const auto left = departures_.find(node);
  if (left != departures_.end() && incarnation > left->second.incarnation) departures_.erase(left);
}

void AutopilotFsm::on_departure(const Departure& departure) {
  const auto known = departures_.find(departure.node);
  if (known != departures_.end() && known->second.incarnation > departure.incarnation) return;
  if (known == departures_.end() && departures_.size() == core::configuration_members_max) return;
  departures_.insert_or_assign(departure.node, departure);
}

std::vector<Departure> AutopilotFsm::departures() const {
  std::vector<Departure> all;
  for (const auto& [id, departure] : departures_) all.push_back(departure);
  return all;
}

base::Duration AutopilotFsm::silence(base::Instant now, const core::Node& node, base::NodeId id) const {
  if (id == node.id()) return base::Duration{0};
  const auto progress = node.progress().find(id);
  return progress == node.progress().end() ? base::Duration{0} : now - progress->second.last_contact();
}

bool AutopilotFsm::is_alive(base::Instant now, const core::Node& node, base::NodeId id) const {
  return silence(now, node, id) <= options_.contact_age_max;
}

bool AutopilotFsm::is_in_step(base::Instant now, const core::Node& node, base::NodeId id) const {
  const auto progress = node.progress().find(id);
  if (progress == node.progress().end() || !is_alive(now, node, id)) return false;
  return progress->second.state() == core::Progress::State::replicate &&
         progress->second.match() + options_.in_step_entries_max >= node.log().last_index();
}

void AutopilotFsm::observe(base::Instant now, const core::Node& node) {
  const Configuration& configuration = node.configuration();
  std::erase_if(in_step_since_, [&](const auto& item) {
    return !configuration.is_learner(item.first) || !is_in_step(now, node, item.first);
  });
  for (const Member& learner : configuration.learners) {
    if (is_in_step(now, node, learner.id)) in_step_since_.emplace(learner.id, now);
  }
  std::erase_if(joiners_, [&](const auto& item) {
    return now - item.second.heard > options_.contact_age_max || configuration.contains(item.first);
  });
  std::erase_if(departures_, [&](const auto& item) { return !configuration.contains(item.first); });
}

bool AutopilotFsm::is_stable(base::Instant now, base::NodeId id, base::Duration period) const {
  const auto since = in_step_since_.find(id);
  return since != in_step_since_.end() && now - since->second >= period;
}

std::vector<base::NodeId> AutopilotFsm::leaving_voters(const Configuration& configuration) const {
  std::vector<base::NodeId> leaving;
  for (const auto& [id, departure] : departures_) {
    if (configuration.is_voter(id)) leaving.push_back(id);
  }
  return leaving;
}

// The member that holds the place of `of` and is gone: silent for long, or it said good-bye.
const Member* AutopilotFsm::silent_holder(base::Instant now, const core::Node& node, const Member& of) const {
  const std::string slot = slot_of_(of.name);
  for (const auto* list : {&node.configuration().voters, &node.configuration().learners}) {
    for (const Member& member : *list) {
      if (member.id == of.id || slot_of_(member.name) != slot) continue;
      const bool is_gone = silence(now, node, member.id) >= options_.replace_after ||
                           (departures_.contains(member.id) && !is_alive(now, node, member.id));
      if (is_gone) return &member;
    }
  }
  return nullptr;
}

AutopilotFsm::Decision AutopilotFsm::decide(base::Instant now, const core::Node& node) {
  if (node.role() != core::Role::leader) {
    in_step_since_.clear();
    last_removal_.reset();
    return std::nullopt;
  }
  observe(now, node);
  warning_.clear();
  const bool is_free = node.has_committed_in_term() && !node.has_uncommitted_change() &&
                       !node.configuration().is_joint() && !node.is_transferring();
  if (!is_free) return std::nullopt;
  if (auto wanted = remove_left(node)) return wanted;
  if (auto wanted = step_aside(node)) return wanted;
  if (auto wanted = replace(now, node)) return wanted;
  if (auto wanted = promote(now, node)) return wanted;
  if (auto wanted = remove_dead(now, node)) {
    last_removal_ = now;
    return wanted;
  }
  return join(now, node);
}

// §3.8 rule 2: its place is scaled in. As many votes as the StatefulSet is to have; the core refuses what would cost
// the quorum.
AutopilotFsm::Decision AutopilotFsm::remove_left(const core::Node& node) const {
  for (const auto& [id, departure] : departures_) {
    if (!departure.is_for_good) continue;
    const Member* member = node.configuration().find(id);
    if (member == nullptr) continue;
    if (node.configuration().voters.size() == 1 && node.configuration().is_voter(id)) continue;
    return decision(MembershipEventKind::remove_left, {{ChangeKind::remove, *member}},
                    member->name + " is scaled in: its ordinal is not among the replicas any more");
  }
  return std::nullopt;
}

// §3.8 rule 6: one voter away changes nothing. With a second one both become learners in one step, while three voters
// stay: what a StatefulSet that shrinks pod by pod needs to keep its quorum.
AutopilotFsm::Decision AutopilotFsm::step_aside(const core::Node& node) const {
  const Configuration& configuration = node.configuration();
  std::vector<base::NodeId> leaving = leaving_voters(configuration);
  if (leaving.size() < 2 || configuration.voters.size() < options_.voters_min + 2) return std::nullopt;
  // This leader last: it can still make the change for the others.
  std::sort(leaving.begin(), leaving.end(), [&](base::NodeId a, base::NodeId b) {
    return std::pair(a == node.id(), a) < std::pair(b == node.id(), b);
  });
  leaving.resize(2);
  std::vector<MemberChange> changes;
  std::string names;
  for (const base::NodeId id : leaving) {
    const Member* member = configuration.find(id);
    changes.push_back({ChangeKind::demote, *member});
    names += (names.empty() ? "" : " and ") + member->name;
  }
  return decision(MembershipEventKind::step_aside, std::move(changes),
                  names + " are away at the same time: they keep their copies and vote again when they are back");
}

// §3.7: another disk under the same name. The vote moves only when the new member is in step, so that no voter is
// missing meanwhile.
AutopilotFsm::Decision AutopilotFsm::replace(base::Instant now, const core::Node& node) const {
  const Configuration& configuration = node.configuration();
  for (const Member& learner : configuration.learners) {
    const Member* old = silent_holder(now, node, learner);
    if (old == nullptr || !is_stable(now, learner.id, options_.stabilization / replacement_share)) continue;
    const std::string reason = fmt::format("{} came back with a new disk: node {} takes the place of {}", learner.name,
                                           base::to_hex(learner.id), base::to_hex(old->id));
    std::vector<MemberChange> changes{{ChangeKind::remove, *old}};
    if (configuration.is_voter(old->id)) changes.push_back({ChangeKind::promote, learner});
    return decision(MembershipEventKind::replace, std::move(changes), reason);
  }
  return std::nullopt;
}

// §3.7: learners in step for long enough get votes, so many at once that the number of voters is odd.
AutopilotFsm::Decision AutopilotFsm::promote(base::Instant now, const core::Node& node) const {
  const Configuration& configuration = node.configuration();
  const std::size_t wanted = configuration.voters.size() % 2 == 0 ? 1 : 2;
  if (configuration.voters.size() + wanted > options_.voters_max) return std::nullopt;
  std::vector<MemberChange> changes;
  std::string names;
  for (const Member& learner : configuration.learners) {
    const bool has_place =
        std::none_of(configuration.voters.begin(), configuration.voters.end(),
                     [&](const Member& voter) { return slot_of_(voter.name) == slot_of_(learner.name); });
    if (!has_place || departures_.contains(learner.id) || changes.size() == wanted) continue;
    if (!is_stable(now, learner.id, options_.stabilization)) continue;
    changes.push_back({ChangeKind::promote, learner});
    names += (names.empty() ? "" : " and ") + learner.name;
  }
  if (changes.size() < wanted) return std::nullopt;
  return decision(MembershipEventKind::promote, std::move(changes),
                  fmt::format("{} in step for {} s", names, seconds_of(options_.stabilization)));
}

// §3.8 rules 3 and 6: a learner that is away for long changes no quorum. A voter goes only when nobody is to come back
// under its name and enough of the others answer; one removal in a while, so that a mistake is seen before the next.
AutopilotFsm::Decision AutopilotFsm::remove_dead(base::Instant now, const core::Node& node) const {
  if (options_.dead_server_timeout <= base::Duration{0}) return std::nullopt;
  if (last_removal_ && now - *last_removal_ < options_.stabilization) return std::nullopt;
  const Configuration& configuration = node.configuration();
  const auto dead = [&](const Member& member) { return silence(now, node, member.id) >= options_.dead_server_timeout; };
  const auto reason = [&](const Member& member) {
    return fmt::format("{} has not been heard of for {} s", member.name, seconds_of(silence(now, node, member.id)));
  };
  for (const Member& learner : configuration.learners) {
    if (!dead(learner)) continue;
    return decision(MembershipEventKind::remove_dead, {{ChangeKind::remove, learner}}, reason(learner));
  }
  const auto alive = std::count_if(configuration.voters.begin(), configuration.voters.end(),
                                   [&](const Member& voter) { return is_alive(now, node, voter.id); });
  for (const Member& voter : configuration.voters) {
    const bool is_wanted = !wanted_ || wanted_->contains(slot_of_(voter.name));
    if (!dead(voter) || is_wanted) continue;
    if (static_cast<std::size_t>(alive) < options_.voters_min || configuration.voters.size() <= options_.voters_min) {
      continue;
    }
    return decision(MembershipEventKind::remove_dead, {{ChangeKind::remove, voter}},
                    reason(voter) + " and discovery does not know its name any more");
  }
  return std::nullopt;
}

// §3.7: one learner at a time. One that is behind and alive is waited for.
AutopilotFsm::Decision AutopilotFsm::join(base::Instant now, const core::Node& node) {
  const Configuration& configuration = node.configuration();
  for (const auto& [id, joiner] : joiners_) {
    const Member& member = joiner.member;
    const std::string slot = slot_of_(member.name);
    const Member* holder = nullptr;
    for (const auto* list : {&configuration.voters, &configuration.learners}) {
      for (const Member& other : *list) {
        if (slot_of_(other.name) == slot) holder = &other;
      }
    }
    if (holder != nullptr && silent_holder(now, node, member) == nullptr) {
      if (is_alive(now, node, holder->id)) {
        warning_ = fmt::format(
            "two processes run under the name {}: node {} is a member and answers, node {} is not "
            "taken in while it does",
            slot, base::to_hex(holder->id), base::to_hex(id));
      }
      continue;
    }
    const auto behind = std::find_if(
        configuration.learners.begin(), configuration.learners.end(),
        [&](const Member& learner) { return is_alive(now, node, learner.id) && !is_in_step(now, node, learner.id); });
    if (behind != configuration.learners.end()) return std::nullopt;
    if (configuration.members().size() >= core::configuration_members_max) {
      warning_ = fmt::format("{} cannot join: the cluster has {} members already", member.name,
                             core::configuration_members_max);
      return std::nullopt;
    }
    const std::string reason =
        holder == nullptr ? member.name + " asks to join" : member.name + " is back with a new disk";
    auto wanted = decision(MembershipEventKind::join, {{ChangeKind::add_learner, member}}, reason);
    // If this comes to nothing it asks again; if it is removed at once, it must not be taken in again.
    joiners_.erase(id);
    return wanted;
  }
  return std::nullopt;
}

bool AutopilotFsm::waits_for_vote(base::NodeId id, const Configuration& configuration) const {
  const Member* self = configuration.find(id);
  if (self == nullptr || !configuration.is_learner(id)) return false;
  const std::string slot = slot_of_(self->name);
  const bool takes_place = std::any_of(configuration.voters.begin(), configuration.voters.end(),
                                       [&](const Member& voter) { return slot_of_(voter.name) == slot; });
  const std::size_t wanted = configuration.voters.size() % 2 == 0 ? 1 : 2;
  const bool has_room = configuration.voters.size() + wanted <= options_.voters_max;
  return takes_place || (has_room && configuration.learners.size() >= wanted);
}

bool AutopilotFsm::may_leave(base::NodeId leaver, const core::Node& node) const {
  if (node.has_uncommitted_change() || node.configuration().is_joint()) return false;
  const auto left = departures_.find(leaver);
  if (left != departures_.end() && left->second.is_for_good) {
    const bool is_last = node.configuration().voters.size() == 1 && node.configuration().is_voter(leaver);
    return is_last || !node.configuration().contains(leaver);
  }
  if (!node.configuration().is_voter(leaver)) return true;
  return !step_aside(node).has_value();
}

}  // namespace whitewater::replica

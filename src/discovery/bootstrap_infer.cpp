#include "base/assert.hpp"
#include "discovery/bootstrap_fsm.hpp"

// Rule 7: founding where nobody was told how many founders there are. The set is everybody who answers, so the question
// is not "who is missing" but "may anybody be missing, or be a member already".
namespace whitewater::discovery {

namespace {

constexpr const char* how_to_state =
    "; the number of founders is inferred: state it with WHITEWATER_BOOTSTRAP_EXPECT, and nothing has to settle";

}  // namespace

void BootstrapFsm::evaluate_inferred(base::Instant now, const Round& round) {
  if (!ordinal_) {
    return set_status(BootstrapPhase::looking, "the name " + options_.name +
                                                   " does not end in an ordinal (-0, -1, ...), which founding needs; " +
                                                   "this member can only join" + how_to_state);
  }
  if (auto obstacle = obstacle_to_inferring(round); !obstacle.empty()) {
    settling_ = {};
    return set_status(BootstrapPhase::looking, obstacle + how_to_state);
  }
  auto set = observed_set(round);
  if (auto reason = refusal_of(set); !reason.empty()) {
    settling_ = {};
    return set_status(BootstrapPhase::refused, reason + how_to_state);
  }
  if (auto disagreement = describe_disagreement(round); !disagreement.empty()) {
    settling_ = {};
    return set_status(BootstrapPhase::looking, disagreement + how_to_state);
  }
  const auto count = std::to_string(set.founders.size());
  const auto coordinator = set.founders.front().name;
  const bool has_set_settled = has_settled(now, set);
  if (has_set_settled && ordinal_ == 0U) return prepare_own(std::move(set));
  set_status(BootstrapPhase::settling,
             has_set_settled
                 ? count + " members answer and agree; waiting for " + coordinator + " to coordinate" + how_to_state
                 : count + " members answer and agree; founding once that is so for " +
                       std::to_string(std::chrono::duration_cast<std::chrono::seconds>(settle_time()).count()) + " s" +
                       how_to_state);
}

// Empty when those who answer can be all the founders.
std::string BootstrapFsm::obstacle_to_inferring(const Round& round) const {
  const auto has = [&](std::uint32_t ordinal) { return ordinal_ == ordinal || round.ordinals.contains(ordinal); };
  const std::string stem(stem_of(options_.name));
  std::set<std::uint32_t> ordinals;
  if (ordinal_) ordinals.insert(*ordinal_);
  for (const auto& [ordinal, infos] : round.ordinals) ordinals.insert(ordinal);
  std::string seen;
  for (const auto ordinal : ordinals) seen += (seen.empty() ? "seen " : ", ") + stem + "-" + std::to_string(ordinal);
  // Somebody who exists and is silent may belong to a cluster that nobody else here knows of.
  for (const auto& [address, known] : discovered_) {
    if (!known.may_be_member || has(*ordinal_of(known.name))) continue;
    return known.name + " is known and does not answer (" + describe_silence(known.name) +
           "); it may belong to a cluster, so nothing is founded; " + seen;
  }
  // Any two sets of founders have ordinal 0 in common, and it promises one of them at a time.
  for (std::uint32_t i = 0; i < ordinals.size(); ++i) {
    if (has(i)) continue;
    const auto name = stem + "-" + std::to_string(i);
    return name + (i == 0 ? ", which coordinates, is missing (" : ", below others, is missing (") +
           describe_silence(name) + "); " + seen;
  }
  if (ordinals.size() < inferred_founders_min) {
    return "no fewer than " + std::to_string(inferred_founders_min) + " found a cluster; " + seen;
  }
  return {};
}

// All of them, or they are not all.
std::string BootstrapFsm::describe_disagreement(const Round& round) const {
  for (const auto& [ordinal, infos] : round.ordinals) {
    for (const auto* info : infos) {
      if (info->observed_hash != observed_hash_)
        return info->name + " sees other members than this one, or not all yet";
    }
  }
  return {};
}

// Empty when a set that was proposed is the one that this member sees itself, or the one that it promised already.
std::string BootstrapFsm::refusal_of_inferred(const FounderSet& set) const {
  WW_ASSERT(is_inferring());
  const auto& own = meta_.state == MemberState::prepared ? prepared_ : settling_;
  if (has_same_members(own, set)) return {};
  return options_.name + (meta_.state == MemberState::prepared ? " promised" : " sees") + " another set of founders";
}

}  // namespace whitewater::discovery

#include <algorithm>

#include "base/assert.hpp"
#include "discovery/bootstrap_fsm.hpp"

// What a complete round of HELLO answers means (rules 2 to 6), by the own durable state.
namespace whitewater::discovery {

namespace {

std::string describe_expect(std::uint32_t expect) {
  return expect == 0 ? " is not told how many founders there are" : " expects " + std::to_string(expect) + " founders";
}

}  // namespace

BootstrapFsm::Round BootstrapFsm::gather_round() const {
  Round round;
  for (const auto& [address, answer] : answers_) {
    if (!answer.info || answer.info->node_id == options_.node_id || answer.info->node_id.is_zero()) continue;
    round.infos.emplace(answer.info->node_id, *answer.info);
  }
  for (const auto& [id, info] : round.infos) {
    if (!info.cluster_id.is_zero() && info.members.empty()) {
      round.waiting = info.name + " waits to be added to cluster " + base::to_hex(info.cluster_id) +
                      ", no member of which answers here; nothing is founded while that is so";
    } else if (!info.cluster_id.is_zero()) {
      round.clusters.emplace(info.cluster_id, &info);
    } else if (info.token != options_.token) {
      round.mismatch = info.name +
                       " has another bootstrap token than this member: it belongs to another release, or was " +
                       "configured by another one";
    } else if (info.expect != options_.expect) {
      round.mismatch = info.name + describe_expect(info.expect) + " and this member" +
                       describe_expect(options_.expect) +
                       ": give every member the same number (WHITEWATER_BOOTSTRAP_EXPECT)";
      round.may_mismatch_pass = !is_expect_given_ && !is_inferring();
    }
  }
  gather_ordinals(round);
  return round;
}

void BootstrapFsm::gather_ordinals(Round& round) const {
  const auto own = own_info();
  std::map<std::uint32_t, std::vector<const PeerInfo*>> all;
  for (const auto& [id, info] : round.infos) {
    const auto ordinal = ordinal_of(info.name);
    if (!ordinal) continue;
    if (ordinal_ && stem_of(info.name) != stem_of(options_.name)) {
      round.conflict = info.name + " and this member, " + options_.name + ", have names of two different sets";
    }
    if (info.name == options_.name) {
      round.conflict = "another member (node " + base::to_hex(id) + ") runs under this member's name, " + options_.name;
    }
    auto& same = all[*ordinal];
    if (!same.empty()) round.conflict = "two members answer under the name " + info.name;
    same.push_back(&info);
  }
  const auto wanted = wanted_founders();
  for (auto& [ordinal, infos] : all) {
    if (ordinal < wanted || is_inferring()) round.ordinals.emplace(ordinal, infos);
  }
  std::size_t present = 0;
  for (std::uint32_t i = 0; i < wanted; ++i) present += round.ordinals.contains(i) || ordinal_ == i ? 1 : 0;
  if (present < wanted) round.missing = describe_missing(round, wanted);
}

// Without a count it is the promised set whose ordinals are counted.
std::uint32_t BootstrapFsm::wanted_founders() const {
  return is_inferring() ? static_cast<std::uint32_t>(prepared_.founders.size()) : options_.expect;
}

std::string BootstrapFsm::describe_missing(const Round& round, std::uint32_t wanted) const {
  const std::string stem(stem_of(options_.name));
  std::string seen;
  std::string missing;
  for (std::uint32_t i = 0; i < wanted; ++i) {
    const auto name = stem + "-" + std::to_string(i);
    if (round.ordinals.contains(i) || ordinal_ == i) {
      seen += (seen.empty() ? "" : ", ") + name;
      continue;
    }
    missing += (missing.empty() ? "" : ", ") + name + " (" + describe_silence(name) + ")";
  }
  return "waiting for " + std::to_string(wanted) + " peers: seen " + (seen.empty() ? "none" : seen) + "; missing " +
         missing;
}

// Why nobody answers under this name.
std::string BootstrapFsm::describe_silence(const std::string& name) const {
  std::string why = absence_;
  for (const auto& [address, target] : targets()) {
    if (target != name) continue;
    const auto it = answers_.find(address);
    if (it != answers_.end() && it->second.info) {
      why = "at " + describe(address) + " answers " + it->second.info->name;
    } else {
      why = it != answers_.end() && !it->second.failure.empty() ? it->second.failure : "not asked yet";
    }
  }
  return why;
}

FounderSet BootstrapFsm::observed_set(const Round& round) const {
  FounderSet set;
  set.token = options_.token;
  if (is_inferring()) {
    if (ordinal_) set.founders.push_back({options_.name, options_.node_id, options_.advertise});
    for (const auto& [ordinal, infos] : round.ordinals) {
      for (const auto* info : infos) set.founders.push_back({info->name, info->node_id, info->advertise});
    }
    std::sort(set.founders.begin(), set.founders.end(), [](const Founder& a, const Founder& b) {
      return std::pair(ordinal_of(a.name), a.node_id) < std::pair(ordinal_of(b.name), b.node_id);
    });
    return set;
  }
  for (std::uint32_t i = 0; i < options_.expect; ++i) {
    const auto it = round.ordinals.find(i);
    if (ordinal_ == i) {
      set.founders.push_back({options_.name, options_.node_id, options_.advertise});
    } else if (it != round.ordinals.end()) {
      const auto& info = *it->second.front();
      set.founders.push_back({info.name, info.node_id, info.advertise});
    }
  }
  return set;
}

bool BootstrapFsm::has_settled(base::Instant now, FounderSet observed) {
  const bool is_same = !settling_.empty() && has_same_members(settling_, observed);
  settling_ = std::move(observed);
  if (!is_same) {
    settling_since_ = now;
    settling_rounds_ = 1;
    return false;
  }
  ++settling_rounds_;
  if (is_inferring() && settling_rounds_ < inferred_rounds_min) return false;
  return round_started_ >= settling_since_ + settle_time();
}

base::Duration BootstrapFsm::settle_time() const { return is_inferring() ? options_.infer_settle : options_.settle; }

void BootstrapFsm::evaluate(base::Instant now) {
  const auto round = gather_round();
  std::string picture = round.missing + round.conflict + round.mismatch;
  for (const auto& [id, info] : round.infos) picture += describe(info);
  poll_ = picture == last_picture_ ? std::min(poll_ * 2, options_.poll_max) : options_.poll_min;
  last_picture_ = std::move(picture);
  next_round_ = now + poll_;
  for (const auto& [id, witness] : round.clusters) clusters_seen_.insert(id);
  waiting_ = round.waiting;
  forget_heard(now, round);
  if (!round.missing.empty() || !round.conflict.empty()) settling_ = {};  // the next complete round is a first one
  observed_hash_ = is_inferring() && meta_.state == MemberState::fresh ? member_hash(observed_set(round)) : 0;
  if (meta_.state == MemberState::fresh) {
    evaluate_fresh(now, round);
  } else if (is_coordinator()) {
    evaluate_coordinator(now, round);
  } else {
    evaluate_follower(now, round);
  }
  // The second of two identical rounds comes as soon as it may.
  if (!settling_.empty())
    next_round_ = std::min(next_round_, std::max(now + base::milliseconds(1), settling_since_ + settle_time()));
}

void BootstrapFsm::evaluate_fresh(base::Instant now, const Round& round) {
  if (maybe_join(round)) return;
  if (!heard_.empty()) {
    settling_ = {};
    return set_status(BootstrapPhase::looking, describe_heard());
  }
  if (!waiting_.empty()) {
    settling_ = {};
    return set_status(BootstrapPhase::looking, waiting_);
  }
  if (!round.mismatch.empty()) {
    settling_ = {};
    return set_status(round.may_mismatch_pass ? BootstrapPhase::looking : BootstrapPhase::refused, round.mismatch);
  }
  if (!round.conflict.empty()) return set_status(BootstrapPhase::refused, round.conflict);
  if (is_inferring()) return evaluate_inferred(now, round);
  if (options_.expect == 1) return evaluate_single();
  if (!ordinal_) {
    return set_status(BootstrapPhase::refused, "the name " + options_.name +
                                                   " does not end in an ordinal (-0, -1, ...), " +
                                                   "which founding needs; this member can only join");
  }
  if (*ordinal_ >= options_.expect) {
    return set_status(BootstrapPhase::looking, options_.name + " is not among the " + std::to_string(options_.expect) +
                                                   " founders; waiting for their cluster, to join it");
  }
  if (!round.missing.empty()) return set_status(BootstrapPhase::looking, round.missing);
  auto set = observed_set(round);
  if (auto reason = refusal_of(set); !reason.empty()) return set_status(BootstrapPhase::refused, reason);
  const auto count = std::to_string(options_.expect);
  if (!has_settled(now, set)) {
    return set_status(BootstrapPhase::settling, "all " + count + " founders answer; asking once more before founding");
  }
  if (ordinal_ == 0U) return prepare_own(std::move(set));
  set_status(BootstrapPhase::settling, "all " + count + " founders answer and agree; waiting for " +
                                           set.founders.front().name + " to coordinate");
}

// One member alone needs no second opinion, but it does need the operator's word, and nobody known may be silent:
// whoever does not answer may be a member.
void BootstrapFsm::evaluate_single() {
  if (!options_.single) {
    return set_status(BootstrapPhase::refused,
                      "expecting one founder would make a cluster of one, which has no copy: say " +
                          std::string("so explicitly (single), or expect 3"));
  }
  if (ordinal_.value_or(0) != 0) {
    return set_status(BootstrapPhase::looking,
                      options_.name + " is not the single founder; waiting for its cluster, to join it");
  }
  for (const auto& [address, answer] : answers_) {
    if (answer.info) continue;
    return set_status(BootstrapPhase::looking, describe(address) + " is known and does not answer (" + answer.failure +
                                                   "); it may belong to a cluster, so nothing is founded");
  }
  FounderSet set;
  set.token = options_.token;
  set.founders.push_back({options_.name, options_.node_id, options_.advertise});
  WW_ASSERT(refusal_of(set).empty());
  prepared_ = std::move(set);
  commit_own();
}

// What a coordinator with a prepared and not committed set sees. Nothing was committed anywhere: it commits itself
// first.
void BootstrapFsm::evaluate_coordinator(base::Instant now, const Round& round) {
  if (round.clusters.contains(cluster_id_of(prepared_))) return commit_own();  // an older copy of its own disk decided
  if (maybe_join(round)) return;
  if (prepared_.token != options_.token || !has_right_size(prepared_)) {
    return drop_preparation("the expected number of founders or the token was changed since the set was prepared");
  }
  // Without a count a founder may also have come or gone for good since.
  const bool is_complete = is_inferring() ? obstacle_to_inferring(round).empty() : round.missing.empty();
  if (is_complete && round.conflict.empty()) {
    auto observed = observed_set(round);
    // With their addresses: those that everybody had before a restart would never be reached again.
    const bool is_changed = set_hash(observed) != meta_.set_hash;
    if (has_settled(now, std::move(observed)) && is_changed) {
      return drop_preparation("the founders are not those of the prepared set any more, or not at its addresses");
    }
  } else {
    settling_ = {};
  }
  set_status(BootstrapPhase::preparing, !heard_.empty()    ? describe_heard()
                                        : waiting_.empty() ? describe_drives()
                                                           : waiting_);
}

void BootstrapFsm::evaluate_follower(base::Instant now, const Round& round) {
  const auto cluster = cluster_id_of(prepared_);
  if (round.clusters.contains(cluster)) return commit_own();
  const auto& coordinator = prepared_.founders.front();
  if (const auto it = round.infos.find(coordinator.node_id); it != round.infos.end()) {
    // The coordinator commits itself first, so one that is neither bound to this set nor its member never committed it
    // and, having moved on, never will.
    const bool is_bound = it->second.state == MemberState::prepared && it->second.set_hash == meta_.set_hash;
    if (!is_bound) return drop_preparation("the coordinator took its set of founders back");
    return set_status(BootstrapPhase::preparing,
                      "promised to found with " + coordinator.name + "; waiting for its decision");
  }
  const bool is_complete = round.missing.empty() && round.conflict.empty() && has_right_size(prepared_);
  if (is_complete) {
    // Everybody answers, nobody is a member of this set's cluster, and the coordinator's name answers with another
    // disk.
    if (has_settled(now, observed_set(round)))
      return drop_preparation("the coordinator's disk is gone and nobody is a member");
    return set_status(BootstrapPhase::preparing, "the coordinator answers with another disk; asking once more");
  }
  set_status(BootstrapPhase::preparing, "promised to found with " + coordinator.name + ", which does not answer; " +
                                            (round.missing.empty() ? "waiting for its decision" : round.missing));
}

}  // namespace whitewater::discovery

#include "sim/cluster_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "sim/failure.hpp"
#include "sim/quorum_overlap.hpp"

namespace whitewater::sim {
namespace {

// Why the recovered log is not this state; empty when it is.
std::string difference(const log::RecoveredLog& log, const core::HardState& hard_state,
                       const std::vector<core::Entry>& entries) {
  if (log.hard_state != hard_state) return "hard state";
  if (log.last_index.value != entries.size()) return "last index";
  for (core::Index i = std::max(log.first_index, core::Index(1)); i <= log.last_index; i = i.next()) {
    if (log.terms.term_at(i) != entries[i.value - 1].term) return "term of " + std::to_string(i.value);
  }
  for (const core::Entry& entry : log.entries) {
    if (!(entry == entries[entry.index.value - 1])) return "entry " + std::to_string(entry.index.value);
  }
  return {};
}

// Where every member that stops there compares its content. Hashing reads all records, so the points get rarer.
bool is_hash_point(core::Index applied) {
  constexpr std::uint64_t points_per_doubling = 16;
  return applied.value % std::bit_floor(std::max<std::uint64_t>(4, applied.value / points_per_doubling)) == 0;
}

core::NodeId id_of(std::size_t member) { return core::NodeId(member + 1); }

// In force at the end of the log (thesis §4.1); nothing before the first.
std::optional<core::Configuration> last_configuration(const std::vector<core::Entry>& log) {
  const auto found = std::find_if(
      log.rbegin(), log.rend(), [](const core::Entry& entry) { return entry.type == core::EntryType::configuration; });
  if (found == log.rend()) return std::nullopt;
  return *core::decode_configuration(found->payload.view());
}

}  // namespace

ClusterChecker::ClusterChecker(std::size_t members, EventHash& hash) : shadows_(members), hash_(hash) {}

void ClusterChecker::LogState::apply(const Change& change) {
  if (const auto* state = std::get_if<core::HardState>(&change)) {
    hard_state = *state;
  } else if (const auto* cut = std::get_if<Truncation>(&change)) {
    entries.resize(cut->from.value - 1);
  } else if (const auto* reset = std::get_if<Reset>(&change)) {
    entries = reset->covered;
  } else {
    entries.push_back(std::get<core::Entry>(change));
  }
}

void ClusterChecker::note_change(Shadow& shadow, std::uint64_t token, Change change) {
  shadow.appended.apply(change);
  shadow.pending.push_back({token, std::move(change)});
}

void ClusterChecker::on_snapshot_installed(std::size_t member, const core::TermRun& end) {
  require(end.first.value <= committed_.size() && committed_[end.first.value - 1].term == end.term, [&] {
    return fmt::format("member {} installs a snapshot at {} of term {} that is not the committed history", member + 1,
                       end.first.value, end.term.value);
  });
  shadows_[member].installed = end.first;
}

void ClusterChecker::on_persist(std::size_t member, const core::Persist& persist) {
  Shadow& shadow = shadows_[member];
  const std::uint64_t token = persist.token;
  const std::vector<core::Entry>& entries = persist.entries;
  if (persist.hard_state) note_change(shadow, token, *persist.hard_state);
  if (persist.reset) {
    require(persist.reset->first == shadow.installed,
            [&] { return fmt::format("member {} begins its log anew without a snapshot", member + 1); });
    const auto end = committed_.begin() + static_cast<std::ptrdiff_t>(persist.reset->first.value);
    note_change(shadow, token, Reset{{committed_.begin(), end}});
  }
  if (entries.empty()) return;
  const core::Index first = entries.front().index;
  require(first.value <= shadow.appended.entries.size() + 1,
          [&] { return fmt::format("member {} leaves a hole in its log before entry {}", member + 1, first.value); });
  if (first.value <= shadow.appended.entries.size()) {
    require(first > shadow.committed,
            [&] { return fmt::format("member {} overwrites its committed entry {}", member + 1, first.value); });
    note_change(shadow, token, Truncation{first});
  }
  for (const core::Entry& entry : entries) {
    if (entry.type == core::EntryType::configuration) {
      check_configuration(member, entry);
      shadow.has_new_configuration = true;
    }
    note_change(shadow, token, entry);
  }
}

void ClusterChecker::check_configuration(std::size_t member, const core::Entry& entry) const {
  const auto next = core::decode_configuration(entry.payload.view());
  require(next.has_value(), [&] {
    return fmt::format("member {} appends the configuration {} that does not decode", member + 1, entry.index.value);
  });
  const auto current = last_configuration(shadows_[member].appended.entries);
  if (!current) return;
  const auto split = find_split(*current, *next);
  require(!split, [&] {
    std::string ids;
    for (const core::NodeId id : *split) ids += " " + std::to_string(id.value);
    return fmt::format(
        "member {} appends at {} a configuration that can decide without the one before: members{} decide in {} and "
        "all others in {}",
        member + 1, entry.index.value, ids, core::describe(*current), core::describe(*next));
  });
}

// Successive quorums overlap, those further apart need not (thesis §4.1).
void ClusterChecker::check_uncommitted_changes(std::size_t member) {
  Shadow& shadow = shadows_[member];
  if (!std::exchange(shadow.has_new_configuration, false)) return;
  const auto& log = shadow.appended.entries;
  std::uint64_t changes = 0;
  for (std::size_t i = committed_.size(); i < log.size(); ++i) {
    changes += log[i].type == core::EntryType::configuration ? 1 : 0;
  }
  require(changes <= 1, [&] {
    return fmt::format("member {} has {} configurations in its log past the last committed entry {}", member + 1,
                       changes, committed_.size());
  });
}

void ClusterChecker::on_durable(std::size_t member, std::uint64_t token) {
  Shadow& shadow = shadows_[member];
  while (!shadow.pending.empty() && shadow.pending.front().token <= token) {
    const Change& change = shadow.pending.front().change;
    if (const auto* state = std::get_if<core::HardState>(&change)) note_vote(member, *state);
    shadow.durable.apply(change);
    shadow.pending.pop_front();
  }
}

void ClusterChecker::note_vote(std::size_t member, const core::HardState& state) {
  if (state.vote.is_zero()) return;
  const auto [vote, is_new] = votes_[state.term].try_emplace(id_of(member), state.vote);
  require(vote->second == state.vote, [&] {
    return fmt::format("member {} votes in term {} for {} and for {}", member + 1, state.term.value, vote->second.value,
                       state.vote.value);
  });
}

void ClusterChecker::check_entry_read(std::size_t member, const core::Entry& entry, core::Index applied) const {
  const auto& log = shadows_[member].appended.entries;
  const std::size_t position = entry.index.value - 1;
  require(position < log.size() && entry == log[position], [&] {
    return fmt::format("member {} reads {} from its disk, which is not what it wrote there", member + 1,
                       core::describe(entry));
  });
  require(entry.index > applied || (position < committed_.size() && entry == committed_[position]), [&] {
    return fmt::format("member {} reads {} from its disk, has applied up to {}, and something else was committed there",
                       member + 1, core::describe(entry), applied.value);
  });
}

void ClusterChecker::on_start(std::size_t member, const log::RecoveredLog& recovered, core::Index store_applied,
                              bool is_behind_snapshot) {
  Shadow& shadow = shadows_[member];
  LogState state = shadow.durable;
  const std::string first_difference = difference(recovered, state.hard_state, state.entries);
  bool is_found = first_difference.empty();
  for (auto next = shadow.pending.begin(); !is_found && next != shadow.pending.end(); ++next) {
    state.apply(next->change);
    is_found = difference(recovered, state.hard_state, state.entries).empty();
  }
  require(is_found, [&] {
    return fmt::format("member {} restarts with a log that it never had since entry {} was durable: {} ({} against {})",
                       member + 1, shadow.durable.entries.size(), first_difference, log::describe(recovered),
                       core::describe(shadow.durable.hard_state));
  });
  require(store_applied.value <= committed_.size(), [&] {
    return fmt::format("member {} restarts with a store at {}, and only {} entries are committed", member + 1,
                       store_applied.value, committed_.size());
  });
  require(store_applied <= recovered.last_index || is_behind_snapshot, [&] {
    return fmt::format("member {} restarts with a store at {} past its log's end {} (S12)", member + 1,
                       store_applied.value, recovered.last_index.value);
  });
  note_vote(member, state.hard_state);
  shadow.appended = state;
  shadow.durable = std::move(state);
  shadow.pending.clear();
  require(!is_behind_snapshot || store_applied == shadow.installed,
          [&] { return fmt::format("member {} restarts behind a snapshot that was never installed", member + 1); });
  shadow.committed = store_applied;
  shadow.hashed = core::Index(0);  // what the restart rebuilt is compared again
  shadow.last_step.reset();
}

void ClusterChecker::on_step(std::size_t member, std::uint64_t incarnation, const replica::Replica& replica,
                             bool should_hash) {
  Shadow& shadow = shadows_[member];
  const core::Node& node = replica.node();
  core::Invariants::check_basic(node);
  const core::Invariants::Snapshot now = core::Invariants::snapshot(node);
  if (shadow.last_step) core::Invariants::check_delta(*shadow.last_step, now);
  shadow.last_step = now;
  check_leader(member, incarnation, node);
  check_committed(member, node);
  check_uncommitted_changes(member);
  check_store(member, replica, should_hash);
}

void ClusterChecker::check_leader(std::size_t member, std::uint64_t incarnation, const core::Node& node) {
  if (node.role() != core::Role::leader) return;
  const auto [leader, is_new] = leaders_.try_emplace(node.term(), Leader{member, incarnation});
  if (is_new) hash_.mix_all(member, node.term().value);
  require(leader->second.member == member && leader->second.incarnation == incarnation, [&] {
    return fmt::format("term {} has two leaders: member {} in its run {} and member {} in its run {}",
                       node.term().value, leader->second.member + 1, leader->second.incarnation, member + 1,
                       incarnation);
  });
  if (is_new) check_elected(member, node.term());
}

// Chosen by a quorum of the configuration that its log ends with, and complete (thesis figure 3.2: leader
// completeness): so whatever a quorum decided before, in this or an earlier configuration, is known to it.
void ClusterChecker::check_elected(std::size_t member, core::Term term) const {
  const auto& log = shadows_[member].appended.entries;
  const auto configuration = last_configuration(log);
  const auto votes = votes_.find(term);
  const auto has_voted = [&](core::NodeId id) {
    if (votes == votes_.end()) return false;
    const auto vote = votes->second.find(id);
    return vote != votes->second.end() && vote->second == id_of(member);
  };
  require(configuration && can_decide(*configuration, has_voted), [&] {
    return fmt::format("member {} leads term {} without the durable votes of a quorum of {}", member + 1, term.value,
                       configuration ? core::describe(*configuration) : "nobody");
  });
  for (std::size_t i = 0; i < committed_.size(); ++i) {
    if (committed_in_[i] >= term) continue;
    require(i < log.size() && log[i] == committed_[i], [&] {
      return fmt::format("member {} leads term {} without {}, committed in term {}", member + 1, term.value,
                         core::describe(committed_[i]), committed_in_[i].value);
    });
  }
}

void ClusterChecker::check_committed(std::size_t member, const core::Node& node) {
  Shadow& shadow = shadows_[member];
  require(node.committed().value <= shadow.appended.entries.size(),
          [&] { return fmt::format("member {} commits {} beyond its log", member + 1, node.committed().value); });
  while (shadow.committed < node.committed()) {
    shadow.committed = shadow.committed.next();
    const core::Entry& entry = shadow.appended.entries[shadow.committed.value - 1];
    if (shadow.committed.value > committed_.size()) {
      check_majority_holds(entry, member);
      hash_.mix_all(entry.term.value, entry.index.value, entry.request.sequence);
      committed_.push_back(entry);
      committed_in_.push_back(node.term());
      if (entry.type == core::EntryType::configuration) {
        configuration_ = *core::decode_configuration(entry.payload.view());
      }
      continue;
    }
    const core::Entry& known = committed_[shadow.committed.value - 1];
    require(entry == known, [&] {
      return fmt::format("member {} commits {} where {} was committed", member + 1, core::describe(entry),
                         core::describe(known));
    });
  }
}

// A quorum of the configuration before the entry, or of one that the member has in its log from there on: each was in
// force from when it was appended, and one step may have seen several.
void ClusterChecker::check_majority_holds(const core::Entry& entry, std::size_t member) const {
  const auto holds = [&](core::NodeId id) {
    const auto& entries = shadows_[id.value - 1].durable.entries;
    return entries.size() >= entry.index.value && entries[entry.index.value - 1] == entry;
  };
  bool is_held = can_decide(configuration_, holds);
  const auto& log = shadows_[member].appended.entries;
  for (std::size_t i = entry.index.value - 1; !is_held && i < log.size(); ++i) {
    if (log[i].type != core::EntryType::configuration) continue;
    is_held = can_decide(*core::decode_configuration(log[i].payload.view()), holds);
  }
  require(is_held, [&] {
    return fmt::format("member {} commits {} which no majority holds durably", member + 1, core::describe(entry));
  });
}

void ClusterChecker::check_store(std::size_t member, const replica::Replica& replica, bool should_hash) {
  const kv::Store& store = replica.store();
  require(store.applied_index() == replica.node().handed_to_apply(), [&] {
    return fmt::format("member {} has applied {} of {}", member + 1, store.applied_index().value,
                       replica.node().handed_to_apply().value);
  });
  require(store.persisted_index().value <=
              std::max<std::uint64_t>(shadows_[member].durable.entries.size(), shadows_[member].installed.value),
          [&] {
            return fmt::format("member {} persists its store up to {} and its log only up to {} (S12)", member + 1,
                               store.persisted_index().value, shadows_[member].durable.entries.size());
          });
  core::Index& hashed = shadows_[member].hashed;
  if (!should_hash && (hashed == store.applied_index() || !is_hash_point(store.applied_index()))) return;
  hashed = store.applied_index();
  const std::uint64_t content = store.hash();
  const auto [stored, is_new] = hashes_.try_emplace(store.applied_index(), content);
  if (!is_new) ++hashes_compared_;
  require(stored->second == content, [&] {
    return fmt::format("member {} at applied index {} holds other content than another member (S58)", member + 1,
                       store.applied_index().value);
  });
  hash_.mix(content);
}

}  // namespace whitewater::sim

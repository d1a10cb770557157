#include "core/random_checker.hpp"

#include <fmt/format.h>

namespace whitewater::core::test {

void RandomChecker::on_persist(const MemberEnv& member, const Persist& persist) {
  // Log matching: an index and a term name one entry and, by induction, everything before it.
  for (const Entry& e : persist.entries) {
    const Term previous = member.node->log().term_at(e.index.prev()).value_or(Term(0));
    const auto [known, is_new] = written_.try_emplace({e.index.value, e.term.value}, Written{e, previous});
    if (is_new) continue;
    if (!(known->second.entry == e)) fail(fmt::format("log matching: two entries {}", describe(e)));
    if (known->second.previous != previous) fail(fmt::format("log matching: two logs before {}", describe(e)));
  }
}

void RandomChecker::on_applied(const MemberEnv& member, const Entry& entry) {
  if (entry.index.value > committed_.size() + 1) {
    fail(fmt::format("{} applied {} out of order", member.options.id.value, describe(entry)));
    return;
  }
  if (entry.index.value == committed_.size() + 1) {
    on_committed(member, entry);
  } else if (!(committed_[entry.index.value - 1] == entry)) {
    fail(fmt::format("state machines differ at {}", describe(entry)));
  }
}

void RandomChecker::on_committed(const MemberEnv&, const Entry& entry) {
  committed_.push_back(entry);
  if (entry.type == EntryType::configuration) ++changes_committed_;
  if (entry.type != EntryType::command) return;
  if (!committed_requests_.insert(entry.request.sequence).second) {
    fail(fmt::format("proposal {} committed twice", entry.request.sequence));
  }
  if (rejected_requests_.contains(entry.request.sequence)) {
    fail(fmt::format("proposal {} was refused and committed", entry.request.sequence));
  }
}

void RandomChecker::on_read_result(const MemberEnv& member, const ReadResult& result) {
  const auto read = reads_.find(result.tag);
  if (read == reads_.end() || !result.index) return;
  ++reads_done_;
  if (result.index->value < read->second) {
    fail(fmt::format("stale read {} on {}: at {}, but {} was committed", result.tag, member.options.id.value,
                     result.index->value, read->second));
  }
}

void RandomChecker::on_rejected(const MemberEnv&, const RejectedProposal& rejected) {
  rejected_requests_.insert(rejected.request.sequence);
  if (committed_requests_.contains(rejected.request.sequence)) {
    fail(fmt::format("proposal {} was committed and refused", rejected.request.sequence));
  }
}

void RandomChecker::on_snapshot_wanted(const MemberEnv& member, const SnapshotWanted& wanted) {
  snapshots_wanted.insert({member.options.id.value, wanted.peer.value});
}

void RandomChecker::on_snapshot_installed(const MemberEnv& member, Index index) {
  ++snapshots_installed_;
  if (index.value > committed_.size()) {
    fail(fmt::format("{} has a snapshot at {}, and {} is committed", member.options.id.value, index.value,
                     committed_.size()));
  }
}

void RandomChecker::on_change(const MemberEnv& member, const Invariants::Snapshot& before) {
  if (member.node->role() == Role::leader && before.role != Role::leader) check_new_leader(member);
}

void RandomChecker::check_new_leader(const MemberEnv& member) {
  const Node& node = *member.node;
  const auto self = std::pair(member.options.id.value, member.life);
  const auto [leader, is_new] = leaders_.try_emplace(node.term().value, self);
  if (!is_new && leader->second != self) {
    fail(fmt::format("election safety: {} (run {}) and {} (run {}) lead term {}", leader->second.first,
                     leader->second.second, self.first, self.second, node.term().value));
  }
  // Leader completeness.
  for (Index i = node.log().first_index(); i.value <= committed_.size(); i = i.next()) {
    if (!node.log().matches(i, committed_[i.value - 1].term)) {
      fail(fmt::format("leader completeness: {} leads term {} without {}", self.first, node.term().value,
                       describe(committed_[i.value - 1])));
      return;
    }
  }
}

}  // namespace whitewater::core::test

// ClusterChecker: what must hold of all members together, over restarts, seen from outside the replicas. It keeps a
// shadow of every member's log (what was handed to it, what was reported durable) and the one committed history, and
// throws Failure at the first step that breaks a rule. Owned by the cluster. It judges no client history
// (sim/linearizability.hpp, sim/revision_check.hpp).
//
// Rules: one leader a term, in one run of one member, chosen by a quorum of its configuration and holding all that was
// committed in older terms; no two quorums of successive configurations are disjoint, and no log is two of them ahead
// of what is committed; an index commits one entry, for ever; an entry commits only while a majority holds it durably;
// a restart finds the log as it was after some step at or past the last durable one; what a disk gives back is, byte by
// byte, what was written there, and what was committed wherever the store relies on it; the store is never durable past
// its own log; equal applied indexes mean equal content; core::Invariants between steps.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "core/invariants.hpp"
#include "log/recovery.hpp"
#include "replica/replica.hpp"
#include "sim/event_hash.hpp"

namespace whitewater::sim {

class ClusterChecker {
 public:
  ClusterChecker(std::size_t members, EventHash& hash);

  // Handed to the log, in the order of the calls. The token grows.
  void on_persist(std::size_t member, const core::Persist& persist);
  // The member's store is now a snapshot's; its log follows.
  void on_snapshot_installed(std::size_t member, const core::TermRun& end);
  void on_durable(std::size_t member, std::uint64_t token);
  // A new run of the member begins with what recovery found and what its store holds.
  // `is_behind_snapshot`: the store is an installed snapshot whose log had not begun anew before the crash.
  void on_start(std::size_t member, const log::RecoveredLog& recovered, core::Index store_applied,
                bool is_behind_snapshot = false);
  // Entries that the member read back from its disk. Up to `applied` they are what was committed.
  template <class Entries>
  void on_entries_read(std::size_t member, const Entries& entries, core::Index applied) const {
    for (const core::Entry& entry : entries) check_entry_read(member, entry, applied);
  }
  // After every step; `should_hash` also compares the content of the store.
  void on_step(std::size_t member, std::uint64_t incarnation, const replica::Replica& replica, bool should_hash);

  // Index 1 first.
  [[nodiscard]] const std::vector<core::Entry>& committed() const { return committed_; }
  [[nodiscard]] std::uint64_t elections() const { return leaders_.size(); }
  [[nodiscard]] std::uint64_t hashes_compared() const { return hashes_compared_; }

 private:
  struct Truncation {
    core::Index from;
  };
  // The log begins anew behind a snapshot, which stands for these entries.
  struct Reset {
    std::vector<core::Entry> covered;
  };
  using Change = std::variant<core::HardState, Truncation, Reset, core::Entry>;
  struct LogState {
    core::HardState hard_state;
    std::vector<core::Entry> entries;
    void apply(const Change& change);
  };
  struct PendingChange {
    std::uint64_t token;
    Change change;
  };
  struct Shadow {
    LogState durable;
    LogState appended;
    std::deque<PendingChange> pending;  // between the two
    core::Index committed;              // as this run knows it
    core::Index installed;              // the store may be this far ahead of the durable log
    core::Index hashed;                 // applied index at the last comparison of contents
    std::optional<core::Invariants::Snapshot> last_step;
    bool has_new_configuration = false;  // since the last step
  };
  struct Leader {
    std::size_t member;
    std::uint64_t incarnation;
  };

  void note_change(Shadow& shadow, std::uint64_t token, Change change);
  void note_vote(std::size_t member, const core::HardState& state);
  void check_entry_read(std::size_t member, const core::Entry& entry, core::Index applied) const;
  void check_configuration(std::size_t member, const core::Entry& entry) const;
  void check_uncommitted_changes(std::size_t member);
  void check_elected(std::size_t member, core::Term term) const;
  void check_committed(std::size_t member, const core::Node& node);
  void check_majority_holds(const core::Entry& entry, std::size_t member) const;
  void check_leader(std::size_t member, std::uint64_t incarnation, const core::Node& node);
  void check_store(std::size_t member, const replica::Replica& replica, bool should_hash);

  std::vector<Shadow> shadows_;
  std::vector<core::Entry> committed_;
  std::vector<core::Term> committed_in_;  // of the leader that committed each
  core::Configuration configuration_;     // as last committed
  std::map<core::Term, Leader> leaders_;
  std::map<core::Term, std::map<core::NodeId, core::NodeId>> votes_;  // durable ones: voter, candidate
  std::map<core::Index, std::uint64_t> hashes_;                       // of the store's content, by applied index
  std::uint64_t hashes_compared_ = 0;
  EventHash& hash_;
};

}  // namespace whitewater::sim

// RandomChecker: watches a ClusterEnv from outside and asserts what Raft promises over the whole run (thesis
// figure 3.2): election safety, log matching, leader completeness, state-machine safety; and for clients: no proposal
// twice, none that was refused, and reads that see everything committed before they began. A violation is remembered as
// text.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/cluster_env.hpp"

namespace whitewater::core::test {

class RandomChecker final : public ClusterObserver {
 public:
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] const std::vector<Entry>& committed() const { return committed_; }
  [[nodiscard]] std::uint64_t reads_done() const { return reads_done_; }

  [[nodiscard]] std::uint64_t snapshots_installed() const { return snapshots_installed_; }
  [[nodiscard]] std::uint64_t changes_committed() const { return changes_committed_; }
  // (leader, follower): each once until the test has taken it.
  std::set<std::pair<std::uint64_t, std::uint64_t>> snapshots_wanted;

  void on_read_started(std::uint64_t tag) { reads_[tag] = committed_.size(); }

  void on_persist(const MemberEnv& member, const Persist& persist) override;
  void on_applied(const MemberEnv& member, const Entry& entry) override;
  void on_read_result(const MemberEnv& member, const ReadResult& result) override;
  void on_rejected(const MemberEnv& member, const RejectedProposal& rejected) override;
  void on_snapshot_wanted(const MemberEnv& member, const SnapshotWanted& wanted) override;
  void on_snapshot_installed(const MemberEnv& member, Index index) override;
  void on_change(const MemberEnv& member, const Invariants::Snapshot& before) override;

 private:
  void fail(std::string text) {
    if (violation_.empty()) violation_ = std::move(text);
  }
  void check_new_leader(const MemberEnv& member);
  void on_committed(const MemberEnv& member, const Entry& entry);

  // One run of one member leads in a term: the same member after a restart is another.
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> leaders_;
  struct Written {
    Entry entry;
    Term previous;
  };
  std::map<std::pair<std::uint64_t, std::uint64_t>, Written> written_;  // by index and term
  std::vector<Entry> committed_;
  std::set<std::uint64_t> committed_requests_;
  std::set<std::uint64_t> rejected_requests_;
  std::map<std::uint64_t, std::uint64_t> reads_;  // tag: what was committed when it began
  std::uint64_t reads_done_ = 0;
  std::uint64_t snapshots_installed_ = 0;
  std::uint64_t changes_committed_ = 0;
  std::string violation_;
};

}  // namespace whitewater::core::test

// ClusterEnv: several Nodes with a simulated disk and network each, for transcripts and the random test. The caller
// moves time, delivers messages and completes disk writes by hand; every Output is carried out in the order that the
// contract in core/node.hpp gives. A crash loses what was not durable; messages that have left stay in the network.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/builders.hpp"
#include "core/invariants.hpp"
#include "core/node.hpp"

namespace whitewater::core::test {

// What is on stable storage: hard state and the entries from `first` on.
struct DiskEnv {
  HardState hard_state;
  Index first{1};
  Term released_term;  // of the entry before `first`
  std::deque<Entry> entries;

  [[nodiscard]] Index last() const { return Index(first.value + entries.size() - 1); }
  [[nodiscard]] const Entry& at(Index index) const { return entries[index - first]; }
  void write(const Persist& persist);
  void reset(Index index, Term term);  // begins anew after this entry
  void release(Index upto);            // keeps the last entry
  [[nodiscard]] LogStart start(Index applied) const;
};

struct MemberEnv {
  struct Write {
    Persist persist;
    std::vector<Message> after;  // leave when this and every earlier write is durable
  };
  NodeOptions options;
  Configuration base;          // in force before the log's first entry
  std::unique_ptr<Node> node;  // none while it is down
  base::Instant now;
  DiskEnv disk;
  std::deque<Write> writes;
  bool automatic_disk = true;
  std::vector<Entry> applied;  // what the state machine was given, from index 1
  Index durable_applied;       // the state machine's own durable position
  Index snapshot_index;        // of the newest snapshot that was installed, and the term of its last entry
  Term snapshot_term;
  std::uint64_t life = 0;
  Invariants::Snapshot seen;
};

// What a snapshot carries: the state machine, which here is what it was given, and the point that it covers.
struct SnapshotEnv {
  SnapshotPoint point;
  std::vector<Entry> applied;
};

// Sees every effect; the transcript prints it, the random test checks it.
class ClusterObserver {
 public:
  virtual ~ClusterObserver() = default;
  virtual void on_persist(const MemberEnv&, const Persist&) {}
  virtual void on_durable(const MemberEnv&, const Persist&) {}
  virtual void on_applied(const MemberEnv&, const Entry&) {}
  virtual void on_read_result(const MemberEnv&, const ReadResult&) {}
  virtual void on_rejected(const MemberEnv&, const RejectedProposal&) {}
  virtual void on_log_read(const MemberEnv&, const LogRead&, std::size_t /*entries*/) {}
  virtual void on_snapshot_wanted(const MemberEnv&, const SnapshotWanted&) {}
  virtual void on_snapshot_installed(const MemberEnv&, Index) {}
  virtual void on_change(const MemberEnv&, const Invariants::Snapshot& /*before*/) {}
};

class ClusterEnv {
 public:
  explicit ClusterEnv(ClusterObserver& observer) : observer_(observer) {}

  void add_member(NodeOptions options, Configuration configuration);
  [[nodiscard]] std::map<std::uint64_t, MemberEnv>& members() { return members_; }
  [[nodiscard]] MemberEnv& member(std::uint64_t id) { return members_.at(id); }
  [[nodiscard]] Node& node(std::uint64_t id) { return *members_.at(id).node; }
  [[nodiscard]] bool is_up(std::uint64_t id) const { return members_.at(id).node != nullptr; }

  // Inputs of one member. Each carries out the Outputs that follow.
  void tick(std::uint64_t id, base::Duration elapsed);
  void tick_to_deadline(std::uint64_t id);
  base::Result<void> propose(std::uint64_t id, Proposal proposal);
  base::Result<void> read(std::uint64_t id, std::uint64_t tag);
  base::Result<void> change(std::uint64_t id, RequestId request, ConfigurationChange change);
  // A snapshot of what `from` holds durably; nothing when that is nothing, or its log no longer knows the term.
  [[nodiscard]] std::optional<SnapshotEnv> take_snapshot(std::uint64_t from);
  void snapshot_started(std::uint64_t from, std::uint64_t to, Index index);
  // The snapshot is durable at `to`; its log follows as its disk allows. False when it is of no use there.
  bool install_snapshot(std::uint64_t to, const SnapshotEnv& snapshot);
  void snapshot_sent(std::uint64_t from, std::uint64_t to, Index index);
  // All of it at once.
  bool send_snapshot(std::uint64_t from, std::uint64_t to);
  void stall(std::uint64_t id, base::Duration elapsed);
  bool transfer(std::uint64_t id);
  void connect(std::uint64_t id, std::uint64_t peer);
  void release(std::uint64_t id, Index upto);

  // Disk: completes the oldest write. False when there is none.
  bool complete_write(std::uint64_t id);
  void set_automatic_disk(std::uint64_t id, bool automatic);
  void crash(std::uint64_t id);
  void restart(std::uint64_t id);

  // Network. A cut link drops what is delivered over it.
  [[nodiscard]] std::deque<Message>& network() { return network_; }
  void cut(std::uint64_t from, std::uint64_t to) { cut_.insert({from, to}); }
  void heal() { cut_.clear(); }
  [[nodiscard]] bool can_pass(const Message& message) const;
  void deliver(Message message);

 private:
  [[nodiscard]] static Configuration configuration_at(const MemberEnv& member, Index index);
  void settle(MemberEnv& member);
  void carry_out(MemberEnv& member, Output output);
  void answer_log_read(MemberEnv& member, const LogRead& request);

  ClusterObserver& observer_;
  std::map<std::uint64_t, MemberEnv> members_;
  std::deque<Message> network_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> cut_;
};

}  // namespace whitewater::core::test

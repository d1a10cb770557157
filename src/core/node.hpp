// Node: one member's Raft state machine. Pure: every input is a value (time, message, proposal, durable completion),
// every effect is in the Output that `take_output` returns. Owned by replica::Replica on the reactor's thread; the
// simulator runs the same code. It does not store, send, apply or wait.
//
// The contract of Output, in order:
//   1. `persist` goes to the log; when it is on stable storage the owner calls on_persisted(token). Tokens complete in
//   order.
//   2. `messages` may leave at once, also before the write (a leader's appends travel while its own disk writes).
//   3. `after_persist` leaves only when everything handed to the log so far is durable: votes and acknowledgements.
//   4. `committed` is applied in order, exactly once.
// Sources: Ongaro's thesis, sections named at each function; PreVote §9.6; CheckQuorum §6.2; ReadIndex §6.4.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "core/log_view.hpp"
#include "core/messages.hpp"
#include "core/progress.hpp"
#include "core/quorum.hpp"
#include "core/read_index.hpp"

namespace whitewater::core {

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };
[[nodiscard]] std::string describe(Role role);

struct NodeOptions {
  NodeId id;
  base::Duration election_timeout = base::milliseconds(1000);  // T: a follower waits between T and 1.5 T
  base::Duration heartbeat_interval = base::milliseconds(100);
  WindowLimits window;
  std::size_t append_bytes_max = 256UL << 10;  // payload of one append message; one larger entry may exceed it
  std::size_t cache_bytes_max = 64UL << 20;    // entries kept in memory for followers and apply
  // A leader refuses proposals beyond this, and beyond as much that is committed but not on its own disk.
  std::size_t uncommitted_bytes_max = 64UL << 20;
  std::size_t apply_entries_max = 1024;  // entries of one Output::committed
  // A learner may get a vote when it lacks at most this many entries: what a second of appends brings it.
  std::uint64_t promotion_lag_entries_max = 4096;
  // Reads that trust the clocks instead of asking a quorum (thesis §6.4.1). All members of a cluster must agree on it:
  // each promises to vote for nobody within an election time-out of having heard its leader, restarts included.
  bool lease_reads = false;
  // By how much two members' clocks may drift apart, in parts of 1000, while a lease is trusted.
  std::uint32_t lease_drift_permille = 100;
};

struct NodeStart {
  HardState hard_state;
  LogStart log;
  Index applied;                // of the state machine; committed by definition
  Configuration configuration;  // in force at `applied`; later configuration entries are found in the log
  base::Instant now;
  std::uint64_t rng_seed = 0;
  // The first campaign comes after this instead of a whole election time-out (a pre-vote disturbs no leader that is
  // alive), and at once when there is nobody else to ask.
  std::optional<base::Duration> first_election_delay;
};

// The last entry that a snapshot covers, and the configuration in force there.
struct SnapshotPoint {
  Index index;
  Term term;
  Configuration configuration;
};

struct Persist {
  std::uint64_t token = 0;  // grows by one
  std::optional<HardState> hard_state;
  // The log begins anew after this entry, before `entries`: a snapshot, durable by now, has taken its place.
  std::optional<TermRun> reset;
  std::vector<Entry> entries;  // contiguous; replaces anything from its first index on
};

// Entries that a follower needs and memory no longer holds. Answer with on_log_read.
struct LogRead {
  NodeId peer;
  Index first;
  std::size_t bytes_max = 0;
};

struct ReadResult {
  std::uint64_t tag = 0;
  std::optional<Index> index;  // nothing: refused (leader changed or unknown); a new read must be started
};

// A proposal of this member's that the leader did not append: proposing it again cannot apply it twice.
struct RejectedProposal {
  RequestId request;
  base::Errc reason = base::Errc::not_leader;
};

// A follower needs what the log has released: send it a snapshot, newer than `after`, and tell on_snapshot_sent.
struct SnapshotWanted {
  NodeId peer;
  Index after;
};

struct Output {
  std::optional<Persist> persist;
  std::vector<Message> messages;
  std::vector<Message> after_persist;
  std::vector<Entry> committed;
  std::vector<ReadResult> reads;
  std::vector<RejectedProposal> rejected;
  std::vector<LogRead> log_reads;
  std::vector<SnapshotWanted> snapshots;  // once for each time that a follower falls behind

  [[nodiscard]] bool empty() const;
};

class Node {
 public:
  Node(NodeOptions options, NodeStart start);

  // Inputs. `now` never goes backwards.
  void on_tick(base::Instant now);
  void on_message(base::Instant now, Message message);
  void on_persisted(base::Instant now, std::uint64_t token);
  // Leader: appends the proposal. Follower: sends it to the leader. no_leader: none is known or leadership is being
  // handed over; too_many_requests: too much is uncommitted; request_too_large. On a refusal nothing was appended.
  base::Result<void> on_propose(base::Instant now, Proposal proposal);
  // A change of the configuration, by the same way. Its entry carries `request` (the entry that ends it, when it goes
  // through a joint configuration). Leader: also change_in_progress, learner_not_ready, quorum_at_risk, and what
  // next_configuration refuses.
  base::Result<void> on_propose_change(base::Instant now, RequestId request, ConfigurationChange change);
  // A linearizable read; the answer comes as Output::reads with `tag`, if it is not lost with a message.
  base::Result<void> on_read(base::Instant now, std::uint64_t tag);
  // What an Output::LogRead asked for; empty when the log could not serve it (released meanwhile).
  void on_log_read(base::Instant now, NodeId peer, std::vector<Entry> entries);
  // Leader: a snapshot at `index` is on its way; the log is not released beyond it for a while
  // (releasable_behind_healthy).
  void on_snapshot_started(NodeId peer, Index index);
  // Leader: the follower has said that it holds the snapshot up to `index`.
  void on_snapshot_sent(base::Instant now, NodeId peer, Index index);
  // Would a snapshot at `index` bring this member anything? Not when its own log leads up to there.
  [[nodiscard]] bool needs_snapshot(Index index, Term term) const;
  // The state machine and its storage now are those of the snapshot, durably; the log follows with the next Persist.
  // Only what needs_snapshot().
  void install_snapshot(base::Instant now, SnapshotPoint point);
  // This process did not run for a while, or its clock jumped: nothing that it believed about time still holds. The
  // lease ends, and an election timer that ran out meanwhile starts once more. With lease_reads a follower's promise to
  // vote for nobody begins once more too.
  void on_stall(base::Instant now);
  // A new connection to `peer`: appends in flight on the old one are gone.
  void on_peer_connected(NodeId peer);
  // Entries up to `upto` will not be read again: see releasable().
  void on_released(Index upto) { log_.release(upto); }
  // While set, this leader appends no proposals and answers with the reason (no_space), and this follower takes no
  // commands from its leader; nothing: appends again.
  void set_refusal(std::optional<base::Errc> reason) { refusal_ = reason; }
  // While the own disk does not answer: this leader hands over to a member that is alive, or failing that stops
  // leading, neither of which needs the disk; this follower does not campaign, for nobody would hear of its vote.
  void set_disk_stalled(bool is_stalled) { is_disk_stalled_ = is_stalled; }
  // Leader: hands leadership to the voter that holds most (thesis §3.10). False when there is nobody to hand it to.
  bool transfer_leadership(base::Instant now);

  [[nodiscard]] Output take_output();
  // When on_tick has something to do at the latest.
  [[nodiscard]] base::Instant next_deadline() const;

  [[nodiscard]] NodeId id() const { return options_.id; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] NodeId vote() const { return hard_state_.vote; }
  [[nodiscard]] NodeId leader() const { return leader_; }
  [[nodiscard]] Index committed() const { return committed_; }
  // The newest index that a leader has said to be committed; beyond the own log on a member that is behind.
  [[nodiscard]] Index known_committed() const { return known_committed_; }
  [[nodiscard]] Index handed_to_apply() const { return applied_; }
  [[nodiscard]] const LogView& log() const { return log_; }
  [[nodiscard]] const Configuration& configuration() const { return configurations_.back().configuration; }
  [[nodiscard]] bool is_transferring() const { return transfer_target_.has_value(); }
  // The one in force at committed(); configuration() may be newer and may be taken back.
  [[nodiscard]] const Configuration& committed_configuration() const { return configurations_.front().configuration; }
  // A change that is in the log and not committed yet.
  [[nodiscard]] bool has_uncommitted_change() const { return configurations_.size() > 1; }
  // Leader with lease_reads: a quorum has promised to elect nobody else before this.
  [[nodiscard]] bool holds_lease(base::Instant now) const;
  [[nodiscard]] bool has_committed_in_term() const { return log_.term_at(committed_) == hard_state_.term; }
  [[nodiscard]] const std::map<NodeId, Progress>& progress() const { return progress_; }
  // Leader: what a quorum would hold if the own disk were not waited for; zero on others.
  [[nodiscard]] Index replicated_index() const;
  // Every member is known to hold everything up to here; the leader finds it and tells the others.
  [[nodiscard]] Index releasable() const { return releasable_; }
  // The same for the members that this leader hears, those that are sent a snapshot needing what follows it;
  // releasable() on followers.
  [[nodiscard]] Index releasable_behind_healthy() const;
  [[nodiscard]] std::string describe() const;

 private:
  friend struct Invariants;

  struct ConfigurationAt {
    Index index;
    Configuration configuration;
  };
  struct PendingPersist {
    std::uint64_t token;
    Term term;   // of `last`
    Index last;  // up to here this write vouches for the log; replace_pending_writes() cuts it
  };

  // node.cpp: terms, roles, the log
  void set_term(Term term);
  void become_follower(Term term, NodeId leader);
  bool is_message_of_current_term(const Message& message);
  void answer_stale(const Message& message);
  void append_to_log(Entry entry);
  void truncate_log(Index from);
  void replace_pending_writes(Index from);
  void set_committed(Index index);
  void restart_election_timer();
  void send(NodeId to, MessageBody body);
  void send_after_persist(NodeId to, Term term, MessageBody body);
  void push_configuration(Index index, std::string_view encoded);
  void flush_forwards();
  void fill_persist(Output& output);
  void fill_committed(Output& output);
  [[nodiscard]] bool can_campaign() const;

  // follower.cpp
  void on_append(const Message& message, AppendRequest request);
  void on_heartbeat(const Message& message, const Heartbeat& heartbeat);
  void on_vote_request(const Message& message, const VoteRequest& request);
  void on_timeout_now(const Message& message);
  void on_forward_rejected(const ForwardRejected& rejected);
  void on_read_index_response(const ReadIndexResponse& response);
  [[nodiscard]] bool is_leader_recent() const;
  void drop_new_commands(AppendRequest& request) const;

  // candidate.cpp
  void campaign(bool pre_vote, bool transfer);
  void on_vote_response(const Message& message, const VoteResponse& response);
  void count_own_vote();

  // leader.cpp
  void become_leader();
  void tick_leader();
  void replicate();
  void send_append(NodeId peer, Progress& progress, std::vector<Entry> entries);
  void send_heartbeats();
  void on_append_response(const Message& message, const AppendResponse& response);
  void on_heartbeat_response(const Message& message, const HeartbeatResponse& response);
  void on_forwarded(const Message& message, ForwardedProposals forwarded);
  void on_forwarded_change(const Message& message, const ForwardedChange& forwarded);
  void on_read_index_request(const Message& message, const ReadIndexRequest& request);
  base::Result<void> append_proposal(Proposal proposal);
  base::Result<void> append_change(RequestId request, const ConfigurationChange& change);
  void append_configuration(RequestId request, const Configuration& configuration);
  void advance_configuration();
  void step_down_when_removed();
  [[nodiscard]] const std::pair<const NodeId, Progress>* best_successor() const;
  [[nodiscard]] bool can_promote(NodeId learner) const;
  [[nodiscard]] Index quorum_match(Index own) const;
  void maybe_commit();
  void update_releasable();
  void maybe_start_read_round();
  void maybe_finish_read_round();
  void answer_reads(const std::vector<ConfirmedRead>& reads);
  void maybe_finish_transfer();
  void refresh_progress();
  [[nodiscard]] bool has_recent_quorum(const Configuration& of) const;
  void leave_stalled_disk();
  [[nodiscard]] bool is_memory_full() const;

  NodeOptions options_;
  base::Rng rng_;
  base::Instant now_;
  Role role_ = Role::follower;
  HardState hard_state_;
  HardState persisted_hard_state_;  // as last put into a Persist
  NodeId leader_;
  LogView log_;
  Index committed_;
  Index known_committed_;
  Index applied_;  // handed out in Output::committed
  std::vector<ConfigurationAt>
      configurations_;  // the base, then one per configuration entry that may still be truncated

  base::Instant election_deadline_;
  base::Instant leader_contact_;  // when a leader of this term was last heard
  bool heard_leader_ = false;

  VoteMap votes_;                     // candidates
  std::uint64_t own_vote_token_ = 0;  // the persist that carries the own vote; zero: not asked to be persisted yet
  bool own_vote_pending_ = false;
  bool campaign_is_transfer_ = false;

  std::map<NodeId, Progress> progress_;  // leader: every other member
  ReadRounds reads_;
  base::Instant heartbeat_deadline_;
  base::Instant quorum_deadline_;
  std::size_t uncommitted_bytes_ = 0;
  Index releasable_;
  std::optional<base::Errc> refusal_;
  std::optional<NodeId> transfer_target_;
  base::Instant transfer_deadline_;
  bool transfer_sent_ = false;
  bool is_disk_stalled_ = false;
  bool has_left_stalled_disk_ = false;  // leader: has tried to hand over for its disk's sake in this term
  RequestId change_request_;            // leader: of the joint configuration that is under way
  // Leader: when each heartbeat round that may still be answered was sent, and whether this term's lease is void for
  // good: a TimeoutNow that was sent may make its receiver a leader at any time.
  std::deque<std::pair<std::uint64_t, base::Instant>> round_times_;
  bool lease_is_void_ = false;

  std::uint64_t next_token_ = 1;
  Index persist_from_;  // first entry not yet put into a Persist; past the end when there is none
  std::deque<PendingPersist> pending_persists_;
  std::optional<TermRun> reset_to_persist_;
  std::vector<Proposal> forwards_;  // follower: to the leader with the next output
  Output output_;
};

}  // namespace whitewater::core

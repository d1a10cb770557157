// Replica: one member's core, store and clients' requests, put in the one safe order: persist, send, apply, reply.
// Sans-I/O: inputs are values, effects are returned by take_effects, and the same code runs in the server's loop and in
// the simulator. Owned by the server on the reactor's thread. It neither waits nor reads a clock; it evaluates no read
// itself: a finished read means "the store may now be read".
//
//   clients ─ on_propose / on_read ─┐                      ┌─► persist ─► the log ─► on_persisted
//   peers ─── on_message ───────────┼─► core ─► Effects ───┼─► send
//   time ──── on_tick ──────────────┘                      └─► applied to the store ─► proposals, reads
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "core/node.hpp"
#include "kv/store.hpp"
#include "replica/pending.hpp"

namespace whitewater::replica {

struct ReplicaOptions {
  core::NodeOptions node;
  base::Incarnation incarnation;                      // makes request ids unique over restarts
  base::Duration request_timeout = base::seconds(7);  // etcd's: 5 s and two election time-outs
  base::Duration read_retry_interval = base::milliseconds(500);
  std::size_t pending_proposals_max = 16384;  // more are refused with too_many_requests
  std::size_t pending_bytes_max = 64UL << 20;
  std::size_t pending_reads_max = 65536;
  std::uint64_t apply_backlog_entries_max = 5000;  // committed and not applied: etcd's limit before it refuses
};

using Ticket = std::uint64_t;

// How much of the log's budget is in use.
enum class LogPressure : std::uint8_t {
  low,       // entries wait for every member
  high,      // for those that are heard from
  critical,  // for nobody
};

struct ProposalDone {
  Ticket ticket = 0;
  // no_leader, too_many_requests, no_space, request_too_large, and the refusals of a membership change: not applied and
  // never will be. timed_out, stopped: unknown. A membership change that took effect is answered with an empty
  // response.
  base::Result<kv::CommandResponse> outcome;
  StageTimes times;
};

struct ReadDone {
  Ticket ticket = 0;
  base::Result<void> outcome;  // success: the store holds everything acknowledged before the read began
};

// A configuration that is committed and applied here, in order.
struct AppliedConfiguration {
  core::Index index;
  core::Term term;
  core::Configuration configuration;
};

struct Effects {
  std::optional<core::Persist> persist;
  std::vector<core::Message> send;
  std::vector<ProposalDone> proposals;
  std::vector<ReadDone> reads;
  std::vector<core::LogRead> log_reads;
  std::vector<core::SnapshotWanted> snapshots;
  std::vector<AppliedConfiguration> configurations;

  [[nodiscard]] bool empty() const {
    return !persist && send.empty() && proposals.empty() && reads.empty() && log_reads.empty() && snapshots.empty() &&
           configurations.empty();
  }
};

class Replica {
 public:
  Replica(ReplicaOptions options, core::NodeStart start, std::unique_ptr<kv::Store> store);

  // A write. On a refusal nothing was proposed; otherwise exactly one ProposalDone follows.
  base::Result<Ticket> on_propose(base::Instant now, base::Instant accepted, base::SharedBytes command);
  // A change of who is a member. Otherwise as on_propose.
  base::Result<Ticket> on_propose_change(base::Instant now, core::ConfigurationChange change);
  // A linearizable read. Otherwise as on_propose; the ReadDone's success lets the caller read the store.
  base::Result<Ticket> on_read(base::Instant now);
  void on_message(base::Instant now, core::Message message);
  void on_tick(base::Instant now);
  void on_persisted(base::Instant now, std::uint64_t token);
  void on_log_read(base::Instant now, core::NodeId peer, std::vector<core::Entry> entries);
  void on_peer_connected(core::NodeId peer);
  // Requests in a message of Effects::send to the leader that certainly never left: they are proposed again.
  void on_unsent(const std::vector<core::RequestId>& forwarded);
  void on_snapshot_started(core::NodeId peer, core::Index index) { node_.on_snapshot_started(peer, index); }
  void on_snapshot_sent(base::Instant now, core::NodeId peer, core::Index index);
  // `store`, durable and the one that the next start opens, takes the place of the present one, which is returned. Only
  // what node().needs_snapshot().
  std::unique_ptr<kv::Store> install_snapshot(base::Instant now, core::SnapshotPoint point,
                                              std::unique_ptr<kv::Store> store);
  void on_stall(base::Instant now);
  // The log's space: while full, this leader refuses writes (no_space).
  void set_log_full(bool full);
  void set_disk_stalled(bool is_stalled) { node_.set_disk_stalled(is_stalled); }
  // Hands leadership over before a stop; the caller waits until is_leader() is false or gives up. False: nobody can
  // take it.
  bool transfer_leadership(base::Instant now);
  // Ends every request with `stopped`.
  void stop();

  [[nodiscard]] Effects take_effects();
  // The newest entry that the log need not keep: applied durably here and, as far as the pressure allows to wait for
  // it, held by the other members; who comes too late gets a snapshot. One entry earlier than that, so that the first
  // retained entry always has a known predecessor.
  [[nodiscard]] core::Index releasable(LogPressure pressure = LogPressure::low) const;
  void on_log_released(core::Index upto) { node_.on_released(upto); }

  [[nodiscard]] const core::Node& node() const { return node_; }
  [[nodiscard]] kv::Store& store() { return *store_; }
  [[nodiscard]] const kv::Store& store() const { return *store_; }
  [[nodiscard]] bool is_leader() const { return node_.role() == core::Role::leader; }
  [[nodiscard]] base::Instant next_deadline() const;
  [[nodiscard]] std::size_t pending_proposals() const { return pending_.count(); }
  [[nodiscard]] std::uint64_t proposals_failed() const { return proposals_failed_; }

 private:
  struct WaitingRead {
    Ticket ticket;
    base::Instant deadline;
  };
  struct ReadBatch {
    std::uint64_t tag = 0;  // zero: no batch is under way
    base::Instant started;
    std::vector<WaitingRead> reads;
  };
  struct ConfirmedReads {
    core::Index index;
    std::vector<WaitingRead> reads;
  };
  struct DeferredMessages {
    std::uint64_t token;  // leave once this persist is durable
    std::vector<core::Message> messages;
  };
  // An entry of this leader's own client, on its way to a stage.
  struct AwaitedEntry {
    core::Index index;
    Ticket ticket;
  };
  using StageTime = std::optional<base::Instant> StageTimes::*;

  [[nodiscard]] bool has_leader() const { return !node_.leader().is_zero() && !node_.is_transferring(); }
  base::Result<Ticket> add_proposal(base::Instant now, PendingProposal proposal);
  void propose_held();
  void on_rejected(const core::RejectedProposal& rejected);
  void propose_lost_again(core::Term term);
  void note_stage(std::deque<AwaitedEntry>& awaiting, core::Index reached, StageTime stage);
  void try_propose(Ticket ticket, PendingProposal& proposal);
  void fail(Ticket ticket, base::Errc reason);
  void apply(const std::vector<core::Entry>& committed);
  void note_configuration(const core::Entry& entry);
  void answer_applied(const core::Entry& entry, kv::CommandResponse response);
  void persist_store();
  void start_read_batch();
  void on_read_result(const core::ReadResult& result);
  void finish_reads();
  void fail_reads(std::vector<WaitingRead>& reads, base::Errc reason);
  void expire(base::Instant now);
  void release_deferred(std::uint64_t token);

  ReplicaOptions options_;
  core::Node node_;
  std::unique_ptr<kv::Store> store_;
  base::Instant now_;

  PendingProposals pending_;
  std::vector<Ticket> just_proposed_;       // since the last output: their term is known with the next
  core::Term applied_term_;                 // of the last entry applied
  std::deque<Ticket> held_;                 // in order; proposed as soon as there is a leader
  std::deque<AwaitedEntry> awaiting_disk_;  // leader: for the stage times
  std::deque<AwaitedEntry> awaiting_quorum_;
  std::uint64_t proposals_failed_ = 0;

  Ticket next_read_ticket_ = 1;
  std::uint64_t next_read_tag_;  // never one of an earlier run: its answer may still be on its way (hazard S50)
  std::vector<WaitingRead> waiting_reads_;  // for the next batch
  ReadBatch batch_;
  std::deque<ConfirmedReads> confirmed_;  // wait until the store has applied `index`
  std::size_t pending_reads_ = 0;

  std::uint64_t issued_token_ = 0;
  std::uint64_t durable_token_ = 0;
  std::deque<DeferredMessages> deferred_;
  Effects effects_;
};

}  // namespace whitewater::replica

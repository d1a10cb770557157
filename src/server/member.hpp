// Member: the loop around one Replica. Moves its Effects to the log, the peers and the waiting requests, and
// completions, messages and time back into it. Everything that happens in one turn of the reactor is taken together,
// which is what makes batches. Owned by the server once this process belongs to a cluster; reactor thread. Decides
// nothing about Raft.
#pragma once

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/log_line.hpp"
#include "log/raft_log.hpp"
#include "net/event.hpp"
#include "net/reactor.hpp"
#include "replica/catch_up.hpp"
#include "replica/replica.hpp"

namespace whitewater::server {

// Takes the core's messages to the members; may drop any of them.
class MessageSender {
 public:
  virtual ~MessageSender() = default;
  // False: the message was dropped at once, and nothing of it left.
  virtual bool send(core::Message message) = 0;
};

struct WriteOutcome {
  base::Result<kv::CommandResponse> response;
  replica::StageTimes times;
  base::Instant applied;
};

struct MemberCounters {
  std::uint64_t leader_changes = 0;
  std::uint64_t reads_failed = 0;
  std::uint64_t entries_logged = 0;
  std::uint64_t loop_stalls = 0;  // turns that came later than half the election time-out
  base::Duration longest_gap{0};  // between two ticks
  std::uint64_t disk_stalls = 0;  // times that a write of the log took longer than the limit
};

class Member {
 public:
  // `log_token_offset`: tokens that the log has used before the replica existed. A leader whose log does not answer for
  // longer than `disk_stall_limit` hands over. `log` and `sender` outlive the member.
  Member(net::Executor executor, replica::ReplicaOptions options, core::NodeStart start,
         std::unique_ptr<kv::Store> store, log::RaftLog& log, std::uint64_t log_token_offset,
         base::Duration disk_stall_limit, MessageSender& sender, base::LogSink& sink);

  // Ticks, watches the log and keeps house until cancelled.
  net::Awaitable<void> run();

  // A write, through the log of a majority. `accepted` is when the client's request was read.
  net::Awaitable<WriteOutcome> write(base::Instant accepted, std::string command);
  // A change of who is a member; returns when it is committed and applied here, or refused.
  net::Awaitable<base::Result<void>> change(core::ConfigurationChange change);
  // Returns when the store may be read linearizably.
  net::Awaitable<base::Result<void>> read_barrier();
  // Returns when a compaction up to `revision` has removed its records here, or after `limit`.
  net::Awaitable<void> physical_compaction(kv::Revision revision, base::Duration limit);

  void on_message(core::Message message) { replica_.on_message(look_at_clock(), std::move(message)); }
  // After a batch of inputs: acts on all of them at once.
  void drive();
  void on_peer_connected(base::NodeId peer);
  void on_snapshot_started(base::NodeId peer, base::Index index) { replica_.on_snapshot_started(peer, index); }
  void on_snapshot_sent(base::NodeId peer, base::Index index);
  // The store that is replaced; see Replica::install_snapshot.
  [[nodiscard]] std::unique_ptr<kv::Store> install_snapshot(core::SnapshotPoint point,
                                                            std::unique_ptr<kv::Store> store);
  // Called for each follower that needs a snapshot.
  void on_snapshot_wanted(std::function<void(base::NodeId)> observer) { snapshot_observer_ = std::move(observer); }
  // Hands leadership over; true when this member leads no more within `limit`.
  net::Awaitable<bool> hand_over(base::Duration limit);
  // Answers every waiting request with `stopped`.
  void stop();

  [[nodiscard]] const replica::Replica& replica() const { return replica_; }
  [[nodiscard]] const core::Node& node() const { return replica_.node(); }
  [[nodiscard]] const kv::Store& store() const { return replica_.store(); }
  [[nodiscard]] const replica::CatchUp& catch_up() const { return catch_up_; }
  [[nodiscard]] const MemberCounters& counters() const { return counters_; }
  [[nodiscard]] base::Instant last_tick() const { return last_tick_; }
  // Called whenever the configuration in force may have changed.
  void on_configuration(std::function<void(const core::Configuration&)> observer);
  // Called for each committed configuration, in order, also for those that are applied again after a restart.
  void on_applied_configuration(std::function<void(const replica::AppliedConfiguration&)> observer) {
    applied_configuration_observer_ = std::move(observer);
  }
  // Called with the entries of each batch that goes to the log.
  void on_log_batch(std::function<void(std::size_t)> observer) { log_batch_observer_ = std::move(observer); }
  void on_apply_latency(std::function<void(base::Duration)> observer) { apply_observer_ = std::move(observer); }

 private:
  struct WriteWaiter;
  struct ReadWaiter;
  using LogDescriptor = boost::asio::posix::basic_stream_descriptor<net::Executor>;

  net::Awaitable<void> tick_loop();
  net::Awaitable<void> log_loop();
  net::Awaitable<void> housekeeping_loop();
  net::Awaitable<base::Result<void>> wait_until_pressed();
  // The time for what is handed to the replica.
  [[nodiscard]] base::Instant look_at_clock();
  void drive_soon();
  void perform(replica::Effects effects);
  void poll_log();
  void release_log();
  void note_role();
  void watch_disk();

  net::Executor executor_;
  replica::Replica replica_;
  log::RaftLog& log_;
  std::uint64_t log_token_offset_;
  MessageSender& sender_;
  base::LogSink& sink_;
  base::Duration tick_interval_;
  base::Duration stall_limit_;
  base::Duration disk_stall_limit_;

  std::unordered_map<replica::Ticket, WriteWaiter*> writes_;
  std::unordered_map<replica::Ticket, ReadWaiter*> reads_;
  std::unordered_map<std::uint64_t, base::NodeId> log_reads_;
  std::uint64_t next_log_read_ = 1;
  LogDescriptor log_descriptor_;
  net::Event log_pressed_;  // half of its budget is in use
  log::LogEvents log_events_;
  std::function<void(const core::Configuration&)> configuration_observer_;
  std::function<void(const replica::AppliedConfiguration&)> applied_configuration_observer_;
  std::function<void(base::Duration)> apply_observer_;
  std::function<void(std::size_t)> log_batch_observer_;
  std::function<void(base::NodeId)> snapshot_observer_;
  core::Configuration seen_configuration_;
  core::Role seen_role_ = core::Role::follower;
  base::NodeId seen_leader_;
  core::Index released_;
  base::Instant last_tick_;
  replica::CatchUp catch_up_;
  bool is_disk_stalled_ = false;
  MemberCounters counters_;
  bool is_drive_posted_ = false;
  bool is_driving_ = false;
};

}  // namespace whitewater::server

#include "server/member.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "net/task_group.hpp"
#include "net/timeout.hpp"

namespace whitewater::server {
namespace {

constexpr base::Duration tick_interval_max = base::milliseconds(25);
constexpr base::Duration housekeeping_interval = base::milliseconds(200);
constexpr base::Duration pressed_interval = base::milliseconds(5);  // while half of the log's budget is in use
constexpr std::size_t compact_records_per_turn = 2000;
// The store is flushed, so that the log can be released, when more segments than these are in use.
constexpr std::uint32_t flush_above_segments = 3;

// From these parts of the budget on, slow and then absent followers are not waited for.
replica::LogPressure log_pressure(const log::LogStats& stats) {
  const std::uint32_t used = stats.segments - stats.segments_free;
  if (used * 4 >= stats.segments_max * 3) return replica::LogPressure::critical;
  if (used * 2 >= stats.segments_max) return replica::LogPressure::high;
  return replica::LogPressure::low;
}

// The clients' requests in a message, for the case that it cannot be sent.
std::vector<core::RequestId> requests_in(const core::Message& message) {
  std::vector<core::RequestId> requests;
  if (const auto* forwarded = std::get_if<core::ForwardedProposals>(&message.body)) {
    for (const core::Proposal& proposal : forwarded->proposals) requests.push_back(proposal.request);
  } else if (const auto* change = std::get_if<core::ForwardedChange>(&message.body)) {
    requests.push_back(change->request);
  }
  return requests;
}

std::optional<log::LogReset> reset_of(const core::Persist& persist) {
  if (!persist.reset) return std::nullopt;
  return log::LogReset{persist.reset->first.next(), persist.reset->term};
}

}  // namespace

// A coroutine that waits for its request; it leaves the map when it ends for whatever reason.
struct Member::WriteWaiter {
  WriteWaiter(Member& member, replica::Ticket ticket) : event(member.executor_), owner(member), id(ticket) {
    owner.writes_.emplace(id, this);
  }
  ~WriteWaiter() { owner.writes_.erase(id); }
  WriteWaiter(const WriteWaiter&) = delete;
  WriteWaiter& operator=(const WriteWaiter&) = delete;

  net::Event event;
  Member& owner;
  replica::Ticket id;
  std::optional<WriteOutcome> outcome;
};

struct Member::ReadWaiter {
  ReadWaiter(Member& member, replica::Ticket ticket) : event(member.executor_), owner(member), id(ticket) {
    owner.reads_.emplace(id, this);
  }
  ~ReadWaiter() { owner.reads_.erase(id); }
  ReadWaiter(const ReadWaiter&) = delete;
  ReadWaiter& operator=(const ReadWaiter&) = delete;

  net::Event event;
  Member& owner;
  replica::Ticket id;
  std::optional<base::Result<void>> outcome;
};

Member::Member(net::Executor executor, replica::ReplicaOptions options, core::NodeStart start,
               std::unique_ptr<kv::Store> store, log::RaftLog& log, std::uint64_t log_token_offset,
               base::Duration disk_stall_limit, MessageSender& sender, base::LogSink& sink)
    : executor_(executor),
      replica_(options, std::move(start), std::move(store)),
      log_(log),
      log_token_offset_(log_token_offset),
      sender_(sender),
      sink_(sink),
      tick_interval_(std::min(tick_interval_max, options.node.heartbeat_interval / 2)),
      stall_limit_(options.node.election_timeout / 2),
      disk_stall_limit_(disk_stall_limit),
      log_descriptor_(executor, ::dup(log.completion_fd())),
      log_pressed_(executor),
      last_tick_(net::now()) {}

net::Awaitable<void> Member::run() {
  net::TaskGroup tasks(executor_);
  tasks.spawn(tick_loop());
  tasks.spawn(log_loop());
  tasks.spawn(housekeeping_loop());
  drive();
  co_await tasks.join();
}

net::Awaitable<void> Member::tick_loop() {
  while (true) {
    const base::Duration until_deadline = replica_.next_deadline() - net::now();
    co_await net::sleep_for(std::clamp<base::Duration>(until_deadline, base::milliseconds(1), tick_interval_));
    last_tick_ = look_at_clock();
    watch_disk();
    replica_.on_tick(last_tick_);
    drive();
    const core::Node& node = replica_.node();
    if (!node.leader().is_zero())
      catch_up_.observe(last_tick_, node.known_committed(), replica_.store().applied_index());
  }
}

void Member::watch_disk() {
  const base::Duration age = log_.stats().oldest_write_age;
  const bool is_stalled = age > disk_stall_limit_;
  if (is_stalled == is_disk_stalled_) return;
  is_disk_stalled_ = is_stalled;
  replica_.set_disk_stalled(is_stalled);
  if (!is_stalled) {
    sink_.info("log", "the disk answers again");
    return;
  }
  ++counters_.disk_stalls;
  sink_.warn("log", "the disk does not answer: not ready, and leadership goes to another member",
             {{"write_age_ms", static_cast<std::uint64_t>(age / base::milliseconds(1))}});
}

// Before any input, not only before a tick: a vote that is asked for first would be given by a clock that jumped.
base::Instant Member::look_at_clock() {
  const base::Instant now = net::now();
  const base::Duration gap = now - last_tick_;
  counters_.longest_gap = std::max(counters_.longest_gap, gap);
  if (gap <= stall_limit_) return now;
  ++counters_.loop_stalls;
  sink_.warn("server", "the process did not run for a while: CPU limit, suspended machine or a slow disk",
             {{"gap_ms", static_cast<std::uint64_t>(gap / base::milliseconds(1))}});
  last_tick_ = now;
  replica_.on_stall(now);
  return now;
}

net::Awaitable<void> Member::log_loop() {
  while (true) {
    co_await log_descriptor_.async_wait(LogDescriptor::wait_read, net::use_awaitable);
    poll_log();
    drive();
  }
}

void Member::poll_log() {
  log_.poll(log_events_);
  const base::Instant now = look_at_clock();
  if (log_events_.durable_token > log_token_offset_) {
    replica_.on_persisted(now, log_events_.durable_token - log_token_offset_);
  }
  for (log::FinishedRead& read : log_events_.reads) {
    const auto asked = log_reads_.find(read.request_id);
    if (asked == log_reads_.end()) continue;
    replica_.on_log_read(now, asked->second, std::move(read.entries));
    log_reads_.erase(asked);
  }
}

net::Awaitable<base::Result<void>> Member::wait_until_pressed() {
  co_await log_pressed_.wait();
  co_return base::Result<void>{};
}

// Work that nobody waits for, in small pieces: compaction, flushing the store, giving back log space.
net::Awaitable<void> Member::housekeeping_loop() {
  while (true) {
    // Woken early when the log fills; then at short intervals until there is room.
    const bool is_pressed = log_pressure(log_.stats()) != replica::LogPressure::low;
    if (is_pressed) {
      co_await net::sleep_for(pressed_interval);
    } else {
      (void)co_await net::with_timeout(wait_until_pressed(), housekeeping_interval);
    }
    while (replica_.store().compact_step(compact_records_per_turn)) co_await net::sleep_for(base::milliseconds(1));
    const log::LogStats stats = log_.stats();
    const bool is_behind = replica_.store().durable_applied_index() < replica_.store().applied_index();
    const bool is_log_long =
        stats.segments - stats.segments_free > flush_above_segments || log_pressure(stats) != replica::LogPressure::low;
    if (is_behind && is_log_long) (void)replica_.store().flush_async();
    release_log();
    log_.retry_growth();
  }
}

void Member::release_log() {
  const core::Index upto = replica_.releasable(log_pressure(log_.stats()));
  if (upto <= released_) return;
  released_ = upto;
  log_.release(upto);
  replica_.on_log_released(upto);
}

void Member::drive_soon() {
  if (std::exchange(is_drive_posted_, true)) return;
  boost::asio::post(executor_, [this] {
    is_drive_posted_ = false;
    drive();
  });
}

void Member::drive() {
  WW_ASSERT(!is_driving_);
  is_driving_ = true;
  replica_.set_log_full(log_.is_full());
  do {
    perform(replica_.take_effects());
  } while (replica_.node().committed() > replica_.node().handed_to_apply());
  note_role();
  is_driving_ = false;
}

void Member::perform(replica::Effects effects) {
  if (effects.persist) {
    const std::size_t entries = effects.persist->entries.size();
    counters_.entries_logged += entries;
    if (entries > 0 && log_batch_observer_) log_batch_observer_(entries);
    log_.append({effects.persist->token + log_token_offset_, effects.persist->hard_state,
                 std::move(effects.persist->entries), reset_of(*effects.persist)});
    if (log_pressure(log_.stats()) != replica::LogPressure::low) log_pressed_.notify();
  }
  for (core::Message& message : effects.send) {
    const std::vector<core::RequestId> requests = requests_in(message);
    if (!sender_.send(std::move(message))) replica_.on_unsent(requests);
  }
  if (!effects.proposals.empty()) {
    const base::Instant applied = net::now();
    for (replica::ProposalDone& done : effects.proposals) {
      const auto waiting = writes_.find(done.ticket);
      if (waiting == writes_.end()) continue;
      if (done.times.committed && apply_observer_) apply_observer_(applied - *done.times.committed);
      waiting->second->outcome = WriteOutcome{std::move(done.outcome), done.times, applied};
      waiting->second->event.notify();
    }
  }
  for (const replica::ReadDone& done : effects.reads) {
    if (!done.outcome) ++counters_.reads_failed;
    const auto waiting = reads_.find(done.ticket);
    if (waiting == reads_.end()) continue;
    waiting->second->outcome = done.outcome;
    waiting->second->event.notify();
  }
  for (const core::LogRead& read : effects.log_reads) {
    log_reads_.emplace(next_log_read_, read.peer);
    log_.read(read.first, read.bytes_max, next_log_read_++);
  }
  for (const replica::AppliedConfiguration& applied : effects.configurations) {
    if (applied_configuration_observer_) applied_configuration_observer_(applied);
  }
  for (const core::SnapshotWanted& wanted : effects.snapshots) {
    if (snapshot_observer_) snapshot_observer_(wanted.peer);
  }
}

void Member::on_snapshot_sent(base::NodeId peer, base::Index index) {
  replica_.on_snapshot_sent(look_at_clock(), peer, index);
  drive_soon();
}

std::unique_ptr<kv::Store> Member::install_snapshot(core::SnapshotPoint point, std::unique_ptr<kv::Store> store) {
  std::unique_ptr<kv::Store> replaced = replica_.install_snapshot(look_at_clock(), std::move(point), std::move(store));
  drive_soon();
  return replaced;
}

void Member::note_role() {
  const core::Node& node = replica_.node();
  if (node.configuration() != seen_configuration_) {
    seen_configuration_ = node.configuration();
    sink_.info("raft", "configuration: " + core::describe(seen_configuration_));
    if (configuration_observer_) configuration_observer_(seen_configuration_);
  }
  if (node.role() != seen_role_) {
    const bool is_of_interest = node.role() == core::Role::leader || seen_role_ == core::Role::leader;
    seen_role_ = node.role();
    if (is_of_interest) {
      sink_.info("raft", "this member is now " + core::describe(node.role()), {{"term", node.term().value}});
    }
  }
  if (node.leader() != seen_leader_) {
    seen_leader_ = node.leader();
    if (seen_leader_.is_zero()) {
      sink_.warn("raft", "no leader is known; waiting for an election", {{"term", node.term().value}});
    } else {
      ++counters_.leader_changes;
      const core::Member* leader = node.configuration().find(seen_leader_);
      sink_.info("raft", "the leader is " + (leader != nullptr ? leader->name : base::to_hex(seen_leader_)),
                 {{"leader_id", base::to_hex(seen_leader_)}, {"term", node.term().value}});
    }
  }
}

void Member::on_configuration(std::function<void(const core::Configuration&)> observer) {
  configuration_observer_ = std::move(observer);
  seen_configuration_ = replica_.node().configuration();
  configuration_observer_(seen_configuration_);
}

net::Awaitable<WriteOutcome> Member::write(base::Instant accepted, std::string command) {
  const base::Instant now = look_at_clock();
  const auto ticket = replica_.on_propose(now, accepted, base::SharedBytes(std::move(command)));
  if (!ticket) {
    replica::StageTimes times;
    times.accepted = accepted;
    times.proposed = now;
    co_return WriteOutcome{ticket.error(), times, now};
  }
  WriteWaiter waiter(*this, *ticket);
  drive_soon();
  while (!waiter.outcome) co_await waiter.event.wait();
  co_return std::move(*waiter.outcome);
}

net::Awaitable<base::Result<void>> Member::change(core::ConfigurationChange change) {
  const auto ticket = replica_.on_propose_change(look_at_clock(), std::move(change));
  if (!ticket) co_return ticket.error();
  WriteWaiter waiter(*this, *ticket);
  drive_soon();
  while (!waiter.outcome) co_await waiter.event.wait();
  if (!waiter.outcome->response) co_return waiter.outcome->response.error();
  co_return base::Result<void>{};
}

net::Awaitable<base::Result<void>> Member::read_barrier() {
  const auto ticket = replica_.on_read(look_at_clock());
  if (!ticket) co_return ticket.error();
  ReadWaiter waiter(*this, *ticket);
  drive_soon();
  while (!waiter.outcome) co_await waiter.event.wait();
  co_return *waiter.outcome;
}

net::Awaitable<void> Member::physical_compaction(kv::Revision revision, base::Duration limit) {
  const base::Instant give_up = net::now() + limit;
  while (replica_.store().physically_compacted_revision() < revision && net::now() < give_up) {
    co_await net::sleep_for(base::milliseconds(5));
  }
}

void Member::on_peer_connected(base::NodeId peer) {
  replica_.on_peer_connected(peer);
  drive_soon();
}

net::Awaitable<bool> Member::hand_over(base::Duration limit) {
  const base::Instant give_up = net::now() + limit;
  while (replica_.is_leader() && net::now() < give_up) {
    if (!replica_.node().is_transferring()) {
      if (!replica_.transfer_leadership(look_at_clock())) co_return false;
      drive();
    }
    co_await net::sleep_for(base::milliseconds(2));
  }
  co_return !replica_.is_leader();
}

void Member::stop() {
  replica_.stop();
  perform(replica_.take_effects());
}

}  // namespace whitewater::server

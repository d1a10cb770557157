#include "sim/member_process.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/failure.hpp"

namespace whitewater::sim {
namespace {

constexpr std::uint64_t log_id_base = 0x10c0000;
constexpr base::ClusterId cluster_id{0xc1};
constexpr std::uint32_t first_slots = 2;

core::LogStart to_log_start(log::RecoveredLog& recovered) {
  core::LogStart start;
  for (const log::TermRun& run : recovered.terms.runs()) start.terms.push_back({run.first, run.term});
  const base::Term prev_term = recovered.terms.term_at(recovered.terms.boundary());
  if (!prev_term.is_zero()) start.prev_term = prev_term;
  start.last_index = recovered.last_index;
  start.entries = std::move(recovered.entries);
  return start;
}

}  // namespace

SimMember::SimMember(SimWorld& world, std::size_t position, base::Rng rng)
    : world_(world),
      position_(position),
      rng_(rng),
      clock_offset_(base::milliseconds(rng_.in_range(0, 1'000'000))),
      disk_(first_slots, static_cast<std::uint32_t>(world.options.segment_kib << 10)),
      store_disk_(std::make_shared<kv::MemoryDisk>()) {
  const auto drift = static_cast<std::int64_t>(world.options.clock_drift_ppm);
  if (drift != 0) {
    clock_drift_ppm_ = static_cast<std::int64_t>(rng_.in_range(0, static_cast<std::uint64_t>(2 * drift))) - drift;
  }
}

SimMember::~SimMember() = default;

const replica::Replica& SimMember::replica() const {
  WW_ASSERT(is_up());
  return *process_->replica;
}

std::string SimMember::describe() const {
  if (!is_up()) return is_lost_ ? "lost its disk" : "down";
  const replica::Replica& replica = *process_->replica;
  std::string text = fmt::format("{}\n    {} releasable={} store applied={} persisted={} durable={} waiting={}{}",
                                 replica.node().describe(), process_->planner.describe(), replica.releasable().value,
                                 replica.store().applied_index().value, replica.store().persisted_index().value,
                                 replica.store().durable_applied_index().value, replica.pending_proposals(),
                                 process_->planner.is_full() ? " log full" : "");
  for (const auto& [id, progress] : replica.node().progress()) {
    text += fmt::format("\n    to {}: {}", id.value, core::describe(progress));
  }
  return text;
}

base::Instant SimMember::local_now() const {
  const base::Duration truth = world_.scheduler.now();
  return {clock_offset_ + truth + base::Duration(truth.count() * clock_drift_ppm_ / 1'000'000)};
}

void SimMember::trace(const std::function<std::string()>& text) const {
  if (!world_.trace) return;
  world_.trace(fmt::format("{:>12.6f} ms  member {}  {}", static_cast<double>(world_.scheduler.now().count()) / 1e6,
                           position_ + 1, text()));
}

log::LogIdentity SimMember::identity() const { return {cluster_id, id_of(position_), log_id_base + position_}; }

log::PlannerLimits SimMember::limits() const {
  log::PlannerLimits limits;
  limits.segment_bytes = static_cast<std::uint32_t>(world_.options.segment_kib << 10);
  limits.segments_max = static_cast<std::uint32_t>(world_.options.segments_max);
  limits.writes_in_flight_max = static_cast<std::uint32_t>(world_.options.writes_in_flight);
  limits.group_bytes_max = static_cast<std::uint32_t>(world_.options.group_bytes);
  return limits;
}

void SimMember::found(const core::Configuration& configuration) {
  WW_ASSERT(incarnation_ == 0);
  founding_configuration_ = configuration;
  ++incarnation_;
  log::RecoveredLog empty;
  Process process(identity(), base::Incarnation(incarnation_), limits(), empty, disk_.slot_count());
  const core::HardState hard_state{core::Term(1), core::NodeId{}};
  const core::Entry entry{core::Term(1),
                          core::Index(1),
                          core::EntryType::configuration,
                          {},
                          base::SharedBytes(core::encode(configuration))};
  world_.checker.on_persist(position_, {1, hard_state, std::nullopt, {entry}});
  process.planner.on_append({1, hard_state, {entry}, std::nullopt});
  write_all(process, 1);
  world_.checker.on_durable(position_, 1);
}

core::Configuration SimMember::configuration_of(const kv::Store& store) const {
  if (store.configuration().empty()) return founding_configuration_;
  auto configuration = core::decode_configuration(store.configuration());
  require(configuration.has_value(),
          [&] { return fmt::format("member {}: the store's configuration", position_ + 1); });
  return std::move(*configuration);
}

void SimMember::start() {
  WW_ASSERT(!is_up());
  WW_ASSERT(!is_lost_);
  ++incarnation_;
  auto backend = std::make_unique<kv::MemoryBackend>(store_disk_);
  kv::MemoryBackend& backend_in_store = *backend;
  auto store = std::make_unique<kv::Store>(std::move(backend));
  if (is_rotten_) {
    const auto result = try_recover_log(core::Index(1));
    if (const auto* refusal = std::get_if<log::RecoveryRefusal>(&result)) {
      trace([&] { return "stays down: " + log::describe(*refusal); });
      world_.hash.mix_all(position_, 0x105e);
      is_lost_ = true;
      return;
    }
  }
  log::RecoveredLog recovered = recover_log(store->applied_index().next());
  const bool is_behind_snapshot = is_log_behind_snapshot(recovered, *store);
  world_.checker.on_start(position_, recovered, store->applied_index(), is_behind_snapshot);
  // The whole disk, for the checker: a start itself looks only at what the store lacks.
  const core::Index relied_on = is_behind_snapshot ? core::Index(0) : store->applied_index();
  world_.checker.on_entries_read(position_, recover_log(core::Index(1)).entries, relied_on);
  if (is_behind_snapshot) {
    begin_log_behind_snapshot(recovered);
    ++incarnation_;  // the log has written under the first one
  }
  trace([&] { return fmt::format("starts run {}: {}", incarnation_, log::describe(recovered)); });
  world_.hash.mix_all(position_, incarnation_, recovered.last_index.value);
  run(std::move(store), backend_in_store, std::move(recovered));
}

void SimMember::run(std::unique_ptr<kv::Store> store, kv::MemoryBackend& backend, log::RecoveredLog recovered) {
  process_ =
      std::make_unique<Process>(identity(), base::Incarnation(incarnation_), limits(), recovered, disk_.slot_count());
  process_->backend = &backend;
  const SimOptions& o = world_.options;
  replica::ReplicaOptions options;
  options.node.id = id_of(position_);
  options.node.election_timeout = base::milliseconds(o.election_timeout_ms);
  options.node.heartbeat_interval = base::milliseconds(o.heartbeat_ms);
  options.node.window.messages_max = o.window_messages;
  options.node.append_bytes_max = o.append_bytes;
  options.node.cache_bytes_max = o.cache_bytes;
  options.node.apply_entries_max = o.apply_entries;
  options.node.uncommitted_bytes_max = o.uncommitted_bytes;
  options.node.lease_reads = o.lease_reads != 0;
  options.node.promotion_lag_entries_max = o.promotion_lag_entries;
  options.incarnation = base::Incarnation(incarnation_);
  options.request_timeout = base::milliseconds(o.request_timeout_ms);
  options.read_retry_interval = base::milliseconds(o.read_retry_ms);
  options.pending_proposals_max = o.pending_proposals;
  options.pending_reads_max = o.pending_reads;
  core::NodeStart node_start;
  node_start.hard_state = recovered.hard_state;
  node_start.log = to_log_start(recovered);
  node_start.applied = store->applied_index();
  node_start.configuration = configuration_of(*store);
  node_start.now = local_now();
  node_start.rng_seed = rng_.next();
  process_->replica = std::make_unique<replica::Replica>(options, std::move(node_start), std::move(store));
  last_tick_ = local_now();
  give_after(base::microseconds(rng_.in_range(0, o.tick_us)), [this] { tick(); });
  give_after(base::milliseconds(rng_.in_range(1, o.flush_interval_ms)), [this] { keep_house(); });
  move_log_output();
  request_step();
}

void SimMember::crash() {
  WW_ASSERT(is_up());
  trace([&] { return fmt::format("crashes with {} writes under way", disk_.pending().size()); });
  world_.hash.mix_all(position_, 0xdead, disk_.pending().size());
  world_.network.on_member_down(position_);
  disk_.crash_random(rng_);
  world_.on_store_gone(position_);
  std::unique_ptr<Process> dead = std::move(process_);
  waiting_inputs_.clear();
  is_paused_ = false;
  ++pauses_;
  is_step_requested_ = false;
  for (auto& [ticket, done] : dead->writes) done(std::nullopt);
  for (auto& [ticket, done] : dead->reads) done(std::nullopt);
}

void SimMember::pause(base::Duration duration) {
  if (!is_up() || is_healed_) return;
  trace([&] { return fmt::format("pauses for {} us", duration.count() / 1000); });
  is_paused_ = true;
  world_.scheduler.after(duration, [this, pause = ++pauses_] {
    if (pause != pauses_ || !is_up()) return;
    is_paused_ = false;
    std::deque<std::function<void()>> inputs = std::exchange(waiting_inputs_, {});
    for (auto& input : inputs) input();
    request_step();
  });
}

void SimMember::jump_clock(base::Duration distance) {
  trace([&] { return fmt::format("has a clock that jumps by {} us", distance.count() / 1000); });
  clock_offset_ += distance;
}

void SimMember::heal() {
  is_healed_ = true;
  disk_slow_until_ = base::Duration(0);
  if (process_ && process_->backend != nullptr) process_->backend->set_busy(false);
}

void SimMember::lose_disk() {
  WW_ASSERT(!is_lost_);
  if (is_up()) crash();
  trace([] { return "loses its disk"; });
  is_lost_ = true;
}

void SimMember::give(std::function<void()> input) {
  if (!is_up()) return;
  if (is_paused_) {
    waiting_inputs_.push_back(std::move(input));
    return;
  }
  input();
  request_step();
}

void SimMember::give_after(base::Duration delay, std::function<void()> input) {
  world_.scheduler.after(delay, [this, run = incarnation_, input = std::move(input)]() mutable {
    if (run == incarnation_) give(std::move(input));
  });
}

void SimMember::request_step() {
  if (world_.options.step_delay_us == 0) {
    step();
    return;
  }
  if (std::exchange(is_step_requested_, true)) return;
  const base::Duration delay = base::microseconds(rng_.in_range(0, world_.options.step_delay_us));
  world_.scheduler.after(delay, [this, run = incarnation_] {
    if (run != incarnation_ || !is_up()) return;
    is_step_requested_ = false;
    if (is_paused_) {
      waiting_inputs_.emplace_back([] {});
    } else {
      step();
    }
  });
}

// The order of server::Member::drive.
void SimMember::step() {
  replica::Replica& replica = *process_->replica;
  replica.set_log_full(process_->planner.is_full());
  do {
    perform(replica.take_effects());
  } while (replica.node().committed() > replica.node().handed_to_apply());
  world_.checker.on_step(position_, incarnation_, replica, rng_.chance(1, 200));
}

void SimMember::perform(replica::Effects effects) {
  if (effects.persist) {
    core::Persist& persist = *effects.persist;
    trace([&] {
      return fmt::format("persists {}{}{}", persist.token,
                         persist.hard_state ? " " + core::describe(*persist.hard_state) : "",
                         persist.entries.empty() ? "" : " .. " + core::describe(persist.entries.back()));
    });
    world_.checker.on_persist(position_, persist);
    std::optional<log::LogReset> reset;
    if (persist.reset) reset = log::LogReset{persist.reset->first.next(), persist.reset->term};
    process_->planner.on_append({persist.token, persist.hard_state, std::move(persist.entries), reset});
    move_log_output();
    if (persist.hard_state) maybe_crash_soon();
  }
  for (const core::Message& message : effects.send) {
    WW_ASSERT(message.from == id_of(position_));
    world_.network.send(position_, message.to.value - 1, message);
  }
  for (replica::ProposalDone& done : effects.proposals) {
    const auto waiting = process_->writes.find(done.ticket);
    WW_ASSERT_MSG(waiting != process_->writes.end(), "a proposal is answered twice, or was never made");
    const auto callback = std::move(waiting->second);
    process_->writes.erase(waiting);
    callback(std::move(done.outcome));
  }
  for (replica::ReadDone& done : effects.reads) {
    const auto waiting = process_->reads.find(done.ticket);
    WW_ASSERT_MSG(waiting != process_->reads.end(), "a read is answered twice, or was never made");
    const auto callback = std::move(waiting->second);
    process_->reads.erase(waiting);
    callback(done.outcome);
  }
  for (const core::LogRead& read : effects.log_reads) serve_log_read(read);
  for (const core::SnapshotWanted& wanted : effects.snapshots) {
    world_.send_snapshot(position_, wanted.peer.value - 1);
  }
}

// The moments around the write of a term or a vote are few, and the ones that matter for elections.
void SimMember::maybe_crash_soon() {
  const SimOptions& o = world_.options;
  if (is_healed_ || !rng_.chance(o.crash_voting_percent, 100)) return;
  const base::Duration delay = base::microseconds(rng_.in_range(0, 2 * o.write_us_max + o.delay_us_max));
  world_.scheduler.after(delay, [this, run = incarnation_] {
    if (run == incarnation_ && is_up() && !is_healed_) world_.crash(position_);
  });
}

void SimMember::receive(core::Message message) {
  if (!is_up()) return;
  trace([&] { return "receives " + core::describe(message); });
  world_.hash.mix_all(position_, message.body.index(), message.from.value, message.term.value);
  give([this, message = std::move(message)] { process_->replica->on_message(look_at_clock(), message); });
}

void SimMember::on_peer_connected(std::size_t peer) {
  give([this, peer] { process_->replica->on_peer_connected(id_of(peer)); });
}

void SimMember::transfer_leadership() {
  give([this] {
    if (process_->replica->is_leader()) (void)process_->replica->transfer_leadership(look_at_clock());
  });
}

void SimMember::change_members(core::ConfigurationChange change) {
  give([this, change = std::move(change)] {
    const auto ticket = process_->replica->on_propose_change(look_at_clock(), change);
    if (ticket) process_->writes.emplace(*ticket, [](const WriteAnswer&) {});
  });
}

void SimMember::snapshot_started(std::size_t peer, core::Index index) {
  give([this, peer, index] { process_->replica->on_snapshot_started(id_of(peer), index); });
}

void SimMember::snapshot_sent(std::size_t peer, core::Index index) {
  give([this, peer, index] { process_->replica->on_snapshot_sent(look_at_clock(), id_of(peer), index); });
}

void SimMember::install_snapshot(core::SnapshotPoint point, std::unique_ptr<kv::Store> store,
                                 std::shared_ptr<kv::MemoryDisk> disk) {
  WW_ASSERT(is_up() && !is_paused_);
  trace([&] { return fmt::format("installs a snapshot at {}", point.index.value); });
  world_.hash.mix_all(position_, 0x5a, point.index.value);
  store_disk_ = std::move(disk);
  installed_ = core::TermRun{point.index, point.term};
  world_.checker.on_snapshot_installed(position_, *installed_);
  process_->backend = nullptr;
  (void)process_->replica->install_snapshot(look_at_clock(), std::move(point), std::move(store));
  request_step();
}

bool SimMember::propose(base::SharedBytes command, std::function<void(WriteAnswer)> done) {
  if (!is_up()) return false;
  give([this, command = std::move(command), done = std::move(done)] {
    const base::Instant now = look_at_clock();
    const auto ticket = process_->replica->on_propose(now, now, command);
    if (ticket) {
      process_->writes.emplace(*ticket, done);
    } else {
      done(ticket.error());
    }
  });
  return true;
}

bool SimMember::read(std::function<void(ReadAnswer)> done) {
  if (!is_up()) return false;
  give([this, done = std::move(done)] {
    const auto ticket = process_->replica->on_read(look_at_clock());
    if (ticket) {
      process_->reads.emplace(*ticket, done);
    } else {
      done(base::Result<void>(ticket.error()));
    }
  });
  return true;
}

// As server::Member does it.
base::Instant SimMember::look_at_clock() {
  const base::Instant now = local_now();
  if (now - last_tick_ <= base::milliseconds(world_.options.election_timeout_ms) / 2) return now;
  last_tick_ = now;
  process_->replica->on_stall(now);
  return now;
}

void SimMember::tick() {
  last_tick_ = look_at_clock();
  process_->replica->on_tick(last_tick_);
  give_after(base::microseconds(world_.options.tick_us), [this] { tick(); });
}

// The server's rule (server/member.cpp), and in some runs a release that waits for nobody.
replica::LogPressure SimMember::draw_pressure() {
  if (rng_.chance(world_.options.release_early_percent, 100)) {
    return rng_.chance(1, 2) ? replica::LogPressure::critical : replica::LogPressure::high;
  }
  const log::LogPlanner& planner = process_->planner;
  const std::size_t used = planner.slots() - planner.free_slots();
  if (used * 4 >= world_.options.segments_max * 3) return replica::LogPressure::critical;
  if (used * 2 >= world_.options.segments_max) return replica::LogPressure::high;
  return replica::LogPressure::low;
}

void SimMember::keep_house() {
  replica::Replica& replica = *process_->replica;
  // The backend of an installed store is not known here, and never busy.
  const bool is_busy = rng_.chance(world_.options.store_busy_percent, 100);
  if (!is_healed_ && process_->backend != nullptr) process_->backend->set_busy(is_busy);
  if (rng_.chance(3, 4)) replica.store().flush_async();
  (void)replica.store().compact_step(rng_.in_range(1, 100));
  const core::Index upto = replica.releasable(draw_pressure());
  if (!upto.is_zero()) {
    process_->planner.on_release(upto);
    replica.on_log_released(upto);
  }
  if (std::exchange(process_->has_growth_failed, false)) process_->planner.on_growth_retry();
  move_log_output();
  give_after(base::milliseconds(rng_.in_range(1, world_.options.flush_interval_ms)), [this] { keep_house(); });
}

}  // namespace whitewater::sim

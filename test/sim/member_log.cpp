// The member's log: the planner's writes on the crash disk, its growth, reads of old entries, recovery and rot.
#include <fmt/format.h>

#include "sim/bit_rot.hpp"
#include "sim/failure.hpp"
#include "sim/member_process.hpp"

namespace whitewater::sim {

void SimMember::move_log_output() {
  log::PlannerOutput output;
  process_->planner.take_output(output);
  for (const log::WriteOp& op : output.writes) submit_write(op);
  if (output.grow) grow(*output.grow);
}

base::Duration SimMember::draw_write_time() {
  constexpr std::uint64_t tail_factor_max = 50;
  constexpr std::uint64_t healed_us_max = 1000;
  const SimOptions& o = world_.options;
  if (is_healed_) return base::microseconds(rng_.in_range(std::min(o.write_us_min, healed_us_max), healed_us_max));
  std::uint64_t us = rng_.in_range(o.write_us_min, o.write_us_max);
  if (rng_.chance(o.write_tail_percent, 100)) us *= rng_.in_range(2, tail_factor_max);
  return base::microseconds(us);
}

void SimMember::submit_write(const log::WriteOp& op) {
  disk_.submit(op);
  base::Duration done = world_.scheduler.now() + draw_write_time();
  if (disk_slow_until_ > done) done = disk_slow_until_ + draw_write_time();
  // The device goes on while the process pauses; the process hears of it when it runs again.
  world_.scheduler.after(done - world_.scheduler.now(), [this, run = incarnation_, id = op.id] {
    if (run != incarnation_ || !is_up()) return;  // the crash has decided its fate
    disk_.complete(id);
    give([this, id] { on_write_done(id); });
  });
}

void SimMember::on_write_done(std::uint64_t op_id) {
  log::LogPlanner& planner = process_->planner;
  planner.on_write_done(op_id);
  move_log_output();
  if (planner.durable_token() == process_->durable_token) return;
  process_->durable_token = planner.durable_token();
  trace([&] { return fmt::format("has {} durable", process_->durable_token); });
  world_.hash.mix_all(position_, process_->durable_token);
  world_.checker.on_durable(position_, process_->durable_token);
  process_->replica->on_persisted(look_at_clock(), process_->durable_token);
}

void SimMember::grow(log::Slot slot) {
  constexpr base::Duration zero_fill_time = base::milliseconds(2);
  world_.scheduler.after(zero_fill_time, [this, slot, run = incarnation_] {
    if (run != incarnation_ || !is_up()) return;
    const bool is_refused = !is_healed_ && rng_.chance(world_.options.growth_failure_percent, 100);
    if (!is_refused) disk_.add_slot();
    give([this, slot, is_refused] {
      if (is_refused) {
        process_->planner.on_segment_add_failed(slot);
        process_->has_growth_failed = true;
      } else {
        process_->planner.on_segment_added(slot);
      }
      move_log_output();
    });
  });
}

void SimMember::serve_log_read(const core::LogRead& read) {
  give_after(base::microseconds(rng_.in_range(50, 500)), [this, read] {
    process_->replica->on_log_read(look_at_clock(), read.peer, read_log(read.first, read.bytes_max));
  });
}

std::vector<core::Entry> SimMember::read_log(core::Index first, std::size_t bytes_max) {
  std::vector<core::Entry> entries;
  std::size_t bytes = 0;
  while (bytes < bytes_max || entries.empty()) {
    const core::Index next = entries.empty() ? first : entries.back().index.next();
    const auto ref = process_->planner.locate(next);
    if (!ref) break;
    const auto view = disk_.read(ref->slot, ref->offset_bytes, ref->length_bytes);
    WW_ASSERT(view.has_value());
    const auto owner = std::make_shared<const std::string>(*view);
    auto batch = log::read_entries(*ref, identity().log_id, next, owner, *owner);
    require(batch.has_value() && !batch->empty() && batch->front().index == next,
            [&] { return fmt::format("member {} cannot read its durable entry {} back", position_ + 1, next.value); });
    for (core::Entry& entry : *batch) {
      if (!entries.empty() && bytes >= bytes_max) break;
      bytes += entry.payload.size_bytes();
      entries.push_back(std::move(entry));
    }
  }
  world_.checker.on_entries_read(position_, entries, process_->replica->store().applied_index());
  return entries;
}

log::RecoveryResult SimMember::try_recover_log(core::Index keep_from) {
  constexpr std::size_t keep_bytes_max = 1UL << 30;
  return log::recover(disk_, {id_of(position_), identity().cluster, keep_from, keep_bytes_max});
}

log::RecoveredLog SimMember::recover_log(core::Index keep_from) {
  auto result = try_recover_log(keep_from);
  if (const auto* refusal = std::get_if<log::RecoveryRefusal>(&result)) {
    throw Failure(ExitClass::correctness,
                  fmt::format("member {} refuses its own log: {}", position_ + 1, log::describe(*refusal)));
  }
  return std::get<log::RecoveredLog>(std::move(result));
}

void SimMember::write_all(Process& process, std::uint64_t token) {
  while (process.planner.durable_token() < token) {
    process.planner.take_output(process.planner_output);
    WW_ASSERT(!process.planner_output.writes.empty());
    for (const log::WriteOp& op : process.planner_output.writes) {
      disk_.submit(op);
      disk_.complete(op.id);
    }
    // Completions after all submissions: a completion may produce new output.
    std::vector<std::uint64_t> ids;
    for (const log::WriteOp& op : process.planner_output.writes) ids.push_back(op.id);
    for (const std::uint64_t id : ids) process.planner.on_write_done(id);
    if (process.planner_output.grow) {
      disk_.add_slot();
      process.planner.on_segment_added(*process.planner_output.grow);
    }
  }
}

bool SimMember::is_log_behind_snapshot(const log::RecoveredLog& recovered, const kv::Store& store) const {
  if (!installed_ || store.applied_index() != installed_->first) return false;
  return recovered.last_index < installed_->first || recovered.terms.term_at(installed_->first) != installed_->term;
}

// As server::Server does it.
void SimMember::begin_log_behind_snapshot(log::RecoveredLog& recovered) {
  constexpr std::uint64_t token = 1;
  Process process(identity(), base::Incarnation(incarnation_), limits(), recovered, disk_.slot_count());
  core::Persist persist;
  persist.token = token;
  persist.hard_state = recovered.hard_state;
  if (recovered.hard_state.term < installed_->term) persist.hard_state = core::HardState{installed_->term, {}};
  persist.reset = installed_;
  world_.checker.on_persist(position_, persist);
  process.planner.on_append({token, persist.hard_state, {}, log::LogReset{installed_->first.next(), installed_->term}});
  write_all(process, token);
  world_.checker.on_durable(position_, token);
  recovered = recover_log(installed_->first.next());
}

bool SimMember::rot_disk() {
  WW_ASSERT(!is_up());
  const auto damage = rot(disk_, recover_log(core::Index(1)), rng_);
  if (!damage) return false;
  is_rotten_ = true;
  trace([&] { return "has bit rot: " + *damage; });
  world_.hash.mix_all(position_, 0xb17);
  return true;
}

}  // namespace whitewater::sim

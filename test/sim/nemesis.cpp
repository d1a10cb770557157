#include "sim/nemesis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace whitewater::sim {
namespace {

constexpr base::Duration reconnect_time_max = base::milliseconds(20);

}  // namespace

Nemesis::Nemesis(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng)
    : world_(world), members_(members), rng_(rng) {}

void Nemesis::start() {
  const SimOptions& o = world_.options;
  repeat(o.crash_interval_ms, &Nemesis::crash_one);
  repeat(o.crash_leader_interval_ms, &Nemesis::crash_leader);
  repeat(o.crash_all_interval_ms, &Nemesis::crash_all);
  repeat(o.partition_interval_ms, &Nemesis::partition);
  repeat(o.pause_interval_ms, &Nemesis::pause_one);
  repeat(o.slow_disk_interval_ms, &Nemesis::slow_one_disk);
  repeat(o.clock_jump_interval_ms, &Nemesis::jump_clocks);
  repeat(o.disconnect_interval_ms, &Nemesis::disconnect_two);
  repeat(o.transfer_interval_ms, &Nemesis::transfer);
  repeat(o.change_interval_ms, &Nemesis::change_members);
}

void Nemesis::repeat(std::uint64_t interval_ms, void (Nemesis::*fault)()) {
  if (interval_ms == 0) return;
  world_.scheduler.after(base::microseconds(rng_.in_range(1, 2000 * interval_ms)), [this, interval_ms, fault] {
    if (is_healed_) return;
    ++faults_;
    (this->*fault)();
    repeat(interval_ms, fault);
  });
}

std::optional<std::size_t> Nemesis::leader() const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i]->is_up() || !members_[i]->replica().is_leader()) continue;
    if (!found || members_[i]->replica().node().term() > members_[*found]->replica().node().term()) found = i;
  }
  return found;
}

void Nemesis::crash(std::size_t member) {
  if (!members_[member]->is_up()) return;
  members_[member]->crash();
  maybe_rot(member);
  restart_later(member);
}

// One disk a run, and only where the loss of its member leaves a quorum: of three or more that stay what they are.
void Nemesis::maybe_rot(std::size_t member) {
  const SimOptions& o = world_.options;
  const bool leaves_quorum = o.members >= 3 && o.change_interval_ms == 0;
  if (is_healed_ || has_rotted_ || !leaves_quorum || !rng_.chance(o.rot_crash_percent, 100)) return;
  has_rotted_ = members_[member]->rot_disk();
  faults_ += has_rotted_ ? 1 : 0;
}

std::uint64_t Nemesis::lost() const {
  return static_cast<std::uint64_t>(
      std::count_if(members_.begin(), members_.end(), [](const auto& member) { return member->is_lost(); }));
}

void Nemesis::restart_later(std::size_t member) {
  const base::Duration delay = base::microseconds(rng_.in_range(1, world_.options.restart_ms_max * 1000));
  world_.scheduler.after(delay, [this, member] {
    if (members_[member]->is_up() || members_[member]->is_lost()) return;
    members_[member]->start();
    connect(member);
  });
}

void Nemesis::connect(std::size_t member) {
  for (std::size_t peer = 0; peer < members_.size(); ++peer) {
    if (peer == member) continue;
    const base::Duration delay =
        base::Duration(rng_.in_range(1, static_cast<std::uint64_t>(reconnect_time_max.count())));
    world_.scheduler.after(delay, [this, peer, member] {
      members_[peer]->on_peer_connected(member);
      members_[member]->on_peer_connected(peer);
    });
  }
}

void Nemesis::crash_one() { crash(draw_member()); }

void Nemesis::crash_leader() {
  if (const auto found = leader()) crash(*found);
}

void Nemesis::crash_all() {
  for (std::size_t i = 0; i < members_.size(); ++i) crash(i);
}

// One side is a random set of members; one-way cuts only what it sends.
void Nemesis::partition() {
  const bool is_one_way = rng_.chance(world_.options.one_way_percent, 100);
  const std::uint64_t side = rng_.in_range(1, (1ULL << members_.size()) - 1);
  std::vector<std::pair<std::size_t, std::size_t>> cut;
  for (std::size_t a = 0; a < members_.size(); ++a) {
    for (std::size_t b = 0; b < members_.size(); ++b) {
      const bool is_from_side = (side >> a & 1) != 0 && (side >> b & 1) == 0;
      const bool is_to_side = (side >> a & 1) == 0 && (side >> b & 1) != 0;
      if (is_from_side || (is_to_side && !is_one_way)) cut.emplace_back(a, b);
    }
  }
  if (world_.trace) world_.trace(fmt::format("partition {:b} one way {}", side, is_one_way));
  for (const auto& [a, b] : cut) world_.network.set_blocked(a, b, true);
  const base::Duration duration = base::microseconds(rng_.in_range(1, world_.options.partition_ms_max * 1000));
  world_.scheduler.after(duration, [this, cut] {
    for (const auto& [a, b] : cut) world_.network.set_blocked(a, b, false);
  });
}

void Nemesis::pause_one() {
  members_[draw_member()]->pause(base::microseconds(rng_.in_range(1, world_.options.pause_ms_max * 1000)));
}

void Nemesis::slow_one_disk() {
  members_[draw_member()]->slow_disk_down(base::microseconds(rng_.in_range(1, world_.options.slow_disk_ms_max * 1000)));
}

// Of any of the members at once, as when they share a host. Each by enough to be noticed: less than half an election
// time-out is for leases a clock that drifts too far, which they do not promise to survive.
void Nemesis::jump_clocks() {
  const SimOptions& o = world_.options;
  const std::uint64_t least_us = o.election_timeout_ms * 1000 / 2 + 1;
  const std::uint64_t set = rng_.in_range(1, (1ULL << members_.size()) - 1);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if ((set >> i & 1) == 0) continue;
    members_[i]->jump_clock(base::microseconds(rng_.in_range(least_us, least_us + o.clock_jump_ms_max * 1000)));
  }
}

void Nemesis::disconnect_two() {
  const std::size_t a = draw_member();
  const std::size_t b = draw_member();
  if (a == b) return;
  world_.network.break_connection(a, b);
  members_[a]->on_peer_connected(b);
  members_[b]->on_peer_connected(a);
}

void Nemesis::transfer() {
  if (const auto found = leader()) members_[*found]->transfer_leadership();
}

// Mostly what can be done by the leader's configuration; a member that is asked forwards it.
void Nemesis::change_members() {
  const auto found = leader();
  if (!found) return;
  const core::Configuration& known = members_[*found]->replica().node().configuration();
  core::ConfigurationChange change;
  for (std::size_t position = 0; position < members_.size(); ++position) {
    if (!rng_.chance(2, 5)) continue;
    const core::Member member{SimMember::id_of(position), "member-" + std::to_string(position + 1)};
    core::ChangeKind kind = core::ChangeKind::add_learner;
    if (known.is_learner(member.id)) {
      kind = rng_.chance(4, 5) ? core::ChangeKind::promote : core::ChangeKind::remove;
    } else if (known.contains(member.id)) {
      kind = rng_.chance(1, 2) ? core::ChangeKind::demote : core::ChangeKind::remove;
    }
    change.changes.push_back({kind, member});
  }
  if (change.changes.empty()) return;
  members_[rng_.chance(1, 2) ? *found : draw_member()]->change_members(std::move(change));
}

void Nemesis::heal() {
  is_healed_ = true;
  world_.network.heal();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i]->heal();
    const bool is_bootstrapping = members_[i]->incarnation() == 0;
    if (members_[i]->is_up() || members_[i]->is_lost() || is_bootstrapping) continue;
    members_[i]->start();
    connect(i);
  }
}

}  // namespace whitewater::sim

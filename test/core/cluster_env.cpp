#include "core/cluster_env.hpp"

#include "base/assert.hpp"

namespace whitewater::core::test {
namespace {

constexpr int outputs_max = 10000;  // that one input may cause

}  // namespace

void DiskEnv::write(const Persist& persist) {
  if (persist.hard_state) hard_state = *persist.hard_state;
  if (persist.reset) reset(persist.reset->first, persist.reset->term);
  if (persist.entries.empty()) return;
  const Index from = persist.entries.front().index;
  WW_ASSERT(from >= first);
  WW_ASSERT(from <= last().next());
  while (!entries.empty() && entries.back().index >= from) entries.pop_back();
  entries.insert(entries.end(), persist.entries.begin(), persist.entries.end());
}

void DiskEnv::reset(Index index, Term term) {
  entries.clear();
  first = index.next();
  released_term = term;
}

void DiskEnv::release(Index upto) {
  while (entries.size() > 1 && entries.front().index <= upto) {
    released_term = entries.front().term;
    entries.pop_front();
  }
  if (!entries.empty()) first = entries.front().index;
}

LogStart DiskEnv::start(Index applied) const {
  LogStart out;
  for (const Entry& e : entries) {
    if (out.terms.empty() || out.terms.back().term != e.term) out.terms.push_back({e.index, e.term});
    if (e.index > applied) out.entries.push_back(e);
  }
  if (first > Index(1)) out.prev_term = released_term;
  out.last_index = last();
  return out;
}

void ClusterEnv::add_member(NodeOptions options, Configuration configuration) {
  const std::uint64_t id = options.id.value;
  MemberEnv& member = members_[id];
  member.options = options;
  member.base = std::move(configuration);
  restart(id);
}

void ClusterEnv::restart(std::uint64_t id) {
  MemberEnv& member = members_.at(id);
  WW_ASSERT(member.node == nullptr);
  member.life += 1;
  // The crash came between a snapshot and the log's new beginning.
  const bool is_snapshot_newest = member.durable_applied == member.snapshot_index && !member.snapshot_index.is_zero();
  const auto disk_term = LogView(member.disk.start(Index(0))).term_at(member.durable_applied);
  if (is_snapshot_newest && disk_term != member.snapshot_term) {
    member.disk.reset(member.durable_applied, member.snapshot_term);
    HardState& state = member.disk.hard_state;
    if (state.term < member.snapshot_term) state = {member.snapshot_term, NodeId{}};
  }
  NodeStart start;
  start.hard_state = member.disk.hard_state;
  start.log = member.disk.start(member.durable_applied);
  start.applied = member.durable_applied;
  start.configuration = configuration_at(member, member.durable_applied);
  start.now = member.now;
  start.rng_seed = id * 1000 + member.life;
  member.node = std::make_unique<Node>(member.options, std::move(start));
  member.seen = Invariants::snapshot(*member.node);
}

Configuration ClusterEnv::configuration_at(const MemberEnv& member, Index index) {
  Configuration found = member.base;
  for (std::size_t i = 0; i < index.value; ++i) {
    const Entry& e = member.applied[i];
    if (e.type == EntryType::configuration) found = *decode_configuration(e.payload.view());
  }
  return found;
}

base::Result<void> ClusterEnv::change(std::uint64_t id, RequestId request, ConfigurationChange change) {
  MemberEnv& member = members_.at(id);
  auto result = member.node->on_propose_change(member.now, request, std::move(change));
  settle(member);
  return result;
}

std::optional<SnapshotEnv> ClusterEnv::take_snapshot(std::uint64_t from) {
  const MemberEnv& source = members_.at(from);
  const Index index = source.durable_applied;
  const auto term = source.node->log().term_at(index);
  if (index.is_zero() || !term) return std::nullopt;
  return SnapshotEnv{{index, *term, configuration_at(source, index)},
                     {source.applied.begin(), source.applied.begin() + static_cast<std::ptrdiff_t>(index.value)}};
}

void ClusterEnv::snapshot_started(std::uint64_t from, std::uint64_t to, Index index) {
  MemberEnv& source = members_.at(from);
  source.node->on_snapshot_started(NodeId(to), index);
  settle(source);
}

bool ClusterEnv::install_snapshot(std::uint64_t to, const SnapshotEnv& snapshot) {
  MemberEnv& target = members_.at(to);
  const auto& [index, term, configuration] = snapshot.point;
  if (!target.node->needs_snapshot(index, term)) return false;
  if (term > target.node->term() || target.node->role() == Role::leader) return false;
  target.applied = snapshot.applied;
  target.durable_applied = index;
  target.snapshot_index = index;
  target.snapshot_term = term;
  target.node->install_snapshot(target.now, snapshot.point);
  observer_.on_snapshot_installed(target, index);
  settle(target);
  return true;
}

void ClusterEnv::snapshot_sent(std::uint64_t from, std::uint64_t to, Index index) {
  MemberEnv& source = members_.at(from);
  source.node->on_snapshot_sent(source.now, NodeId(to), index);
  settle(source);
}

bool ClusterEnv::send_snapshot(std::uint64_t from, std::uint64_t to) {
  const auto snapshot = take_snapshot(from);
  if (!snapshot || !install_snapshot(to, *snapshot)) return false;
  snapshot_sent(from, to, snapshot->point.index);
  return true;
}

void ClusterEnv::stall(std::uint64_t id, base::Duration elapsed) {
  MemberEnv& member = members_.at(id);
  member.now = member.now + elapsed;
  member.node->on_stall(member.now);
  settle(member);
}

void ClusterEnv::crash(std::uint64_t id) {
  MemberEnv& member = members_.at(id);
  member.node.reset();
  member.writes.clear();
  member.applied.resize(member.durable_applied.value);
}

void ClusterEnv::tick(std::uint64_t id, base::Duration elapsed) {
  MemberEnv& member = members_.at(id);
  member.now = member.now + elapsed;
  if (!member.node) return;
  member.node->on_tick(member.now);
  settle(member);
}

void ClusterEnv::tick_to_deadline(std::uint64_t id) {
  MemberEnv& member = members_.at(id);
  const base::Instant deadline = member.node->next_deadline();
  tick(id, deadline > member.now ? deadline - member.now : base::Duration(0));
}

base::Result<void> ClusterEnv::propose(std::uint64_t id, Proposal proposal) {
  MemberEnv& member = members_.at(id);
  auto result = member.node->on_propose(member.now, std::move(proposal));
  settle(member);
  return result;
}

base::Result<void> ClusterEnv::read(std::uint64_t id, std::uint64_t tag) {
  MemberEnv& member = members_.at(id);
  auto result = member.node->on_read(member.now, tag);
  settle(member);
  return result;
}

bool ClusterEnv::transfer(std::uint64_t id) {
  MemberEnv& member = members_.at(id);
  const bool begun = member.node->transfer_leadership(member.now);
  settle(member);
  return begun;
}

void ClusterEnv::connect(std::uint64_t id, std::uint64_t peer) {
  MemberEnv& member = members_.at(id);
  member.node->on_peer_connected(NodeId(peer));
  settle(member);
}

void ClusterEnv::release(std::uint64_t id, Index upto) {
  MemberEnv& member = members_.at(id);
  member.node->on_released(upto);
  member.disk.release(upto);
  settle(member);
}

bool ClusterEnv::complete_write(std::uint64_t id) {
  MemberEnv& member = members_.at(id);
  if (member.node == nullptr || member.writes.empty()) return false;
  MemberEnv::Write write = std::move(member.writes.front());
  member.writes.pop_front();
  member.disk.write(write.persist);
  observer_.on_durable(member, write.persist);
  member.node->on_persisted(member.now, write.persist.token);
  network_.insert(network_.end(), write.after.begin(), write.after.end());
  settle(member);
  return true;
}

void ClusterEnv::set_automatic_disk(std::uint64_t id, bool automatic) {
  members_.at(id).automatic_disk = automatic;
  while (automatic && complete_write(id)) {
  }
}

bool ClusterEnv::can_pass(const Message& message) const {
  const auto to = members_.find(message.to.value);
  return to != members_.end() && to->second.node != nullptr && !cut_.contains({message.from.value, message.to.value});
}

void ClusterEnv::deliver(Message message) {
  MemberEnv& member = members_.at(message.to.value);
  member.node->on_message(member.now, std::move(message));
  settle(member);
}

void ClusterEnv::settle(MemberEnv& member) {
  for (int round = 0;; ++round) {
    WW_ASSERT_MSG(round < outputs_max, "a node that never comes to rest");
    Output output = member.node->take_output();
    const auto snapshot = Invariants::snapshot(*member.node);
    Invariants::check_delta(member.seen, snapshot);
    const auto before = std::exchange(member.seen, snapshot);
    observer_.on_change(member, before);
    if (output.empty()) return;
    carry_out(member, std::move(output));
    if (member.automatic_disk && !member.writes.empty()) {
      complete_write(member.options.id.value);  // settles again
      return;
    }
  }
}

void ClusterEnv::carry_out(MemberEnv& member, Output output) {
  if (output.persist) {
    observer_.on_persist(member, *output.persist);
    member.writes.push_back({std::move(*output.persist), {}});
  }
  for (Message& m : output.messages) network_.push_back(std::move(m));
  for (Message& m : output.after_persist) {
    if (member.writes.empty()) {
      network_.push_back(std::move(m));
    } else {
      member.writes.back().after.push_back(std::move(m));
    }
  }
  for (Entry& e : output.committed) {
    WW_ASSERT(e.index.value == member.applied.size() + 1);
    observer_.on_applied(member, e);
    member.applied.push_back(std::move(e));
  }
  for (const ReadResult& r : output.reads) observer_.on_read_result(member, r);
  for (const RejectedProposal& r : output.rejected) observer_.on_rejected(member, r);
  for (const LogRead& r : output.log_reads) answer_log_read(member, r);
  for (const SnapshotWanted& wanted : output.snapshots) observer_.on_snapshot_wanted(member, wanted);
}

void ClusterEnv::answer_log_read(MemberEnv& member, const LogRead& request) {
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  // Beyond the durable index the disk may still hold what is being replaced.
  const Index last = std::min(member.disk.last(), member.node->log().durable_index());
  for (Index i = request.first; i >= member.disk.first && i <= last; i = i.next()) {
    bytes += member.disk.at(i).payload.size_bytes();
    if (!entries.empty() && bytes > request.bytes_max) break;
    entries.push_back(member.disk.at(i));
  }
  observer_.on_log_read(member, request, entries.size());
  member.node->on_log_read(member.now, request.peer, std::move(entries));
}

}  // namespace whitewater::core::test

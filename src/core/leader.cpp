// The leader: replication with a window per follower, commitment by a quorum (its own disk counts like any other), read
// rounds, CheckQuorum and leadership transfer.
#include <algorithm>

#include "base/assert.hpp"
#include "core/node.hpp"

namespace whitewater::core {

void Node::become_leader() {
  WW_ASSERT(role_ == Role::candidate);
  WW_ASSERT(hard_state_.vote == options_.id);
  role_ = Role::leader;
  leader_ = options_.id;
  own_vote_pending_ = false;
  votes_.clear();
  transfer_target_.reset();
  progress_.clear();
  refresh_progress();
  heartbeat_deadline_ = now_;
  quorum_deadline_ = now_ + options_.election_timeout;
  lease_is_void_ = false;
  has_left_stalled_disk_ = false;
  change_request_ = {};
  // Commits what earlier terms left behind (thesis §6.4); an entry of an older term is never committed by counting
  // (§3.6.2).
  append_to_log({hard_state_.term, log_.last_index().next(), EntryType::noop, {}, {}});
  tick_leader();
}

// Progress follows the configuration: new members start where the log ends, removed ones are forgotten.
void Node::refresh_progress() {
  for (const Member& member : configuration().members()) {
    if (member.id != options_.id) progress_.try_emplace(member.id, log_.last_index().next(), now_);
  }
  std::erase_if(progress_, [&](const auto& item) { return !configuration().contains(item.first); });
}

void Node::tick_leader() {
  if (now_ >= quorum_deadline_) {
    // CheckQuorum (thesis §6.2): a leader that a quorum does not answer is no use to its clients.
    if (!has_recent_quorum(configuration())) {
      become_follower(hard_state_.term, NodeId{});
      return;
    }
    quorum_deadline_ = now_ + options_.election_timeout;
  }
  if (transfer_target_ && now_ >= transfer_deadline_) transfer_target_.reset();
  if (is_disk_stalled_ && !transfer_target_) leave_stalled_disk();
  if (role_ == Role::leader && now_ >= heartbeat_deadline_) send_heartbeats();
}

// Where nobody could take over, leading on is the best: the others' disks commit what they can.
void Node::leave_stalled_disk() {
  if (best_successor() == nullptr) return;
  if (std::exchange(has_left_stalled_disk_, true)) {
    become_follower(hard_state_.term, NodeId{});
  } else {
    (void)transfer_leadership(now_);
  }
}

bool Node::has_recent_quorum(const Configuration& of) const {
  return is_quorum(of, [&](NodeId id) {
    if (id == options_.id) return true;
    const auto progress = progress_.find(id);
    return progress != progress_.end() && now_ - progress->second.last_contact() <= options_.election_timeout;
  });
}

void Node::send_heartbeats() {
  heartbeat_deadline_ = now_ + options_.heartbeat_interval;
  update_releasable();
  const std::uint64_t round = reads_.next_round();
  if (options_.lease_reads) {
    while (!round_times_.empty() && now_ - round_times_.front().second > options_.election_timeout)
      round_times_.pop_front();
    round_times_.emplace_back(round, now_);
  }
  for (const auto& [id, progress] : progress_) {
    send(id, Heartbeat{std::min(committed_, progress.match()), round, releasable_, committed_});
  }
}

// Thesis §6.4.1, anchored at the moment the answered heartbeat was sent: from when it arrived its receiver refuses
// votes for an election time-out of its own clock.
bool Node::holds_lease(base::Instant now) const {
  if (role_ != Role::leader || !options_.lease_reads || lease_is_void_ || transfer_target_) return false;
  if (!has_committed_in_term()) return false;
  const base::Duration lease = options_.election_timeout / 1000 * (1000 - options_.lease_drift_permille);
  return is_quorum(configuration(), [&](NodeId id) {
    if (id == options_.id) return true;
    const auto progress = progress_.find(id);
    return progress != progress_.end() && progress->second.lease() && now < *progress->second.lease() + lease;
  });
}

base::Result<void> Node::append_proposal(Proposal proposal) {
  if (transfer_target_) return base::make_error_code(base::Errc::no_leader);
  if (refusal_) return base::make_error_code(*refusal_);
  if (uncommitted_bytes_ >= options_.uncommitted_bytes_max || is_memory_full()) {
    return base::make_error_code(base::Errc::too_many_requests);
  }
  append_to_log(
      {hard_state_.term, log_.last_index().next(), EntryType::command, proposal.request, std::move(proposal.payload)});
  return {};
}

// Thesis §4: a learner gets a vote only when it keeps up, and no change before an entry of this term is committed, or
// two leaders could count by configurations that do not overlap (hazard S34). Nor one that the members that answer now
// could not commit anything under.
base::Result<void> Node::append_change(RequestId request, const ConfigurationChange& change) {
  if (transfer_target_) return base::make_error_code(base::Errc::no_leader);
  if (!has_committed_in_term() || has_uncommitted_change())
    return base::make_error_code(base::Errc::change_in_progress);
  auto next = next_configuration(configuration(), change);
  if (!next) return next.error();
  for (const MemberChange& one : change.changes) {
    if (one.kind == ChangeKind::promote && !can_promote(one.member.id)) {
      return base::make_error_code(base::Errc::learner_not_ready);
    }
  }
  if (!has_recent_quorum(*next)) return base::make_error_code(base::Errc::quorum_at_risk);
  change_request_ = next->is_joint() ? request : RequestId{};
  append_configuration(next->is_joint() ? RequestId{} : request, *next);
  return {};
}

bool Node::can_promote(NodeId learner) const {
  const auto found = progress_.find(learner);
  if (found == progress_.end()) return false;
  const Progress& progress = found->second;
  return now_ - progress.last_contact() <= options_.election_timeout &&
         progress.match() + options_.promotion_lag_entries_max >= log_.last_index();
}

void Node::append_configuration(RequestId request, const Configuration& configuration) {
  append_to_log({hard_state_.term, log_.last_index().next(), EntryType::configuration, request,
                 SharedBytes(encode(configuration))});
  refresh_progress();
}

// Leaves a joint configuration as soon as it is committed, also one that an earlier leader began (thesis §4.3). Not
// while leadership is handed over: the successor could not win without the entry, and leaves it itself.
void Node::advance_configuration() {
  if (!configuration().is_joint() || has_uncommitted_change() || !has_committed_in_term() || transfer_target_) return;
  append_configuration(std::exchange(change_request_, {}), left_joint(configuration()));
}

// A leader that the committed configuration does not let vote has led until here for the others (thesis §4.2.2); the
// one that holds most goes on without waiting for a time-out.
void Node::step_down_when_removed() {
  if (has_uncommitted_change() || configuration().is_voter(options_.id)) return;
  const auto* successor = best_successor();
  if (successor != nullptr && successor->second.match() == log_.last_index()) send(successor->first, TimeoutNow{});
  become_follower(hard_state_.term, NodeId{});
}

void Node::on_forwarded_change(const Message& message, const ForwardedChange& forwarded) {
  base::Result<void> appended = base::make_error_code(base::Errc::not_leader);
  if (role_ == Role::leader) appended = append_change(forwarded.request, forwarded.change);
  if (appended) return;
  send(message.from, ForwardRejected{{forwarded.request}, static_cast<base::Errc>(appended.error().value())});
}

void Node::on_forwarded(const Message& message, ForwardedProposals forwarded) {
  ForwardRejected rejected;
  for (Proposal& proposal : forwarded.proposals) {
    const RequestId request = proposal.request;
    base::Errc reason = base::Errc::not_leader;
    if (role_ == Role::leader && proposal.payload.size_bytes() <= entry_payload_bytes_max) {
      const auto appended = append_proposal(std::move(proposal));
      if (appended) continue;
      reason = static_cast<base::Errc>(appended.error().value());
    }
    rejected.requests.push_back(request);
    rejected.reason = reason;
  }
  if (!rejected.requests.empty()) send(message.from, std::move(rejected));
}

// Sends to each follower whatever its window allows: new entries, a probe, or only the commit index.
void Node::replicate() {
  WW_ASSERT(role_ == Role::leader);
  for (auto& [id, progress] : progress_) {
    while (progress.can_send(options_.window)) {
      const Index next = progress.next();
      if (next < log_.first_index() || !log_.term_at(next.prev())) {
        progress.become_snapshot();
        output_.snapshots.push_back({id, progress.match()});
        break;
      }
      if (next > log_.last_index()) {
        const bool is_probe = progress.state() == Progress::State::probe;
        if (is_probe || progress.commit_sent() < committed_) send_append(id, progress, {});
        break;
      }
      if (next < log_.cached_from()) {
        progress.set_reading_log(true);
        output_.log_reads.push_back({id, next, options_.append_bytes_max});
        break;
      }
      send_append(id, progress, log_.slice(next, message_entries_max, options_.append_bytes_max));
    }
  }
}

void Node::send_append(NodeId peer, Progress& progress, std::vector<Entry> entries) {
  const Index prev = progress.next().prev();
  const auto prev_term = log_.term_at(prev);
  WW_ASSERT(prev_term.has_value());
  std::size_t bytes = 0;
  for (const Entry& entry : entries) bytes += entry.payload.size_bytes();
  const Index last = prev + entries.size();
  send(peer, AppendRequest{prev, *prev_term, committed_, std::move(entries)});
  progress.on_sent(last, bytes, std::min(committed_, last), reads_.round());
}

void Node::on_log_read(base::Instant now, NodeId peer, std::vector<Entry> entries) {
  WW_ASSERT(now >= now_);
  now_ = now;
  const auto found = progress_.find(peer);
  if (role_ != Role::leader || found == progress_.end()) return;
  Progress& progress = found->second;
  if (!progress.is_reading_log()) return;  // asked for by an earlier connection
  progress.set_reading_log(false);
  if (entries.empty()) {
    progress.on_log_read_failed(reads_.round());
    return;
  }
  // The follower may have answered meanwhile; then the next round asks again from the right place.
  if (entries.front().index != progress.next() || !progress.can_send(options_.window)) return;
  // The log counts bytes; many small entries would make a message that the peer refuses.
  if (entries.size() > message_entries_max) entries.resize(message_entries_max);
  if (!log_.matches(entries.back().index, entries.back().term) || !log_.term_at(progress.next().prev())) return;
  send_append(peer, progress, std::move(entries));
}

void Node::on_snapshot_started(NodeId peer, Index index) {
  const auto found = progress_.find(peer);
  if (role_ == Role::leader && found != progress_.end()) found->second.set_snapshot_index(index);
}

void Node::on_snapshot_sent(base::Instant now, NodeId peer, Index index) {
  WW_ASSERT(now >= now_);
  now_ = now;
  const auto found = progress_.find(peer);
  if (role_ != Role::leader || found == progress_.end()) return;
  found->second.on_snapshot(std::min(index, log_.last_index()));
}

void Node::on_peer_connected(NodeId peer) {
  const auto found = progress_.find(peer);
  if (role_ != Role::leader || found == progress_.end()) return;
  if (found->second.state() != Progress::State::snapshot) found->second.become_probe();
}

void Node::on_append_response(const Message& message, const AppendResponse& response) {
  const auto found = progress_.find(message.from);
  if (role_ != Role::leader || found == progress_.end()) return;
  Progress& progress = found->second;
  progress.on_contact(now_);
  if (response.rejected) {
    const Index retry = log_.last_index_at_most(response.hint_index, response.hint_term).next();
    progress.on_rejected(response.index, retry);
    return;
  }
  if (response.index > log_.last_index()) return;
  if (progress.on_accepted(response.index)) {
    maybe_commit();
    maybe_finish_transfer();
  }
}

void Node::on_heartbeat_response(const Message& message, const HeartbeatResponse& response) {
  const auto found = progress_.find(message.from);
  if (role_ != Role::leader || found == progress_.end()) return;
  Progress& progress = found->second;
  progress.on_contact(now_);
  progress.on_heartbeat_response(options_.window, response.read_round);
  const auto sent = std::find_if(round_times_.begin(), round_times_.end(),
                                 [&](const auto& item) { return item.first == response.read_round; });
  if (sent != round_times_.end()) progress.on_lease(sent->second);
  // Everything was sent but not everything arrived, and nothing new may come: an empty append finds out.
  const bool is_tail_unanswered = progress.match() < log_.last_index() && progress.next() > log_.last_index();
  if (progress.state() == Progress::State::replicate && is_tail_unanswered) send_append(message.from, progress, {});
  if (reads_.on_ack(message.from, response.read_round)) maybe_finish_read_round();
}

Index Node::quorum_match(Index own) const {
  return quorum_index(configuration(), [&](NodeId id) {
    if (id == options_.id) return own;
    const auto progress = progress_.find(id);
    return progress == progress_.end() ? Index(0) : progress->second.match();
  });
}

Index Node::replicated_index() const { return role_ == Role::leader ? quorum_match(log_.last_index()) : Index(0); }

// Thesis §3.6.2: the newest index that a quorum has on stable storage, if it is of this term.
void Node::maybe_commit() {
  const Index index = quorum_match(log_.durable_index());
  if (index > committed_ && log_.matches(index, hard_state_.term)) set_committed(index);
}

void Node::on_read_index_request(const Message& message, const ReadIndexRequest& request) {
  if (role_ != Role::leader) {
    send(message.from, ReadIndexResponse{request.tag, true, Index(0)});
    return;
  }
  if (holds_lease(now_)) {
    send(message.from, ReadIndexResponse{request.tag, false, committed_});
    return;
  }
  reads_.add({message.from, request.tag});
}

void Node::maybe_start_read_round() {
  // Before this term's first commit the commit index may be older than what a predecessor acknowledged (hazard S49).
  if (reads_.is_running() || reads_.waiting_count() == 0 || !has_committed_in_term()) return;
  reads_.start(committed_);
  maybe_finish_read_round();
  if (reads_.is_running()) send_heartbeats();
}

void Node::maybe_finish_read_round() {
  const bool confirmed = is_quorum(configuration(), [&](NodeId id) { return id == options_.id || reads_.has_ack(id); });
  if (confirmed) answer_reads(reads_.finish());
}

void Node::answer_reads(const std::vector<ConfirmedRead>& reads) {
  for (const ConfirmedRead& read : reads) {
    if (read.request.origin == options_.id) {
      output_.reads.push_back({read.request.tag, read.index});
    } else {
      send(read.request.origin, ReadIndexResponse{read.request.tag, false, read.index});
    }
  }
}

bool Node::transfer_leadership(base::Instant now) {
  WW_ASSERT(now >= now_);
  now_ = now;
  if (role_ != Role::leader) return false;
  const auto* best = best_successor();
  if (best == nullptr) return false;
  transfer_target_ = best->first;
  transfer_deadline_ = now_ + options_.election_timeout;
  transfer_sent_ = false;
  maybe_finish_transfer();
  return true;
}

// The voter that is alive and holds most; one that is on its way out does not count.
const std::pair<const NodeId, Progress>* Node::best_successor() const {
  const std::pair<const NodeId, Progress>* best = nullptr;
  const auto& voters = configuration().voters;
  for (const auto& item : progress_) {
    const bool is_alive = now_ - item.second.last_contact() <= options_.election_timeout;
    const bool is_voter =
        std::any_of(voters.begin(), voters.end(), [&](const Member& member) { return member.id == item.first; });
    if (!is_voter || !is_alive) continue;
    if (best == nullptr || item.second.match() > best->second.match()) best = &item;
  }
  return best;
}

void Node::maybe_finish_transfer() {
  if (!transfer_target_ || transfer_sent_) return;
  const auto target = progress_.find(*transfer_target_);
  if (target == progress_.end()) {
    transfer_target_.reset();
  } else if (target->second.match() == log_.last_index()) {
    transfer_sent_ = true;
    lease_is_void_ = true;
    send(target->first, TimeoutNow{});
  }
}

void Node::update_releasable() {
  Index smallest = std::min(committed_, log_.durable_index());
  for (const auto& [id, progress] : progress_) smallest = std::min(smallest, progress.match());
  releasable_ = std::max(releasable_, smallest);
}

Index Node::releasable_behind_healthy() const {
  if (role_ != Role::leader) return releasable_;
  Index smallest = std::min(committed_, log_.durable_index());
  for (const auto& [id, progress] : progress_) {
    const bool is_heard = now_ - progress.last_contact() <= options_.election_timeout;
    if (!is_heard) continue;
    if (progress.state() == Progress::State::snapshot) {
      smallest = std::min(smallest, progress.snapshot_index().value_or(smallest));
    } else {
      smallest = std::min(smallest, progress.match());
    }
  }
  return std::max(releasable_, smallest);
}

}  // namespace whitewater::core

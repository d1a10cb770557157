// The follower's side: appends, heartbeats, votes for others, and the answers to what it forwarded.
#include <algorithm>

#include "base/assert.hpp"
#include "core/node.hpp"

namespace whitewater::core {
namespace {

// Entries must follow each other and decode: a leader of this version sends nothing else (hazard S20), and a frame of
// another version must not reach the log.
bool is_well_formed(const AppendRequest& request, Term term) {
  Index expected = request.prev_index.next();
  Term last_term = request.prev_term;
  for (const Entry& entry : request.entries) {
    if (entry.index != expected || entry.term < last_term || entry.term > term) return false;
    if (entry.type == EntryType::configuration && !decode_configuration(entry.payload.view())) return false;
    expected = expected.next();
    last_term = entry.term;
  }
  return true;
}

}  // namespace

bool Node::is_leader_recent() const {
  if (role_ == Role::leader) return true;  // CheckQuorum ends its leadership, not a candidate's request
  return heard_leader_ && now_ - leader_contact_ < options_.election_timeout;
}

// What is not durable cannot be evicted; a disk that stalls must not make it grow for ever. A tail that is durable and
// not committed, however long, is no reason: what commits it may come behind it.
bool Node::is_memory_full() const {
  return log_.durable_index() < log_.last_index() &&
         log_.cached_bytes() >= options_.cache_bytes_max + options_.uncommitted_bytes_max;
}

// A full log keeps its last room for terms, votes and no-ops, without which nothing commits and no space comes free.
// What it holds already is acknowledged for the same reason; the leader sends the rest again.
void Node::drop_new_commands(AppendRequest& request) const {
  const auto end = request.entries.end();
  const auto first_new = std::find_if(request.entries.begin(), end,
                                      [&](const Entry& entry) { return !log_.matches(entry.index, entry.term); });
  const bool has_commands =
      std::any_of(first_new, end, [](const Entry& entry) { return entry.type == EntryType::command; });
  if (has_commands) request.entries.erase(first_new, end);
}

// Thesis §3.5, receiver of AppendEntries.
void Node::on_append(const Message& message, AppendRequest request) {
  WW_ASSERT_MSG(role_ != Role::leader, "two leaders in one term");
  if (!is_well_formed(request, message.term)) return;
  if (role_ != Role::follower) become_follower(hard_state_.term, message.from);
  leader_ = message.from;
  leader_contact_ = now_;
  heard_leader_ = true;
  known_committed_ = std::max(known_committed_, request.commit);
  restart_election_timer();

  if (request.prev_index < committed_ && request.prev_index.next() < log_.first_index()) {
    // All of this is committed here and partly forgotten; what is committed matches.
    send_after_persist(message.from, hard_state_.term, AppendResponse{false, committed_, Index(0), Term(0)});
    return;
  }
  if (!log_.matches(request.prev_index, request.prev_term)) {
    const Index hint = log_.last_index_at_most(std::min(request.prev_index, log_.last_index()), request.prev_term);
    send_after_persist(message.from, hard_state_.term,
                       AppendResponse{true, request.prev_index, hint, log_.term_at(hint).value_or(Term(0))});
    return;
  }
  if (refusal_ || is_memory_full()) drop_new_commands(request);
  const Index last_new = request.prev_index + request.entries.size();
  for (Entry& entry : request.entries) {
    if (log_.matches(entry.index, entry.term)) continue;
    if (entry.index <= log_.last_index()) truncate_log(entry.index);
    append_to_log(std::move(entry));
  }
  // Never beyond what this message proves to match (hazard S22).
  set_committed(std::min(std::max(request.commit, committed_), std::max(last_new, committed_)));
  send_after_persist(message.from, hard_state_.term, AppendResponse{false, last_new, Index(0), Term(0)});
}

void Node::on_heartbeat(const Message& message, const Heartbeat& heartbeat) {
  WW_ASSERT_MSG(role_ != Role::leader, "two leaders in one term");
  if (role_ != Role::follower) become_follower(hard_state_.term, message.from);
  leader_ = message.from;
  leader_contact_ = now_;
  heard_leader_ = true;
  restart_election_timer();
  // The leader cuts the commit index to what this log is known to match; a lost disk would break that promise.
  if (heartbeat.commit <= log_.last_index()) set_committed(heartbeat.commit);
  known_committed_ = std::max(known_committed_, heartbeat.leader_commit);
  releasable_ = std::max(releasable_, std::min(heartbeat.released, committed_));
  // Leaves before any write: it says "I follow nobody newer", which needs no disk.
  send(message.from, HeartbeatResponse{heartbeat.read_round});
}

// Thesis §3.4 and §3.6.1; for a pre-vote §9.6.
void Node::on_vote_request(const Message& message, const VoteRequest& request) {
  const bool is_future_pre_vote = request.pre_vote && message.term > hard_state_.term;
  const bool is_free =
      hard_state_.vote == message.from || (hard_state_.vote.is_zero() && leader_.is_zero()) || is_future_pre_vote;
  const bool granted = is_free && log_.is_up_to_date(request.last_index, request.last_term);
  if (!granted) {
    send_after_persist(message.from, hard_state_.term, VoteResponse{request.pre_vote, false});
    return;
  }
  if (request.pre_vote) {
    send_after_persist(message.from, message.term, VoteResponse{true, true});
    return;
  }
  hard_state_.vote = message.from;
  restart_election_timer();
  send_after_persist(message.from, hard_state_.term, VoteResponse{false, true});
}

void Node::on_timeout_now(const Message&) {
  if (role_ == Role::leader || !can_campaign() || is_disk_stalled_) return;
  campaign(false, true);
}

void Node::on_forward_rejected(const ForwardRejected& rejected) {
  for (const RequestId& request : rejected.requests) output_.rejected.push_back({request, rejected.reason});
}

void Node::on_read_index_response(const ReadIndexResponse& response) {
  output_.reads.push_back({response.tag, response.refused ? std::nullopt : std::optional(response.index)});
}

}  // namespace whitewater::core

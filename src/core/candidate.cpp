// Campaigning: pre-vote (thesis §9.6), the vote itself (§3.4), and the forced campaign of a leadership transfer
// (§3.10).
#include "base/assert.hpp"
#include "core/node.hpp"

namespace whitewater::core {

void Node::campaign(bool pre_vote, bool transfer) {
  WW_ASSERT(role_ != Role::leader);
  WW_ASSERT(can_campaign());
  votes_.clear();
  own_vote_pending_ = false;
  leader_ = NodeId{};
  heard_leader_ = false;
  campaign_is_transfer_ = transfer;
  Term asked_term = hard_state_.term.next();
  if (pre_vote) {
    role_ = Role::pre_candidate;
    votes_[options_.id] = true;  // promises nothing, so it needs no disk
  } else {
    role_ = Role::candidate;
    set_term(asked_term);
    hard_state_.vote = options_.id;
    // The requests leave while the own vote is being written; it counts when it is durable (hazard S1).
    own_vote_pending_ = true;
    own_vote_token_ = 0;
  }
  restart_election_timer();
  // After a crash the same term may be campaigned for again, and a late vote counted: what it was granted for must
  // have survived, so a log that is still being written keeps the requests back.
  const bool is_log_durable = pending_persists_.empty() && persist_from_ > log_.last_index();
  auto& requests = pre_vote || is_log_durable ? output_.messages : output_.after_persist;
  for (const Member& member : configuration().members()) {
    if (member.id == options_.id || !configuration().is_voter(member.id)) continue;
    requests.push_back(
        {options_.id, member.id, asked_term, VoteRequest{pre_vote, transfer, log_.last_index(), log_.last_term()}});
  }
  if (pre_vote && count_votes(configuration(), votes_) == VoteResult::won) campaign(false, transfer);
}

void Node::count_own_vote() {
  WW_ASSERT(role_ == Role::candidate);
  WW_ASSERT(hard_state_.vote == options_.id);
  own_vote_pending_ = false;
  votes_[options_.id] = true;
  if (count_votes(configuration(), votes_) == VoteResult::won) become_leader();
}

void Node::on_vote_response(const Message& message, const VoteResponse& response) {
  const bool expected_role = role_ == (response.pre_vote ? Role::pre_candidate : Role::candidate);
  if (!expected_role) return;
  // A granted pre-vote carries the term it was asked for; one for an older campaign says nothing about this one.
  if (response.pre_vote && response.granted && message.term != hard_state_.term.next()) return;
  votes_.try_emplace(message.from, response.granted);
  switch (count_votes(configuration(), votes_)) {
    case VoteResult::pending:
      return;
    case VoteResult::lost:
      become_follower(hard_state_.term, NodeId{});
      return;
    case VoteResult::won:
      if (role_ == Role::pre_candidate) {
        campaign(false, campaign_is_transfer_);
      } else if (!own_vote_pending_) {
        become_leader();
      }
      // Others' votes alone do not make a leader: a crash would forget the term and lead it a second time.
      return;
  }
}

}  // namespace whitewater::core

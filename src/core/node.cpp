// What every role shares: terms, the log, the dispatch of messages and the assembly of an Output.
#include "core/node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "core/invariants.hpp"

namespace whitewater::core {
namespace {

std::size_t payload_cost_bytes(const Entry& entry) { return entry.payload.size_bytes() + 64; }

template <class T>
bool is_body(const Message& m) {
  return std::holds_alternative<T>(m.body);
}

}  // namespace

std::string describe(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "unknown";
}

bool Output::empty() const {
  return !persist && messages.empty() && after_persist.empty() && committed.empty() && reads.empty() &&
         rejected.empty() && log_reads.empty() && snapshots.empty();
}

Node::Node(NodeOptions options, NodeStart start)
    : options_(options),
      rng_(start.rng_seed),
      now_(start.now),
      hard_state_(start.hard_state),
      persisted_hard_state_(start.hard_state),
      log_(std::move(start.log)),
      committed_(start.applied),
      known_committed_(start.applied),
      applied_(start.applied),
      persist_from_(log_.last_index().next()) {
  WW_ASSERT(!options_.id.is_zero());
  WW_ASSERT(options_.heartbeat_interval < options_.election_timeout);
  WW_ASSERT_MSG(log_.last_index() >= start.applied, "the state machine is ahead of the durable log");
  WW_ASSERT_MSG(hard_state_.term >= log_.last_term(), "the log holds a term that was never begun");
  configurations_.push_back({start.applied, normalized(std::move(start.configuration))});
  for (Index i = start.applied.next(); i <= log_.last_index(); i = i.next()) {
    const Entry& entry = log_.at(i);
    uncommitted_bytes_ += payload_cost_bytes(entry);
    if (entry.type == EntryType::configuration) push_configuration(i, entry.payload.view());
  }
  if (options_.lease_reads) {
    // Before the restart this member may have promised a leader to vote for nobody else for as long.
    heard_leader_ = true;
    leader_contact_ = now_;
    start.first_election_delay.reset();
  }
  restart_election_timer();
  if (start.first_election_delay) {
    const bool is_alone = can_campaign() && configuration().members().size() == 1;
    election_deadline_ = is_alone ? now_ : now_ + *start.first_election_delay;
  }
}

void Node::on_tick(base::Instant now) {
  WW_ASSERT(now >= now_);
  now_ = now;
  if (role_ == Role::leader) {
    tick_leader();
  } else if (now_ >= election_deadline_) {
    if (can_campaign() && !is_disk_stalled_) {
      campaign(true, false);
    } else {
      restart_election_timer();
    }
  }
}

void Node::on_message(base::Instant now, Message message) {
  WW_ASSERT(now >= now_);
  now_ = now;
  // A frame that went astray must not be counted as somebody's vote (hazard S24).
  if (message.to != options_.id || message.from == options_.id || message.from.is_zero()) return;
  if (message.term > term_max) return;
  if (!is_message_of_current_term(message)) return;
  std::visit(
      [&](auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, AppendRequest>) on_append(message, std::move(body));
        if constexpr (std::is_same_v<Body, AppendResponse>) on_append_response(message, body);
        if constexpr (std::is_same_v<Body, Heartbeat>) on_heartbeat(message, body);
        if constexpr (std::is_same_v<Body, HeartbeatResponse>) on_heartbeat_response(message, body);
        if constexpr (std::is_same_v<Body, VoteRequest>) on_vote_request(message, body);
        if constexpr (std::is_same_v<Body, VoteResponse>) on_vote_response(message, body);
        if constexpr (std::is_same_v<Body, TimeoutNow>) on_timeout_now(message);
        if constexpr (std::is_same_v<Body, ForwardedProposals>) on_forwarded(message, std::move(body));
        if constexpr (std::is_same_v<Body, ForwardedChange>) on_forwarded_change(message, body);
        if constexpr (std::is_same_v<Body, ForwardRejected>) on_forward_rejected(body);
        if constexpr (std::is_same_v<Body, ReadIndexRequest>) on_read_index_request(message, body);
        if constexpr (std::is_same_v<Body, ReadIndexResponse>) on_read_index_response(body);
      },
      message.body);
}

// Thesis §3.3 (terms) with the refinements of PreVote and CheckQuorum. Returns whether the message is to be handled.
bool Node::is_message_of_current_term(const Message& message) {
  const auto* vote_request = std::get_if<VoteRequest>(&message.body);
  const auto* vote_response = std::get_if<VoteResponse>(&message.body);
  if (message.term < hard_state_.term) {
    // The answer to a request of this member's own, whoever gave it: a refusal stays one, and a read that was confirmed
    // after it was asked for stays confirmed.
    if (is_body<ForwardRejected>(message) || is_body<ReadIndexResponse>(message)) return true;
    answer_stale(message);
    return false;
  }
  if (vote_request != nullptr && !vote_request->transfer && message.term > hard_state_.term && is_leader_recent()) {
    return false;  // §4.2.3: who hears a leader does not help to depose it
  }
  if (message.term > hard_state_.term) {
    if (vote_request != nullptr && vote_request->pre_vote) return true;  // asks about a term that may never be
    if (vote_response != nullptr && vote_response->pre_vote && vote_response->granted) return true;
    const bool from_leader = is_body<AppendRequest>(message) || is_body<Heartbeat>(message);
    become_follower(message.term, from_leader ? message.from : NodeId{});
  }
  return true;
}

// A sender in an older term learns the present one where silence would leave it stuck (hazards S26, S28).
void Node::answer_stale(const Message& message) {
  if (is_body<AppendRequest>(message) || is_body<Heartbeat>(message)) {
    send_after_persist(message.from, hard_state_.term, AppendResponse{true, Index(0), Index(0), Term(0)});
  } else if (const auto* request = std::get_if<VoteRequest>(&message.body); request != nullptr && request->pre_vote) {
    send_after_persist(message.from, hard_state_.term, VoteResponse{true, false});
  } else if (const auto* forwarded = std::get_if<ForwardedProposals>(&message.body)) {
    ForwardRejected rejected;
    for (const Proposal& p : forwarded->proposals) rejected.requests.push_back(p.request);
    send(message.from, std::move(rejected));
  } else if (const auto* change = std::get_if<ForwardedChange>(&message.body)) {
    send(message.from, ForwardRejected{{change->request}, base::Errc::not_leader});
  } else if (const auto* read = std::get_if<ReadIndexRequest>(&message.body)) {
    send(message.from, ReadIndexResponse{read->tag, true, Index(0)});
  }
}

void Node::on_persisted(base::Instant now, std::uint64_t token) {
  WW_ASSERT(now >= now_);
  now_ = now;
  while (!pending_persists_.empty() && pending_persists_.front().token <= token) {
    const PendingPersist done = pending_persists_.front();
    pending_persists_.pop_front();
    // What it wrote may be below a snapshot by now, or replaced by one.
    if (log_.matches(done.last, done.term) && !done.last.is_zero()) log_.set_durable(done.last);
  }
  log_.evict(std::min(applied_, log_.durable_index()), options_.cache_bytes_max);
  if (own_vote_pending_ && own_vote_token_ != 0 && own_vote_token_ <= token) count_own_vote();
  if (role_ == Role::leader) {
    maybe_commit();
    maybe_finish_transfer();
  }
}

base::Result<void> Node::on_propose(base::Instant now, Proposal proposal) {
  WW_ASSERT(now >= now_);
  now_ = now;
  if (proposal.payload.size_bytes() > entry_payload_bytes_max) {
    return base::make_error_code(base::Errc::request_too_large);
  }
  if (role_ == Role::leader) return append_proposal(std::move(proposal));
  if (leader_.is_zero()) return base::make_error_code(base::Errc::no_leader);
  forwards_.push_back(std::move(proposal));
  return {};
}

base::Result<void> Node::on_propose_change(base::Instant now, RequestId request, ConfigurationChange change) {
  WW_ASSERT(now >= now_);
  now_ = now;
  if (role_ == Role::leader) return append_change(request, change);
  if (leader_.is_zero()) return base::make_error_code(base::Errc::no_leader);
  send(leader_, ForwardedChange{request, std::move(change)});
  return {};
}

base::Result<void> Node::on_read(base::Instant now, std::uint64_t tag) {
  WW_ASSERT(now >= now_);
  now_ = now;
  if (role_ == Role::leader) {
    if (holds_lease(now)) {
      output_.reads.push_back({tag, committed_});
    } else {
      reads_.add({options_.id, tag});
    }
    return {};
  }
  if (leader_.is_zero()) return base::make_error_code(base::Errc::no_leader);
  send(leader_, ReadIndexRequest{tag});
  return {};
}

void Node::set_term(Term term) {
  WW_ASSERT(term >= hard_state_.term);
  if (term == hard_state_.term) return;
  hard_state_ = {term, NodeId{}};
  heard_leader_ = false;
}

void Node::become_follower(Term term, NodeId leader) {
  if (role_ == Role::leader) {
    for (const ReadRequest& read : reads_.take_all()) {
      if (read.origin == options_.id) {
        output_.reads.push_back({read.tag, std::nullopt});
      } else {
        send(read.origin, ReadIndexResponse{read.tag, true, Index(0)});
      }
    }
  }
  set_term(term);
  role_ = Role::follower;
  leader_ = leader;
  votes_.clear();
  own_vote_pending_ = false;
  progress_.clear();
  transfer_target_.reset();
  round_times_.clear();
  restart_election_timer();
}

// In force from the moment it is in the log (thesis §4.1).
void Node::push_configuration(Index index, std::string_view encoded) {
  auto configuration = decode_configuration(encoded);
  WW_ASSERT_MSG(configuration.has_value(), "a configuration entry of the own log does not decode");
  configurations_.push_back({index, normalized(std::move(*configuration))});
}

void Node::append_to_log(Entry entry) {
  if (entry.type == EntryType::configuration) push_configuration(entry.index, entry.payload.view());
  uncommitted_bytes_ += payload_cost_bytes(entry);
  log_.append(std::move(entry));
}

void Node::truncate_log(Index from) {
  WW_ASSERT_MSG(from > committed_, "a committed entry would be truncated");
  for (Index i = from; i <= log_.last_index(); i = i.next()) uncommitted_bytes_ -= payload_cost_bytes(log_.at(i));
  log_.truncate_from(from);
  replace_pending_writes(from);
  persist_from_ = std::min(persist_from_, from);
  // Back to the configuration before the entries that are gone (thesis §4.1, hazard S35).
  while (configurations_.size() > 1 && configurations_.back().index >= from) configurations_.pop_back();
}

// What is on its way to the disk vouches for nothing from `from` on any more, not even for an entry that comes back:
// until the later writes are durable the disk holds something else there (hazard S17).
void Node::replace_pending_writes(Index from) {
  for (PendingPersist& pending : pending_persists_) {
    if (pending.last < from) continue;
    pending.last = from.prev();
    pending.term = log_.term_at(from.prev()).value_or(Term(0));
  }
}

void Node::set_committed(Index index) {
  WW_ASSERT(index <= log_.last_index());
  if (index <= committed_) return;
  for (Index i = committed_.next(); i <= index; i = i.next()) uncommitted_bytes_ -= payload_cost_bytes(log_.at(i));
  committed_ = index;
  known_committed_ = std::max(known_committed_, index);
  while (configurations_.size() > 1 && configurations_[1].index <= committed_) {
    configurations_.erase(configurations_.begin());
  }
}

bool Node::needs_snapshot(Index index, Term term) const { return index > committed_ && !log_.matches(index, term); }

void Node::install_snapshot(base::Instant now, SnapshotPoint point) {
  WW_ASSERT(now >= now_);
  now_ = now;
  WW_ASSERT(role_ != Role::leader);
  WW_ASSERT(needs_snapshot(point.index, point.term));
  WW_ASSERT(point.term <= hard_state_.term);
  log_.reset(point.index, point.term);
  configurations_.clear();
  configurations_.push_back({point.index, normalized(std::move(point.configuration))});
  committed_ = applied_ = point.index;
  known_committed_ = std::max(known_committed_, point.index);
  uncommitted_bytes_ = 0;
  persist_from_ = point.index.next();
  reset_to_persist_ = TermRun{point.index, point.term};
  if (!leader_.is_zero()) {
    send_after_persist(leader_, hard_state_.term, AppendResponse{false, point.index, Index(0), Term(0)});
  }
}

void Node::on_stall(base::Instant now) {
  WW_ASSERT(now >= now_);
  now_ = now;
  round_times_.clear();
  for (auto& [id, progress] : progress_) progress.forget_lease();
  if (role_ == Role::leader) return;
  if (options_.lease_reads) {
    // A clock that ran ahead has shortened the promise to vote for nobody; it holds for an election time-out from here.
    heard_leader_ = true;
    leader_contact_ = now_;
    restart_election_timer();
  } else if (now_ >= election_deadline_) {
    restart_election_timer();
  }
}

void Node::restart_election_timer() {
  const auto base_ns = static_cast<std::uint64_t>(options_.election_timeout.count());
  election_deadline_ = now_ + base::Duration(rng_.in_range(base_ns, base_ns + base_ns / 2 - 1));
}

// Also who is voted out by an entry that is not committed yet: perhaps nobody else has it, and nobody without it can
// win (thesis §4.2.2). Its own vote does not count then.
bool Node::can_campaign() const {
  return std::any_of(configurations_.begin(), configurations_.end(),
                     [&](const ConfigurationAt& at) { return at.configuration.is_voter(options_.id); });
}

void Node::send(NodeId to, MessageBody body) {
  output_.messages.push_back({options_.id, to, hard_state_.term, std::move(body)});
}

void Node::send_after_persist(NodeId to, Term term, MessageBody body) {
  output_.after_persist.push_back({options_.id, to, term, std::move(body)});
}

void Node::fill_persist(Output& output) {
  const bool hard_state_changed = hard_state_ != persisted_hard_state_;
  if (!hard_state_changed && !reset_to_persist_ && persist_from_ > log_.last_index()) return;
  Persist persist;
  persist.token = next_token_++;
  if (hard_state_changed) persist.hard_state = hard_state_;
  persisted_hard_state_ = hard_state_;
  persist.reset = std::exchange(reset_to_persist_, std::nullopt);
  persist.entries = log_.slice(persist_from_, SIZE_MAX, SIZE_MAX);
  persist_from_ = log_.last_index().next();
  pending_persists_.push_back({persist.token, log_.last_term(), log_.last_index()});
  if (own_vote_pending_ && own_vote_token_ == 0) own_vote_token_ = persist.token;
  output.persist = std::move(persist);
}

void Node::fill_committed(Output& output) {
  if (applied_ >= committed_) return;
  const std::uint64_t count = std::min<std::uint64_t>(committed_ - applied_, options_.apply_entries_max);
  output.committed.reserve(count);
  for (std::uint64_t i = 1; i <= count; ++i) output.committed.push_back(log_.at(applied_ + i));
  applied_ = applied_ + count;
  log_.evict(std::min(applied_, log_.durable_index()), options_.cache_bytes_max);
}

// What a follower has queued goes to its leader in messages that the peer protocol accepts; a member that has become
// leader meanwhile appends it itself.
void Node::flush_forwards() {
  ForwardedProposals batch;
  std::size_t batch_bytes = 0;
  for (Proposal& proposal : std::exchange(forwards_, {})) {
    const RequestId request = proposal.request;
    if (role_ == Role::leader) {
      const auto appended = append_proposal(std::move(proposal));
      if (!appended) output_.rejected.push_back({request, static_cast<base::Errc>(appended.error().value())});
      continue;
    }
    if (leader_.is_zero()) {
      output_.rejected.push_back({request, base::Errc::no_leader});
      continue;
    }
    const std::size_t bytes = proposal.payload.size_bytes();
    if (batch.proposals.size() == message_entries_max || batch_bytes + bytes > message_payload_bytes_max) {
      send(leader_, std::exchange(batch, {}));
      batch_bytes = 0;
    }
    batch.proposals.push_back(std::move(proposal));
    batch_bytes += bytes;
  }
  if (!batch.proposals.empty()) send(leader_, std::move(batch));
}

Output Node::take_output() {
  if (!forwards_.empty()) flush_forwards();
  if (role_ == Role::leader) {
    advance_configuration();
    maybe_start_read_round();
    replicate();
    step_down_when_removed();
  }
  Output output = std::exchange(output_, {});
  fill_persist(output);
  fill_committed(output);
  Invariants::check_basic(*this);
  return output;
}

base::Instant Node::next_deadline() const {
  if (role_ != Role::leader) return election_deadline_;
  base::Instant deadline = std::min(heartbeat_deadline_, quorum_deadline_);
  if (transfer_target_) deadline = std::min(deadline, transfer_deadline_);
  return deadline;
}

std::string Node::describe() const {
  return fmt::format("{} {} {} leader={} log=[{},{}] durable={} commit={} applied={} {}", options_.id.value,
                     core::describe(role_), core::describe(hard_state_), leader_.value, log_.first_index().value,
                     log_.last_index().value, log_.durable_index().value, committed_.value, applied_.value,
                     core::describe(configuration()));
}

}  // namespace whitewater::core

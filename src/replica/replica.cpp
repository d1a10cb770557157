#include "replica/replica.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::replica {
namespace {

// Sequence numbers of one incarnation start above every earlier one's: 2^40 requests per run.
std::uint64_t first_sequence(base::Incarnation incarnation) { return (incarnation.value << 40) + 1; }

bool is_accepted_append(const core::Message& message) {
  const auto* response = std::get_if<core::AppendResponse>(&message.body);
  return response != nullptr && !response->rejected;
}

// Of several acknowledgements to one leader the last says it all.
void append_collapsed(std::vector<core::Message>& out, std::vector<core::Message> messages) {
  for (core::Message& message : messages) {
    if (!out.empty() && is_accepted_append(out.back()) && is_accepted_append(message) && out.back().to == message.to &&
        out.back().term == message.term &&
        std::get<core::AppendResponse>(out.back().body).index <= std::get<core::AppendResponse>(message.body).index) {
      out.back() = std::move(message);
    } else {
      out.push_back(std::move(message));
    }
  }
}

}  // namespace

Replica::Replica(ReplicaOptions options, core::NodeStart start, std::unique_ptr<kv::Store> store)
    : options_(options),
      node_(options.node, std::move(start)),
      store_(std::move(store)),
      pending_(first_sequence(options.incarnation)),
      next_read_tag_(first_sequence(options.incarnation)) {
  WW_ASSERT(store_ != nullptr);
  WW_ASSERT(store_->applied_index() == node_.handed_to_apply());
}

base::Result<Ticket> Replica::on_propose(base::Instant now, base::Instant accepted, base::SharedBytes command) {
  now_ = now;
  if (command.size_bytes() > core::entry_payload_bytes_max) {
    return base::make_error_code(base::Errc::request_too_large);
  }
  const std::uint64_t backlog = node_.committed() - node_.handed_to_apply();
  if (pending_.count() >= options_.pending_proposals_max || backlog > options_.apply_backlog_entries_max ||
      pending_.payload_bytes() + command.size_bytes() > options_.pending_bytes_max) {
    return base::make_error_code(base::Errc::too_many_requests);
  }
  PendingProposal proposal;
  proposal.payload = std::move(command);
  proposal.times.accepted = accepted;
  return add_proposal(now, std::move(proposal));
}

base::Result<Ticket> Replica::on_propose_change(base::Instant now, core::ConfigurationChange change) {
  now_ = now;
  if (pending_.count() >= options_.pending_proposals_max) {
    return base::make_error_code(base::Errc::too_many_requests);
  }
  PendingProposal proposal;
  proposal.change = std::move(change);
  proposal.times.accepted = now;
  return add_proposal(now, std::move(proposal));
}

base::Result<Ticket> Replica::add_proposal(base::Instant now, PendingProposal proposal) {
  proposal.times.proposed = now;
  proposal.deadline = now + options_.request_timeout;
  const Ticket ticket = pending_.add(std::move(proposal));
  pending_.find(ticket)->client = ticket;
  if (held_.empty()) {
    try_propose(ticket, *pending_.find(ticket));
  } else {
    held_.push_back(ticket);
  }
  return ticket;
}

base::Result<Ticket> Replica::on_read(base::Instant now) {
  now_ = now;
  if (pending_reads_ >= options_.pending_reads_max) return base::make_error_code(base::Errc::too_many_requests);
  ++pending_reads_;
  waiting_reads_.push_back({next_read_ticket_, now + options_.request_timeout});
  return next_read_ticket_++;
}

void Replica::on_message(base::Instant now, core::Message message) {
  now_ = now;
  node_.on_message(now, std::move(message));
  if (!awaiting_quorum_.empty()) note_stage(awaiting_quorum_, node_.replicated_index(), &StageTimes::replicated);
}

void Replica::note_stage(std::deque<AwaitedEntry>& awaiting, core::Index reached, StageTime stage) {
  while (!awaiting.empty() && awaiting.front().index <= reached) {
    if (PendingProposal* proposal = pending_.find(awaiting.front().ticket)) proposal->times.*stage = now_;
    awaiting.pop_front();
  }
}

void Replica::on_tick(base::Instant now) {
  now_ = now;
  node_.on_tick(now);
  expire(now);
  propose_held();
  // What a busy backend refused earlier would wait for the next commit, which a full log may never see.
  persist_store();
}

void Replica::on_persisted(base::Instant now, std::uint64_t token) {
  WW_ASSERT(token <= issued_token_);
  WW_ASSERT(token >= durable_token_);
  now_ = now;
  durable_token_ = token;
  node_.on_persisted(now, token);
  release_deferred(token);
  note_stage(awaiting_disk_, node_.log().durable_index(), &StageTimes::log_written);
  persist_store();
}

// The store may only become durable as far as the own log is (hazard S12).
void Replica::persist_store() {
  const core::Index upto = std::min(node_.log().durable_index(), store_->applied_index());
  if (store_->persisted_index() < upto) store_->persist_upto(upto);
}

void Replica::on_log_read(base::Instant now, core::NodeId peer, std::vector<core::Entry> entries) {
  now_ = now;
  node_.on_log_read(now, peer, std::move(entries));
}

void Replica::on_peer_connected(core::NodeId peer) { node_.on_peer_connected(peer); }

void Replica::on_snapshot_sent(base::Instant now, core::NodeId peer, core::Index index) {
  now_ = now;
  node_.on_snapshot_sent(now, peer, index);
}

std::unique_ptr<kv::Store> Replica::install_snapshot(base::Instant now, core::SnapshotPoint point,
                                                     std::unique_ptr<kv::Store> store) {
  WW_ASSERT(store != nullptr);
  WW_ASSERT(store->applied_index() == point.index);
  WW_ASSERT(store->durable_applied_index() == point.index);
  now_ = now;
  // What is under way may be in the snapshot, unseen: its fate is not known any more.
  pending_.for_each([](Ticket, PendingProposal& proposal) { proposal.proposed_term = core::term_max; });
  just_proposed_.clear();
  node_.install_snapshot(now, std::move(point));
  return std::exchange(store_, std::move(store));
}

void Replica::on_stall(base::Instant now) {
  now_ = now;
  node_.on_stall(now);
}

void Replica::set_log_full(bool full) { node_.set_refusal(full ? std::optional(base::Errc::no_space) : std::nullopt); }

bool Replica::transfer_leadership(base::Instant now) {
  now_ = now;
  return node_.transfer_leadership(now);
}

void Replica::stop() {
  pending_.expire(base::Instant{base::Duration::max()}, [&](Ticket, const PendingProposal& proposal) {
    effects_.proposals.push_back({proposal.client, base::make_error_code(base::Errc::stopped), proposal.times});
  });
  held_.clear();
  for (ConfirmedReads& confirmed : confirmed_) fail_reads(confirmed.reads, base::Errc::stopped);
  confirmed_.clear();
  fail_reads(batch_.reads, base::Errc::stopped);
  batch_ = {};
  fail_reads(waiting_reads_, base::Errc::stopped);
}

void Replica::try_propose(Ticket ticket, PendingProposal& proposal) {
  if (!has_leader()) {
    held_.push_back(ticket);
    return;
  }
  const core::RequestId request{node_.id(), ticket};
  const auto proposed = proposal.change ? node_.on_propose_change(now_, request, *proposal.change)
                                        : node_.on_propose(now_, {request, proposal.payload});
  if (proposed) {
    proposal.state = PendingProposal::State::proposed;
    proposal.proposed_term = core::term_max;
    just_proposed_.push_back(ticket);
    if (is_leader()) {
      awaiting_disk_.push_back({node_.log().last_index(), ticket});
      awaiting_quorum_.push_back({node_.log().last_index(), ticket});
    }
  } else if (proposed.error() == base::Errc::no_leader) {
    held_.push_back(ticket);
  } else {
    fail(ticket, static_cast<base::Errc>(proposed.error().value()));
  }
}

// What found no leader, or was refused by one that was none any more, is proposed as soon as one is known (hazard S53:
// only what was certainly never appended).
void Replica::propose_held() {
  if (held_.empty() || !has_leader()) return;
  std::deque<Ticket> tickets = std::exchange(held_, {});
  for (const Ticket ticket : tickets) {
    if (PendingProposal* proposal = pending_.find(ticket)) try_propose(ticket, *proposal);
  }
}

void Replica::fail(Ticket ticket, base::Errc reason) {
  PendingProposal* proposal = pending_.find(ticket);
  if (proposal == nullptr) return;
  ++proposals_failed_;
  effects_.proposals.push_back({proposal->client, base::make_error_code(reason), proposal->times});
  pending_.finish(ticket);
}

void Replica::on_rejected(const core::RejectedProposal& rejected) {
  PendingProposal* proposal = pending_.find(rejected.request.sequence);
  if (proposal == nullptr || proposal->state != PendingProposal::State::proposed) return;
  const bool is_leadership = rejected.reason == base::Errc::not_leader || rejected.reason == base::Errc::no_leader;
  if (is_leadership) {
    proposal->state = PendingProposal::State::held;
    held_.push_back(rejected.request.sequence);
  } else {
    fail(rejected.request.sequence, rejected.reason);
  }
}

void Replica::on_unsent(const std::vector<core::RequestId>& forwarded) {
  for (const core::RequestId& request : forwarded) on_rejected({request, base::Errc::no_leader});
}

// An entry of `term` is applied. What was proposed to leaders of older terms and is not applied by now is in no log
// that can still commit (thesis §3.6.3: terms never go back along the log), so that proposing it again cannot apply it
// twice. Under a new number: a late refusal of the first attempt must not be taken for one of the second.
void Replica::propose_lost_again(core::Term term) {
  std::vector<Ticket> lost;
  pending_.for_each([&](Ticket ticket, PendingProposal& proposal) {
    if (proposal.state == PendingProposal::State::proposed && proposal.proposed_term < term) lost.push_back(ticket);
  });
  for (const Ticket ticket : lost) {
    PendingProposal proposal = *pending_.find(ticket);
    pending_.finish(ticket);
    proposal.state = PendingProposal::State::held;
    held_.push_back(pending_.add(std::move(proposal)));
  }
}

void Replica::expire(base::Instant now) {
  pending_.expire(now, [&](Ticket, const PendingProposal& proposal) {
    ++proposals_failed_;
    const bool is_known = proposal.state == PendingProposal::State::held;
    const base::Errc reason = is_known ? base::Errc::no_leader : base::Errc::timed_out;
    effects_.proposals.push_back({proposal.client, base::make_error_code(reason), proposal.times});
  });
  const auto expire_reads = [&](std::vector<WaitingRead>& reads) {
    std::vector<WaitingRead> expired;
    std::erase_if(reads, [&](const WaitingRead& read) {
      if (read.deadline > now) return false;
      expired.push_back(read);
      return true;
    });
    fail_reads(expired, node_.leader().is_zero() ? base::Errc::no_leader : base::Errc::timed_out);
  };
  expire_reads(waiting_reads_);
  for (ConfirmedReads& confirmed : confirmed_) expire_reads(confirmed.reads);
  if (batch_.tag != 0 && now - batch_.started >= options_.read_retry_interval) {
    // The question or its answer was lost: these reads share the next batch, under a new tag (hazard S50).
    waiting_reads_.insert(waiting_reads_.begin(), batch_.reads.begin(), batch_.reads.end());
    batch_ = {};
  }
}

void Replica::start_read_batch() {
  if (batch_.tag != 0 || waiting_reads_.empty() || node_.leader().is_zero()) return;
  const std::uint64_t tag = next_read_tag_++;
  if (!node_.on_read(now_, tag)) return;
  batch_ = {tag, now_, std::exchange(waiting_reads_, {})};
}

void Replica::on_read_result(const core::ReadResult& result) {
  if (result.tag != batch_.tag) return;  // of a batch that was given up
  if (result.index) {
    confirmed_.push_back({*result.index, std::move(batch_.reads)});
    batch_ = {};
  }
  // A refused batch keeps its tag until the retry interval is over: a member that believes in a deposed leader would
  // otherwise ask it again and again.
}

void Replica::finish_reads() {
  const core::Index applied = store_->applied_index();
  std::erase_if(confirmed_, [&](ConfirmedReads& confirmed) {
    if (confirmed.index > applied) return false;
    for (const WaitingRead& read : confirmed.reads) {
      --pending_reads_;
      effects_.reads.push_back({read.ticket, {}});
    }
    return true;
  });
}

void Replica::fail_reads(std::vector<WaitingRead>& reads, base::Errc reason) {
  for (const WaitingRead& read : reads) {
    WW_ASSERT(pending_reads_ > 0);
    --pending_reads_;
    effects_.reads.push_back({read.ticket, base::make_error_code(reason)});
  }
  reads.clear();
}

void Replica::apply(const std::vector<core::Entry>& committed) {
  for (const core::Entry& entry : committed) {
    switch (entry.type) {
      case core::EntryType::noop:
        store_->advance(entry.index);
        break;
      case core::EntryType::configuration:
        store_->set_configuration(entry.index, entry.payload.view());
        note_configuration(entry);
        answer_applied(entry, {});
        break;
      case core::EntryType::command:
        answer_applied(entry, store_->apply(entry.index, entry.payload.view()));
        break;
    }
    WW_ASSERT(store_->applied_index() == entry.index);
    if (entry.term > applied_term_) {
      applied_term_ = entry.term;
      propose_lost_again(entry.term);
    }
  }
  if (!committed.empty()) persist_store();
}

void Replica::note_configuration(const core::Entry& entry) {
  auto configuration = core::decode_configuration(entry.payload.view());
  WW_ASSERT(configuration.has_value());  // the core took it from its log
  effects_.configurations.push_back({entry.index, entry.term, std::move(*configuration)});
}

void Replica::answer_applied(const core::Entry& entry, kv::CommandResponse response) {
  if (entry.request.node != node_.id()) return;
  PendingProposal* proposal = pending_.find(entry.request.sequence);
  if (proposal == nullptr) return;  // of an earlier run, or given up
  proposal->times.committed = now_;
  effects_.proposals.push_back({proposal->client, std::move(response), proposal->times});
  pending_.finish(entry.request.sequence);
}

void Replica::release_deferred(std::uint64_t token) {
  while (!deferred_.empty() && deferred_.front().token <= token) {
    append_collapsed(effects_.send, std::move(deferred_.front().messages));
    deferred_.pop_front();
  }
}

Effects Replica::take_effects() {
  propose_held();
  start_read_batch();
  core::Output output = node_.take_output();
  for (const Ticket ticket : std::exchange(just_proposed_, {})) {
    if (PendingProposal* proposal = pending_.find(ticket)) proposal->proposed_term = node_.term();
  }
  // 1. Persist before anything that depends on it may leave.
  if (output.persist) {
    issued_token_ = output.persist->token;
    effects_.persist = std::move(output.persist);
  }
  // 2. Send what may travel beside the write; keep the rest until it is durable.
  for (core::Message& message : output.messages) effects_.send.push_back(std::move(message));
  if (!output.after_persist.empty()) {
    if (issued_token_ <= durable_token_) {
      append_collapsed(effects_.send, std::move(output.after_persist));
    } else if (!deferred_.empty() && deferred_.back().token == issued_token_) {
      append_collapsed(deferred_.back().messages, std::move(output.after_persist));
    } else {
      deferred_.push_back({issued_token_, {}});
      append_collapsed(deferred_.back().messages, std::move(output.after_persist));
    }
  }
  // 3. Apply, then 4. reply.
  apply(output.committed);
  for (const core::ReadResult& read : output.reads) on_read_result(read);
  finish_reads();
  for (const core::RejectedProposal& rejected : output.rejected) on_rejected(rejected);
  effects_.log_reads = std::move(output.log_reads);
  effects_.snapshots = std::move(output.snapshots);
  return std::exchange(effects_, {});
}

core::Index Replica::releasable(LogPressure pressure) const {
  core::Index bound = store_->durable_applied_index();
  if (pressure == LogPressure::low) bound = std::min(bound, node_.releasable());
  if (pressure == LogPressure::high) bound = std::min(bound, node_.releasable_behind_healthy());
  return bound.is_zero() ? bound : bound.prev();
}

base::Instant Replica::next_deadline() const { return node_.next_deadline(); }

}  // namespace whitewater::replica

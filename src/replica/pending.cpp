#include "replica/pending.hpp"

#include <vector>

#include "base/assert.hpp"

namespace whitewater::replica {

std::uint64_t PendingProposals::add(PendingProposal proposal) {
  WW_ASSERT(proposal.state == PendingProposal::State::held);
  payload_bytes_ += proposal.payload.size_bytes();
  ++unanswered_count_;
  queue_.push_back(std::move(proposal));
  return first_ + queue_.size() - 1;
}

PendingProposal* PendingProposals::find(std::uint64_t sequence) {
  if (sequence < first_ || sequence >= first_ + queue_.size()) return nullptr;
  PendingProposal& found = queue_[sequence - first_];
  return found.state == PendingProposal::State::done ? nullptr : &found;
}

void PendingProposals::finish(std::uint64_t sequence) {
  PendingProposal* proposal = find(sequence);
  WW_ASSERT(proposal != nullptr);
  WW_ASSERT(unanswered_count_ > 0);
  proposal->state = PendingProposal::State::done;
  payload_bytes_ -= proposal->payload.size_bytes();
  --unanswered_count_;
  proposal->payload = {};
  drop_done();
}

void PendingProposals::expire(base::Instant now,
                              const std::function<void(std::uint64_t, const PendingProposal&)>& on_expired) {
  std::vector<std::uint64_t> due;
  for_each([&](std::uint64_t sequence, const PendingProposal& proposal) {
    if (proposal.deadline <= now) due.push_back(sequence);
  });
  for (const std::uint64_t sequence : due) {
    const PendingProposal expired = *find(sequence);
    finish(sequence);
    on_expired(sequence, expired);
  }
}

void PendingProposals::for_each(const std::function<void(std::uint64_t, PendingProposal&)>& visit) {
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    if (queue_[i].state != PendingProposal::State::done) visit(first_ + i, queue_[i]);
  }
}

void PendingProposals::drop_done() {
  while (!queue_.empty() && queue_.front().state == PendingProposal::State::done) {
    queue_.pop_front();
    ++first_;
  }
}

}  // namespace whitewater::replica

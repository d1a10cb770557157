#include "core/invariants.hpp"

#include "base/assert.hpp"

namespace whitewater::core {

void Invariants::check_basic(const Node& node) {
  const LogView& log = node.log_;
  WW_ASSERT(node.applied_ <= node.committed_);
  WW_ASSERT(node.committed_ <= log.last_index());
  WW_ASSERT(log.durable_index() <= log.last_index());
  WW_ASSERT(log.last_term() <= node.hard_state_.term);
  WW_ASSERT(log.cached_from() <= node.applied_.next());
  WW_ASSERT(!node.configurations_.empty());
  WW_ASSERT(node.persist_from_ <= log.last_index().next());
  WW_ASSERT((node.role_ == Role::leader) == (node.leader_ == node.options_.id));
  if (node.role_ == Role::leader) {
    WW_ASSERT(node.hard_state_.vote == node.options_.id);
    WW_ASSERT(log.last_term() == node.hard_state_.term);
    for (const auto& [id, progress] : node.progress_) {
      WW_ASSERT(id != node.options_.id);
      WW_ASSERT(progress.match() < progress.next());
      WW_ASSERT(progress.match() <= log.last_index());
      WW_ASSERT(progress.next() <= log.last_index().next());
    }
  } else {
    WW_ASSERT(node.progress_.empty());
    WW_ASSERT(node.reads_.is_idle());
  }
}

Invariants::Snapshot Invariants::snapshot(const Node& node) {
  return {node.hard_state_, node.role_, node.committed_, node.applied_, node.log_.last_index(), node.log_.last_term()};
}

void Invariants::check_delta(const Snapshot& earlier, const Snapshot& later) {
  WW_ASSERT(later.hard_state.term >= earlier.hard_state.term);
  WW_ASSERT(later.committed >= earlier.committed);
  WW_ASSERT(later.applied >= earlier.applied);
  // The last entry's term may go back: a new leader's log may be replaced piece by piece (thesis §3.5).
  WW_ASSERT(later.last_term <= later.hard_state.term);
  if (later.hard_state.term == earlier.hard_state.term) {
    // One vote per term (thesis §3.4).
    WW_ASSERT(earlier.hard_state.vote.is_zero() || later.hard_state.vote == earlier.hard_state.vote);
    // Leader append-only (thesis figure 3.2).
    if (earlier.role == Role::leader && later.role == Role::leader) WW_ASSERT(later.last >= earlier.last);
  }
}

}  // namespace whitewater::core

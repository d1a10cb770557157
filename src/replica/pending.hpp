// PendingProposals: the proposals of this member's own clients that have no answer yet, in the order of their sequence
// numbers, with the moments at which each passed a stage. Bounded by the owner. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/membership.hpp"

namespace whitewater::replica {

// When a request passed each stage, on this member's clock. A stage that this member did not see (the leader's disk,
// for a request that it forwarded) stays empty.
struct StageTimes {
  base::Instant accepted;                      // the request was read from the client
  base::Instant proposed;                      // handed to the Raft core, or forwarded
  std::optional<base::Instant> log_written{};  // durable in the own log
  std::optional<base::Instant> replicated;     // acknowledged by enough others for a quorum with this member
  std::optional<base::Instant> committed;      // known to be committed
};

struct PendingProposal {
  enum class State : std::uint8_t {
    held,      // not with any leader: may be proposed (again) without harm
    proposed,  // appended by this leader or on its way to another: its fate is the log's
    done,
  };
  State state = State::held;
  base::SharedBytes payload;
  std::optional<core::ConfigurationChange> change;  // instead of a payload
  StageTimes times;
  base::Instant deadline;
  std::uint64_t client = 0;  // the sequence number of the first attempt: what the client waits for
  // Of the leader that it was proposed to, or of this leader; no larger one proves that it was never appended.
  base::Term proposed_term;
};

class PendingProposals {
 public:
  explicit PendingProposals(std::uint64_t first_sequence) : first_(first_sequence) {}

  // Returns the proposal's sequence number.
  std::uint64_t add(PendingProposal proposal);
  // Nothing when it has been answered already.
  [[nodiscard]] PendingProposal* find(std::uint64_t sequence);
  // Marks it answered.
  void finish(std::uint64_t sequence);
  // Every one that is not answered, in order; `visit` must not add or finish any.
  void for_each(const std::function<void(std::uint64_t, PendingProposal&)>& visit);
  // Ends those whose deadline has passed. `on_expired` gets the sequence and the
  // state it was in.
  void expire(base::Instant now, const std::function<void(std::uint64_t, const PendingProposal&)>& on_expired);

  [[nodiscard]] std::size_t count() const { return unanswered_count_; }
  [[nodiscard]] std::size_t payload_bytes() const { return payload_bytes_; }

 private:
  void drop_done();

  std::uint64_t first_;  // sequence of queue_.front()
  std::deque<PendingProposal> queue_;
  std::size_t unanswered_count_ = 0;
  std::size_t payload_bytes_ = 0;
};

}  // namespace whitewater::replica

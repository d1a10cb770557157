// Progress: what the leader knows of one follower, and the flow control of its appends: one probe at a time until logs
// are known to match, then a bounded pipeline (thesis §10.2.1), small because batches grow by themselves when the
// window is full.
#pragma once

#include <deque>
#include <optional>

#include "base/time.hpp"
#include "core/types.hpp"

namespace whitewater::core {

struct WindowLimits {
  std::size_t messages_max = 8;
  std::size_t bytes_max = 8UL << 20;
};

class Progress {
 public:
  enum class State : std::uint8_t {
    probe,      // where the logs match is not known; one append in flight
    replicate,  // they match at `match`; appends are pipelined
    snapshot,   // what it needs is no longer in the log
  };

  Progress(Index next, base::Instant now) : next_(next), last_contact_(now) {}

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] Index match() const { return match_; }
  [[nodiscard]] Index next() const { return next_; }
  [[nodiscard]] Index commit_sent() const { return commit_sent_; }
  [[nodiscard]] base::Instant last_contact() const { return last_contact_; }
  [[nodiscard]] std::size_t in_flight_messages() const { return in_flight_.size(); }
  [[nodiscard]] std::size_t in_flight_bytes() const { return in_flight_bytes_; }
  [[nodiscard]] bool is_reading_log() const { return reading_log_; }

  // May an append leave now?
  [[nodiscard]] bool can_send(const WindowLimits& limits) const;

  void on_contact(base::Instant now) { last_contact_ = now; }
  // An append that ends at `last` (== next - 1 when it carries no entries) was handed to the transport, after the
  // heartbeats of `round`.
  void on_sent(Index last, std::size_t bytes, Index commit, std::uint64_t round);
  // Everything up to `index` is durable there. Returns whether match advanced. A probe that was taken only in part (the
  // follower's log is full) stays one, to be repeated after a heartbeat.
  bool on_accepted(Index index);
  // The append after `rejected_prev` did not match. Returns whether the answer is news (not a late duplicate).
  bool on_rejected(Index rejected_prev, Index retry_next);
  // The follower is alive but something that left before this round may have been lost: allow one more append (it will
  // be refused or accepted).
  void on_heartbeat_response(const WindowLimits& limits, std::uint64_t round);
  void set_reading_log(bool reading) { reading_log_ = reading; }
  // The log could not serve it: from here on one probe, after the next round of heartbeats.
  void on_log_read_failed(std::uint64_t round);
  void become_snapshot() { reset(State::snapshot, next_); }
  // The snapshot that is on its way to it.
  void set_snapshot_index(Index index) {
    if (state_ == State::snapshot) snapshot_index_ = index;
  }
  [[nodiscard]] std::optional<Index> snapshot_index() const { return snapshot_index_; }
  // It holds everything up to `index` by a snapshot; what follows is found out by a probe.
  void on_snapshot(Index index);
  // The newest of the leader's heartbeats that it answered was sent at `sent`: for so long, and an election time-out
  // more, it votes for nobody else.
  void on_lease(base::Instant sent) { lease_ = std::max(lease_.value_or(sent), sent); }
  void forget_lease() { lease_.reset(); }
  [[nodiscard]] std::optional<base::Instant> lease() const { return lease_; }
  // Its connection is new: nothing in flight will be answered. Where no match is known yet, the probing goes on.
  void become_probe() { reset(State::probe, state_ == State::replicate ? match_.next() : next_); }

 private:
  struct InFlight {
    Index last;
    std::size_t bytes;
  };
  void reset(State state, Index next);
  void free_up_to(Index index);

  State state_ = State::probe;
  Index match_;
  Index next_;
  Index commit_sent_;
  base::Instant last_contact_;
  std::optional<base::Instant> lease_;
  std::optional<Index> snapshot_index_;
  std::deque<InFlight> in_flight_;
  std::size_t in_flight_bytes_ = 0;
  bool probe_sent_ = false;
  Index probe_last_;  // the last entry that the probe carried
  std::uint64_t probe_round_ = 0;
  bool reading_log_ = false;
};

[[nodiscard]] std::string describe(const Progress& progress);

}  // namespace whitewater::core

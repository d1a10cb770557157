#include "core/progress.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace whitewater::core {

bool Progress::can_send(const WindowLimits& limits) const {
  if (reading_log_) return false;
  switch (state_) {
    case State::probe:
      return !probe_sent_;
    case State::replicate:
      return in_flight_.size() < limits.messages_max && in_flight_bytes_ < limits.bytes_max;
    case State::snapshot:
      return false;
  }
  return false;
}

void Progress::on_sent(Index last, std::size_t bytes, Index commit, std::uint64_t round) {
  WW_ASSERT(state_ != State::snapshot);
  WW_ASSERT(last.next() >= next_);
  commit_sent_ = std::max(commit_sent_, commit);
  if (state_ == State::probe) {
    probe_sent_ = true;
    probe_last_ = last;
    probe_round_ = round;
    return;
  }
  if (last < next_) return;  // carried no entries: nothing to wait for
  in_flight_.push_back({last, bytes});
  in_flight_bytes_ += bytes;
  next_ = last.next();
}

bool Progress::on_accepted(Index index) {
  const bool advanced = index > match_;
  if (advanced) match_ = index;
  next_ = std::max(next_, match_.next());
  if (state_ == State::probe && index < probe_last_) return advanced;
  if (state_ != State::replicate) {
    reset(State::replicate, match_.next());
  } else {
    free_up_to(index);
  }
  return advanced;
}

void Progress::on_snapshot(Index index) {
  if (state_ == State::snapshot) reset(State::probe, std::max(match_, index).next());
}

bool Progress::on_rejected(Index rejected_prev, Index retry_next) {
  // Anything at or below match is known to match: the answer belongs to an append from before.
  if (rejected_prev <= match_) return false;
  if (state_ == State::probe && rejected_prev.next() != next_) return false;
  if (state_ == State::snapshot) return false;
  reset(State::probe, std::max(match_.next(), std::min(retry_next, rejected_prev)));
  return true;
}

void Progress::on_heartbeat_response(const WindowLimits& limits, std::uint64_t round) {
  if (round > probe_round_) probe_sent_ = false;
  // A full window whose answers were lost would wait for ever; one slot is enough to find out (hazard S23).
  if (state_ == State::replicate && !in_flight_.empty() && !can_send(limits)) free_up_to(in_flight_.front().last);
}

void Progress::on_log_read_failed(std::uint64_t round) {
  reset(State::probe, next_);
  probe_sent_ = true;
  probe_round_ = round;
}

void Progress::reset(State state, Index next) {
  state_ = state;
  next_ = next;
  in_flight_.clear();
  in_flight_bytes_ = 0;
  probe_sent_ = false;
  probe_last_ = Index(0);
  reading_log_ = false;
  commit_sent_ = Index(0);
  snapshot_index_.reset();
}

void Progress::free_up_to(Index index) {
  while (!in_flight_.empty() && in_flight_.front().last <= index) {
    WW_ASSERT(in_flight_bytes_ >= in_flight_.front().bytes);
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
}

std::string describe(const Progress& p) {
  static constexpr const char* names[] = {"probe", "replicate", "snapshot"};
  return fmt::format("{} match={} next={} in_flight={}", names[static_cast<int>(p.state())], p.match().value,
                     p.next().value, p.in_flight_messages());
}

}  // namespace whitewater::core

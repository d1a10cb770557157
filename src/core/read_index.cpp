#include "core/read_index.hpp"

#include "base/assert.hpp"

namespace whitewater::core {

std::uint64_t ReadRounds::start(Index commit) {
  WW_ASSERT(running_.empty());
  WW_ASSERT(!waiting_.empty());
  running_.swap(waiting_);
  acks_.clear();
  index_ = commit;
  return ++round_;
}

bool ReadRounds::on_ack(NodeId id, std::uint64_t round) {
  // A larger number cannot come back from a round that was not started; only the running one counts.
  if (running_.empty() || round != round_) return false;
  acks_.insert(id);
  return true;
}

std::vector<ConfirmedRead> ReadRounds::finish() {
  std::vector<ConfirmedRead> done;
  done.reserve(running_.size());
  for (const ReadRequest& r : running_) done.push_back({r, index_});
  running_.clear();
  return done;
}

std::vector<ReadRequest> ReadRounds::take_all() {
  std::vector<ReadRequest> all = std::move(running_);
  all.insert(all.end(), waiting_.begin(), waiting_.end());
  running_.clear();
  waiting_.clear();
  return all;
}

}  // namespace whitewater::core

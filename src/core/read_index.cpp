#include "core/read_index.hpp"

#include "base/assert.hpp"

namespace whitewater::core {

void ReadRounds::start(Index commit) {
  WW_ASSERT(running_.empty());
  WW_ASSERT(!waiting_.empty());
  running_.swap(waiting_);
  acks_.clear();
  index_ = commit;
  running_round_ = round_ + 1;
}

bool ReadRounds::on_ack(NodeId id, std::uint64_t round) {
  if (running_.empty() || round < running_round_ || round > round_) return false;
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

// ReadRounds: the leader's batched linearizable reads (thesis §6.4). One heartbeat round confirms leadership for every
// read queued before it; its id is never reused, so that an old answer can never confirm a new read (hazard S50). One
// round is in flight; reads that arrive meanwhile share the next.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "core/types.hpp"

namespace whitewater::core {

struct ReadRequest {
  NodeId origin;          // the member whose clients wait; may be the leader itself
  std::uint64_t tag = 0;  // the origin's own
};
struct ConfirmedRead {
  ReadRequest request;
  Index index;  // the origin serves the read once it has applied this
};

class ReadRounds {
 public:
  void add(ReadRequest request) { waiting_.push_back(request); }
  [[nodiscard]] bool is_idle() const { return waiting_.empty() && running_.empty(); }
  [[nodiscard]] bool is_running() const { return !running_.empty(); }
  [[nodiscard]] std::size_t waiting_count() const { return waiting_.size(); }
  [[nodiscard]] std::uint64_t round() const { return round_; }

  // Begins a round at the present commit index; its id goes out with the next heartbeats. Needs waiting reads and no
  // running round.
  std::uint64_t start(Index commit);
  // `id` answered a heartbeat that carried `round`. Returns whether it counts for the running round.
  bool on_ack(NodeId id, std::uint64_t round);
  [[nodiscard]] bool has_ack(NodeId id) const { return acks_.contains(id); }
  // A quorum has answered: the reads of the round.
  std::vector<ConfirmedRead> finish();
  // Leadership is lost: everything queued.
  std::vector<ReadRequest> take_all();

 private:
  std::uint64_t round_ = 0;
  Index index_;
  std::vector<ReadRequest> waiting_;
  std::vector<ReadRequest> running_;
  std::set<NodeId> acks_;
};

}  // namespace whitewater::core

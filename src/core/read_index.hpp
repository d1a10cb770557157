// ReadRounds: the leader's batched linearizable reads (thesis §6.4). Every broadcast of heartbeats has a round id,
// never reused; a quorum's answers to a round that left after a read was queued confirm it, and no older answer can
// (hazard S50). One batch is under way; reads that arrive meanwhile share the next.
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

  // A broadcast of heartbeats leaves, with or without reads; its id.
  std::uint64_t next_round() { return ++round_; }
  // Begins a batch at the present commit index, to be confirmed by the rounds from the next one on. Needs waiting reads
  // and no running batch.
  void start(Index commit);
  // `id` answered a heartbeat that carried `round`. Returns whether it counts for the running batch.
  bool on_ack(NodeId id, std::uint64_t round);
  [[nodiscard]] bool has_ack(NodeId id) const { return acks_.contains(id); }
  // A quorum has answered: the reads of the batch.
  std::vector<ConfirmedRead> finish();
  // Leadership is lost: everything queued.
  std::vector<ReadRequest> take_all();

 private:
  std::uint64_t round_ = 0;          // of the newest broadcast
  std::uint64_t running_round_ = 0;  // the first that confirms the running batch
  Index index_;
  std::vector<ReadRequest> waiting_;
  std::vector<ReadRequest> running_;
  std::set<NodeId> acks_;
};

}  // namespace whitewater::core

// SnapshotTransfers: what the server's sender and installer do between simulated members, chunk by chunk over the
// simulated time, with interruptions: a cut link or a pause makes a transfer wait and go on, a crash on either side
// makes it begin again. Owned by the cluster. Contents and installation are the product's own (kv/snapshot.hpp,
// replica, core).
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "kv/snapshot.hpp"
#include "sim/member.hpp"

namespace whitewater::sim {

class SnapshotTransfers {
 public:
  SnapshotTransfers(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng);
  ~SnapshotTransfers();
  SnapshotTransfers(const SnapshotTransfers&) = delete;
  SnapshotTransfers& operator=(const SnapshotTransfers&) = delete;

  // The leader `from` has found that `to` needs one.
  void want(std::size_t from, std::size_t to);
  // Before the store of `member` goes: nothing may read it any longer.
  void on_store_gone(std::size_t member);
  [[nodiscard]] std::uint64_t installed() const { return installed_; }

 private:
  struct Transfer;
  using Key = std::pair<std::size_t, std::size_t>;

  void step(Key key, std::uint64_t number);
  void step_later(Key key, const Transfer& transfer);
  // Whether there is something to wait for.
  [[nodiscard]] bool advance(Key key, Transfer& transfer);
  [[nodiscard]] bool open(Key key, Transfer& transfer);
  [[nodiscard]] bool offer(Key key, Transfer& transfer);
  [[nodiscard]] bool finish(Key key, Transfer& transfer);

  SimWorld& world_;
  std::vector<std::unique_ptr<SimMember>>& members_;
  base::Rng rng_;
  std::map<Key, Transfer> transfers_;
  std::uint64_t next_number_ = 1;
  std::uint64_t installed_ = 0;
};

}  // namespace whitewater::sim

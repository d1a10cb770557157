// CatchUp: is this member's store about as far as the cluster? Measured in time, lap by lap: a lap begins at the newest
// index that is known to be committed and ends when that is applied, so that a constant stream of writes delays nobody
// and a member that gets a snapshot is behind for as long as that takes. Pure.
#pragma once

#include <optional>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace whitewater::replica {

class CatchUp {
 public:
  // From time to time, while a leader is known. `committed`: Node::known_committed(); `applied`: of the store.
  void observe(base::Instant now, base::Index committed, base::Index applied) {
    if (!lap_) lap_ = {now, committed};
    if (applied < lap_->goal) return;
    has_caught_up_ = true;
    lap_ = {now, committed};
  }

  // Since this process began, the store has once been where the cluster was when a leader was first heard.
  [[nodiscard]] bool has_caught_up() const { return has_caught_up_; }
  // The store lacks something that was committed this long ago; zero where no leader was heard yet.
  [[nodiscard]] base::Duration lag(base::Instant now) const { return lap_ ? now - lap_->begun : base::Duration{0}; }

 private:
  struct Lap {
    base::Instant begun;
    base::Index goal;
  };
  std::optional<Lap> lap_;
  bool has_caught_up_ = false;
};

}  // namespace whitewater::replica

// What must hold of a Node after every step. check_basic looks at one state; the simulator also compares two states of
// one member over time with check_delta. A failure is a bug and ends the process.
#pragma once

#include "core/node.hpp"

namespace whitewater::core {

struct Invariants {
  // A copy of what check_delta compares.
  struct Snapshot {
    HardState hard_state;
    Role role = Role::follower;
    Index committed;
    Index applied;
    Index last;
    Term last_term;
  };

  static void check_basic(const Node& node);
  [[nodiscard]] static Snapshot snapshot(const Node& node);
  // `later` is the same run of the same member as `earlier`.
  static void check_delta(const Snapshot& earlier, const Snapshot& later);
};

}  // namespace whitewater::core

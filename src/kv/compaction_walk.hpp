// CompactionWalk: one pass over the keys that removes what a compaction made obsolete, in bounded steps between which
// the store goes on. Owned by the Store, on its thread. Walking costs a look at every key; in exchange nothing is kept
// per record for the day when it becomes obsolete. A crash starts the pass again: what is gone is not found again.
#pragma once

#include <string>
#include <vector>

#include "kv/backend.hpp"
#include "kv/index.hpp"

namespace whitewater::kv {

class CompactionWalk {
 public:
  // Keys looked at for each record that may be removed in a step: a step without finds is bounded too.
  static constexpr std::size_t keys_per_record = 8;

  enum class Step : std::uint8_t {
    more,      // call again
    busy,      // the backend refused; nothing happened, call again later
    finished,  // and the backend knows
  };

  explicit CompactionWalk(Revision compacted) : compacted_(compacted) {}
  Step step(KeyIndex& index, Backend& backend, std::size_t records_max);

 private:
  Revision compacted_;
  std::string cursor_;  // the key to go on from
};

}  // namespace whitewater::kv

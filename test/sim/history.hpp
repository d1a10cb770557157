// What the simulator's clients did and saw: one record per operation that was sent, for the checkers of client
// histories.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "kv/types.hpp"
#include "sim/linearizability.hpp"

namespace whitewater::sim {

struct ClientRecord {
  Operation operation;
  // Of an answered operation: the revision that its answer carried.
  std::optional<kv::Revision> revision;
  // Of an answered get that found the key: when the key was last changed.
  std::optional<kv::Revision> mod_revision;
  // A get of the past: the revision that it asked for, not newer than one its client had seen. It is no read of the
  // register, so only the revision check judges it.
  std::optional<kv::Revision> asked;
  bool is_compacted = false;  // the answer: no longer there
};

using History = std::vector<ClientRecord>;

// Keys and values of the simulated clients, as the store holds them.
[[nodiscard]] std::string key_name(std::uint32_t key);
// The value's number, padded to `size_bytes`.
[[nodiscard]] std::string value_text(Value value, std::size_t size_bytes);
[[nodiscard]] Value value_of_text(std::string_view text);

}  // namespace whitewater::sim

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
};

using History = std::vector<ClientRecord>;

// Keys and values of the simulated clients, as the store holds them.
[[nodiscard]] std::string key_name(std::uint32_t key);
// The value's number, padded to `size_bytes`.
[[nodiscard]] std::string value_text(Value value, std::size_t size_bytes);
[[nodiscard]] Value value_of_text(std::string_view text);

}  // namespace whitewater::sim

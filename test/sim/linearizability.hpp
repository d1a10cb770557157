// A linearizability checker for histories of a key-value store: Wing and Gong's search with Lowe's memoised
// configurations, one key at a time (linearizability is local: Herlihy and Wing, theorem 1). Pure; used by the
// simulator and by the tests with real processes. It knows one register per key and does not know revisions: the
// revision order is checked by sim/revision_check.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace whitewater::sim {

// A value of a key. Histories use unique values, so that a read names the write that it saw. Zero: the key is absent.
using Value = std::uint64_t;
inline constexpr Value absent = 0;

enum class OpKind : std::uint8_t {
  get,     // observed: the value
  put,     // observed: the value before, when it was asked for
  remove,  // observed: the value before, when it was asked for; succeeded: something was removed
  cas,  // succeeded: the value was `expected` and is now `argument`; observed: the value found, when it was asked for
};

struct Operation {
  std::uint32_t client = 0;
  std::uint32_t key = 0;
  OpKind kind = OpKind::get;
  Value argument = absent;  // put and cas: the new value
  Value expected = absent;  // cas
  std::uint64_t invoked = 0;
  // Nothing: the outcome is not known. The operation may take effect at any time after `invoked`, or never.
  std::optional<std::uint64_t> completed;
  std::optional<Value> observed;
  std::optional<bool> succeeded;  // remove, cas
};

[[nodiscard]] std::string describe(const Operation& operation);

enum class Verdict : std::uint8_t {
  linearizable,
  violation,
  undecided,  // more configurations than the limit
};

struct LinearizabilityResult {
  Verdict verdict = Verdict::linearizable;
  std::uint32_t key = 0;               // of the violation
  std::string explanation;             // violation: the operation that fits nowhere, and its key's history
  std::uint64_t configurations = 0;    // visited
  std::size_t operations_checked = 0;  // unknown reads are left out: they say nothing
};

// Configurations that one key may take before its verdict is `undecided`.
inline constexpr std::uint64_t configurations_max = 2'000'000;

// Every key is absent at first. Operations may come in any order; `invoked` < `completed`.
[[nodiscard]] LinearizabilityResult check_linearizability(const std::vector<Operation>& history,
                                                          std::uint64_t limit = configurations_max);

}  // namespace whitewater::sim

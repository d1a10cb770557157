// Shrinking: a failing run is made smaller, greedily, while it still fails. First without its faults, then shorter and
// with fewer clients, members and bytes. The seed stays; what a smaller run draws from it differs, so a failure may be
// lost on the way and that step is not taken. Pure: whether a run fails is the caller's question.
#pragma once

#include <functional>
#include <string>

#include "sim/options.hpp"

namespace whitewater::sim {

// Asks `still_fails` about at most `runs_max` smaller runs, never twice about the same; `change` is what sets a run
// apart from the smallest that failed so far. The answer no to all of them gives `failing` back.
[[nodiscard]] SimOptions shrink(
    const SimOptions& failing, std::uint64_t runs_max,
    const std::function<bool(const SimOptions& smaller, const std::string& change)>& still_fails);

}  // namespace whitewater::sim

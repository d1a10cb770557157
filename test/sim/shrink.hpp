// Shrinking: a failing run is made smaller, greedily, while it still fails. First without its faults, then shorter and
// with fewer clients, members and bytes. A smaller run draws other events from the same seed and may miss the failure,
// so the seeds that follow are tried too, once the first brings no more. Pure: whether a run fails is the caller's
// question.
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

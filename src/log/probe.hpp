// The start-up probe: how long one write takes through an executor, the way the log will use it (submit, eventfd,
// reap). Blocks for a bounded time; runs before anything else is written, and changes nothing: it writes back what is
// there, since a later recovery may read through a segment that is needed no more.
#pragma once

#include <string_view>

#include "base/time.hpp"
#include "log/executor.hpp"

namespace whitewater::log {

inline constexpr std::uint32_t probe_writes_max = 64;
inline constexpr std::uint32_t probe_writes_warmup = 2;
inline constexpr base::Duration probe_time_max = base::milliseconds(12);  // for each strategy

struct ProbeResult {
  base::Duration p50{0};  // zero when not one write finished in time
  std::uint32_t writes = 0;
  int error = 0;  // an errno that the executor reported
};

// Writes the blocks of `content` to where they were read from, `slot` from `offset_bytes` on, one block at a time, by
// way of the buffer `block`.
[[nodiscard]] ProbeResult probe_writes(LogExecutor& executor, int completion_fd, const Buffer& block, Slot slot,
                                       std::uint32_t offset_bytes, std::string_view content);

}  // namespace whitewater::log

// The start-up probe: how long one write takes through an executor, the way the log will use it (submit, eventfd,
// reap). Blocks for a bounded time; runs before anything is written, on blocks that hold nothing.
#pragma once

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

// Writes zeros to `blocks` blocks of `slot` from `offset_bytes` on, one write at a time.
[[nodiscard]] ProbeResult probe_writes(LogExecutor& executor, int completion_fd, const Buffer& block, Slot slot,
                                       std::uint32_t offset_bytes, std::uint32_t blocks);

}  // namespace whitewater::log

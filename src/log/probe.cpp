#include "log/probe.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <chrono>
#include <cstring>

#include "base/assert.hpp"
#include "log/format.hpp"
#include "log/strategy_fsm.hpp"

namespace whitewater::log {
namespace {

// One write that hangs this long is left to the log itself, which has a watchdog.
constexpr int single_write_timeout_ms = 2000;

}  // namespace

ProbeResult probe_writes(LogExecutor& executor, int completion_fd, const Buffer& block, Slot slot,
                         std::uint32_t offset_bytes, std::string_view content) {
  WW_ASSERT(!content.empty() && content.size() % block_bytes == 0);
  WW_ASSERT(block.size_bytes == block_bytes);
  using Clock = std::chrono::steady_clock;
  ProbeResult result;
  std::vector<base::Duration> samples;
  std::vector<Completion> done;
  const auto deadline = Clock::now() + probe_time_max;
  for (std::uint32_t i = 0; i < probe_writes_max && Clock::now() < deadline; ++i) {
    const auto at = static_cast<std::uint32_t>(i * block_bytes % content.size());
    std::memcpy(block.data, content.data() + at, block_bytes);
    const auto started = Clock::now();
    executor.submit(WriteOp{i, slot, offset_bytes + at, {block.data, block_bytes}, block.slot});
    done.clear();
    while (done.empty()) {
      pollfd waiting{completion_fd, POLLIN, 0};
      if (::poll(&waiting, 1, single_write_timeout_ms) == 0) {
        result.error = ETIMEDOUT;
        return result;
      }
      eventfd_t count = 0;
      (void)::eventfd_read(completion_fd, &count);
      executor.reap(done);
    }
    if (done.front().result != block_bytes) {
      result.error = done.front().result < 0 ? static_cast<int>(-done.front().result) : EIO;
      return result;
    }
    if (i >= probe_writes_warmup) samples.push_back(Clock::now() - started);
    ++result.writes;
  }
  result.p50 = median(samples);
  return result;
}

}  // namespace whitewater::log

// Bit rot on the disk of a member that is down: what was synced and acknowledged comes back with other bits. Only where
// the log's format promises to notice it (docs/log-format.md, "What cannot be noticed"): the header blocks and batches
// that some later batch or header vouches for. Pure; the member owns the disk.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "log/crash_disk.hpp"

namespace whitewater::sim {

struct VouchedRegion {
  log::Slot slot = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t size_bytes = 0;  // without the padding
  std::uint64_t sequence = 0;    // of the batch; of the first one behind a segment's header
};

// In the order of the log; `recovered` is what recovery makes of the disk as it is.
[[nodiscard]] std::vector<VouchedRegion> vouched_regions(log::CrashDisk& disk, const log::RecoveredLog& recovered);

// Damages one of the regions, and says what was done; nothing when there is none yet.
[[nodiscard]] std::optional<std::string> rot(log::CrashDisk& disk, const log::RecoveredLog& recovered, base::Rng& rng);

}  // namespace whitewater::sim

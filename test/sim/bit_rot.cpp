#include "sim/bit_rot.hpp"

#include <algorithm>

#include "log/format.hpp"

namespace whitewater::sim {
namespace {

constexpr std::uint64_t flips_max = 8;

// A sector of zeros, as a device returns one that it has lost, or some flipped bits.
std::string damage(log::CrashDisk& disk, const VouchedRegion& region, base::Rng& rng) {
  const auto draw_offset = [&] {
    return static_cast<std::uint32_t>(region.offset_bytes + rng.in_range(0, region.size_bytes - 1));
  };
  if (rng.chance(1, 3)) {
    disk.zero(region.slot, draw_offset() / log::sector_bytes * log::sector_bytes, log::sector_bytes);
    return "a sector of zeros";
  }
  const std::uint64_t flips = rng.in_range(1, flips_max);
  for (std::uint64_t i = 0; i < flips; ++i) {
    disk.flip_bit(region.slot, draw_offset(), static_cast<int>(rng.in_range(0, 7)));
  }
  return std::to_string(flips) + " flipped bits";
}

}  // namespace

std::vector<VouchedRegion> vouched_regions(log::CrashDisk& disk, const log::RecoveredLog& recovered) {
  std::vector<VouchedRegion> regions;
  std::uint64_t vouched = 0;
  for (const log::RecoveredSegment& segment : recovered.live) {
    log::SegmentHeader header;
    const auto check = log::check_segment_header(*disk.read(segment.slot, 0, log::block_bytes), header);
    WW_ASSERT(check == log::HeaderCheck::valid);
    vouched = std::max(vouched, header.durable_upto);
    regions.push_back({segment.slot, 0, sizeof header, header.first_batch_sequence});
    std::uint32_t offset = log::block_bytes;
    for (std::uint64_t sequence = header.first_batch_sequence; sequence <= segment.last_sequence; ++sequence) {
      log::BatchHeader batch;
      const auto found =
          log::check_batch_header(*disk.read(segment.slot, offset, log::block_bytes), recovered.log_id, batch);
      WW_ASSERT(found == log::HeaderCheck::valid && batch.sequence == sequence);
      vouched = std::max(vouched, batch.durable_upto);
      regions.push_back(
          {segment.slot, offset, static_cast<std::uint32_t>(sizeof batch) + batch.payload_bytes, sequence});
      offset += batch.length_bytes;
    }
  }
  std::erase_if(regions, [&](const VouchedRegion& region) { return region.sequence > vouched; });
  return regions;
}

std::optional<std::string> rot(log::CrashDisk& disk, const log::RecoveredLog& recovered, base::Rng& rng) {
  const std::vector<VouchedRegion> regions = vouched_regions(disk, recovered);
  if (regions.empty()) return std::nullopt;
  const VouchedRegion& region = regions[rng.in_range(0, regions.size() - 1)];
  return damage(disk, region, rng) + " in segment file " + std::to_string(region.slot) + " in the " +
         std::to_string(region.size_bytes) + " bytes at offset " + std::to_string(region.offset_bytes);
}

}  // namespace whitewater::sim

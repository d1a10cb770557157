// CrashDisk: a simulated device for the log's planner and recovery. It keeps what was written and not yet completed
// apart, and at a crash lets each such write land not at all, whole, or as any set of its 512-byte sectors. Completed
// writes are durable; they can be damaged on purpose. Pure and deterministic: unit tests and the cluster simulator own
// one per member. It counts its operations but has no time: the owner decides when `complete` is called.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "base/rng.hpp"
#include "log/format.hpp"
#include "log/planner.hpp"
#include "log/recovery.hpp"

namespace whitewater::log {

inline constexpr std::uint32_t sector_bytes = 512;

class CrashDisk final : public LogImage {
 public:
  struct PendingWrite {
    std::uint64_t id = 0;
    Slot slot = 0;
    std::uint32_t offset_bytes = 0;
    std::string bytes;
    [[nodiscard]] std::size_t sectors() const { return bytes.size() / sector_bytes; }
  };
  // Whether sector `sector` of a write that was under way has landed.
  using Fate = std::function<bool(const PendingWrite& write, std::size_t sector)>;

  CrashDisk(Slot slots, std::uint32_t segment_bytes) : segment_bytes_(segment_bytes) {
    for (Slot slot = 0; slot < slots; ++slot) add_slot();
  }
  void add_slot() { slots_.emplace_back(segment_bytes_, '\0'); }

  void submit(const WriteOp& op) {
    WW_ASSERT(op.slot < slots_.size());
    WW_ASSERT(op.offset_bytes % block_bytes == 0 && op.bytes.size() % block_bytes == 0);
    WW_ASSERT(op.offset_bytes + op.bytes.size() <= segment_bytes_);
    pending_.push_back({op.id, op.slot, op.offset_bytes, std::string(op.bytes)});
    ++writes_;
  }
  // The write reached the medium; the owner may now tell the planner.
  void complete(std::uint64_t id) {
    for (auto it = pending_.begin(); it != pending_.end(); ++it) {
      if (it->id != id) continue;
      land(*it, [](const PendingWrite&, std::size_t) { return true; });
      pending_.erase(it);
      return;
    }
    WW_ASSERT_MSG(false, "no such write is pending");
  }
  [[nodiscard]] const std::vector<PendingWrite>& pending() const { return pending_; }

  void crash(const Fate& fate) {
    for (const auto& write : pending_) land(write, fate);
    pending_.clear();
  }
  // Each write that was under way lands not at all, whole, as a prefix, or as a random set of sectors.
  void crash_random(base::Rng& rng) {
    std::map<std::uint64_t, std::uint64_t> kinds;
    std::map<std::uint64_t, std::size_t> prefixes;
    for (const auto& write : pending_) {
      kinds[write.id] = rng.in_range(0, 3);
      prefixes[write.id] = rng.in_range(0, write.sectors());
    }
    crash([&](const PendingWrite& write, std::size_t sector) {
      switch (kinds.at(write.id)) {
        case 0:
          return false;
        case 1:
          return true;
        case 2:
          return sector < prefixes.at(write.id);
        default:
          return rng.chance(1, 2);
      }
    });
  }

  // Damage to what is durable.
  void flip_bit(Slot slot, std::uint32_t offset_bytes, int bit = 0) {
    slots_.at(slot).at(offset_bytes) = static_cast<char>(slots_.at(slot).at(offset_bytes) ^ (1 << bit));
  }
  void zero(Slot slot, std::uint32_t offset_bytes, std::size_t count) {
    WW_ASSERT(offset_bytes + count <= segment_bytes_);
    slots_.at(slot).replace(offset_bytes, count, count, '\0');
  }
  // Puts a copy of what lies at one place to another: a misdirected write, or an old state that came back.
  void copy(Slot from, std::uint32_t from_offset, Slot to, std::uint32_t to_offset, std::size_t count) {
    slots_.at(to).replace(to_offset, count, slots_.at(from), from_offset, count);
  }
  void fail_reads(bool fail) { reads_fail_ = fail; }

  [[nodiscard]] Slot slot_count() const override { return static_cast<Slot>(slots_.size()); }
  [[nodiscard]] std::uint32_t segment_bytes() const override { return segment_bytes_; }
  [[nodiscard]] base::Result<std::string_view> read(Slot slot, std::uint32_t offset, std::uint32_t size) override {
    WW_ASSERT(offset % block_bytes == 0 && size % block_bytes == 0);
    WW_ASSERT(offset + size <= segment_bytes_);
    if (reads_fail_) return base::Errc::connection_lost;
    return std::string_view(slots_.at(slot)).substr(offset, size);
  }
  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  [[nodiscard]] std::string& bytes(Slot slot) { return slots_.at(slot); }

 private:
  void land(const PendingWrite& write, const Fate& fate) {
    for (std::size_t sector = 0; sector < write.sectors(); ++sector) {
      if (!fate(write, sector)) continue;
      const std::size_t at = sector * sector_bytes;
      slots_[write.slot].replace(write.offset_bytes + at, sector_bytes, write.bytes, at, sector_bytes);
    }
  }

  std::uint32_t segment_bytes_;
  std::vector<std::string> slots_;
  std::vector<PendingWrite> pending_;
  std::uint64_t writes_ = 0;
  bool reads_fail_ = false;
};

}  // namespace whitewater::log

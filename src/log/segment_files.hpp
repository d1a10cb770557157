// SegmentFiles: the files of the log's directory, `segment-NNNNNN.wwlog` by slot number, all of one size and filled
// with zeros before they get their name. Opened at start by RaftLog, which owns them; also the image that recovery
// reads. Reads block. Files are made under another name and renamed when whole, so that one found under its own name is
// complete.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "log/executor.hpp"
#include "log/recovery.hpp"

namespace whitewater::log {

struct ZeroFill {
  std::string dir;
  Slot slot = 0;
  std::uint32_t segment_bytes = 0;
  bool direct_io = true;
  std::uint64_t bytes_per_second = 0;                  // zero: as fast as the device takes it
  const std::function<bool()>* should_stop = nullptr;  // asked between writes
};
// Makes one segment file and returns it open: an errno in the error code when the disk refuses, and the half-made file
// is gone again. Does not sync the directory.
[[nodiscard]] base::Result<UniqueFd> make_segment(const ZeroFill& fill);
// 0 or an errno.
[[nodiscard]] int sync_directory(const std::string& dir);

class SegmentFiles final : public LogImage {
 public:
  // Opens what is there, or makes `initial_segments`; syncs every file, so that nothing is decided on bytes that a
  // power cut could still take. Throws FatalError: data_directory, corrupt, disk.
  [[nodiscard]] static SegmentFiles open(const std::string& dir, std::uint32_t segment_bytes,
                                         std::uint32_t initial_segments, bool direct_io);

  [[nodiscard]] Slot slot_count() const override { return static_cast<Slot>(files_.size()); }
  [[nodiscard]] std::uint32_t segment_bytes() const override { return segment_bytes_; }
  [[nodiscard]] base::Result<std::string_view> read(Slot slot, std::uint32_t offset_bytes,
                                                    std::uint32_t size_bytes) override;

  void add(UniqueFd file) { files_.push_back(std::move(file)); }
  [[nodiscard]] int fd(Slot slot) const { return files_.at(slot).get(); }
  [[nodiscard]] std::vector<int> fds() const;
  [[nodiscard]] const std::string& dir() const { return dir_; }
  [[nodiscard]] bool direct_io() const { return direct_io_; }
  // Gives the memory of recovery's reads back.
  void drop_read_buffer() { buffer_ = {}, buffer_bytes_ = 0; }

 private:
  std::string dir_;
  std::uint32_t segment_bytes_ = 0;
  bool direct_io_ = true;
  std::vector<UniqueFd> files_;
  AlignedBytes buffer_;
  std::size_t buffer_bytes_ = 0;
};

}  // namespace whitewater::log

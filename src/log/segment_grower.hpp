// SegmentGrower: a helper thread that makes segment files one at a time, throttled so that its writes do not stall the
// log's. Owned by RaftLog; `request` and `take_results` are called from its thread, and results are announced on the
// same eventfd as completions. A disk that refuses is a result, not an error: the log then lives with the segments that
// it has.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "log/executor.hpp"

namespace whitewater::log {

inline constexpr std::uint64_t background_fill_bytes_per_second = 256ULL << 20;

struct GrownSegment {
  Slot slot = 0;
  UniqueFd file;  // not open when it failed
  int error = 0;  // then the errno
};

class SegmentGrower {
 public:
  SegmentGrower(std::string dir, std::uint32_t segment_bytes, bool direct_io, int completion_fd);
  ~SegmentGrower();  // stops between two writes
  SegmentGrower(const SegmentGrower&) = delete;
  SegmentGrower& operator=(const SegmentGrower&) = delete;

  void request(Slot slot);
  void take_results(std::vector<GrownSegment>& out);

 private:
  void run();
  [[nodiscard]] GrownSegment make(Slot slot);

  const std::string dir_;
  const std::uint32_t segment_bytes_;
  const bool direct_io_;
  const int completion_fd_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Slot> requests_;
  std::vector<GrownSegment> results_;
  bool stopping_ = false;
  std::thread thread_;  // started by the first request
};

}  // namespace whitewater::log

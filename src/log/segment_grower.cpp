#include "log/segment_grower.hpp"

#include <pthread.h>
#include <sys/eventfd.h>

#include <functional>

#include "base/assert.hpp"
#include "log/segment_files.hpp"

namespace whitewater::log {

SegmentGrower::SegmentGrower(std::string dir, std::uint32_t segment_bytes, bool direct_io, int completion_fd)
    : dir_(std::move(dir)), segment_bytes_(segment_bytes), direct_io_(direct_io), completion_fd_(completion_fd) {}

SegmentGrower::~SegmentGrower() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SegmentGrower::request(Slot slot) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(slot);
  }
  wake_.notify_one();
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "log-grow");
}

void SegmentGrower::take_results(std::vector<GrownSegment>& out) {
  const std::lock_guard lock(mutex_);
  for (auto& result : results_) out.push_back(std::move(result));
  results_.clear();
}

void SegmentGrower::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
    if (stopping_) return;
    const Slot slot = requests_.front();
    requests_.pop_front();
    lock.unlock();
    GrownSegment grown = make(slot);
    lock.lock();
    results_.push_back(std::move(grown));
    (void)::eventfd_write(completion_fd_, 1);
  }
}

// The directory is synced before the segment is handed over, so that what is written there cannot lose its name.
GrownSegment SegmentGrower::make(Slot slot) {
  const std::function<bool()> should_stop = [this] {
    const std::lock_guard lock(mutex_);
    return stopping_;
  };
  GrownSegment grown;
  grown.slot = slot;
  auto made = make_segment({dir_, slot, segment_bytes_, direct_io_, background_fill_bytes_per_second, &should_stop});
  if (made.has_error()) {
    grown.error = made.error().value();
    return grown;
  }
  grown.error = sync_directory(dir_);
  if (grown.error == 0) grown.file = std::move(*made);
  return grown;
}

}  // namespace whitewater::log

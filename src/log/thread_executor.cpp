#include "log/thread_executor.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <cerrno>

#include "base/assert.hpp"

namespace whitewater::log {

ThreadExecutor::ThreadExecutor(const ExecutorSetup& setup, Strategy strategy)
    : strategy_(strategy), completion_fd_(setup.completion_fd), files_(setup.files) {
  WW_ASSERT(strategy == Strategy::thread || strategy == Strategy::buffered);
  WW_ASSERT(setup.writes_in_flight_max >= 1);
  for (std::uint32_t i = 0; i < setup.writes_in_flight_max; ++i) {
    threads_.emplace_back([this] { write_loop(); });
    pthread_setname_np(threads_.back().native_handle(), "log-write");
  }
  threads_.emplace_back([this] { read_loop(); });
  pthread_setname_np(threads_.back().native_handle(), "log-read");
}

// What was submitted is still done: a write that was handed over may be half on the disk.
ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  write_wake_.notify_all();
  read_wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadExecutor::submit(const WriteOp& op) {
  {
    const std::lock_guard lock(mutex_);
    writes_.push_back({op, files_.at(op.slot)});
  }
  ++in_flight_;
  write_wake_.notify_one();
}

void ThreadExecutor::submit(const ReadOp& op) {
  {
    const std::lock_guard lock(mutex_);
    reads_.push_back({op, files_.at(op.slot)});
  }
  ++in_flight_;
  read_wake_.notify_one();
}

void ThreadExecutor::reap(std::vector<Completion>& out) {
  const std::lock_guard lock(mutex_);
  WW_ASSERT(done_.size() <= in_flight_);
  in_flight_ -= done_.size();
  out.insert(out.end(), done_.begin(), done_.end());
  done_.clear();
}

void ThreadExecutor::add_file(Slot slot, int fd) {
  const std::lock_guard lock(mutex_);
  WW_ASSERT(slot == files_.size());
  files_.push_back(fd);
}

void ThreadExecutor::write_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    write_wake_.wait(lock, [this] { return stopping_ || !writes_.empty(); });
    if (writes_.empty()) return;
    const Write write = writes_.front();
    writes_.pop_front();
    lock.unlock();
    const Completion completion{write.op.id, false, do_write(write)};
    finish(completion);
    lock.lock();
  }
}

void ThreadExecutor::read_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    read_wake_.wait(lock, [this] { return stopping_ || !reads_.empty(); });
    if (reads_.empty()) return;
    const Read read = reads_.front();
    reads_.pop_front();
    lock.unlock();
    const Completion completion{read.op.id, true, do_read(read)};
    finish(completion);
    lock.lock();
  }
}

std::int64_t ThreadExecutor::do_write(const Write& write) const {
  const iovec part{const_cast<char*>(write.op.bytes.data()), write.op.bytes.size()};
  const int flags = strategy_ == Strategy::thread ? RWF_DSYNC : 0;
  const auto written = ::pwritev2(write.fd, &part, 1, static_cast<off_t>(write.op.offset_bytes), flags);
  if (written < 0) return -errno;
  if (strategy_ == Strategy::buffered && ::fdatasync(write.fd) != 0) return -errno;
  return written;
}

std::int64_t ThreadExecutor::do_read(const Read& read) {
  const auto got = ::pread(read.fd, read.op.to, read.op.size_bytes, static_cast<off_t>(read.op.offset_bytes));
  return got < 0 ? -errno : got;
}

void ThreadExecutor::finish(Completion completion) {
  {
    const std::lock_guard lock(mutex_);
    done_.push_back(completion);
  }
  // The counter cannot overflow: the owner resets it with every poll.
  (void)::eventfd_write(completion_fd_, 1);
}

}  // namespace whitewater::log

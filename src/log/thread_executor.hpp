// ThreadExecutor: writes by blocking calls in W threads, reads in one more. With O_DIRECT it is the `thread` strategy
// (pwritev2 with RWF_DSYNC: the flush is done by the caller and does not wait for a kernel worker); without, the
// `buffered` one (pwrite, then fdatasync). Owned by RaftLog; submit and reap come from its thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "log/executor.hpp"

namespace whitewater::log {

class ThreadExecutor final : public LogExecutor {
 public:
  // `strategy` is thread or buffered.
  ThreadExecutor(const ExecutorSetup& setup, Strategy strategy);
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void submit(const WriteOp& op) override;
  void submit(const ReadOp& op) override;
  void reap(std::vector<Completion>& out) override;
  void add_file(Slot slot, int fd) override;
  [[nodiscard]] std::size_t in_flight() const override { return in_flight_; }
  [[nodiscard]] Strategy strategy() const override { return strategy_; }

 private:
  struct Write {
    WriteOp op;
    int fd;
  };
  struct Read {
    ReadOp op;
    int fd;
  };
  void write_loop();
  void read_loop();
  [[nodiscard]] std::int64_t do_write(const Write& write) const;
  [[nodiscard]] static std::int64_t do_read(const Read& read);
  void finish(Completion completion);

  const Strategy strategy_;
  const int completion_fd_;
  std::vector<int> files_;
  std::size_t in_flight_ = 0;  // the owner's count: submitted and not reaped

  std::mutex mutex_;
  std::condition_variable write_wake_;
  std::condition_variable read_wake_;
  std::deque<Write> writes_;
  std::deque<Read> reads_;
  std::vector<Completion> done_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace whitewater::log

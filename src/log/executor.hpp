// LogExecutor: does the planner's writes and the reads of old entries on the kernel, and reports completions through an
// eventfd. One is owned by RaftLog and called from its thread; an implementation may have threads of its own. It
// neither orders nor retries: a completion carries the error or the byte count, and judging it is RaftLog's business.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "log/buffer_pool.hpp"
#include "log/types.hpp"

namespace whitewater::log {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { close(); }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd_ = -1;
};

enum class Strategy : std::uint8_t {
  automatic = 0,  // the probe chooses
  uring,          // own io_uring, O_DIRECT, RWF_DSYNC
  thread,         // blocking pwritev2(RWF_DSYNC) in threads, O_DIRECT
  buffered,       // pwrite and fdatasync in threads, for file systems without O_DIRECT
};
[[nodiscard]] std::string_view describe(Strategy strategy);
// From the text of --log-strategy: "auto", "uring", "thread" or "buffered".
[[nodiscard]] base::Result<Strategy> parse_strategy(std::string_view text);

// Whole blocks into `to`.
struct ReadOp {
  std::uint64_t id = 0;
  Slot slot = 0;
  std::uint32_t offset_bytes = 0;
  std::uint32_t size_bytes = 0;
  char* to = nullptr;
};

struct Completion {
  std::uint64_t id = 0;
  bool is_read = false;
  std::int64_t result = 0;  // bytes, or a negative errno
};

class LogExecutor {
 public:
  virtual ~LogExecutor() = default;  // waits for what is in flight
  virtual void submit(const WriteOp& op) = 0;
  virtual void submit(const ReadOp& op) = 0;
  // Moves completions to the end of `out`.
  virtual void reap(std::vector<Completion>& out) = 0;
  virtual void add_file(Slot slot, int fd) = 0;
  [[nodiscard]] virtual std::size_t in_flight() const = 0;
  [[nodiscard]] virtual Strategy strategy() const = 0;
};

// `files[slot]` stay open for the executor's life. `completion_fd` is an eventfd that it signals.
struct ExecutorSetup {
  std::vector<int> files;
  std::uint32_t files_max = 0;  // how many there can ever be
  int completion_fd = -1;
  BufferPool* pool = nullptr;
  std::uint32_t writes_in_flight_max = 4;
};

}  // namespace whitewater::log

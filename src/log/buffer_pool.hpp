// BufferPool: block-aligned memory for writes. A few equal buffers in one piece (so that io_uring can register them),
// and single allocations for what is larger or when all are taken. Owned beside the planner, same thread. It holds no
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace whitewater::log {

struct FreeDeleter {
  void operator()(char* p) const noexcept { std::free(p); }
};
using AlignedBytes = std::unique_ptr<char[], FreeDeleter>;

// `size_bytes` is rounded up to whole blocks. Throws std::bad_alloc.
[[nodiscard]] AlignedBytes allocate_aligned(std::size_t size_bytes);

struct Buffer {
  char* data = nullptr;
  std::size_t size_bytes = 0;
  int slot = -1;       // in the pool; -1: an allocation of its own
  AlignedBytes owned;  // then this
};

class BufferPool {
 public:
  BufferPool(std::size_t count, std::size_t bytes_each);
  [[nodiscard]] Buffer acquire(std::size_t size_bytes);
  void release(Buffer buffer);

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes_each() const { return bytes_each_; }
  [[nodiscard]] char* at(std::size_t slot) { return memory_.get() + slot * bytes_each_; }

 private:
  std::size_t count_;
  std::size_t bytes_each_;
  AlignedBytes memory_;
  std::vector<int> free_;
};

}  // namespace whitewater::log

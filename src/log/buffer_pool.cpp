#include "log/buffer_pool.hpp"

#include <new>

#include "base/assert.hpp"
#include "log/format.hpp"

namespace whitewater::log {

AlignedBytes allocate_aligned(std::size_t size_bytes) {
  auto* p = static_cast<char*>(std::aligned_alloc(block_bytes, round_up_to_block(size_bytes)));
  if (p == nullptr) throw std::bad_alloc();
  return AlignedBytes(p);
}

BufferPool::BufferPool(std::size_t count, std::size_t bytes_each)
    : count_(count), bytes_each_(round_up_to_block(bytes_each)), memory_(allocate_aligned(count_ * bytes_each_)) {
  free_.reserve(count_);
  for (std::size_t i = count_; i > 0; --i) free_.push_back(static_cast<int>(i - 1));
}

Buffer BufferPool::acquire(std::size_t size_bytes) {
  Buffer buffer;
  buffer.size_bytes = size_bytes;
  if (size_bytes <= bytes_each_ && !free_.empty()) {
    buffer.slot = free_.back();
    free_.pop_back();
    buffer.data = at(static_cast<std::size_t>(buffer.slot));
    return buffer;
  }
  buffer.owned = allocate_aligned(size_bytes);
  buffer.data = buffer.owned.get();
  return buffer;
}

void BufferPool::release(Buffer buffer) {
  if (buffer.slot < 0) return;
  WW_ASSERT(free_.size() < count_);
  WW_ASSERT(static_cast<std::size_t>(buffer.slot) < count_);
  free_.push_back(buffer.slot);
}

}  // namespace whitewater::log

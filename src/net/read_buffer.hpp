// ReadBuffer: received bytes that are not parsed yet, in one growing block with an upper bound. Pure. Not a queue of
// messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/assert.hpp"

namespace whitewater::net {

class ReadBuffer {
 public:
  ReadBuffer(std::size_t initial_bytes, std::size_t bytes_max) : initial_bytes_(initial_bytes), bytes_max_(bytes_max) {
    WW_ASSERT(initial_bytes > 0);
    WW_ASSERT(initial_bytes <= bytes_max);
  }

  [[nodiscard]] std::string_view view() const { return {block_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  // Nothing more fits: the parser needs more at once than it may have.
  [[nodiscard]] bool is_full() const { return end_ - begin_ == bytes_max_; }

  void consume(std::size_t size_bytes) {
    WW_ASSERT(size_bytes <= end_ - begin_);
    begin_ += size_bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room for at least one byte; call it only when not full. Doubles the block when more than half of it is in use.
  [[nodiscard]] std::span<char> prepare() {
    WW_ASSERT(!is_full());
    const auto unread = end_ - begin_;
    if (unread * 2 >= capacity_ && capacity_ < bytes_max_) {
      grow(std::min(std::max(initial_bytes_, capacity_ * 2), bytes_max_));
    } else if (capacity_ - end_ < initial_bytes_ / 2 && begin_ > 0) {
      std::memmove(block_.get(), block_.get() + begin_, unread);
      begin_ = 0;
      end_ = unread;
    }
    return {block_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t size_bytes) {
    WW_ASSERT(size_bytes <= capacity_ - end_);
    end_ += size_bytes;
  }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto room = prepare();
      const auto size = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), size);
      commit(size);
      bytes.remove_prefix(size);
    }
  }
  void clear() { begin_ = end_ = 0; }

 private:
  void grow(std::size_t capacity) {
    auto block = std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > begin_) std::memcpy(block.get(), block_.get() + begin_, end_ - begin_);
    block_ = std::move(block);
    capacity_ = capacity;
    end_ -= begin_;
    begin_ = 0;
  }

  std::size_t initial_bytes_;
  std::size_t bytes_max_;
  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace whitewater::net

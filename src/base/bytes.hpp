// SharedBytes: an immutable, reference-counted slice of bytes. Copies share the memory, so that one payload can sit in
// the log's batch, in a message to each follower and in the apply queue without being copied. Not for growing or
// editing.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace whitewater::base {

class SharedBytes {
 public:
  SharedBytes() = default;
  // Takes the string over; no copy of its bytes.
  explicit SharedBytes(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  // A slice of memory that `owner` keeps alive.
  SharedBytes(std::shared_ptr<const void> owner, std::string_view view) : owner_(std::move(owner)), view_(view) {}

  [[nodiscard]] std::string_view view() const { return view_; }
  [[nodiscard]] const char* data() const { return view_.data(); }
  [[nodiscard]] std::size_t size_bytes() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }
  bool operator==(const SharedBytes& other) const { return view_ == other.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace whitewater::base

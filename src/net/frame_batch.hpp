// FrameBatch: what one write sends. Collects core messages and small frames, coalesces neighbouring messages into one
// frame, computes the checksums, and yields the buffers of one gathered write. Payloads from `gather_bytes_min` on are
// referenced, not copied; smaller ones are cheaper to copy than to carry as a buffer of their own. Reused from write to
// write. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "net/frame.hpp"
#include "net/message_codec.hpp"

namespace whitewater::net {

inline constexpr std::size_t gather_bytes_min = 8UL << 10;
// A frame of coalesced messages is closed when it has grown to this.
inline constexpr std::size_t coalesced_frame_bytes = 256UL << 10;

class FrameBatch final : private MessageSink {
 public:
  void add_message(const core::Message& message);
  void add_frame(FrameType type, std::string_view payload);
  // Closes the open frame. After it, buffers() is valid until the batch is changed.
  void seal();
  void clear();

  [[nodiscard]] const std::vector<std::string_view>& buffers() const { return buffers_; }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] bool empty() const { return size_bytes_ == 0; }

 private:
  // A run of inline bytes, or a referenced payload.
  struct Piece {
    std::size_t offset = 0;
    std::size_t size_bytes = 0;
    base::SharedBytes payload;
    bool is_reference = false;
  };
  std::string& inline_bytes() override { return inline_; }
  void payload(const base::SharedBytes& bytes) override;
  void open_frame(FrameType type);
  void close_frame();
  void close_piece();

  std::string inline_;
  std::vector<Piece> pieces_;
  std::vector<std::string_view> buffers_;
  std::size_t piece_begin_ = 0;
  std::size_t size_bytes_ = 0;  // of every closed frame and of the open one so far
  bool is_frame_open_ = false;
  FrameType frame_type_ = FrameType::messages;
  std::size_t frame_begin_ = 0;        // offset of its header in inline_
  std::size_t frame_first_piece_ = 0;  // its payload's pieces start here
  std::size_t frame_payload_bytes_ = 0;
};

}  // namespace whitewater::net

#include "net/frame_batch.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "base/crc32c.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t message_length_bytes = 4;
// Bytes that one batch keeps between writes; a larger one is given back.
constexpr std::size_t kept_bytes_max = 1UL << 20;

}  // namespace

void FrameBatch::add_message(const core::Message& message) {
  const auto message_bytes = encoded_size_bytes(message);
  const bool fits = frame_payload_bytes_ + message_length_bytes + message_bytes <= frame_payload_bytes_max;
  if (is_frame_open_ && (!fits || frame_payload_bytes_ >= coalesced_frame_bytes)) close_frame();
  if (!is_frame_open_) open_frame(FrameType::messages);
  base::ByteWriter(inline_).u32(static_cast<std::uint32_t>(message_bytes));
  const auto before = inline_.size();
  const auto pieces_before = pieces_.size();
  encode_message(message, *this);
  frame_payload_bytes_ += message_length_bytes + message_bytes;
  if (pieces_.size() == pieces_before) WW_ASSERT(inline_.size() - before == message_bytes);
  WW_ASSERT_MSG(frame_payload_bytes_ <= frame_payload_bytes_max, "a core message over its stated bounds");
}

void FrameBatch::add_frame(FrameType type, std::string_view payload) {
  if (is_frame_open_) close_frame();
  open_frame(type);
  inline_.append(payload);
  frame_payload_bytes_ = payload.size();
  close_frame();
}

void FrameBatch::payload(const base::SharedBytes& bytes) {
  if (bytes.size_bytes() < gather_bytes_min) {
    inline_.append(bytes.view());
    return;
  }
  close_piece();
  pieces_.push_back({.offset = 0, .size_bytes = bytes.size_bytes(), .payload = bytes, .is_reference = true});
}

void FrameBatch::open_frame(FrameType type) {
  close_piece();
  is_frame_open_ = true;
  frame_type_ = type;
  frame_begin_ = inline_.size();
  frame_first_piece_ = pieces_.size();
  frame_payload_bytes_ = 0;
  inline_.append(frame_header_bytes, '\0');
}

void FrameBatch::close_piece() {
  if (inline_.size() > piece_begin_) {
    pieces_.push_back({.offset = piece_begin_, .size_bytes = inline_.size() - piece_begin_, .payload = {}});
  }
  piece_begin_ = inline_.size();
}

void FrameBatch::close_frame() {
  WW_ASSERT(is_frame_open_);
  close_piece();
  std::uint32_t crc = 0;
  std::size_t skip = frame_header_bytes;  // the first piece starts with the header's place
  for (std::size_t i = frame_first_piece_; i < pieces_.size(); ++i) {
    const auto& piece = pieces_[i];
    const auto bytes =
        piece.is_reference ? piece.payload.view() : std::string_view(inline_).substr(piece.offset, piece.size_bytes);
    crc = base::crc32c(bytes.substr(skip), crc);
    skip = 0;
  }
  const FrameHeader header{
      .type = frame_type_, .payload_bytes = static_cast<std::uint32_t>(frame_payload_bytes_), .payload_crc = crc};
  inline_.replace(frame_begin_, frame_header_bytes, encode_header(header));
  size_bytes_ += frame_header_bytes + frame_payload_bytes_;
  is_frame_open_ = false;
}

void FrameBatch::seal() {
  if (is_frame_open_) close_frame();
  buffers_.clear();
  std::size_t total = 0;
  std::size_t run_begin = 0;  // neighbouring inline pieces become one buffer
  std::size_t run_bytes = 0;
  const auto end_run = [&] {
    if (run_bytes > 0) buffers_.emplace_back(inline_.data() + run_begin, run_bytes);
    run_bytes = 0;
  };
  for (const auto& piece : pieces_) {
    total += piece.size_bytes;
    if (piece.is_reference) {
      end_run();
      buffers_.push_back(piece.payload.view());
      continue;
    }
    if (run_bytes == 0) run_begin = piece.offset;
    WW_ASSERT(run_begin + run_bytes == piece.offset);
    run_bytes += piece.size_bytes;
  }
  end_run();
  WW_ASSERT(total == size_bytes_);
}

void FrameBatch::clear() {
  inline_.clear();
  if (inline_.capacity() > kept_bytes_max) inline_.shrink_to_fit();
  pieces_.clear();
  buffers_.clear();
  piece_begin_ = 0;
  size_bytes_ = 0;
  frame_payload_bytes_ = 0;
  is_frame_open_ = false;
}

}  // namespace whitewater::net

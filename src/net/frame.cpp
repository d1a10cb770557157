#include "net/frame.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "base/crc32c.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t header_crc_offset = 16;
// Less than this is not worth a system call: the unread bytes move to the front first.
constexpr std::size_t read_bytes_min = 4UL << 10;

bool is_known(std::uint8_t type) {
  return type >= static_cast<std::uint8_t>(FrameType::hello) &&
         type <= static_cast<std::uint8_t>(FrameType::snapshot_done);
}

}  // namespace

std::string encode_header(const FrameHeader& header) {
  std::string out;
  out.reserve(frame_header_bytes);
  base::ByteWriter writer(out);
  writer.bytes(frame_magic);
  writer.u8(static_cast<std::uint8_t>(header.type));
  writer.u8(header.flags);
  writer.u16(0);
  writer.u32(header.payload_bytes);
  writer.u32(header.payload_crc);
  writer.u32(base::crc32c(out));
  WW_ASSERT(out.size() == frame_header_bytes);
  return out;
}

base::Result<FrameHeader> decode_header(std::string_view bytes, std::size_t payload_bytes_max) {
  WW_ASSERT(bytes.size() >= frame_header_bytes);
  if (!bytes.starts_with(frame_magic)) return base::Errc::malformed;
  base::ByteReader reader(bytes.substr(frame_magic.size(), frame_header_bytes - frame_magic.size()));
  FrameHeader header;
  const auto type = reader.u8();
  header.flags = reader.u8();
  const auto reserved = reader.u16();
  header.payload_bytes = reader.u32();
  header.payload_crc = reader.u32();
  if (reader.u32() != base::crc32c(bytes.substr(0, header_crc_offset))) return base::Errc::checksum_mismatch;
  if (!is_known(type)) return base::Errc::malformed;
  if (reserved != 0) return base::Errc::malformed;
  if (header.payload_bytes > payload_bytes_max) return base::Errc::limit_exceeded;
  header.type = static_cast<FrameType>(type);
  return header;
}

std::string encode_frame(FrameType type, std::string_view payload) {
  WW_ASSERT(payload.size() <= frame_payload_bytes_max);
  FrameHeader header{
      .type = type, .payload_bytes = static_cast<std::uint32_t>(payload.size()), .payload_crc = base::crc32c(payload)};
  std::string out = encode_header(header);
  out.append(payload);
  return out;
}

FrameDecoder::FrameDecoder(std::size_t payload_bytes_max, std::size_t buffer_bytes)
    : payload_bytes_max_(payload_bytes_max),
      buffer_bytes_(buffer_bytes),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_bytes)) {
  WW_ASSERT(buffer_bytes >= 2 * read_bytes_min);
}

void FrameDecoder::compact() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (buffer_bytes_ - end_ < read_bytes_min && begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
}

std::span<char> FrameDecoder::prepare() {
  if (large_ != nullptr) {
    WW_ASSERT(begin_ == end_);
    WW_ASSERT(large_received_ < large_header_.payload_bytes);
    return {large_.get() + large_received_, large_header_.payload_bytes - large_received_};
  }
  compact();
  WW_ASSERT_MSG(end_ < buffer_bytes_, "next() must be called until it has nothing before more is read");
  return {buffer_.get() + end_, buffer_bytes_ - end_};
}

void FrameDecoder::commit(std::size_t size_bytes) {
  if (large_ != nullptr) {
    WW_ASSERT(size_bytes <= large_header_.payload_bytes - large_received_);
    large_received_ += size_bytes;
    return;
  }
  WW_ASSERT(size_bytes <= buffer_bytes_ - end_);
  end_ += size_bytes;
}

void FrameDecoder::feed(std::string_view bytes) {
  const auto room = prepare();
  WW_ASSERT(bytes.size() <= room.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

base::Result<std::optional<Frame>> FrameDecoder::next() {
  if (failure_) return *failure_;
  auto frame = large_ != nullptr ? next_large() : next_small();
  if (frame.has_error()) failure_ = static_cast<base::Errc>(frame.error().value());
  return frame;
}

base::Result<std::optional<Frame>> FrameDecoder::next_small() {
  const std::string_view unread(buffer_.get() + begin_, end_ - begin_);
  if (unread.size() < frame_header_bytes) {
    // Garbage is told from its first bytes on, not only once a whole header of it has come.
    const auto shown = std::min(unread.size(), frame_magic.size());
    if (unread.substr(0, shown) != frame_magic.substr(0, shown)) return base::Errc::malformed;
    return std::optional<Frame>();
  }
  const auto header = decode_header(unread, payload_bytes_max_);
  if (header.has_error()) return header.error();
  const std::size_t frame_bytes = frame_header_bytes + header->payload_bytes;
  if (unread.size() < frame_bytes) {
    if (frame_bytes > buffer_bytes_ - read_bytes_min) start_large(*header);
    return std::optional<Frame>();
  }
  const auto payload = unread.substr(frame_header_bytes, header->payload_bytes);
  if (base::crc32c(payload) != header->payload_crc) return base::Errc::checksum_mismatch;
  begin_ += frame_bytes;
  return std::optional<Frame>(Frame{.type = header->type, .payload = payload, .owner = nullptr});
}

void FrameDecoder::start_large(const FrameHeader& header) {
  large_ = std::make_shared_for_overwrite<char[]>(header.payload_bytes);
  large_header_ = header;
  begin_ += frame_header_bytes;
  large_received_ = end_ - begin_;
  WW_ASSERT(large_received_ < header.payload_bytes);
  std::memcpy(large_.get(), buffer_.get() + begin_, large_received_);
  begin_ = end_ = 0;
}

base::Result<std::optional<Frame>> FrameDecoder::next_large() {
  if (large_received_ < large_header_.payload_bytes) return std::optional<Frame>();
  const std::string_view payload(large_.get(), large_header_.payload_bytes);
  if (base::crc32c(payload) != large_header_.payload_crc) return base::Errc::checksum_mismatch;
  Frame frame{.type = large_header_.type, .payload = payload, .owner = std::move(large_)};
  large_ = nullptr;
  large_received_ = 0;
  return std::optional<Frame>(std::move(frame));
}

}  // namespace whitewater::net

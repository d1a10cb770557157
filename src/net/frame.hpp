// Frames: the unit of the peer protocol (docs/wire-protocol.md). A fixed header of 20 bytes, little-endian:
//   0 magic  ab 57 57 52   4 type u8   5 flags u8   6 reserved u16 = 0   8 payload length u32
//   12 CRC-32C of the payload   16 CRC-32C of header bytes 0..15
// then the payload. The header's own checksum is proved before its length is believed, and the length is bounded before
// memory is taken for it. Pure; does not know what a payload means (handshake.hpp, message_codec.hpp) nor where bytes
// come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "core/messages.hpp"

namespace whitewater::net {

inline constexpr std::string_view frame_magic{"\xabWWR", 4};
inline constexpr std::size_t frame_header_bytes = 20;
// A core message at its bounds with every entry's own header, and room for the messages coalesced with it.
inline constexpr std::size_t frame_payload_bytes_max = core::message_payload_bytes_max + (1UL << 20);
// Before the handshake is done nobody may make us hold more than this.
inline constexpr std::size_t handshake_payload_bytes_max = 4096;
// Discovery's exchange: a member list of at most configuration_members_max names with their attributes.
inline constexpr std::size_t bootstrap_payload_bytes_max = 256UL << 10;

enum class FrameType : std::uint8_t {
  hello = 1,        // dialler to acceptor, always the first frame
  hello_reply = 2,  // accepted
  refused = 3,      // not accepted, with the reason; the connection ends
  messages = 4,     // core messages, one or more
  bootstrap = 5,    // opaque to this layer: discovery's question, and its answer
  ping = 6,         // 8 opaque bytes; answered by pong with the same bytes
  pong = 7,
  // On the snapshot channel only (snapshot_message.hpp).
  snapshot_offer = 8,        // dialler
  snapshot_offer_reply = 9,  // acceptor
  snapshot_chunk = 10,       // dialler
  snapshot_ack = 11,         // acceptor
  snapshot_end = 12,         // dialler
  snapshot_done = 13,        // acceptor, then it closes
};

struct FrameHeader {
  FrameType type = FrameType::hello;
  std::uint8_t flags = 0;  // none defined: senders write 0, receivers ignore
  std::uint32_t payload_bytes = 0;
  std::uint32_t payload_crc = 0;
};

[[nodiscard]] std::string encode_header(const FrameHeader& header);
// `bytes` holds at least frame_header_bytes. malformed, checksum_mismatch, or limit_exceeded when the length is over
// `payload_bytes_max`.
[[nodiscard]] base::Result<FrameHeader> decode_header(std::string_view bytes, std::size_t payload_bytes_max);
// A whole frame in one string, for the small ones.
[[nodiscard]] std::string encode_frame(FrameType type, std::string_view payload);

// One frame as the decoder hands it out. `owner` keeps a large payload alive; a small one is still in the decoder's
// buffer, `owner` is empty and `payload` is valid until the decoder is touched again.
struct Frame {
  FrameType type = FrameType::hello;
  std::string_view payload;
  std::shared_ptr<const void> owner;
};

// Turns a byte stream into frames. The owner reads into prepare(), reports with commit(), and takes frames with next()
// until it says nothing. A frame that does not fit the receive buffer is read straight into memory of its own, so that
// its entries are never copied. The first error is final: the stream has no place to resynchronize.
class FrameDecoder {
 public:
  static constexpr std::size_t buffer_bytes_default = 64UL << 10;
  explicit FrameDecoder(std::size_t payload_bytes_max, std::size_t buffer_bytes = buffer_bytes_default);

  // For a connection that has passed its handshake.
  void set_payload_bytes_max(std::size_t payload_bytes_max) { payload_bytes_max_ = payload_bytes_max; }
  // Where the next bytes of the stream go; never empty. Invalidates the last small frame.
  [[nodiscard]] std::span<char> prepare();
  void commit(std::size_t size_bytes);
  // Bytes that were read elsewhere (by the sniffer). At most the free part of the receive buffer.
  void feed(std::string_view bytes);
  // A frame, nothing yet, or malformed / checksum_mismatch / limit_exceeded.
  [[nodiscard]] base::Result<std::optional<Frame>> next();
  // True between frames: the stream may end here.
  [[nodiscard]] bool is_at_boundary() const { return begin_ == end_ && large_ == nullptr; }

 private:
  [[nodiscard]] base::Result<std::optional<Frame>> next_small();
  [[nodiscard]] base::Result<std::optional<Frame>> next_large();
  void start_large(const FrameHeader& header);
  void compact();

  std::size_t payload_bytes_max_;
  std::size_t buffer_bytes_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0;  // unread bytes of buffer_: [begin_, end_)
  std::size_t end_ = 0;
  std::shared_ptr<char[]> large_;  // the payload being received, when it has memory of its own
  FrameHeader large_header_;
  std::size_t large_received_ = 0;
  std::optional<base::Errc> failure_;
};

}  // namespace whitewater::net

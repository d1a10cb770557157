// FrameStream: a connected socket with a frame decoder. Reads frames and writes bytes, nothing else; one reader and one
// writer at a time. Owned by a PeerLink, a peer session or an exchange. Sets no time-outs of its own: its owners do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/frame.hpp"
#include "net/frame_batch.hpp"
#include "net/reactor.hpp"

namespace whitewater::net {

struct StreamCounters {
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  StreamCounters& operator+=(const StreamCounters& other) {
    sent_bytes += other.sent_bytes;
    received_bytes += other.received_bytes;
    writes += other.writes;
    reads += other.reads;
    return *this;
  }
};

class FrameStream {
 public:
  // `head` are bytes that were read from the socket already.
  FrameStream(TcpSocket socket, std::string_view head, std::size_t payload_bytes_max);

  // The next frame; connection_lost at a clean end, malformed / checksum_mismatch / limit_exceeded for bad bytes, or
  // the socket's error.
  Awaitable<base::Result<Frame>> read_frame();
  // A frame that has arrived already, or nothing: never waits.
  [[nodiscard]] base::Result<std::optional<Frame>> take_buffered_frame() { return decoder_.next(); }
  // Writes everything or fails.
  Awaitable<base::Result<void>> write(std::string bytes);
  // `batch` is sealed and stays untouched until this returns.
  Awaitable<base::Result<void>> write(const FrameBatch* batch);

  [[nodiscard]] TcpSocket& socket() { return socket_; }
  [[nodiscard]] FrameDecoder& decoder() { return decoder_; }
  [[nodiscard]] const StreamCounters& counters() const { return counters_; }

 private:
  TcpSocket socket_;
  FrameDecoder decoder_;
  StreamCounters counters_;
  std::vector<asio::const_buffer> buffers_;
};

}  // namespace whitewater::net

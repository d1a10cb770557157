// The order of a snapshot transfer as pure decisions, for both ends: which frame may come now, how many chunks may be
// on their way, and which of two offers wins. The loops are snapshot_sender.cpp and snapshot_receiver.cpp. No clock, no
// I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "net/snapshot_message.hpp"

namespace whitewater::net {

// The sender after its offer was accepted: a window of chunks that are not acknowledged yet, then the end.
class SnapshotSendFsm {
 public:
  explicit SnapshotSendFsm(std::size_t window_chunks);

  [[nodiscard]] bool may_send_chunk() const { return !is_end_sent_ && outstanding_count() < window_chunks_; }
  // The next chunk's number; only while may_send_chunk().
  [[nodiscard]] std::uint64_t take_sequence();
  void on_end_sent();
  // A frame of the receiver: nothing yet, the installed index, the receiver's reason for failing, or malformed for an
  // answer that makes no sense here.
  [[nodiscard]] base::Result<std::optional<base::Index>> on_frame(const Frame& frame);

  [[nodiscard]] std::uint64_t sent_count() const { return sent_count_; }
  [[nodiscard]] std::uint64_t acked_count() const { return acked_count_; }
  [[nodiscard]] std::uint64_t outstanding_count() const { return sent_count_ - acked_count_; }
  // Everything was taken; only the outcome is missing.
  [[nodiscard]] bool is_installing() const { return is_end_sent_ && outstanding_count() == 0; }

 private:
  [[nodiscard]] base::Result<std::optional<base::Index>> on_ack(const SnapshotAck& ack);
  [[nodiscard]] base::Result<std::optional<base::Index>> on_done(const SnapshotDone& done) const;

  std::size_t window_chunks_;
  std::uint64_t sent_count_ = 0;
  std::uint64_t acked_count_ = 0;
  bool is_end_sent_ = false;
};

// The receiver after it has accepted an offer: chunks in order without a gap, then the end.
class SnapshotReceiveFsm {
 public:
  using Input = std::variant<SnapshotChunk, SnapshotEnd>;
  // What the frame brings, or malformed. A chunk's bytes lie within the frame.
  [[nodiscard]] base::Result<Input> on_frame(const Frame& frame);

 private:
  std::uint64_t received_count_ = 0;
  bool is_ended_ = false;
};

// One transfer at a time: what to do with a new offer while another is served.
enum class OfferVerdict {
  take,      // nobody else: serve it
  displace,  // end the running one, wait until it has left, then serve this
  busy,      // refuse
};
struct RunningTransfer {
  base::Term term;        // of its sender's leadership
  bool is_ended = false;  // its connection is over, its handler has not returned yet
};
[[nodiscard]] OfferVerdict decide_offer(const std::optional<RunningTransfer>& running, base::Term offered);

}  // namespace whitewater::net

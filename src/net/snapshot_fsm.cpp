#include "net/snapshot_fsm.hpp"

#include <utility>

#include "base/assert.hpp"

namespace whitewater::net {

using base::Errc;

SnapshotSendFsm::SnapshotSendFsm(std::size_t window_chunks) : window_chunks_(window_chunks) {
  WW_ASSERT(window_chunks > 0);
}

std::uint64_t SnapshotSendFsm::take_sequence() {
  WW_ASSERT(may_send_chunk());
  return ++sent_count_;
}

void SnapshotSendFsm::on_end_sent() {
  WW_ASSERT(!is_end_sent_);
  is_end_sent_ = true;
}

base::Result<std::optional<base::Index>> SnapshotSendFsm::on_frame(const Frame& frame) {
  if (frame.type == FrameType::snapshot_ack) {
    const auto ack = decode_snapshot_ack(frame.payload);
    if (ack.has_error()) return ack.error();
    return on_ack(*ack);
  }
  if (frame.type != FrameType::snapshot_done) return Errc::malformed;
  const auto done = decode_snapshot_done(frame.payload);
  if (done.has_error()) return done.error();
  return on_done(*done);
}

base::Result<std::optional<base::Index>> SnapshotSendFsm::on_ack(const SnapshotAck& ack) {
  // Cumulative: it may jump, but not beyond what was sent, and an answer without news would only feed the idle
  // time-out.
  if (ack.sequence > sent_count_ || ack.sequence <= acked_count_) return Errc::malformed;
  acked_count_ = ack.sequence;
  return std::optional<base::Index>();
}

base::Result<std::optional<base::Index>> SnapshotSendFsm::on_done(const SnapshotDone& done) const {
  if (done.failure) return *done.failure;
  // Installed without having seen everything: never believed.
  if (!is_installing()) return Errc::malformed;
  return std::optional(done.installed);
}

base::Result<SnapshotReceiveFsm::Input> SnapshotReceiveFsm::on_frame(const Frame& frame) {
  if (is_ended_) return Errc::malformed;
  if (frame.type == FrameType::snapshot_chunk) {
    const auto chunk = decode_snapshot_chunk(frame.payload);
    if (chunk.has_error()) return chunk.error();
    if (chunk->sequence != received_count_ + 1) return Errc::malformed;
    ++received_count_;
    return Input(*chunk);
  }
  if (frame.type != FrameType::snapshot_end) return Errc::malformed;
  auto end = decode_snapshot_end(frame.payload);
  if (end.has_error()) return end.error();
  is_ended_ = true;
  return Input(std::move(*end));
}

OfferVerdict decide_offer(const std::optional<RunningTransfer>& running, base::Term offered) {
  if (!running) return OfferVerdict::take;
  // A transfer whose connection is over only has to leave: a sender that comes back does not have to outrank itself.
  if (running->is_ended || offered > running->term) return OfferVerdict::displace;
  return OfferVerdict::busy;
}

}  // namespace whitewater::net

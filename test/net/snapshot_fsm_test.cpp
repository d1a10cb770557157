// The order of a snapshot transfer: the window, the answers that make sense, and which offer wins.
#include "net/snapshot_fsm.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::Errc;

namespace {

// Keeps the payload for as long as the statement lasts.
struct OwnedFrame {
  OwnedFrame(FrameType type, std::string payload) : type(type), payload(std::move(payload)) {}
  [[nodiscard]] Frame frame() const { return {.type = type, .payload = payload, .owner = nullptr}; }
  FrameType type;
  std::string payload;
};

base::Result<std::optional<base::Index>> ack(SnapshotSendFsm& fsm, std::uint64_t sequence) {
  const OwnedFrame owned(FrameType::snapshot_ack, encode(SnapshotAck{sequence}));
  return fsm.on_frame(owned.frame());
}

base::Result<std::optional<base::Index>> done(SnapshotSendFsm& fsm, std::optional<Errc> failure) {
  const OwnedFrame owned(FrameType::snapshot_done,
                         encode(SnapshotDone{.failure = failure, .installed = base::Index(9)}));
  return fsm.on_frame(owned.frame());
}

// The number of the chunk that was taken, 0 for the end.
base::Result<std::uint64_t> receive(SnapshotReceiveFsm& fsm, FrameType type, std::string payload) {
  const OwnedFrame owned(type, std::move(payload));
  const auto input = fsm.on_frame(owned.frame());
  if (input.has_error()) return input.error();
  const auto* chunk = std::get_if<SnapshotChunk>(&*input);
  return chunk == nullptr ? 0 : chunk->sequence;
}

base::Result<std::uint64_t> receive_chunk(SnapshotReceiveFsm& fsm, std::uint64_t sequence) {
  return receive(fsm, FrameType::snapshot_chunk, encode(SnapshotChunk{.sequence = sequence, .bytes = "x"}));
}

}  // namespace

TEST_CASE("the sender stops at its window and goes on by as much as was acknowledged") {
  SnapshotSendFsm fsm(3);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    REQUIRE(fsm.may_send_chunk());
    CHECK(fsm.take_sequence() == i);
  }
  CHECK_FALSE(fsm.may_send_chunk());
  CHECK(ack(fsm, 2).value() == std::nullopt);
  CHECK(fsm.outstanding_count() == 1);
  CHECK(fsm.take_sequence() == 4);
  CHECK(fsm.take_sequence() == 5);
  CHECK_FALSE(fsm.may_send_chunk());
}

TEST_CASE("an acknowledgement of what was not sent, or without news, is malformed") {
  SnapshotSendFsm fsm(3);
  CHECK(ack(fsm, 1).error() == Errc::malformed);
  (void)fsm.take_sequence();
  (void)fsm.take_sequence();
  CHECK(ack(fsm, 3).error() == Errc::malformed);
  CHECK(ack(fsm, 1).has_value());
  CHECK(ack(fsm, 1).error() == Errc::malformed);
  CHECK(ack(fsm, 0).error() == Errc::malformed);
  CHECK(ack(fsm, 2).has_value());
}

TEST_CASE("an installed snapshot is believed only after the end and every acknowledgement") {
  SnapshotSendFsm fsm(3);
  (void)fsm.take_sequence();
  CHECK(done(fsm, std::nullopt).error() == Errc::malformed);
  fsm.on_end_sent();
  CHECK_FALSE(fsm.may_send_chunk());
  CHECK_FALSE(fsm.is_installing());
  CHECK(done(fsm, std::nullopt).error() == Errc::malformed);
  CHECK(ack(fsm, 1).has_value());
  CHECK(fsm.is_installing());
  CHECK(done(fsm, std::nullopt).value() == base::Index(9));
}

TEST_CASE("the receiver's failure is told at any time") {
  SnapshotSendFsm fsm(1);
  CHECK(done(fsm, Errc::no_space).error() == Errc::no_space);
  (void)fsm.take_sequence();
  CHECK(done(fsm, Errc::checksum_mismatch).error() == Errc::checksum_mismatch);
}

TEST_CASE("the sender takes no frame but acknowledgements and the outcome") {
  SnapshotSendFsm fsm(1);
  (void)fsm.take_sequence();
  for (int type = 1; type <= 13; ++type) {
    if (type == 11 || type == 13) continue;
    const OwnedFrame owned(static_cast<FrameType>(type), encode(SnapshotAck{1}));
    CHECK(fsm.on_frame(owned.frame()).error() == Errc::malformed);
  }
  for (const auto type : {FrameType::snapshot_ack, FrameType::snapshot_done}) {
    CHECK(fsm.on_frame(OwnedFrame(type, "short").frame()).error() == Errc::malformed);
  }
}

TEST_CASE("the receiver takes chunks in order, without a gap or a repetition, then one end") {
  SnapshotReceiveFsm fsm;
  CHECK(receive_chunk(fsm, 2).error() == Errc::malformed);
  CHECK(receive_chunk(fsm, 1).value() == 1);
  CHECK(receive_chunk(fsm, 1).error() == Errc::malformed);
  CHECK(receive_chunk(fsm, 3).error() == Errc::malformed);
  CHECK(receive_chunk(fsm, 2).value() == 2);
  for (int type = 1; type <= 13; ++type) {
    if (type == 10 || type == 12) continue;
    CHECK(receive(fsm, static_cast<FrameType>(type), encode(SnapshotEnd{"t"})).error() == Errc::malformed);
  }
  CHECK(receive(fsm, FrameType::snapshot_end, encode(SnapshotEnd{"t"})).value() == 0);
  CHECK(receive_chunk(fsm, 3).error() == Errc::malformed);
  CHECK(receive(fsm, FrameType::snapshot_end, encode(SnapshotEnd{"t"})).error() == Errc::malformed);
}

TEST_CASE("a later term displaces a running transfer, an equal or older one finds it busy") {
  CHECK(decide_offer(std::nullopt, base::Term(0)) == OfferVerdict::take);
  const RunningTransfer running{.term = base::Term(5)};
  CHECK(decide_offer(running, base::Term(4)) == OfferVerdict::busy);
  CHECK(decide_offer(running, base::Term(5)) == OfferVerdict::busy);
  CHECK(decide_offer(running, base::Term(6)) == OfferVerdict::displace);
  const RunningTransfer ended{.term = base::Term(5), .is_ended = true};
  CHECK(decide_offer(ended, base::Term(5)) == OfferVerdict::displace);
}

TEST_CASE("random frames never get the two ends out of step") {
  base::Rng rng(17);
  for (int round = 0; round < 2000; ++round) {
    SnapshotSendFsm sender(rng.in_range(1, 5));
    for (int step = 0; step < 50; ++step) {
      if (rng.chance(1, 2) && sender.may_send_chunk()) (void)sender.take_sequence();
      std::string payload(rng.in_range(0, 12), '\0');
      for (auto& byte : payload) byte = static_cast<char>(rng.in_range(0, 3));
      const OwnedFrame owned(static_cast<FrameType>(rng.in_range(1, 13)), payload);
      (void)sender.on_frame(owned.frame());
      REQUIRE(sender.acked_count() <= sender.sent_count());
      REQUIRE(sender.outstanding_count() <= 5);
    }
  }
}

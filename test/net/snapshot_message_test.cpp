// The frames of a snapshot transfer: they survive encoding, and no bytes whatever get past their bounds.
#include "net/snapshot_message.hpp"

#include "base/codec.hpp"
#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::Errc;

namespace {

const SnapshotOffer offer{.term = base::Term(7),
                          .index = base::Index(900),
                          .index_term = base::Term(6),
                          .total_bytes = 1UL << 40,
                          .header = "members and so on"};

void decode_all(std::string_view bytes) {
  (void)decode_snapshot_offer(bytes);
  (void)decode_snapshot_offer_reply(bytes);
  (void)decode_snapshot_chunk(bytes);
  (void)decode_snapshot_ack(bytes);
  (void)decode_snapshot_end(bytes);
  (void)decode_snapshot_done(bytes);
}

// A blob that claims `claimed` bytes and carries them.
std::string with_blob(std::string fields, std::size_t claimed) {
  base::ByteWriter(fields).blob(std::string(claimed, 'b'));
  return fields;
}

}  // namespace

TEST_CASE("every frame of a snapshot transfer survives encoding") {
  CHECK(decode_snapshot_offer(encode(offer)).value() == offer);
  for (const auto& reply : {SnapshotOfferReply{.refusal = std::nullopt, .position = ""},
                            SnapshotOfferReply{.refusal = std::nullopt, .position = std::string(64, 'p')},
                            SnapshotOfferReply{.refusal = Errc::too_many_requests, .position = ""}}) {
    CHECK(decode_snapshot_offer_reply(encode(reply)).value() == reply);
  }
  const SnapshotChunk chunk{.sequence = 12, .bytes = "content"};
  CHECK(decode_snapshot_chunk(encode(chunk)).value() == chunk);
  CHECK(decode_snapshot_ack(encode(SnapshotAck{13})).value() == SnapshotAck{13});
  CHECK(decode_snapshot_end(encode(SnapshotEnd{"sum"})).value() == SnapshotEnd{"sum"});
  for (const auto& done : {SnapshotDone{.failure = std::nullopt, .installed = base::Index(900)},
                           SnapshotDone{.failure = Errc::no_space, .installed = base::Index()}}) {
    CHECK(decode_snapshot_done(encode(done)).value() == done);
  }
}

TEST_CASE("the bytes of a snapshot transfer are those of the document") {
  const std::string number("\x02\x00\x00\x00\x00\x00\x00\x00", 8);
  CHECK(encode(SnapshotChunk{.sequence = 2, .bytes = "ab"}) == number + "ab");
  CHECK(encode(SnapshotAck{2}) == number);
  CHECK(encode(SnapshotEnd{"ab"}) == std::string("\x02\x00\x00\x00"
                                                 "ab",
                                                 6));
  CHECK(encode(SnapshotDone{.failure = Errc::not_leader, .installed = base::Index(2)}) ==
        std::string("\x02\x00", 2) + number);
  CHECK(encode(SnapshotOfferReply{.refusal = Errc::not_leader, .position = "p"}) ==
        std::string("\x01\x02\x00\x01\x00\x00\x00p", 8));
  CHECK(encode(offer).size() == 1 + 4 * 8 + 4 + offer.header.size());
}

TEST_CASE("blobs of a snapshot transfer are taken at their bounds and refused beyond") {
  auto largest = offer;
  largest.header.assign(snapshot_header_bytes_max, 'h');
  CHECK(encode(largest).size() <= snapshot_payload_bytes_max);
  CHECK(decode_snapshot_offer(encode(largest)).value() == largest);
  const auto fields = encode(offer).substr(0, 1 + 4 * 8);
  CHECK(decode_snapshot_offer(with_blob(fields, snapshot_header_bytes_max + 1)).error() == Errc::malformed);
  const std::string accepted("\x01\x00\x00", 3);
  CHECK(decode_snapshot_offer_reply(with_blob(accepted, snapshot_position_bytes_max)).has_value());
  CHECK(decode_snapshot_offer_reply(with_blob(accepted, snapshot_position_bytes_max + 1)).error() == Errc::malformed);
  CHECK(decode_snapshot_end(with_blob("", snapshot_trailer_bytes_max)).has_value());
  CHECK(decode_snapshot_end(with_blob("", snapshot_trailer_bytes_max + 1)).error() == Errc::malformed);
  const std::string bytes(snapshot_chunk_bytes_max, 'c');
  const auto chunk = encode(SnapshotChunk{.sequence = 1, .bytes = bytes});
  CHECK(chunk.size() <= snapshot_payload_bytes_max);
  CHECK(decode_snapshot_chunk(chunk)->bytes == bytes);
  CHECK(decode_snapshot_chunk(chunk + "c").error() == Errc::malformed);
}

TEST_CASE("chunks without a number or content, other formats and impossible reasons are refused") {
  CHECK(decode_snapshot_chunk(std::string(8, '\0') + "x").error() == Errc::malformed);
  CHECK(decode_snapshot_chunk(encode(SnapshotAck{1})).error() == Errc::malformed);
  auto other = encode(offer);
  other[0] = 2;
  CHECK(decode_snapshot_offer(other).error() == Errc::malformed);
  auto reply = encode(SnapshotOfferReply{});
  reply[0] = 2;
  CHECK(decode_snapshot_offer_reply(reply).error() == Errc::malformed);
  CHECK(decode_snapshot_offer_reply(std::string("\x01\xff\xff\0\0\0\0", 7)).error() == Errc::malformed);
  CHECK(decode_snapshot_done(std::string(2, '\xff') + std::string(8, '\0')).error() == Errc::malformed);
}

TEST_CASE("fields that a later version appends to a snapshot frame are ignored, a reason it adds is carried") {
  CHECK(decode_snapshot_offer(encode(offer) + "more").value() == offer);
  CHECK(decode_snapshot_end(encode(SnapshotEnd{"sum"}) + "more").value() == SnapshotEnd{"sum"});
  const auto unknown = static_cast<Errc>(900);
  CHECK(decode_snapshot_done(encode(SnapshotDone{.failure = unknown, .installed = {}}))->failure == unknown);
}

TEST_CASE("every prefix of a snapshot frame and random bytes are refused without a crash") {
  const auto check_prefixes = [](const std::string& bytes, auto decode) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK(decode(std::string_view(bytes).substr(0, size)).has_error());
    }
  };
  check_prefixes(encode(offer), decode_snapshot_offer);
  check_prefixes(encode(SnapshotOfferReply{.refusal = std::nullopt, .position = "p"}), decode_snapshot_offer_reply);
  check_prefixes(encode(SnapshotChunk{.sequence = 1, .bytes = "x"}), decode_snapshot_chunk);
  check_prefixes(encode(SnapshotAck{1}), decode_snapshot_ack);
  check_prefixes(encode(SnapshotEnd{"sum"}), decode_snapshot_end);
  check_prefixes(encode(SnapshotDone{}), decode_snapshot_done);
  base::Rng rng(13);
  const auto good = encode(offer);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    if (rng.chance(1, 2)) bytes.assign(rng.in_range(0, 100), '\0');
    for (auto& byte : bytes) {
      if (bytes.size() != good.size() || rng.chance(1, 8)) byte = static_cast<char>(rng.next());
    }
    if (!bytes.empty()) bytes[0] = 1;
    decode_all(bytes);
  }
}

TEST_CASE("an error that is not ours is told as cancelled") {
  CHECK(snapshot_errc(Errc::no_space) == Errc::no_space);
  CHECK(snapshot_errc(make_error_code(boost::system::errc::connection_reset)) == Errc::cancelled);
}

#include "net/snapshot_message.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::net {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Errc;

constexpr std::uint8_t format_number = 1;
// Reasons may be added by a later version; one that this version does not know is still carried.
constexpr std::uint16_t errc_max = 1023;

static_assert(snapshot_header_bytes_max + 37 <= snapshot_payload_bytes_max);
static_assert(snapshot_chunk_bytes_max + 8 <= snapshot_payload_bytes_max);

std::uint16_t to_wire(const std::optional<Errc>& reason) {
  return reason ? static_cast<std::uint16_t>(*reason) : std::uint16_t{0};
}

std::optional<Errc> from_wire(std::uint16_t reason) {
  return reason == 0 ? std::nullopt : std::optional(static_cast<Errc>(reason));
}

}  // namespace

std::string encode(const SnapshotOffer& offer) {
  WW_ASSERT(offer.header.size() <= snapshot_header_bytes_max);
  std::string out;
  ByteWriter writer(out);
  writer.u8(format_number);
  writer.u64(offer.term.value);
  writer.u64(offer.index.value);
  writer.u64(offer.index_term.value);
  writer.u64(offer.total_bytes);
  writer.blob(offer.header);
  WW_ASSERT(out.size() <= snapshot_payload_bytes_max);
  return out;
}

std::string encode(const SnapshotOfferReply& reply) {
  WW_ASSERT(reply.position.size() <= snapshot_position_bytes_max);
  std::string out;
  ByteWriter writer(out);
  writer.u8(format_number);
  writer.u16(to_wire(reply.refusal));
  writer.blob(reply.position);
  return out;
}

std::string encode(const SnapshotChunk& chunk) {
  WW_ASSERT(chunk.sequence > 0);
  WW_ASSERT(!chunk.bytes.empty());
  WW_ASSERT(chunk.bytes.size() <= snapshot_chunk_bytes_max);
  std::string out;
  out.reserve(sizeof chunk.sequence + chunk.bytes.size());
  ByteWriter writer(out);
  writer.u64(chunk.sequence);
  writer.bytes(chunk.bytes);
  return out;
}

std::string encode(const SnapshotAck& ack) {
  std::string out;
  ByteWriter(out).u64(ack.sequence);
  return out;
}

std::string encode(const SnapshotEnd& end) {
  WW_ASSERT(end.trailer.size() <= snapshot_trailer_bytes_max);
  std::string out;
  ByteWriter(out).blob(end.trailer);
  return out;
}

std::string encode(const SnapshotDone& done) {
  std::string out;
  ByteWriter writer(out);
  writer.u16(to_wire(done.failure));
  writer.u64(done.installed.value);
  return out;
}

base::Result<SnapshotOffer> decode_snapshot_offer(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_number) return Errc::malformed;
  SnapshotOffer offer;
  offer.term = base::Term(reader.u64());
  offer.index = base::Index(reader.u64());
  offer.index_term = base::Term(reader.u64());
  offer.total_bytes = reader.u64();
  const auto header = reader.blob(snapshot_header_bytes_max);
  if (!reader.ok()) return Errc::malformed;
  offer.header = header;
  return offer;
}

base::Result<SnapshotOfferReply> decode_snapshot_offer_reply(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_number) return Errc::malformed;
  const auto reason = reader.u16();
  const auto position = reader.blob(snapshot_position_bytes_max);
  if (!reader.ok() || reason > errc_max) return Errc::malformed;
  return SnapshotOfferReply{.refusal = from_wire(reason), .position = std::string(position)};
}

base::Result<SnapshotChunk> decode_snapshot_chunk(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto sequence = reader.u64();
  const auto chunk = reader.bytes(reader.remaining_bytes());
  if (!reader.ok() || sequence == 0) return Errc::malformed;
  if (chunk.empty() || chunk.size() > snapshot_chunk_bytes_max) return Errc::malformed;
  return SnapshotChunk{.sequence = sequence, .bytes = chunk};
}

base::Result<SnapshotAck> decode_snapshot_ack(std::string_view bytes) {
  ByteReader reader(bytes);
  const SnapshotAck ack{.sequence = reader.u64()};
  if (!reader.ok()) return Errc::malformed;
  return ack;
}

base::Result<SnapshotEnd> decode_snapshot_end(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto trailer = reader.blob(snapshot_trailer_bytes_max);
  if (!reader.ok()) return Errc::malformed;
  return SnapshotEnd{.trailer = std::string(trailer)};
}

base::Result<SnapshotDone> decode_snapshot_done(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto reason = reader.u16();
  const auto installed = base::Index(reader.u64());
  if (!reader.ok() || reason > errc_max) return Errc::malformed;
  return SnapshotDone{.failure = from_wire(reason), .installed = installed};
}

base::Errc snapshot_errc(boost::system::error_code error) {
  WW_ASSERT(error.failed());
  if (error.category() != base::error_category()) return Errc::cancelled;
  return static_cast<Errc>(error.value());
}

}  // namespace whitewater::net

// The frames of a snapshot transfer, on a connection of its own (Channel::snapshot, docs/wire-protocol.md): an offer,
// its answer, numbered chunks with cumulative acknowledgements, an end and its outcome. Header, chunks, trailer and
// resume position are opaque here. Pure; decoding accepts any bytes and holds every length against its bound before
// memory is taken. Does not know the order of the frames: that is snapshot_fsm.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "net/frame.hpp"

namespace whitewater::net {

inline constexpr std::size_t snapshot_header_bytes_max = 1UL << 20;
// More than the largest record of the store, which travels in one piece.
inline constexpr std::size_t snapshot_chunk_bytes_max = 4UL << 20;
inline constexpr std::size_t snapshot_position_bytes_max = 64;
inline constexpr std::size_t snapshot_trailer_bytes_max = 64;
// Any payload that the sender of a snapshot sends: a blob at its bound and the fixed fields. What comes back fits
// handshake_payload_bytes_max.
inline constexpr std::size_t snapshot_payload_bytes_max = snapshot_chunk_bytes_max + 64;

struct SnapshotOffer {
  base::Term term;                // of the sender's leadership
  base::Index index;              // the last entry that the snapshot covers, and its term
  base::Term index_term;          //
  std::uint64_t total_bytes = 0;  // of all chunks, for progress only; 0: not known
  std::string header;             // opaque, at most snapshot_header_bytes_max
  bool operator==(const SnapshotOffer&) const = default;
};

// Accepted with the place to go on from, or refused. By convention too_many_requests means that another transfer runs,
// not_leader that the sender's term is over, unsupported_version that this member takes no snapshots.
struct SnapshotOfferReply {
  std::optional<base::Errc> refusal;
  std::string position;  // opaque, at most snapshot_position_bytes_max; empty: from the beginning
  bool operator==(const SnapshotOfferReply&) const = default;
};

// Chunks are numbered from 1 on each connection. `bytes` lies within the decoded frame.
struct SnapshotChunk {
  std::uint64_t sequence = 0;
  std::string_view bytes;  // at most snapshot_chunk_bytes_max, not empty
  bool operator==(const SnapshotChunk&) const = default;
};

// Everything up to and including `sequence` was taken by the receiver's handler.
struct SnapshotAck {
  std::uint64_t sequence = 0;
  bool operator==(const SnapshotAck&) const = default;
};

struct SnapshotEnd {
  std::string trailer;  // opaque, at most snapshot_trailer_bytes_max
  bool operator==(const SnapshotEnd&) const = default;
};

// The receiver's last word: installed up to `installed`, or failed.
struct SnapshotDone {
  std::optional<base::Errc> failure;
  base::Index installed;
  bool operator==(const SnapshotDone&) const = default;
};

// Lengths over their bounds are a bug of the caller.
[[nodiscard]] std::string encode(const SnapshotOffer& offer);
[[nodiscard]] std::string encode(const SnapshotOfferReply& reply);
[[nodiscard]] std::string encode(const SnapshotChunk& chunk);
[[nodiscard]] std::string encode(const SnapshotAck& ack);
[[nodiscard]] std::string encode(const SnapshotEnd& end);
[[nodiscard]] std::string encode(const SnapshotDone& done);
// malformed, for a length over its bound too.
[[nodiscard]] base::Result<SnapshotOffer> decode_snapshot_offer(std::string_view bytes);
[[nodiscard]] base::Result<SnapshotOfferReply> decode_snapshot_offer_reply(std::string_view bytes);
[[nodiscard]] base::Result<SnapshotChunk> decode_snapshot_chunk(std::string_view bytes);
[[nodiscard]] base::Result<SnapshotAck> decode_snapshot_ack(std::string_view bytes);
[[nodiscard]] base::Result<SnapshotEnd> decode_snapshot_end(std::string_view bytes);
[[nodiscard]] base::Result<SnapshotDone> decode_snapshot_done(std::string_view bytes);

// What is told to the other side for an error of this one: its Errc, or `cancelled` when it is not one of ours.
[[nodiscard]] base::Errc snapshot_errc(boost::system::error_code error);

}  // namespace whitewater::net

#include "net/snapshot_sender.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "net/peer_dial.hpp"
#include "net/snapshot_fsm.hpp"
#include "net/timeout.hpp"
#include "net/token_bucket.hpp"

namespace whitewater::net {
namespace {

constexpr std::size_t addresses_per_attempt_max = 8;
constexpr std::size_t window_chunks_max = 64;
// At a low rate chunks are smaller: about so many a second, so that the stream is even and the receiver hears of us.
constexpr std::uint64_t chunks_per_s_min = 8;
constexpr std::size_t paced_chunk_bytes_min = 4096;

// One connection's state, in the frame of send_snapshot.
struct Sending {
  Sending(std::unique_ptr<FrameStream> stream, SnapshotSource& source, SnapshotProgress& progress,
          SnapshotSendOptions options)
      : stream(std::move(stream)),
        source(source),
        progress(progress),
        options(options),
        fsm(options.window_chunks),
        chunk_bytes(options.chunk_bytes) {
    if (options.rate_bytes_per_s == 0) return;
    const auto rate = std::max(options.rate_bytes_per_s, snapshot_rate_bytes_per_s_min);
    chunk_bytes = std::min<std::size_t>(chunk_bytes, std::max(rate / chunks_per_s_min, paced_chunk_bytes_min));
    bucket.emplace(rate, chunk_bytes);
  }

  std::unique_ptr<FrameStream> stream;
  SnapshotSource& source;
  SnapshotProgress& progress;
  SnapshotSendOptions options;
  SnapshotSendFsm fsm;
  std::size_t chunk_bytes;
  std::optional<TokenBucket> bucket;
  std::optional<base::Index> installed;
};

Awaitable<base::Result<DialedPeer>> dial_any(std::vector<Endpoint> endpoints, Hello hello, base::Duration timeout) {
  error_code last = base::Errc::not_found;
  for (std::size_t i = 0; i < std::min(endpoints.size(), addresses_per_attempt_max); ++i) {
    auto outcome = co_await dial_peer(endpoints[i], hello, timeout);
    if (outcome.has_error()) {
      last = outcome.error();
    } else if (const auto* refusal = std::get_if<Refusal>(&*outcome)) {
      last = to_errc(refusal->reason);
    } else {
      co_return std::move(std::get<DialedPeer>(*outcome));
    }
  }
  co_return last;
}

Awaitable<base::Result<void>> write(Sending* sending, FrameType type, std::string payload) {
  co_return co_await with_timeout(sending->stream->write(encode_frame(type, payload)), sending->options.idle_timeout);
}

Awaitable<base::Result<void>> offer_and_seek(Sending* sending, SnapshotOffer offer) {
  const auto written = co_await write(sending, FrameType::snapshot_offer, encode(offer));
  if (written.has_error()) co_return written.error();
  const auto frame = co_await with_timeout(sending->stream->read_frame(), sending->options.offer_timeout);
  if (frame.has_error()) co_return frame.error();
  if (frame->type != FrameType::snapshot_offer_reply) co_return base::Errc::malformed;
  const auto reply = decode_snapshot_offer_reply(frame->payload);
  if (reply.has_error()) co_return reply.error();
  if (reply->refusal) co_return *reply->refusal;
  sending->progress.is_accepted = true;
  sending->progress.is_resumed = !reply->position.empty();
  co_return sending->source.seek(reply->position);
}

base::Result<void> on_answer(Sending& sending, const Frame& frame) {
  const auto outcome = sending.fsm.on_frame(frame);
  if (outcome.has_error()) return outcome.error();
  sending.installed = *outcome;
  sending.progress.acked_chunks = sending.fsm.acked_count();
  sending.progress.is_installing = sending.fsm.is_installing();
  return {};
}

// Answers that have arrived with an earlier read; never waits.
base::Result<void> take_buffered_answers(Sending& sending) {
  while (!sending.installed) {
    const auto frame = sending.stream->take_buffered_frame();
    if (frame.has_error()) return frame.error();
    if (!frame->has_value()) return {};
    const auto taken = on_answer(sending, **frame);
    if (taken.has_error()) return taken.error();
  }
  return {};
}

Awaitable<base::Result<void>> await_answer(Sending* sending, base::Duration limit) {
  const auto frame = co_await with_timeout(sending->stream->read_frame(), limit);
  if (frame.has_error()) co_return frame.error();
  const auto taken = on_answer(*sending, *frame);
  if (taken.has_error()) co_return taken.error();
  co_return take_buffered_answers(*sending);
}

// A receiver that fails says why and closes; the write that then fails must not hide its words.
Awaitable<base::Result<void>> explain(Sending* sending, error_code failure) {
  if (failure == base::Errc::timed_out) co_return failure;
  for (std::size_t i = 0; i <= sending->options.window_chunks; ++i) {
    const auto taken = co_await await_answer(sending, sending->options.idle_timeout);
    if (taken.has_error()) {
      const bool is_an_answer = taken.error().category() == base::error_category();
      co_return is_an_answer&& taken.error() != base::Errc::connection_lost ? taken.error() : failure;
    }
  }
  co_return failure;
}

Awaitable<base::Result<void>> send_chunk(Sending* sending, std::string bytes) {
  WW_ASSERT(bytes.size() <= snapshot_chunk_bytes_max);
  if (sending->bucket) {
    const auto wait = sending->bucket->take(bytes.size(), now());
    if (wait > base::Duration(0)) co_await sleep_for(wait);
  }
  const auto size_bytes = bytes.size();
  auto payload = encode(SnapshotChunk{.sequence = sending->fsm.take_sequence(), .bytes = bytes});
  bytes = std::string();  // while the write waits for the receiver, one copy is enough
  const auto written = co_await write(sending, FrameType::snapshot_chunk, std::move(payload));
  if (written.has_error()) co_return co_await explain(sending, written.error());
  sending->progress.sent_bytes += size_bytes;
  ++sending->progress.sent_chunks;
  co_return base::Result<void>();
}

Awaitable<base::Result<void>> stream_chunks(Sending* sending) {
  for (;;) {
    while (!sending->fsm.may_send_chunk()) {
      const auto answered = co_await await_answer(sending, sending->options.idle_timeout);
      if (answered.has_error()) co_return answered.error();
    }
    auto bytes = sending->source.next_chunk(sending->chunk_bytes);
    if (bytes.has_error()) co_return bytes.error();
    if (bytes->empty()) co_return base::Result<void>();
    const auto sent = co_await send_chunk(sending, std::move(*bytes));
    if (sent.has_error()) co_return sent.error();
  }
}

Awaitable<base::Result<base::Index>> finish(Sending* sending) {
  const SnapshotEnd end{.trailer = sending->source.trailer()};
  // Before the write: the outcome may be in by the time that the write is known to be done.
  sending->fsm.on_end_sent();
  sending->progress.is_installing = sending->fsm.is_installing();
  const auto written = co_await write(sending, FrameType::snapshot_end, encode(end));
  if (written.has_error()) {
    const auto why = co_await explain(sending, written.error());
    co_return why.error();
  }
  while (!sending->installed) {
    const auto limit = sending->fsm.is_installing() ? sending->options.install_timeout : sending->options.idle_timeout;
    const auto answered = co_await await_answer(sending, limit);
    if (answered.has_error()) co_return answered.error();
  }
  co_return *sending->installed;
}

}  // namespace

Awaitable<base::Result<base::Index>> send_snapshot(std::vector<Endpoint> endpoints, Hello hello, SnapshotOffer offer,
                                                   SnapshotSource* source, SnapshotProgress* progress,
                                                   SnapshotSendOptions options) {
  WW_ASSERT(options.chunk_bytes > 0);
  WW_ASSERT(options.chunk_bytes <= snapshot_chunk_bytes_max);
  WW_ASSERT(options.window_chunks > 0);
  WW_ASSERT(options.window_chunks <= window_chunks_max);
  *progress = {};
  hello.channel = Channel::snapshot;
  auto dialed = co_await dial_any(std::move(endpoints), std::move(hello), options.dial_timeout);
  if (dialed.has_error()) co_return dialed.error();
  // Its decoder still has the handshake's bound: nothing larger comes back.
  Sending sending(std::move(dialed->stream), *source, *progress, options);
  const auto offered = co_await offer_and_seek(&sending, std::move(offer));
  if (offered.has_error()) co_return offered.error();
  const auto streamed = co_await stream_chunks(&sending);
  if (streamed.has_error()) co_return streamed.error();
  co_return co_await finish(&sending);
}

}  // namespace whitewater::net

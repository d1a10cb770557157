#include "net/snapshot_receiver.hpp"

#include <utility>

#include "base/assert.hpp"
#include "net/socket_util.hpp"
#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

// What a sender may still have on its way when it is told the outcome: its whole window, and the socket's buffers.
constexpr std::size_t last_word_discard_bytes_max = 16UL << 20;
constexpr base::Duration last_word_linger = base::seconds(1);

}  // namespace

// One offer from its claim to its end. Its destructor tells the handler and lets the next one in, whichever way the
// session ended: by an error, by an exception or by cancellation.
class SnapshotReceiver::Transfer {
 public:
  Transfer(SnapshotReceiver& owner, SnapshotConnection& connection, base::Term term)
      : connection(connection), term(term), owner_(owner) {}
  ~Transfer() { finish(); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The handler's part is over: it is told unless it knows, and only then may another transfer start.
  void finish() {
    if (std::exchange(is_accepted, false)) owner_.handler_->on_abort(connection.from);
    owner_.leave(*this);
  }
  void end() {
    *connection.is_ended = true;
    abort_connection(connection.stream->socket());
  }

  SnapshotConnection& connection;
  base::Term term;
  bool is_accepted = false;  // the handler awaits on_end or on_abort
  SnapshotReceiveFsm fsm;

 private:
  SnapshotReceiver& owner_;
};

SnapshotReceiver::SnapshotReceiver(SnapshotHandler* handler, base::LogSink& sink, SnapshotReceiverOptions options)
    : handler_(handler), sink_(sink), options_(options) {}

SnapshotReceiver::~SnapshotReceiver() {
  WW_ASSERT_MSG(running_ == nullptr, "the receiver outlives its transfers");
  WW_ASSERT(waiting_.empty());
}

void SnapshotReceiver::leave(Transfer& transfer) {
  if (running_ != &transfer) return;
  running_ = nullptr;
  for (auto* event : waiting_) event->notify();
}

Awaitable<base::Result<void>> SnapshotReceiver::serve(SnapshotConnection connection) {
  connection.stream->decoder().set_payload_bytes_max(snapshot_payload_bytes_max);
  connection.deadline->arm(options_.offer_timeout);
  const auto frame = co_await connection.stream->read_frame();
  if (frame.has_error()) co_return frame.error();
  if (frame->type != FrameType::snapshot_offer) co_return base::Errc::malformed;
  auto offer = decode_snapshot_offer(frame->payload);
  if (offer.has_error()) co_return offer.error();
  connection.deadline->disarm();

  Transfer transfer(*this, connection, offer->term);
  base::Result<std::string> position = base::Errc::unsupported_version;
  if (handler_ != nullptr) {
    const auto claimed = co_await with_timeout(claim(&transfer), options_.offer_timeout);
    if (*connection.is_ended) co_return base::Errc::connection_lost;
    if (claimed.has_error()) {
      position = base::Errc::too_many_requests;
    } else {
      sink_.info("net", "a peer offers a snapshot",
                 {{"peer", base::to_hex(connection.from.node)}, {"index", offer->index.value}});
      position = co_await handler_->on_offer(connection.from, std::move(*offer));
    }
  }
  if (position.has_error()) {
    transfer.finish();
    const SnapshotOfferReply reply{.refusal = snapshot_errc(position.error()), .position = ""};
    co_return co_await say_last(&connection, FrameType::snapshot_offer_reply, encode(reply));
  }
  transfer.is_accepted = true;
  const SnapshotOfferReply reply{.refusal = std::nullopt, .position = std::move(*position)};
  const auto written = co_await write(&connection, FrameType::snapshot_offer_reply, encode(reply));
  if (written.has_error()) co_return written.error();
  co_return co_await receive(&transfer);
}

// Makes `transfer` the running one, if need be after the one before it has left. Awaited with a time-out.
Awaitable<base::Result<void>> SnapshotReceiver::claim(Transfer* transfer) {
  struct Waiting {
    Waiting(std::set<Event*>& set, Executor executor) : left(executor), set_(set) { set_.insert(&left); }
    ~Waiting() { set_.erase(&left); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    Event left;

   private:
    std::set<Event*>& set_;
  };
  const auto executor = co_await asio::this_coro::executor;
  Waiting waiting(waiting_, executor);
  for (;;) {
    std::optional<RunningTransfer> running;
    if (running_ != nullptr) running = {.term = running_->term, .is_ended = *running_->connection.is_ended};
    switch (decide_offer(running, transfer->term)) {
      case OfferVerdict::take:
        running_ = transfer;
        co_return base::Result<void>();
      case OfferVerdict::busy:
        co_return base::Errc::too_many_requests;
      case OfferVerdict::displace:
        // Its handler may be in the middle of a call: only when that has returned is there room.
        running_->end();
        break;
    }
    co_await waiting.left.wait();
  }
}

Awaitable<base::Result<void>> SnapshotReceiver::receive(Transfer* transfer) {
  auto& connection = transfer->connection;
  for (;;) {
    if (*connection.is_ended) co_return base::Errc::connection_lost;
    connection.deadline->arm(options_.idle_timeout);
    auto frame = co_await connection.stream->read_frame();
    if (frame.has_error()) co_return frame.error();
    if (*connection.is_ended) co_return base::Errc::connection_lost;
    // A slow disk is no silence of the peer.
    connection.deadline->disarm();
    const auto goes_on = co_await on_frame(transfer, std::move(*frame));
    if (goes_on.has_error()) co_return goes_on.error();
    if (!*goes_on) co_return base::Result<void>();
  }
}

// False after the last word. The frame lives here as long as the handler looks into it.
Awaitable<base::Result<bool>> SnapshotReceiver::on_frame(Transfer* transfer, Frame frame) {
  auto input = transfer->fsm.on_frame(frame);
  if (input.has_error()) co_return input.error();
  if (const auto* chunk = std::get_if<SnapshotChunk>(&*input)) co_return co_await take_chunk(transfer, *chunk);
  co_return co_await take_end(transfer, std::move(std::get<SnapshotEnd>(*input)));
}

Awaitable<base::Result<bool>> SnapshotReceiver::take_chunk(Transfer* transfer, SnapshotChunk chunk) {
  auto& connection = transfer->connection;
  const auto taken = co_await handler_->on_chunk(connection.from, chunk.bytes);
  if (*connection.is_ended) co_return base::Errc::connection_lost;
  if (taken.has_error()) {
    transfer->finish();
    const SnapshotDone done{.failure = snapshot_errc(taken.error()), .installed = base::Index()};
    const auto said = co_await say_last(&connection, FrameType::snapshot_done, encode(done));
    if (said.has_error()) co_return said.error();
    co_return false;
  }
  const auto written = co_await write(&connection, FrameType::snapshot_ack, encode(SnapshotAck{chunk.sequence}));
  if (written.has_error()) co_return written.error();
  co_return true;
}

Awaitable<base::Result<bool>> SnapshotReceiver::take_end(Transfer* transfer, SnapshotEnd end) {
  auto& connection = transfer->connection;
  transfer->is_accepted = false;  // on_end is the handler's last call, whatever it returns
  const auto installed = co_await handler_->on_end(connection.from, end.trailer);
  transfer->finish();  // the next offer need not wait until the sender has read this one's outcome
  SnapshotDone done;
  if (installed.has_error()) {
    done.failure = snapshot_errc(installed.error());
  } else {
    done.installed = *installed;
  }
  const auto said = co_await say_last(&connection, FrameType::snapshot_done, encode(done));
  if (said.has_error()) co_return said.error();
  co_return false;
}

Awaitable<base::Result<void>> SnapshotReceiver::write(SnapshotConnection* connection, FrameType type,
                                                      std::string payload) {
  connection->deadline->arm(options_.idle_timeout);
  const auto written = co_await connection->stream->write(encode_frame(type, payload));
  connection->deadline->disarm();
  if (written.has_error()) co_return written.error();
  if (*connection->is_ended) co_return base::Errc::connection_lost;
  co_return base::Result<void>();
}

// A last answer, then the end: what the sender still has on its way must not turn the answer into a reset.
Awaitable<base::Result<void>> SnapshotReceiver::say_last(SnapshotConnection* connection, FrameType type,
                                                         std::string payload) {
  const auto written = co_await write(connection, type, std::move(payload));
  if (written.has_error()) co_return written.error();
  co_await close_politely(&connection->stream->socket(), last_word_discard_bytes_max, last_word_linger);
  co_return base::Result<void>();
}

}  // namespace whitewater::net

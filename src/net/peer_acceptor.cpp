#include "net/peer_acceptor.hpp"

#include <utility>

#include "base/assert.hpp"
#include "net/socket_util.hpp"

namespace whitewater::net {
namespace {

constexpr base::Duration refusal_linger = base::seconds(1);

}  // namespace

// One connection. Registers itself as its sender's current one after the handshake and leaves the register when it
// ends.
struct PeerAcceptor::Session {
  Session(PeerAcceptor& acceptor, TcpSocket socket, std::string_view head)
      : owner(acceptor),
        stream(std::move(socket), head, handshake_payload_bytes_max),
        deadline(acceptor.watchdog_, [this] { abort_connection(stream.socket()); }) {
    ++owner.session_count_;
    owner.sessions_.insert(this);
  }
  ~Session() {
    const auto current = owner.current_.find({peer.node, peer.channel});
    if (current != owner.current_.end() && current->second == this) owner.current_.erase(current);
    owner.counters_.stream += stream.counters();
    owner.sessions_.erase(this);
    --owner.session_count_;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  PeerAcceptor& owner;
  FrameStream stream;
  Deadline deadline;
  PeerInfo peer;               // valid after the handshake
  base::NodeId self;           // this member, as it introduced itself
  bool is_ended = false;       // superseded, or its sender was removed: nothing more of it counts
  std::string pong;            // the answer to the newest ping, to be written
  bool has_delivered = false;  // since the last on_batch_end
};

PeerAcceptor::PeerAcceptor(PeerHandler& handler, Watchdog& watchdog, base::LogSink& sink, PeerAcceptorOptions options,
                           SnapshotHandler* snapshot_handler)
    : handler_(handler),
      watchdog_(watchdog),
      sink_(sink),
      options_(options),
      snapshot_receiver_(snapshot_handler, sink, options.snapshot) {}

PeerAcceptor::~PeerAcceptor() { WW_ASSERT_MSG(sessions_.empty(), "the acceptor outlives its sessions"); }

Awaitable<void> PeerAcceptor::serve(TcpSocket socket, std::string head) {
  Session session(*this, std::move(socket), head);
  session.deadline.arm(options_.handshake_timeout);
  if (!co_await shake_hands(&session)) co_return;
  if (session.peer.channel == Channel::discovery) {
    co_await answer_bootstrap(&session);
  } else if (session.peer.channel == Channel::snapshot) {
    co_await receive_snapshot(&session);
  } else {
    co_await read_messages(&session);
  }
}

Awaitable<bool> PeerAcceptor::shake_hands(Session* session) {
  const auto frame = co_await session->stream.read_frame();
  if (frame.has_error()) {
    ++counters_.bad_frames;
    co_return false;
  }
  const auto self = handler_.identity();
  auto decision = on_first_frame(*frame, self, incarnations_);
  if (std::holds_alternative<Accepted>(decision) && session_count_ > options_.sessions_max) {
    decision = Refused{.refusal = {.reason = RefusalReason::overloaded,
                                   .cluster = self.cluster,
                                   .node = self.node,
                                   .incarnation = self.incarnation,
                                   .text = "this member has too many peer connections"}};
  }
  if (const auto* refused = std::get_if<Refused>(&decision)) {
    co_await refuse(session, *refused);
    co_return false;
  }
  auto& accepted = std::get<Accepted>(decision);
  session->peer = std::move(accepted.peer);
  session->self = self.node;
  ++counters_.accepted;
  take_over(*session);
  handler_.on_hello(session->peer);
  const auto sent = co_await session->stream.write(encode_frame(FrameType::hello_reply, encode(accepted.reply)));
  co_return sent.has_value();
}

Awaitable<void> PeerAcceptor::refuse(Session* session, Refused refused) {
  ++counters_.refused;
  // A list of peers may name this member too.
  const bool is_harmless =
      refused.refusal.reason == RefusalReason::self_connection && refused.newer_own_incarnation.is_zero();
  sink_.write({is_harmless ? base::LogLevel::info : base::LogLevel::warn,
               "net",
               "refused a peer connection",
               {{"cause", to_string(refused.refusal.reason)}, {"detail", refused.refusal.text}}});
  if (!refused.newer_own_incarnation.is_zero()) handler_.on_superseded(refused.newer_own_incarnation);
  if (!refused.dialler.cluster.is_zero()) handler_.on_refused_hello(refused.dialler);
  const auto sent = co_await session->stream.write(encode_frame(FrameType::refused, encode(refused.refusal)));
  if (sent.has_value()) {
    co_await close_politely(&session->stream.socket(), refusal_discard_bytes_max, refusal_linger);
  }
}

// The newest connection of a sender wins: its older one is half dead, or of an earlier run.
void PeerAcceptor::take_over(Session& session) {
  if (session.peer.channel == Channel::discovery) return;
  for (auto it = current_.lower_bound({session.peer.node, Channel::raft});
       it != current_.end() && it->first.first == session.peer.node; ++it) {
    auto& other = *it->second;
    const bool is_older_run = other.peer.incarnation < session.peer.incarnation;
    if (other.peer.channel != session.peer.channel && !is_older_run) continue;
    ++counters_.superseded_sessions;
    end(other);
  }
  current_[{session.peer.node, session.peer.channel}] = &session;
}

void PeerAcceptor::end(Session& session) {
  session.is_ended = true;
  abort_connection(session.stream.socket());
}

void PeerAcceptor::close_sessions(base::NodeId sender) {
  for (auto* session : sessions_) {
    if (session->peer.node == sender) end(*session);
  }
}

Awaitable<void> PeerAcceptor::read_messages(Session* session) {
  auto& stream = session->stream;
  stream.decoder().set_payload_bytes_max(frame_payload_bytes_max);
  for (;;) {
    session->deadline.arm(options_.idle_timeout);
    auto frame = co_await stream.read_frame();
    if (frame.has_error() || session->is_ended) {
      note_end(*session, frame.has_error() ? frame.error() : error_code());
      co_return;
    }
    if (!on_read(*session, std::move(*frame))) {
      note_end(*session, base::Errc::malformed);
      co_return;
    }
    if (!session->pong.empty()) {
      const auto sent = co_await stream.write(std::exchange(session->pong, {}));
      if (sent.has_error()) co_return;
    }
  }
}

// Everything that one read brought, then one on_batch_end for all of it.
bool PeerAcceptor::on_read(Session& session, Frame frame) {
  session.has_delivered = false;
  bool is_good = true;
  for (;;) {
    is_good = on_frame(session, frame);
    if (!is_good || session.is_ended) break;
    auto more = session.stream.take_buffered_frame();
    is_good = more.has_value();
    if (!is_good || !more->has_value()) break;
    frame = std::move(**more);
  }
  if (session.has_delivered) handler_.on_batch_end();
  return is_good;
}

bool PeerAcceptor::on_frame(Session& session, const Frame& frame) {
  switch (frame.type) {
    case FrameType::messages:
      return deliver(session, frame);
    case FrameType::ping:
      session.pong = encode_frame(FrameType::pong, frame.payload);
      return frame.payload.size() <= handshake_payload_bytes_max;
    case FrameType::hello:
    case FrameType::hello_reply:
    case FrameType::refused:
    case FrameType::bootstrap:
    case FrameType::pong:
    case FrameType::snapshot_offer:
    case FrameType::snapshot_offer_reply:
    case FrameType::snapshot_chunk:
    case FrameType::snapshot_ack:
    case FrameType::snapshot_end:
    case FrameType::snapshot_done:
      return false;
  }
  return false;
}

bool PeerAcceptor::deliver(Session& session, const Frame& frame) {
  decoded_.clear();
  const auto decoded = decode_messages(frame.payload, frame.owner, decoded_);
  if (decoded.has_error()) return false;
  // Taken out of the member: a handler may end this session or start another read.
  auto messages = std::move(decoded_);
  for (auto& message : messages) {
    // The handshake proved sender and receiver; a message that says otherwise is never applied.
    if (message.from != session.peer.node || message.to != session.self) {
      ++counters_.misrouted_messages;
      continue;
    }
    if (session.is_ended) break;
    ++counters_.received_messages;
    session.has_delivered = true;
    handler_.on_message(std::move(message));
  }
  messages.clear();
  decoded_ = std::move(messages);
  return true;
}

Awaitable<void> PeerAcceptor::answer_bootstrap(Session* session) {
  auto& stream = session->stream;
  stream.decoder().set_payload_bytes_max(bootstrap_payload_bytes_max);
  session->deadline.arm(options_.exchange_timeout);
  const auto frame = co_await stream.read_frame();
  if (frame.has_error() || frame->type != FrameType::bootstrap) {
    ++counters_.bad_frames;
    co_return;
  }
  const auto answer = co_await handler_.on_bootstrap(session->peer, std::string(frame->payload));
  if (answer.empty() || answer.size() > bootstrap_payload_bytes_max) co_return;
  session->deadline.arm(options_.exchange_timeout);
  const auto sent = co_await stream.write(encode_frame(FrameType::bootstrap, answer));
  if (sent.has_value()) co_await close_politely(&stream.socket(), refusal_discard_bytes_max, refusal_linger);
}

Awaitable<void> PeerAcceptor::receive_snapshot(Session* session) {
  const auto ended = co_await snapshot_receiver_.serve({.stream = &session->stream,
                                                        .deadline = &session->deadline,
                                                        .from = session->peer,
                                                        .is_ended = &session->is_ended});
  note_end(*session, ended.has_error() ? ended.error() : error_code());
}

void PeerAcceptor::note_end(const Session& session, error_code error) {
  std::string cause = error ? error.message() : "closed here";
  if (session.is_ended) cause = "superseded by a newer connection, or the member was removed";
  if (session.deadline.has_expired()) cause = "nothing heard within the idle time-out";
  const bool is_bad =
      error == base::Errc::malformed || error == base::Errc::checksum_mismatch || error == base::Errc::limit_exceeded;
  if (is_bad && !session.is_ended) ++counters_.bad_frames;
  sink_.info("net", "a peer's connection ended",
             {{"peer", base::to_hex(session.peer.node)}, {"name", session.peer.name}, {"cause", cause}});
}

std::map<base::NodeId, std::uint64_t> PeerAcceptor::received_bytes() const {
  std::map<base::NodeId, std::uint64_t> out;
  for (const auto& [sender, session] : current_) out[sender.first] += session->stream.counters().received_bytes;
  return out;
}

PeerAcceptorCounters PeerAcceptor::counters() const {
  auto result = counters_;
  for (const auto* session : sessions_) result.stream += session->stream.counters();
  return result;
}

}  // namespace whitewater::net

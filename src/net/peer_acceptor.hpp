// PeerAcceptor: the incoming half of the conversation with all members. Shakes hands, keeps at most one connection per
// sender and channel (the newest wins), hands each message that is really meant for this member to its PeerHandler, and
// a snapshot's connection to its SnapshotReceiver. Owned by the server; sessions run in the listener's TaskGroup on the
// reactor thread. Never writes messages: that is PeerLink.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log_line.hpp"
#include "core/messages.hpp"
#include "net/frame_stream.hpp"
#include "net/handshake.hpp"
#include "net/snapshot_receiver.hpp"
#include "net/stream_handler.hpp"
#include "net/watchdog.hpp"

namespace whitewater::net {

// What peers may ask of this member. Called on the reactor thread.
class PeerHandler {
 public:
  virtual ~PeerHandler() = default;
  // This member, as of now.
  [[nodiscard]] virtual LocalIdentity identity() const = 0;
  // An accepted handshake, on any channel: somebody is there, and where.
  virtual void on_hello(const PeerInfo& peer) = 0;
  // A refused one whose dialler says that it belongs to a cluster. To a member without one that is news: its own disk,
  // or the one before it, may have belonged to it.
  virtual void on_refused_hello(const PeerInfo& dialler) { (void)dialler; }
  virtual void on_message(core::Message message) = 0;
  // After the last message of one read: the moment to act on all of them at once.
  virtual void on_batch_end() {}
  // Discovery's question; returns the answer. An empty answer closes the connection.
  virtual Awaitable<std::string> on_bootstrap(PeerInfo from, std::string payload) = 0;
  // A newer run of this very member has called: this one has to end (ExitCode::superseded).
  virtual void on_superseded(base::Incarnation newer) = 0;
};

struct PeerAcceptorOptions {
  std::size_t sessions_max = 256;
  base::Duration handshake_timeout = base::seconds(5);
  base::Duration idle_timeout = base::seconds(10);      // the dialler pings each second
  base::Duration exchange_timeout = base::seconds(10);  // on_bootstrap and writing its answer
  SnapshotReceiverOptions snapshot;
};

struct PeerAcceptorCounters {
  StreamCounters stream;  // of ended sessions and, when asked, of the running ones
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t superseded_sessions = 0;  // closed because the sender connected anew
  std::uint64_t received_messages = 0;
  std::uint64_t misrouted_messages = 0;  // from or to another than the handshake's: dropped
  std::uint64_t bad_frames = 0;
};

class PeerAcceptor final : public StreamHandler {
 public:
  // Without a snapshot handler every offer of a snapshot is refused (unsupported_version). All outlive the acceptor.
  PeerAcceptor(PeerHandler& handler, Watchdog& watchdog, base::LogSink& sink, PeerAcceptorOptions options = {},
               SnapshotHandler* snapshot_handler = nullptr);
  ~PeerAcceptor() override;

  Awaitable<void> serve(TcpSocket socket, std::string head) override;

  [[nodiscard]] PeerAcceptorCounters counters() const;
  // Of the running sessions, by sender.
  [[nodiscard]] std::map<base::NodeId, std::uint64_t> received_bytes() const;
  [[nodiscard]] std::size_t session_count() const { return session_count_; }
  // Ends the connection of a member that was removed.
  void close_sessions(base::NodeId sender);

 private:
  struct Session;
  using SessionKey = std::pair<base::NodeId, Channel>;

  Awaitable<bool> shake_hands(Session* session);
  Awaitable<void> refuse(Session* session, Refused refused);
  Awaitable<void> read_messages(Session* session);
  Awaitable<void> answer_bootstrap(Session* session);
  Awaitable<void> receive_snapshot(Session* session);
  [[nodiscard]] bool on_read(Session& session, Frame frame);
  [[nodiscard]] bool on_frame(Session& session, const Frame& frame);
  [[nodiscard]] bool deliver(Session& session, const Frame& frame);
  void take_over(Session& session);
  void end(Session& session);
  void note_end(const Session& session, error_code error);

  PeerHandler& handler_;
  Watchdog& watchdog_;
  base::LogSink& sink_;
  PeerAcceptorOptions options_;
  SnapshotReceiver snapshot_receiver_;
  IncarnationTable incarnations_;
  std::set<Session*> sessions_;             // every one, in no meaningful order
  std::map<SessionKey, Session*> current_;  // after the handshake, one per sender and channel
  std::vector<core::Message> decoded_;
  PeerAcceptorCounters counters_;
  std::size_t session_count_ = 0;
};

}  // namespace whitewater::net

// PeerLink: the outgoing half of the conversation with one member. A coroutine loop resolves, dials, shakes hands,
// writes what send() queued, and starts over with backoff when the connection ends. Answers come over the other
// member's own link. Owned by the server's peer set; runs on the reactor thread inside the owner's TaskGroup. May lose,
// never corrupts or misroutes a message. Does not decide whom to dial.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log_line.hpp"
#include "base/rng.hpp"
#include "core/messages.hpp"
#include "net/backoff.hpp"
#include "net/event.hpp"
#include "net/peer_dial.hpp"
#include "net/send_queue.hpp"
#include "net/task_group.hpp"

namespace whitewater::net {

struct PeerLinkOptions {
  Channel channel = Channel::raft;
  SendQueueLimits queue;
  base::Duration resolve_timeout = base::seconds(3);
  base::Duration dial_timeout = base::seconds(2);  // connect and handshake, per address
  base::Duration backoff_min = base::milliseconds(30);
  base::Duration backoff_max = base::seconds(1);  // a member that lost its disk hears of its cluster this soon
  base::Duration ping_interval = base::seconds(1);
  base::Duration idle_timeout = base::seconds(5);        // nothing heard for so long: the connection is dead
  base::Duration stale_after = base::milliseconds(500);  // what waited longer for a connection is not sent any more
  std::size_t write_bytes_max = 1UL << 20;               // one gathered write
};

struct PeerLinkCounters {
  StreamCounters stream;  // over all connections
  std::uint64_t sent_messages = 0;
  std::uint64_t dropped_messages = 0;
  std::uint64_t dials = 0;
  std::uint64_t connects = 0;  // completed handshakes
  std::uint64_t refusals = 0;
};

// What a link needs from its owner.
class PeerLinkOwner {
 public:
  virtual ~PeerLinkOwner() = default;
  // This member, as of now: the cluster id may still be zero.
  [[nodiscard]] virtual LocalIdentity identity() const = 0;
  // Asked on every dial, so that a moved pod is found. `name` is core::Member::name.
  virtual Awaitable<base::Result<std::vector<Endpoint>>> resolve(std::string name) = 0;
  virtual void on_link_up(const PeerInfo& peer) = 0;
  virtual void on_link_down(base::NodeId peer, std::string why) = 0;
  virtual void on_round_trip(base::NodeId peer, base::Duration duration) = 0;  // of each ping
  // stale_incarnation means that a newer run of this member exists: the owner ends the process.
  virtual void on_link_refused(base::NodeId peer, const Refusal& refusal) = 0;
};

class PeerLink {
 public:
  // `rng` seeds the jitter. `owner` and `sink` outlive the link.
  PeerLink(Executor executor, core::Member peer, PeerLinkOptions options, PeerLinkOwner& owner, base::LogSink& sink,
           base::Rng rng);

  // The loop; ends by cancellation, or after close(). Spawn it once.
  Awaitable<void> run();
  // The member was removed: run() ends, and nothing more is sent. The link may die once run() has ended.
  void close();
  // Never waits. False when the message was dropped: a full queue, or no connection for an append or a proposal.
  bool send(core::Message message);
  // The member's name in the configuration may change; used from the next dial on.
  void set_name(std::string name) { peer_.name = std::move(name); }
  // Dial now instead of after the backoff: discovery has seen a new address.
  void redial_soon();

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  [[nodiscard]] base::NodeId peer() const { return peer_.id; }
  [[nodiscard]] PeerLinkCounters counters() const;

 private:
  Awaitable<void> link_loop();
  Awaitable<base::Result<DialedPeer>> dial_any();
  Awaitable<void> serve(DialedPeer dialed);
  Awaitable<void> write_loop(FrameStream* stream);
  Awaitable<void> read_loop(FrameStream* stream);
  Awaitable<void> ping_loop();
  Awaitable<void> wait_backoff();
  void on_connected(const DialedPeer& dialed);
  void on_disconnected(const std::string& why);
  void fill_batch();
  void note_failure(const std::string& why);

  Executor executor_;
  core::Member peer_;
  PeerLinkOptions options_;
  PeerLinkOwner& owner_;
  base::LogSink& sink_;
  Backoff backoff_;
  SendQueue queue_;
  TaskGroup loop_;  // link_loop alone: what close() cancels
  Event wake_writer_;
  Timer backoff_timer_;
  FrameBatch batch_;
  std::vector<core::Message> taken_;
  PeerLinkCounters counters_;
  FrameStream* stream_ = nullptr;           // of the current connection
  std::optional<base::Instant> ping_sent_;  // the unanswered ping
  bool is_ping_due_ = false;
  base::Instant last_heard_;
  bool is_connected_ = false;
  std::uint64_t failures_in_a_row_ = 0;
};

}  // namespace whitewater::net

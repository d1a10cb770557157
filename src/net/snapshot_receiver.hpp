// SnapshotReceiver: the receiving end of snapshot transfers, behind the handshake. Serves one transfer at a time: an
// offer of a later term displaces the running one, any other is refused as busy. Hands the content to a SnapshotHandler
// and acknowledges a chunk when the handler has returned, so that the sender feels the receiver's disk. Owned by the
// PeerAcceptor; runs in its sessions on the reactor thread. Does not know what a snapshot holds, nor terms other than
// those of running transfers.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/log_line.hpp"
#include "net/event.hpp"
#include "net/frame_stream.hpp"
#include "net/handshake.hpp"
#include "net/snapshot_fsm.hpp"
#include "net/snapshot_message.hpp"
#include "net/watchdog.hpp"

namespace whitewater::net {

// What a snapshot is received into. Called on the reactor thread, for one transfer at a time, one call after the other.
// After an on_offer that accepted comes exactly one of on_end and on_abort. A call may be cancelled (the server stops);
// on_offer and on_end then clean up by themselves, on_chunk is followed by on_abort. Views are valid until the call
// returns. Errors that are not base::Errc reach the sender as `cancelled`.
class SnapshotHandler {
 public:
  virtual ~SnapshotHandler() = default;
  // Refuses with an error, or says where to go on: empty for the beginning, at most snapshot_position_bytes_max.
  virtual Awaitable<base::Result<std::string>> on_offer(PeerInfo from, SnapshotOffer offer) = 0;
  // An error ends the transfer and is told to the sender.
  virtual Awaitable<base::Result<void>> on_chunk(PeerInfo from, std::string_view bytes) = 0;
  // Everything has arrived. Installs it and returns the index up to which this member now has everything.
  virtual Awaitable<base::Result<base::Index>> on_end(PeerInfo from, std::string_view trailer) = 0;
  // The transfer ended before its end. Must not throw; may run while the coroutine is being destroyed.
  virtual void on_abort(PeerInfo from) = 0;
};

struct SnapshotReceiverOptions {
  base::Duration offer_timeout = base::seconds(10);  // for the offer to come, and for a displaced transfer to leave
  base::Duration idle_timeout = base::seconds(10);   // between frames, and for writing an answer; not for the handler
};

// A connection after its handshake; everything outlives serve().
struct SnapshotConnection {
  FrameStream* stream = nullptr;
  Deadline* deadline = nullptr;  // aborts the connection when it expires
  PeerInfo from;
  bool* is_ended = nullptr;  // set by whoever ends the session; read after every await
};

class SnapshotReceiver {
 public:
  // Without a handler every offer is refused. Both outlive the receiver.
  SnapshotReceiver(SnapshotHandler* handler, base::LogSink& sink, SnapshotReceiverOptions options);
  ~SnapshotReceiver();
  SnapshotReceiver(const SnapshotReceiver&) = delete;
  SnapshotReceiver& operator=(const SnapshotReceiver&) = delete;

  // Serves the connection to its end; the error that ended it, or nothing when everything was said.
  Awaitable<base::Result<void>> serve(SnapshotConnection connection);
  [[nodiscard]] bool is_busy() const { return running_ != nullptr; }

 private:
  class Transfer;

  Awaitable<base::Result<void>> claim(Transfer* transfer);
  Awaitable<base::Result<void>> receive(Transfer* transfer);
  Awaitable<base::Result<bool>> on_frame(Transfer* transfer, Frame frame);
  Awaitable<base::Result<bool>> take_chunk(Transfer* transfer, SnapshotChunk chunk);
  Awaitable<base::Result<bool>> take_end(Transfer* transfer, SnapshotEnd end);
  Awaitable<base::Result<void>> write(SnapshotConnection* connection, FrameType type, std::string payload);
  Awaitable<base::Result<void>> say_last(SnapshotConnection* connection, FrameType type, std::string payload);
  void leave(Transfer& transfer);

  SnapshotHandler* handler_;
  base::LogSink& sink_;
  SnapshotReceiverOptions options_;
  Transfer* running_ = nullptr;
  std::set<Event*> waiting_;  // offers that wait for a displaced transfer to leave; all are woken
};

}  // namespace whitewater::net

// send_snapshot: one attempt to bring a snapshot to a member, on a connection of its own. Dials, offers, goes on from
// where the receiver stands, streams chunks with a few of them unacknowledged, and waits for the outcome. Memory is a
// chunk or two, whatever the snapshot's size; the receiver's disk and the rate limit set the pace. Runs in a task of
// its caller's TaskGroup on the reactor thread; every wait has a time-out. Does not retry and does not decide who needs
// a snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/handshake.hpp"
#include "net/reactor.hpp"
#include "net/snapshot_message.hpp"

namespace whitewater::net {

// Slower than this the receiver would take the sender for dead between two chunks.
inline constexpr std::uint64_t snapshot_rate_bytes_per_s_min = 4096;

// The content, in an order that the same source repeats. Called on the reactor thread, so without waiting for a disk.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // Called once, before the first chunk: from here on. Empty is the beginning. An error ends the attempt.
  virtual base::Result<void> seek(std::string_view resume_position) = 0;
  // About `bytes_max` bytes: more, up to snapshot_chunk_bytes_max, only where a piece cannot be smaller. Empty at the
  // end. An error ends the attempt.
  virtual base::Result<std::string> next_chunk(std::size_t bytes_max) = 0;
  // After the last chunk: at most snapshot_trailer_bytes_max.
  virtual std::string trailer() = 0;
};

struct SnapshotSendOptions {
  std::size_t chunk_bytes = 256UL << 10;  // at most; 1 B to snapshot_chunk_bytes_max; smaller at a low rate
  std::size_t window_chunks = 4;          // sent and not acknowledged; 1 to 64
  std::uint64_t rate_bytes_per_s = 0;     // of chunks; 0: unlimited; at least snapshot_rate_bytes_per_s_min is used
  base::Duration dial_timeout = base::seconds(2);       // connect and handshake, per address
  base::Duration offer_timeout = base::seconds(30);     // until the offer is answered
  base::Duration idle_timeout = base::seconds(20);      // for writing a frame, and for the next acknowledgement
  base::Duration install_timeout = base::seconds(120);  // from the last acknowledgement to the outcome
};

// Readable while send_snapshot runs.
struct SnapshotProgress {
  std::uint64_t sent_bytes = 0;  // of chunks, on this attempt
  std::uint64_t sent_chunks = 0;
  std::uint64_t acked_chunks = 0;
  bool is_accepted = false;    // the receiver has taken the offer
  bool is_resumed = false;     // it asked for another place than the beginning
  bool is_installing = false;  // it has everything
};

// The index up to which the receiver now has everything, or why not: the receiver's own reason when it refused the
// offer or failed; timed_out; connection_lost or the socket's error; malformed; the refused handshake's Errc; what the
// source said. The endpoints are tried in turn, at most 8, until one shakes hands; not_found without any.
// `hello.channel` is set to snapshot. `source` and `progress` outlive the task. Throws operation_aborted when
// cancelled.
Awaitable<base::Result<base::Index>> send_snapshot(std::vector<Endpoint> endpoints, Hello hello, SnapshotOffer offer,
                                                   SnapshotSource* source, SnapshotProgress* progress,
                                                   SnapshotSendOptions options = {});

}  // namespace whitewater::net

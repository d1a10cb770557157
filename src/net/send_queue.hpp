// SendQueue: what waits to be written to one peer, bounded in messages and bytes. Two lanes: messages that must not
// wait behind bulk data (heartbeats, votes, read rounds, acknowledgements) overtake the appends; within a lane the
// order is kept, because an append that overtakes another is rejected. When full, the oldest append makes room, since
// Raft resends it, and a forwarded proposal is refused rather than silently lost. Pure; the loop around it is PeerLink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/time.hpp"
#include "core/messages.hpp"

namespace whitewater::net {

struct SendQueueLimits {
  std::size_t urgent_messages_max = 1024;
  std::size_t bulk_messages_max = 4096;
  std::size_t bytes_max = 16UL << 20;  // of both lanes together, as encoded
};

class SendQueue {
 public:
  explicit SendQueue(SendQueueLimits limits) : limits_(limits) {}

  // False when this very message was dropped. Older ones may have been dropped to make room.
  bool push(core::Message message, base::Instant now);
  // Moves out up to `bytes_max` (at least one message if there is any), the urgent ones first.
  void take_batch(std::size_t bytes_max, std::vector<core::Message>& out);
  // Forgets everything.
  void clear();
  // Forgets what was queued before `time`: a message that waited for a connection for long is only noise to its
  // receiver.
  void drop_older_than(base::Instant time);

  [[nodiscard]] bool empty() const { return urgent_.empty() && bulk_.empty(); }
  [[nodiscard]] std::size_t message_count() const { return urgent_.size() + bulk_.size(); }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] std::uint64_t dropped_count() const { return dropped_count_; }
  [[nodiscard]] static bool is_urgent(const core::Message& message);

 private:
  struct Item {
    core::Message message;
    std::size_t size_bytes = 0;
    base::Instant queued_at;
  };
  bool make_room(std::size_t size_bytes);
  bool drop_oldest_append();
  void drop(std::deque<Item>& lane, const std::deque<Item>::iterator& item);

  SendQueueLimits limits_;
  std::deque<Item> urgent_;
  std::deque<Item> bulk_;
  std::size_t size_bytes_ = 0;
  std::uint64_t dropped_count_ = 0;
};

}  // namespace whitewater::net

#include "net/send_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "net/message_codec.hpp"

namespace whitewater::net {
namespace {

bool is_append(const core::Message& message) { return std::holds_alternative<core::AppendRequest>(message.body); }

bool is_bulk(const core::Message& message) {
  return is_append(message) || std::holds_alternative<core::ForwardedProposals>(message.body) ||
         std::holds_alternative<core::ForwardedChange>(message.body);
}

}  // namespace

bool SendQueue::is_urgent(const core::Message& message) { return !is_bulk(message); }

bool SendQueue::push(core::Message message, base::Instant now) {
  const auto size_bytes = encoded_size_bytes(message);
  if (is_urgent(message)) {
    // Each of them is superseded by a later one of its kind, so the oldest goes.
    if (urgent_.size() >= limits_.urgent_messages_max) drop(urgent_, urgent_.begin());
    size_bytes_ += size_bytes;
    urgent_.push_back({std::move(message), size_bytes, now});
    return true;
  }
  if (!make_room(size_bytes)) {
    ++dropped_count_;
    return false;
  }
  size_bytes_ += size_bytes;
  bulk_.push_back({std::move(message), size_bytes, now});
  return true;
}

bool SendQueue::make_room(std::size_t size_bytes) {
  if (size_bytes > limits_.bytes_max) return false;
  while (bulk_.size() >= limits_.bulk_messages_max || size_bytes_ + size_bytes > limits_.bytes_max) {
    if (!drop_oldest_append()) return false;
  }
  return true;
}

bool SendQueue::drop_oldest_append() {
  const auto oldest =
      std::find_if(bulk_.begin(), bulk_.end(), [](const Item& item) { return is_append(item.message); });
  if (oldest == bulk_.end()) return false;
  drop(bulk_, oldest);
  return true;
}

void SendQueue::drop(std::deque<Item>& lane, const std::deque<Item>::iterator& item) {
  WW_ASSERT(size_bytes_ >= item->size_bytes);
  size_bytes_ -= item->size_bytes;
  lane.erase(item);
  ++dropped_count_;
}

void SendQueue::take_batch(std::size_t bytes_max, std::vector<core::Message>& out) {
  std::size_t taken_bytes = 0;
  bool is_first = true;
  for (auto* lane : {&urgent_, &bulk_}) {
    while (!lane->empty() && (is_first || taken_bytes + lane->front().size_bytes <= bytes_max)) {
      is_first = false;
      taken_bytes += lane->front().size_bytes;
      out.push_back(std::move(lane->front().message));
      lane->pop_front();
    }
  }
  WW_ASSERT(size_bytes_ >= taken_bytes);
  size_bytes_ -= taken_bytes;
}

void SendQueue::clear() {
  dropped_count_ += message_count();
  urgent_.clear();
  bulk_.clear();
  size_bytes_ = 0;
}

void SendQueue::drop_older_than(base::Instant time) {
  for (auto* lane : {&urgent_, &bulk_}) {
    while (!lane->empty() && lane->front().queued_at < time) drop(*lane, lane->begin());
  }
}

}  // namespace whitewater::net

// What waits for a peer: order, priority, bounds and what is dropped first; and the waiting between dials.
#include "net/send_queue.hpp"

#include "catch.hpp"
#include "net/backoff.hpp"
#include "net/message_codec.hpp"
#include "net/samples.hpp"

using namespace whitewater;
using namespace whitewater::net;

namespace {

constexpr base::Instant start{base::seconds(10)};

core::Message append(std::uint64_t prev_index, std::size_t payload_bytes = 10) {
  return samples::message(samples::append(prev_index, 1, payload_bytes));
}
core::Message heartbeat(std::uint64_t round) {
  return samples::message(core::Heartbeat{.commit = {}, .read_round = round, .released = {}, .leader_commit = {}});
}
core::Message proposals(std::uint64_t sequence) {
  return samples::message(
      core::ForwardedProposals{.proposals = {{.request = {core::NodeId(1), sequence}, .payload = {}}}});
}
std::uint64_t prev_index(const core::Message& message) {
  return std::get<core::AppendRequest>(message.body).prev_index.value;
}

std::vector<core::Message> take_all(SendQueue& queue) {
  std::vector<core::Message> out;
  queue.take_batch(SIZE_MAX, out);
  return out;
}

}  // namespace

TEST_CASE("heartbeats overtake appends, and each lane keeps its order") {
  SendQueue queue({});
  queue.push(append(1), start);
  queue.push(heartbeat(1), start);
  queue.push(append(2), start);
  queue.push(heartbeat(2), start);
  const auto taken = take_all(queue);
  REQUIRE(taken.size() == 4);
  CHECK(std::get<core::Heartbeat>(taken[0].body).read_round == 1);
  CHECK(std::get<core::Heartbeat>(taken[1].body).read_round == 2);
  CHECK(prev_index(taken[2]) == 1);
  CHECK(prev_index(taken[3]) == 2);
  CHECK(queue.empty());
  CHECK(queue.size_bytes() == 0);
}

TEST_CASE("only appends and forwarded proposals wait in the bulk lane") {
  for (const auto& message : samples::every_message()) {
    const bool is_bulk = std::holds_alternative<core::AppendRequest>(message.body) ||
                         std::holds_alternative<core::ForwardedProposals>(message.body);
    CHECK(SendQueue::is_urgent(message) == !is_bulk);
  }
}

TEST_CASE("a batch ends at its bound in bytes, but never without a message") {
  SendQueue queue({});
  for (std::uint64_t i = 0; i < 5; ++i) queue.push(append(i, 1000), start);
  const auto one_bytes = encoded_size_bytes(append(0, 1000));
  std::vector<core::Message> out;
  queue.take_batch(2 * one_bytes, out);
  CHECK(out.size() == 2);
  out.clear();
  queue.take_batch(1, out);
  CHECK(out.size() == 1);
  CHECK(queue.size_bytes() == 2 * one_bytes);
}

TEST_CASE("a full bulk lane drops its oldest append for the new one") {
  SendQueue queue({.urgent_messages_max = 10, .bulk_messages_max = 3, .bytes_max = 1 << 20});
  for (std::uint64_t i = 0; i < 5; ++i) CHECK(queue.push(append(i), start));
  CHECK(queue.dropped_count() == 2);
  const auto taken = take_all(queue);
  REQUIRE(taken.size() == 3);
  CHECK(prev_index(taken[0]) == 2);
}

TEST_CASE("bytes are bounded like messages, and one message over the bound is dropped itself") {
  SendQueue queue({.urgent_messages_max = 10, .bulk_messages_max = 100, .bytes_max = 5000});
  for (std::uint64_t i = 0; i < 10; ++i) {
    CHECK(queue.push(append(i, 1500), start));
    CHECK(queue.size_bytes() <= 5000);
  }
  CHECK(queue.message_count() == 3);
  CHECK(!queue.push(append(99, 6000), start));
  CHECK(queue.message_count() == 3);
}

TEST_CASE("forwarded proposals are refused rather than lost, and displace only appends") {
  SendQueue queue({.urgent_messages_max = 10, .bulk_messages_max = 2, .bytes_max = 1 << 20});
  CHECK(queue.push(append(1), start));
  CHECK(queue.push(proposals(1), start));
  CHECK(queue.push(proposals(2), start));
  CHECK(!queue.push(proposals(3), start));
  CHECK(!queue.push(append(2), start));
  const auto taken = take_all(queue);
  REQUIRE(taken.size() == 2);
  for (const auto& message : taken) CHECK(std::holds_alternative<core::ForwardedProposals>(message.body));
}

TEST_CASE("a full urgent lane drops its oldest message") {
  SendQueue queue({.urgent_messages_max = 2, .bulk_messages_max = 2, .bytes_max = 1 << 20});
  for (std::uint64_t round = 1; round <= 5; ++round) CHECK(queue.push(heartbeat(round), start));
  const auto taken = take_all(queue);
  REQUIRE(taken.size() == 2);
  CHECK(std::get<core::Heartbeat>(taken[0].body).read_round == 4);
}

TEST_CASE("messages that waited too long for a connection are dropped, newer ones stay") {
  SendQueue queue({});
  queue.push(heartbeat(1), start);
  queue.push(heartbeat(2), start + base::milliseconds(400));
  queue.push(append(7), start);
  queue.drop_older_than(start + base::milliseconds(100));
  const auto taken = take_all(queue);
  REQUIRE(taken.size() == 1);
  CHECK(std::get<core::Heartbeat>(taken[0].body).read_round == 2);
  CHECK(queue.size_bytes() == 0);
}

TEST_CASE("clear counts what it drops") {
  SendQueue queue({});
  queue.push(heartbeat(1), start);
  queue.push(append(1), start);
  queue.clear();
  CHECK(queue.empty());
  CHECK(queue.dropped_count() == 2);
}

TEST_CASE("backoff doubles to its bound with jitter and starts over after a reset") {
  Backoff backoff(base::milliseconds(10), base::milliseconds(100), base::Rng(1));
  for (const auto bound_ms : {10, 20, 40, 80, 100, 100}) {
    const auto wait = backoff.take_wait();
    CHECK(wait >= base::milliseconds(bound_ms) / 2);
    CHECK(wait <= base::milliseconds(bound_ms));
  }
  backoff.reset();
  CHECK(backoff.take_wait() <= base::milliseconds(10));
}

#include "net/peer_link.hpp"

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "net/timeout.hpp"

namespace whitewater::net {
namespace {

// Addresses tried in one dial; a name with more answers is tried again after the backoff anyway.
constexpr std::size_t addresses_per_dial_max = 8;

[[noreturn]] void fail(error_code error) { throw boost::system::system_error(error); }

bool is_power_of_two(std::uint64_t number) { return (number & (number - 1)) == 0; }

std::string encode_ping(base::Instant time) {
  std::string payload;
  base::ByteWriter(payload).u64(static_cast<std::uint64_t>(time.since_start.count()));
  return payload;
}

}  // namespace

PeerLink::PeerLink(Executor executor, core::Member peer, PeerLinkOptions options, PeerLinkOwner& owner,
                   base::LogSink& sink, base::Rng rng)
    : executor_(executor),
      peer_(std::move(peer)),
      options_(options),
      owner_(owner),
      sink_(sink),
      backoff_(options.backoff_min, options.backoff_max, rng),
      queue_(options.queue),
      loop_(executor),
      wake_writer_(executor),
      backoff_timer_(executor) {
  WW_ASSERT(!peer_.id.is_zero());
}

bool PeerLink::send(core::Message message) {
  WW_ASSERT(message.to == peer_.id);
  if (loop_.is_cancelled() || (!is_connected_ && !SendQueue::is_urgent(message))) {
    ++counters_.dropped_messages;
    return false;
  }
  // Only what waits for a connection gets stale; a running writer needs no clock.
  const bool is_queued = queue_.push(std::move(message), is_connected_ ? base::Instant() : now());
  if (is_connected_) wake_writer_.notify();
  return is_queued;
}

void PeerLink::redial_soon() {
  backoff_.reset();
  backoff_timer_.cancel();
}

PeerLinkCounters PeerLink::counters() const {
  auto result = counters_;
  result.dropped_messages += queue_.dropped_count();
  if (stream_ != nullptr) result.stream += stream_->counters();
  return result;
}

Awaitable<void> PeerLink::run() {
  loop_.spawn(link_loop());
  co_await loop_.join();
}

void PeerLink::close() { loop_.cancel(); }

Awaitable<void> PeerLink::link_loop() {
  for (;;) {
    auto dialed = co_await dial_any();
    if (dialed.has_error()) {
      note_failure(dialed.error().message());
    } else {
      co_await serve(std::move(*dialed));
    }
    co_await wait_backoff();
  }
}

Awaitable<base::Result<DialedPeer>> PeerLink::dial_any() {
  const auto addresses = co_await with_timeout(owner_.resolve(peer_.name), options_.resolve_timeout);
  if (addresses.has_error()) co_return addresses.error();
  error_code last = base::Errc::not_found;
  for (std::size_t i = 0; i < std::min(addresses->size(), addresses_per_dial_max); ++i) {
    ++counters_.dials;
    const auto hello = make_hello(owner_.identity(), options_.channel, peer_.id);
    auto outcome = co_await dial_peer((*addresses)[i], hello, options_.dial_timeout);
    if (outcome.has_error()) {
      last = outcome.error();
      continue;
    }
    if (const auto* refusal = std::get_if<Refusal>(&*outcome)) {
      ++counters_.refusals;
      last = to_errc(refusal->reason);
      owner_.on_link_refused(peer_.id, *refusal);
      continue;
    }
    co_return std::move(std::get<DialedPeer>(*outcome));
  }
  co_return last;
}

Awaitable<void> PeerLink::serve(DialedPeer dialed) {
  on_connected(dialed);
  std::string why = "the loops have ended";
  TaskGroup tasks(executor_);
  tasks.spawn(write_loop(dialed.stream.get()));
  tasks.spawn(read_loop(dialed.stream.get()));
  tasks.spawn(ping_loop());
  try {
    co_await tasks.join();
  } catch (const boost::system::system_error& failure) {
    why = failure.code().message();
    if (net::is_cancelled(failure.code())) {
      on_disconnected("cancelled");
      throw;
    }
  }
  on_disconnected(why);
}

void PeerLink::on_connected(const DialedPeer& dialed) {
  ++counters_.connects;
  failures_in_a_row_ = 0;
  backoff_.reset();
  queue_.drop_older_than(now() - options_.stale_after);
  last_heard_ = now();
  ping_sent_.reset();
  is_ping_due_ = true;  // the first one at once: it measures the round trip
  stream_ = dialed.stream.get();
  is_connected_ = true;
  sink_.info("net", "connected to a peer",
             {{"peer", base::to_hex(peer_.id)},
              {"name", dialed.peer.name},
              {"channel", to_string(options_.channel)},
              {"peer_incarnation", dialed.peer.incarnation.value}});
  owner_.on_link_up(dialed.peer);
}

void PeerLink::on_disconnected(const std::string& why) {
  WW_ASSERT(is_connected_);
  counters_.stream += stream_->counters();
  stream_ = nullptr;
  is_connected_ = false;
  // What was queued for this connection is old by the time the next one stands; Raft sends it again.
  queue_.clear();
  sink_.info("net", "lost the connection to a peer",
             {{"peer", base::to_hex(peer_.id)}, {"name", peer_.name}, {"cause", why}});
  owner_.on_link_down(peer_.id, why);
}

Awaitable<void> PeerLink::write_loop(FrameStream* stream) {
  stream->decoder().set_payload_bytes_max(handshake_payload_bytes_max);  // nothing larger than a pong comes back
  for (;;) {
    while (queue_.empty() && !is_ping_due_) co_await wake_writer_.wait();
    fill_batch();
    const auto written = co_await stream->write(&batch_);
    if (written.has_error()) fail(written.error());
  }
}

void PeerLink::fill_batch() {
  batch_.clear();
  taken_.clear();
  if (is_ping_due_) {
    is_ping_due_ = false;
    ping_sent_ = now();
    batch_.add_frame(FrameType::ping, encode_ping(*ping_sent_));
  }
  queue_.take_batch(options_.write_bytes_max, taken_);
  for (const auto& message : taken_) batch_.add_message(message);
  counters_.sent_messages += taken_.size();
  taken_.clear();
  batch_.seal();
}

Awaitable<void> PeerLink::read_loop(FrameStream* stream) {
  for (;;) {
    const auto frame = co_await stream->read_frame();
    if (frame.has_error()) fail(frame.error());
    if (frame->type != FrameType::pong) fail(base::Errc::malformed);
    last_heard_ = now();
    if (ping_sent_ && frame->payload == encode_ping(*ping_sent_)) {
      owner_.on_round_trip(peer_.id, last_heard_ - *ping_sent_);
      ping_sent_.reset();
    }
  }
}

Awaitable<void> PeerLink::ping_loop() {
  for (;;) {
    const auto before = now();
    co_await sleep_for(options_.ping_interval);
    const auto time = now();
    // A stall of this process is not the silence of the peer: its answers may be waiting in the socket.
    if (time - before > options_.ping_interval + options_.idle_timeout / 2) last_heard_ = time;
    if (time - last_heard_ > options_.idle_timeout) fail(base::Errc::timed_out);
    is_ping_due_ = true;
    wake_writer_.notify();
  }
}

Awaitable<void> PeerLink::wait_backoff() {
  backoff_timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(backoff_.take_wait()));
  // Cut short by redial_soon(); after a cancellation of the coroutine the next await throws.
  co_await backoff_timer_.async_wait(as_result);
}

void PeerLink::note_failure(const std::string& why) {
  ++failures_in_a_row_;
  // The first, second, fourth, ... failure: a peer that is away for a day does not fill the log.
  if (!is_power_of_two(failures_in_a_row_)) return;
  sink_.warn(
      "net", "cannot reach a peer, trying on",
      {{"peer", base::to_hex(peer_.id)}, {"name", peer_.name}, {"cause", why}, {"attempts", failures_in_a_row_}});
}

}  // namespace whitewater::net

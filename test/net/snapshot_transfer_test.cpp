// Whole snapshot transfers on loopback: content, refusals, resumption, back-pressure, time-outs, damage, cancellation.
#include <algorithm>
#include <charconv>

#include "net/peer_fixture.hpp"
#include "net/snapshot_sender.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::Errc;
using fixture::eventually;
using fixture::run_on_reactor;
using samples::identity;

namespace {

constexpr std::size_t chunk_bytes = 10'000;

// Bytes that differ everywhere, so that a lost, repeated or moved chunk shows.
std::string content_of(std::size_t size_bytes) {
  base::Rng rng(size_bytes);
  std::string content(size_bytes, '\0');
  for (auto& byte : content) byte = static_cast<char>(rng.next());
  return content;
}

class StringSource final : public SnapshotSource {
 public:
  explicit StringSource(std::string content) : content(std::move(content)) {}
  base::Result<void> seek(std::string_view resume_position) override {
    seeks.emplace_back(resume_position);
    if (seek_failure) return *seek_failure;
    std::from_chars(resume_position.data(), resume_position.data() + resume_position.size(), position);
    return {};
  }
  base::Result<std::string> next_chunk(std::size_t bytes_max) override {
    if (chunk_count == chunks_before_failure) return Errc::stopped;
    auto chunk = content.substr(position, bytes_max);
    position += chunk.size();
    if (!chunk.empty()) ++chunk_count;
    return chunk;
  }
  std::string trailer() override { return "trailer of " + std::to_string(content.size()); }

  std::string content;
  std::size_t position = 0;
  std::size_t chunk_count = 0;
  std::size_t chunks_before_failure = 1UL << 40;
  std::optional<Errc> seek_failure;
  std::vector<std::string> seeks;
};

class RecordingSnapshots final : public SnapshotHandler {
 public:
  Awaitable<base::Result<std::string>> on_offer(PeerInfo from, SnapshotOffer offer) override {
    CHECK_FALSE(is_open);
    senders.push_back(from.node);
    offers.push_back(std::move(offer));
    if (offer_delay > base::Duration(0)) co_await sleep_for(offer_delay);
    if (refusal) co_return *refusal;
    is_open = true;
    co_return content.empty() ? std::string() : std::to_string(content.size());
  }
  Awaitable<base::Result<void>> on_chunk(PeerInfo, std::string_view bytes) override {
    CHECK(is_open);
    is_in_chunk = true;
    for (int i = 0; i < 2000 && is_held; ++i) co_await sleep_for(base::milliseconds(2));
    if (chunk_delay > base::Duration(0)) co_await sleep_for(chunk_delay);
    is_in_chunk = false;
    if (chunk_failure && chunk_count >= chunks_before_failure) co_return *chunk_failure;
    content.append(bytes);
    ++chunk_count;
    co_return base::Result<void>();
  }
  Awaitable<base::Result<base::Index>> on_end(PeerInfo, std::string_view bytes) override {
    CHECK(is_open);
    trailer = bytes;
    ++end_count;
    is_open = false;
    if (end_failure) co_return *end_failure;
    co_return offers.back().index;
  }
  void on_abort(PeerInfo) override {
    CHECK(is_open);
    CHECK_FALSE((is_in_chunk && !is_cancel_expected));
    is_open = false;
    ++abort_count;
  }

  std::string content;
  std::string trailer;
  std::vector<SnapshotOffer> offers;
  std::vector<base::NodeId> senders;
  std::optional<Errc> refusal;
  std::optional<Errc> chunk_failure;
  std::optional<Errc> end_failure;
  std::size_t chunks_before_failure = 0;
  base::Duration offer_delay{0};
  base::Duration chunk_delay{0};
  std::size_t chunk_count = 0;
  int end_count = 0;
  int abort_count = 0;
  bool is_held = false;  // on_chunk does not return
  bool is_open = false;  // between an accepted offer and its end
  bool is_in_chunk = false;
  bool is_cancel_expected = false;
};

PeerAcceptorOptions quick_receiver() {
  PeerAcceptorOptions options;
  options.snapshot.idle_timeout = base::milliseconds(500);
  return options;
}

SnapshotSendOptions quick_sender() {
  SnapshotSendOptions options;
  options.chunk_bytes = chunk_bytes;
  return options;
}

// A member that receives snapshots.
struct SnapshotMember {
  SnapshotMember(Executor executor, PeerAcceptorOptions options = {})
      : receiver(executor, identity(22), options, {}, &snapshots) {}
  RecordingSnapshots snapshots;
  fixture::Receiver receiver;
};

// A running send_snapshot.
struct Sending {
  Sending(Executor executor, Endpoint endpoint, std::size_t size_bytes, SnapshotSendOptions options = quick_sender(),
          std::uint64_t sender = 11, std::uint64_t term = 7)
      : source(content_of(size_bytes)), tasks(executor) {
    tasks.spawn(run(endpoint, options, sender, term));
  }
  Awaitable<void> run(Endpoint endpoint, SnapshotSendOptions options, std::uint64_t sender, std::uint64_t term) {
    const SnapshotOffer offer{.term = base::Term(term),
                              .index = base::Index(900),
                              .index_term = base::Term(6),
                              .total_bytes = source.content.size(),
                              .header = "header"};
    const auto hello = make_hello(identity(sender), Channel::raft, base::NodeId(22));
    result = co_await send_snapshot({endpoint}, hello, offer, &source, &progress, options);
  }
  Awaitable<void> join() { co_await tasks.join(); }
  [[nodiscard]] base::Result<base::Index> outcome() const {
    return result ? *result : base::Result<base::Index>(Errc::cancelled);
  }

  StringSource source;
  SnapshotProgress progress;
  std::optional<base::Result<base::Index>> result;
  TaskGroup tasks;
};

// Dials the snapshot channel by hand and offers; the offer was accepted.
Awaitable<std::unique_ptr<FrameStream>> offer_by_hand(Endpoint endpoint) {
  auto outcome =
      co_await dial_peer(endpoint, make_hello(identity(11), Channel::snapshot, base::NodeId(22)), base::seconds(5));
  REQUIRE(outcome.has_value());
  REQUIRE(std::holds_alternative<DialedPeer>(*outcome));
  auto stream = std::move(std::get<DialedPeer>(*outcome).stream);
  const auto offer = encode_frame(FrameType::snapshot_offer, encode(SnapshotOffer{}));
  CHECK((co_await stream->write(offer)).has_value());
  const auto frame = co_await stream->read_frame();
  REQUIRE(frame.has_value());
  CHECK(frame->type == FrameType::snapshot_offer_reply);
  CHECK_FALSE(decode_snapshot_offer_reply(frame->payload)->refusal);
  co_return stream;
}

std::string chunk_frame(std::uint64_t sequence, std::string_view bytes) {
  return encode_frame(FrameType::snapshot_chunk, encode(SnapshotChunk{.sequence = sequence, .bytes = bytes}));
}

// A member that shakes hands by hand; what it does next is the test's.
Awaitable<std::unique_ptr<FrameStream>> accept_by_hand(TcpAcceptor* acceptor) {
  auto stream =
      std::make_unique<FrameStream>(co_await acceptor->async_accept(use_awaitable), "", snapshot_payload_bytes_max);
  CHECK((co_await stream->read_frame()).has_value());
  const HelloReply reply{.version = 1,
                         .cluster = base::ClusterId(500),
                         .node = base::NodeId(22),
                         .incarnation = base::Incarnation(1),
                         .name = "",
                         .address = ""};
  CHECK((co_await stream->write(encode_frame(FrameType::hello_reply, encode(reply)))).has_value());
  co_return stream;
}

Awaitable<void> answer(FrameStream* stream, FrameType type, std::string payload) {
  CHECK((co_await stream->write(encode_frame(type, payload))).has_value());
}

}  // namespace

TEST_CASE("a snapshot arrives whole, with its offer, trailer and progress") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    Sending sending(executor, member.receiver.endpoint(), 123'456);
    co_await sending.join();
    CHECK(sending.outcome().value() == base::Index(900));
    CHECK(member.snapshots.content == sending.source.content);
    CHECK(member.snapshots.trailer == "trailer of 123456");
    CHECK(member.snapshots.offers.at(0).header == "header");
    CHECK(member.snapshots.offers.at(0).total_bytes == 123'456);
    CHECK(member.snapshots.senders.at(0) == base::NodeId(11));
    CHECK(sending.progress.sent_bytes == 123'456);
    CHECK(sending.progress.sent_chunks == 13);
    CHECK(sending.progress.acked_chunks == 13);
    CHECK(sending.progress.is_installing);
    CHECK_FALSE(sending.progress.is_resumed);
    CHECK(member.snapshots.abort_count == 0);
    CHECK(co_await eventually([&] { return member.receiver.acceptor.session_count() == 0; }));
    CHECK(member.receiver.acceptor.counters().bad_frames == 0);
    co_await member.receiver.stop();
  });
}

TEST_CASE("an empty snapshot and one of the largest chunks arrive too") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    for (const std::size_t size_bytes : {std::size_t{0}, 5 * snapshot_chunk_bytes_max}) {
      SnapshotMember member(executor);
      auto options = quick_sender();
      options.chunk_bytes = snapshot_chunk_bytes_max;
      Sending sending(executor, member.receiver.endpoint(), size_bytes, options);
      co_await sending.join();
      CHECK(sending.outcome().value() == base::Index(900));
      CHECK(member.snapshots.content == sending.source.content);
      co_await member.receiver.stop();
    }
  });
}

TEST_CASE("a refused offer tells the sender why, and nothing is sent") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.refusal = Errc::not_leader;
    Sending sending(executor, member.receiver.endpoint(), 50'000);
    co_await sending.join();
    CHECK(sending.outcome().error() == Errc::not_leader);
    CHECK(sending.source.seeks.empty());
    CHECK(member.snapshots.abort_count == 0);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a member that takes no snapshots, one of another cluster and one that is away are told apart") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    fixture::Receiver without_handler(executor, identity(22));
    Sending unsupported(executor, without_handler.endpoint(), 10);
    co_await unsupported.join();
    CHECK(unsupported.outcome().error() == Errc::unsupported_version);
    co_await without_handler.stop();
    fixture::Receiver elsewhere(executor, identity(22, 1, 600));
    Sending wrong(executor, elsewhere.endpoint(), 10);
    co_await wrong.join();
    CHECK(wrong.outcome().error() == Errc::wrong_cluster);
    co_await elsewhere.stop();
    Sending away(executor, fixture::loopback(1), 10);
    co_await away.join();
    CHECK(away.outcome().error() == asio::error::connection_refused);
  });
}

TEST_CASE("a failure of the receiver's handler reaches the sender, in a chunk and at the end") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.chunk_failure = Errc::no_space;
    member.snapshots.chunks_before_failure = 3;
    Sending in_chunk(executor, member.receiver.endpoint(), 3'000'000);
    co_await in_chunk.join();
    CHECK(in_chunk.outcome().error() == Errc::no_space);
    CHECK(member.snapshots.abort_count == 1);
    CHECK(member.snapshots.end_count == 0);
    member.snapshots.chunk_failure.reset();
    member.snapshots.content.clear();
    member.snapshots.end_failure = Errc::checksum_mismatch;
    Sending at_end(executor, member.receiver.endpoint(), 30'000);
    co_await at_end.join();
    CHECK(at_end.outcome().error() == Errc::checksum_mismatch);
    CHECK(member.snapshots.abort_count == 1);
    CHECK(member.snapshots.end_count == 1);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a failure of the source ends the attempt, and the receiver is told to let go") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    Sending sending(executor, member.receiver.endpoint(), 100'000);
    sending.source.chunks_before_failure = 4;
    co_await sending.join();
    CHECK(sending.outcome().error() == Errc::stopped);
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    CHECK(member.snapshots.end_count == 0);
    Sending unseekable(executor, member.receiver.endpoint(), 100'000);
    unseekable.source.seek_failure = Errc::not_found;
    co_await unseekable.join();
    CHECK(unseekable.outcome().error() == Errc::not_found);
    CHECK(unseekable.source.chunk_count == 0);
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 2; }));
    co_await member.receiver.stop();
  });
}

TEST_CASE("after a cut in the middle a second attempt goes on where the receiver stands") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.chunk_delay = base::milliseconds(2);
    Sending first(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.content.size() >= 50'000; }));
    member.receiver.acceptor.close_sessions(base::NodeId(11));
    co_await first.join();
    CHECK(first.outcome().has_error());
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    const auto kept = member.snapshots.content.size();
    CHECK(kept < 200'000);
    Sending second(executor, member.receiver.endpoint(), 200'000);
    co_await second.join();
    CHECK(second.outcome().value() == base::Index(900));
    CHECK(second.source.seeks.at(0) == std::to_string(kept));
    CHECK(second.progress.is_resumed);
    CHECK(second.progress.sent_bytes == 200'000 - kept);
    CHECK(member.snapshots.content == second.source.content);
    CHECK(member.snapshots.end_count == 1);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a slow receiver holds the sender at its window") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    Sending sending(executor, member.receiver.endpoint(), 300'000);
    CHECK(co_await eventually([&] { return sending.source.chunk_count >= 4; }));
    co_await sleep_for(base::milliseconds(50));
    CHECK(sending.source.chunk_count == 4);
    CHECK(sending.progress.sent_chunks == 4);
    CHECK(sending.progress.acked_chunks == 0);
    CHECK(member.snapshots.chunk_count == 0);
    member.snapshots.is_held = false;
    std::size_t outstanding_max = 0;
    CHECK(co_await eventually([&] {
      outstanding_max = std::max(outstanding_max, sending.source.chunk_count - member.snapshots.chunk_count);
      return sending.result.has_value();
    }));
    CHECK(outstanding_max <= 4);
    CHECK(member.snapshots.content == sending.source.content);
    co_await sending.join();
    co_await member.receiver.stop();
  });
}

TEST_CASE("a disk slower than the idle time-out is not taken for a silent peer") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto options = quick_receiver();
    options.snapshot.idle_timeout = base::milliseconds(100);
    SnapshotMember member(executor, options);
    member.snapshots.chunk_delay = base::milliseconds(400);
    Sending sending(executor, member.receiver.endpoint(), 2 * chunk_bytes);
    co_await sending.join();
    CHECK(sending.outcome().value() == base::Index(900));
    co_await member.receiver.stop();
  });
}

TEST_CASE("a rate limit slows the transfer down") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    auto options = quick_sender();
    options.rate_bytes_per_s = 200'000;
    const auto before = now();
    Sending sending(executor, member.receiver.endpoint(), 100'000, options);
    co_await sending.join();
    CHECK(sending.outcome().value() == base::Index(900));
    CHECK(member.snapshots.content == sending.source.content);
    CHECK(now() - before >= base::milliseconds(350));  // half a second less one chunk, and a margin
    co_await member.receiver.stop();
  });
}

TEST_CASE("a low rate makes small chunks, so that the receiver hears of its sender") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    auto options = quick_sender();
    options.chunk_bytes = snapshot_chunk_bytes_max;
    options.rate_bytes_per_s = 1;
    Sending sending(executor, member.receiver.endpoint(), 100'000, options);
    CHECK(co_await eventually([&] { return member.snapshots.chunk_count == 2; }));
    CHECK(member.snapshots.content.size() == 2 * snapshot_rate_bytes_per_s_min);
    sending.tasks.cancel();
    co_await sending.join();
    co_await member.receiver.stop();
  });
}

TEST_CASE("a receiver that stalls at any point is given up after its time-out") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto options = quick_sender();
    options.offer_timeout = base::milliseconds(100);
    options.idle_timeout = base::milliseconds(100);
    options.install_timeout = base::milliseconds(100);
    const std::string accepted = encode(SnapshotOfferReply{});
    TcpAcceptor acceptor(executor, fixture::loopback());
    for (const bool answers_offer : {false, true}) {
      for (const bool acknowledges : {false, true}) {
        Sending sending(executor, acceptor.local_endpoint(), chunk_bytes, options);
        auto stream = co_await accept_by_hand(&acceptor);
        if (answers_offer) co_await answer(stream.get(), FrameType::snapshot_offer_reply, accepted);
        if (answers_offer && acknowledges) {
          CHECK(co_await eventually([&] { return sending.progress.sent_chunks == 1; }));
          co_await answer(stream.get(), FrameType::snapshot_ack, encode(SnapshotAck{1}));
        }
        co_await sending.join();
        CHECK(sending.outcome().error() == Errc::timed_out);
        CHECK(sending.progress.is_installing == (answers_offer && acknowledges));
      }
    }
    // One that reads nothing: the socket's buffers fill, and the write ends.
    options.chunk_bytes = snapshot_chunk_bytes_max;
    options.window_chunks = 64;
    Sending sending(executor, acceptor.local_endpoint(), 60 * snapshot_chunk_bytes_max, options);
    auto stream = co_await accept_by_hand(&acceptor);
    co_await answer(stream.get(), FrameType::snapshot_offer_reply, accepted);
    co_await sending.join();
    CHECK(sending.outcome().error() == Errc::timed_out);
    CHECK(sending.progress.sent_chunks < 60);
  });
}

TEST_CASE("answers that make no sense end the attempt") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    const std::vector<std::vector<std::string>> conversations = {
        {encode_frame(FrameType::snapshot_ack, encode(SnapshotAck{1}))},
        {encode_frame(FrameType::snapshot_offer_reply, "short")},
        {encode_frame(FrameType::snapshot_offer_reply, encode(SnapshotOfferReply{})),
         encode_frame(FrameType::snapshot_ack, encode(SnapshotAck{1000}))},
        {encode_frame(FrameType::snapshot_offer_reply, encode(SnapshotOfferReply{})),
         encode_frame(FrameType::snapshot_done, encode(SnapshotDone{}))},
        {encode_frame(FrameType::snapshot_offer_reply, encode(SnapshotOfferReply{})),
         encode_frame(FrameType::pong, "pong")},
    };
    TcpAcceptor acceptor(executor, fixture::loopback());
    for (const auto& conversation : conversations) {
      Sending sending(executor, acceptor.local_endpoint(), 100'000);
      auto stream = co_await accept_by_hand(&acceptor);
      for (const auto& bytes : conversation) CHECK((co_await stream->write(bytes)).has_value());
      co_await sending.join();
      CHECK(sending.outcome().error() == Errc::malformed);
    }
    Sending sending(executor, acceptor.local_endpoint(), 100'000);
    auto stream = co_await accept_by_hand(&acceptor);
    // Nothing that comes back may be large.
    const auto large = encode_header({.type = FrameType::snapshot_offer_reply, .payload_bytes = 1 << 20});
    CHECK((co_await stream->write(large)).has_value());
    co_await sending.join();
    CHECK(sending.outcome().error() == Errc::limit_exceeded);
  });
}

TEST_CASE("the last word of a receiver that has closed is heard, although a write failed first") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto options = quick_sender();
    options.rate_bytes_per_s = 40'000;
    TcpAcceptor acceptor(executor, fixture::loopback());
    Sending sending(executor, acceptor.local_endpoint(), 100'000, options);
    auto stream = co_await accept_by_hand(&acceptor);
    co_await answer(stream.get(), FrameType::snapshot_offer_reply, encode(SnapshotOfferReply{}));
    CHECK(co_await eventually([&] { return sending.progress.sent_chunks == 1; }));
    const SnapshotDone done{.failure = Errc::no_space, .installed = base::Index()};
    co_await answer(stream.get(), FrameType::snapshot_done, encode(done));
    stream.reset();
    co_await sending.join();
    CHECK(sending.outcome().error() == Errc::no_space);
    CHECK(sending.progress.sent_chunks < 4);
  });
}

TEST_CASE("garbage, oversized and misplaced frames end the session, and the handler lets go") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    auto damaged = chunk_frame(2, "second");
    damaged.back() ^= 1;
    const std::vector<std::string> bad = {
        std::string(100, 'g'),
        damaged,
        chunk_frame(3, "a gap"),
        chunk_frame(1, "again"),
        encode_frame(FrameType::snapshot_chunk, ""),
        encode_frame(FrameType::snapshot_offer, encode(SnapshotOffer{})),
        encode_frame(FrameType::snapshot_done, encode(SnapshotDone{})),
        encode_frame(FrameType::messages, ""),
        encode_frame(FrameType::snapshot_end, std::string(4, '\xff')),
        encode_header({.type = FrameType::snapshot_chunk, .payload_bytes = snapshot_payload_bytes_max + 1}),
    };
    int aborts = 0;
    for (const auto& bytes : bad) {
      member.snapshots.content.clear();
      auto stream = co_await offer_by_hand(member.receiver.endpoint());
      CHECK((co_await stream->write(chunk_frame(1, "first"))).has_value());
      const auto frame = co_await stream->read_frame();
      REQUIRE(frame.has_value());
      CHECK(decode_snapshot_ack(frame->payload).value() == SnapshotAck{1});
      CHECK((co_await stream->write(bytes)).has_value());
      CHECK((co_await stream->read_frame()).has_error());
      CHECK(co_await eventually([&] { return member.snapshots.abort_count == aborts + 1; }));
      ++aborts;
      CHECK(member.snapshots.content == "first");
    }
    CHECK(member.snapshots.end_count == 0);
    CHECK(member.receiver.acceptor.counters().bad_frames == bad.size());
    co_await member.receiver.stop();
  });
}

TEST_CASE("a first frame that is no offer ends the connection without a word to the handler") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    for (const auto& bytes :
         {chunk_frame(1, "x"), encode_frame(FrameType::snapshot_offer, "short"), encode_frame(FrameType::ping, "1")}) {
      auto outcome = co_await dial_peer(
          member.receiver.endpoint(), make_hello(identity(11), Channel::snapshot, base::NodeId(22)), base::seconds(5));
      REQUIRE(outcome.has_value());
      auto& stream = *std::get<DialedPeer>(*outcome).stream;
      CHECK((co_await stream.write(bytes)).has_value());
      CHECK((co_await stream.read_frame()).has_error());
    }
    CHECK(member.snapshots.offers.empty());
    CHECK(member.snapshots.abort_count == 0);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a snapshot's frames have no place on the other channels") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    auto outcome = co_await dial_peer(member.receiver.endpoint(),
                                      make_hello(identity(11), Channel::raft, base::NodeId(22)), base::seconds(5));
    REQUIRE(outcome.has_value());
    auto& stream = *std::get<DialedPeer>(*outcome).stream;
    CHECK((co_await stream.write(encode_frame(FrameType::snapshot_offer, encode(SnapshotOffer{})))).has_value());
    CHECK((co_await stream.read_frame()).has_error());
    CHECK(member.snapshots.offers.empty());
    co_await member.receiver.stop();
  });
}

TEST_CASE("a sender that falls silent is given up after the idle time-out") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto options = quick_receiver();
    options.snapshot.idle_timeout = base::milliseconds(100);
    SnapshotMember member(executor, options);
    auto stream = co_await offer_by_hand(member.receiver.endpoint());
    CHECK((co_await stream->write(chunk_frame(1, "first"))).has_value());
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    CHECK(member.snapshots.content == "first");
    CHECK(co_await eventually([&] { return member.receiver.acceptor.session_count() == 0; }));
    co_await member.receiver.stop();
  });
}

TEST_CASE("a second offer of the same term finds the receiver busy") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    Sending first(executor, member.receiver.endpoint(), 50'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    for (const std::uint64_t term : {6, 7}) {
      Sending second(executor, member.receiver.endpoint(), 50'000, quick_sender(), 12, term);
      co_await second.join();
      CHECK(second.outcome().error() == Errc::too_many_requests);
    }
    CHECK(member.snapshots.offers.size() == 1);
    member.snapshots.is_held = false;
    co_await first.join();
    CHECK(first.outcome().value() == base::Index(900));
    CHECK(member.snapshots.content == first.source.content);
    co_await member.receiver.stop();
  });
}

TEST_CASE("an offer of a later term displaces the running transfer once its handler has returned") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    Sending first(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    Sending second(executor, member.receiver.endpoint(), 50'000, quick_sender(), 12, 8);
    co_await first.join();
    CHECK(first.outcome().has_error());
    co_await sleep_for(base::milliseconds(20));
    CHECK(member.snapshots.offers.size() == 1);  // the second waits for the first one's chunk
    CHECK(member.snapshots.abort_count == 0);
    member.snapshots.is_held = false;
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    member.snapshots.content.clear();
    co_await second.join();
    CHECK(member.snapshots.offers.size() == 2);
    CHECK(member.snapshots.end_count == 1);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a displaced transfer whose handler does not return leaves the newer offer refused") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto options = quick_receiver();
    options.snapshot.offer_timeout = base::milliseconds(100);
    SnapshotMember member(executor, options);
    member.snapshots.is_held = true;
    Sending first(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    Sending second(executor, member.receiver.endpoint(), 50'000, quick_sender(), 12, 8);
    co_await second.join();
    CHECK(second.outcome().error() == Errc::too_many_requests);
    member.snapshots.is_held = false;
    co_await first.join();
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    co_await member.receiver.stop();
  });
}

TEST_CASE("a sender that comes back in the same term takes its own place") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    Sending first(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    Sending second(executor, member.receiver.endpoint(), 200'000);
    co_await first.join();
    CHECK(first.outcome().has_error());
    member.snapshots.is_held = false;
    co_await second.join();
    CHECK(second.outcome().value() == base::Index(900));
    CHECK(member.snapshots.content == second.source.content);
    CHECK(member.snapshots.abort_count == 1);
    co_await member.receiver.stop();
  });
}

TEST_CASE("a sender cancelled at any point leaves nothing running") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    auto limited = quick_sender();
    limited.rate_bytes_per_s = 20'000;
    member.snapshots.offer_delay = base::milliseconds(200);
    Sending in_offer(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.offers.size() == 1; }));
    in_offer.tasks.cancel();
    co_await in_offer.join();
    CHECK_FALSE(in_offer.result.has_value());
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 1; }));
    member.snapshots.offer_delay = base::Duration(0);

    Sending in_rate_wait(executor, member.receiver.endpoint(), 200'000, limited);
    CHECK(co_await eventually([&] { return in_rate_wait.progress.sent_chunks >= 2; }));
    in_rate_wait.tasks.cancel();
    co_await in_rate_wait.join();
    CHECK_FALSE(in_rate_wait.result.has_value());
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 2; }));

    member.snapshots.content.clear();
    member.snapshots.is_held = true;
    Sending in_window(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return in_window.progress.sent_chunks == 4; }));
    in_window.tasks.cancel();
    co_await in_window.join();
    CHECK_FALSE(in_window.result.has_value());
    member.snapshots.is_held = false;
    CHECK(co_await eventually([&] { return member.snapshots.abort_count == 3; }));
    CHECK(co_await eventually([&] { return member.receiver.acceptor.session_count() == 0; }));

    TcpAcceptor silent(executor, fixture::loopback());
    Sending in_dial(executor, silent.local_endpoint(), 10);
    co_await sleep_for(base::milliseconds(10));
    in_dial.tasks.cancel();
    co_await in_dial.join();
    CHECK_FALSE(in_dial.result.has_value());
    co_await member.receiver.stop();
  });
}

TEST_CASE("a receiver that stops in the middle of a chunk lets go of it") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    member.snapshots.is_cancel_expected = true;
    Sending sending(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    co_await member.receiver.stop();
    CHECK(member.snapshots.abort_count == 1);
    CHECK(member.receiver.acceptor.session_count() == 0);
    co_await sending.join();
    CHECK(sending.outcome().has_error());
  });
}

TEST_CASE("messages of the raft channel pass a snapshot that is held up") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    SnapshotMember member(executor);
    member.snapshots.is_held = true;
    Sending sending(executor, member.receiver.endpoint(), 200'000);
    CHECK(co_await eventually([&] { return member.snapshots.is_in_chunk; }));
    fixture::Dialler dialler(executor, identity(11), 22, {member.receiver.endpoint()});
    REQUIRE(co_await dialler.connected());
    CHECK(dialler.link.send(dialler.message(core::TimeoutNow{})));
    CHECK(co_await eventually([&] { return member.receiver.handler.messages.size() == 1; }));
    CHECK(member.snapshots.is_in_chunk);
    member.snapshots.is_held = false;
    co_await sending.join();
    CHECK(sending.outcome().value() == base::Index(900));
    co_await dialler.stop();
    co_await member.receiver.stop();
  });
}

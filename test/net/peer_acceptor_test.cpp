// The receiving side: one connection per sender and channel, nothing misrouted, and garbage costs nothing.
#include "net/peer_acceptor.hpp"

#include "base/codec.hpp"
#include "base/rng.hpp"
#include "net/peer_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::eventually;
using fixture::Receiver;
using fixture::run_on_reactor;
using samples::identity;

namespace {

// Dials by hand and returns what the acceptor decided.
Awaitable<DialOutcome> dial(Endpoint endpoint, LocalIdentity self, Channel channel = Channel::raft) {
  auto outcome = co_await dial_peer(endpoint, make_hello(self, channel, base::NodeId()), base::seconds(5));
  REQUIRE(outcome.has_value());
  co_return std::move(*outcome);
}

Awaitable<std::unique_ptr<FrameStream>> connect(Endpoint endpoint, LocalIdentity self,
                                                Channel channel = Channel::raft) {
  auto outcome = co_await dial(endpoint, std::move(self), channel);
  REQUIRE(std::holds_alternative<DialedPeer>(outcome));
  co_return std::move(std::get<DialedPeer>(outcome).stream);
}

RefusalReason reason(const DialOutcome& outcome) {
  REQUIRE(std::holds_alternative<Refusal>(outcome));
  return std::get<Refusal>(outcome).reason;
}

std::string messages_frame(const core::Message& message) {
  FrameBatch batch;
  batch.add_message(message);
  batch.seal();
  std::string out;
  for (const auto part : batch.buffers()) out.append(part);
  return out;
}

core::Message from_to(std::uint64_t from, std::uint64_t to) {
  return {.from = core::NodeId(from), .to = core::NodeId(to), .term = core::Term(1), .body = core::TimeoutNow{}};
}

// True when the acceptor ends the connection, whatever it says before.
Awaitable<bool> is_closed(FrameStream* stream) {
  for (int i = 0; i < 10; ++i) {
    const auto frame = co_await stream->read_frame();
    if (frame.has_error()) co_return true;
  }
  co_return false;
}

}  // namespace

TEST_CASE("a message that names another sender or receiver than the handshake is dropped") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto stream = co_await connect(receiver.endpoint(), identity(11));
    for (const auto& message : {from_to(12, 22), from_to(11, 23), from_to(0, 0), from_to(11, 22)}) {
      CHECK((co_await stream->write(messages_frame(message))).has_value());
    }
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == 1; }));
    CHECK(receiver.acceptor.counters().misrouted_messages == 3);
    CHECK(receiver.acceptor.counters().received_messages == 1);
    co_await receiver.stop();
  });
}

TEST_CASE("a second connection of the same run supersedes the first") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto first = co_await connect(receiver.endpoint(), identity(11));
    auto second = co_await connect(receiver.endpoint(), identity(11));
    CHECK(co_await is_closed(first.get()));
    CHECK((co_await second->write(messages_frame(from_to(11, 22)))).has_value());
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == 1; }));
    CHECK(receiver.acceptor.counters().superseded_sessions == 1);
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 1; }));
    co_await receiver.stop();
  });
}

TEST_CASE("channels of one sender live side by side; a newer run ends them all") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto raft = co_await connect(receiver.endpoint(), identity(11, 1), Channel::raft);
    auto control = co_await connect(receiver.endpoint(), identity(11, 1), Channel::control);
    CHECK((co_await raft->write(messages_frame(from_to(11, 22)))).has_value());
    CHECK((co_await control->write(messages_frame(from_to(11, 22)))).has_value());
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == 2; }));
    auto newer = co_await connect(receiver.endpoint(), identity(11, 2), Channel::raft);
    CHECK(co_await is_closed(raft.get()));
    CHECK(co_await is_closed(control.get()));
    CHECK(reason(co_await dial(receiver.endpoint(), identity(11, 1))) == RefusalReason::stale_incarnation);
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 1; }));
    co_await receiver.stop();
  });
}

TEST_CASE("a newer run of the receiver itself is reported to its owner") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22, 3));
    CHECK(reason(co_await dial(receiver.endpoint(), identity(22, 3))) == RefusalReason::self_connection);
    CHECK(receiver.handler.superseded_by.is_zero());
    CHECK(reason(co_await dial(receiver.endpoint(), identity(22, 2))) == RefusalReason::stale_incarnation);
    CHECK(reason(co_await dial(receiver.endpoint(), identity(22, 4))) == RefusalReason::self_connection);
    CHECK(receiver.handler.superseded_by == base::Incarnation(4));
    co_await receiver.stop();
  });
}

TEST_CASE("a member without a cluster takes discovery but no Raft messages") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22, 1, 0));
    CHECK(reason(co_await dial(receiver.endpoint(), identity(11))) == RefusalReason::no_cluster);
    // Its owner hears that there is a cluster, also when the dialler means the member that was here before.
    CHECK(receiver.handler.refused.size() == 1);
    const auto stale = co_await dial_peer(
        receiver.endpoint(), make_hello(identity(11), Channel::control, base::NodeId(21)), base::seconds(5));
    CHECK(reason(stale.value()) == RefusalReason::wrong_receiver);
    REQUIRE(receiver.handler.refused.size() == 2);
    CHECK(receiver.handler.refused.at(1).cluster == base::ClusterId(500));
    CHECK(receiver.handler.refused.at(1).node == base::NodeId(11));
    CHECK(receiver.handler.refused.at(1).name == "member-11");
    CHECK(receiver.handler.refused.at(1).address == "127.0.0.1:8011");
    CHECK(reason(co_await dial(receiver.endpoint(), identity(11, 1, 0))) == RefusalReason::no_cluster);
    CHECK(receiver.handler.refused.size() == 2);  // a dialler without a cluster is no news
    const auto answer = co_await exchange(
        receiver.endpoint(), make_hello(identity(11, 1, 0), Channel::raft, base::NodeId()), "who?", base::seconds(5));
    CHECK(answer.value() == "answer to member-11: who?");
    CHECK(receiver.handler.hellos.at(0).address == "127.0.0.1:8011");
    co_await receiver.stop();
  });
}

TEST_CASE("an exchange carries payloads up to its bound, and fails in its own ways") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    const auto hello = make_hello(identity(11), Channel::discovery, base::NodeId());
    const std::string large(bootstrap_payload_bytes_max - 100, 'p');
    const auto answer = co_await exchange(receiver.endpoint(), hello, large, base::seconds(5));
    CHECK(answer.value() == "answer to member-11: " + large);
    const auto too_large = co_await exchange(receiver.endpoint(), hello, large + large, base::seconds(5));
    CHECK(too_large.error() == base::Errc::limit_exceeded);
    CHECK((co_await exchange(receiver.endpoint(), hello, "slow", base::milliseconds(50))).error() ==
          base::Errc::timed_out);
    CHECK((co_await exchange(receiver.endpoint(), hello, "silent", base::seconds(5))).error() ==
          base::Errc::connection_lost);
    auto wrong = hello;
    wrong.receiver = base::NodeId(99);
    CHECK((co_await exchange(receiver.endpoint(), wrong, "x", base::seconds(5))).error() == base::Errc::wrong_receiver);
    const auto own = make_hello(identity(22), Channel::discovery, base::NodeId());
    CHECK((co_await exchange(receiver.endpoint(), own, "x", base::seconds(5))).error() == base::Errc::self_connection);
    CHECK((co_await exchange(fixture::loopback(1), hello, "x", base::seconds(5))).error() ==
          asio::error::connection_refused);
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 0; }));
    co_await receiver.stop();
  });
}

TEST_CASE("sessions over the limit are refused as overloaded") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    PeerAcceptorOptions options;
    options.sessions_max = 2;
    Receiver receiver(executor, identity(22), options);
    auto first = co_await connect(receiver.endpoint(), identity(11));
    auto second = co_await connect(receiver.endpoint(), identity(12));
    CHECK(reason(co_await dial(receiver.endpoint(), identity(13))) == RefusalReason::overloaded);
    first.reset();
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 1; }));
    auto third = co_await connect(receiver.endpoint(), identity(13));
    co_await receiver.stop();
  });
}

TEST_CASE("pings are answered with their own bytes") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto stream = co_await connect(receiver.endpoint(), identity(11));
    CHECK((co_await stream->write(encode_frame(FrameType::ping, "01234567"))).has_value());
    const auto pong = co_await stream->read_frame();
    REQUIRE(pong.has_value());
    CHECK(pong->type == FrameType::pong);
    CHECK(pong->payload == "01234567");
    co_await receiver.stop();
  });
}

TEST_CASE("a session that says nothing ends after the idle time-out, one that does not shake hands after its own") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    PeerAcceptorOptions options;
    options.idle_timeout = base::milliseconds(100);
    options.handshake_timeout = base::milliseconds(100);
    Receiver receiver(executor, identity(22), options);
    auto stream = co_await connect(receiver.endpoint(), identity(11));
    CHECK(co_await is_closed(stream.get()));
    CHECK(co_await fixture::talk(receiver.endpoint(), std::string(frame_magic)) == "");
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 0; }));
    co_await receiver.stop();
  });
}

TEST_CASE("bad frames end the session and nothing of them is delivered") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto damaged = messages_frame(from_to(11, 22));
    damaged.back() ^= 1;
    std::string undecodable;
    base::ByteWriter(undecodable).blob("no message");
    const std::vector<std::string> bad = {
        damaged,
        encode_frame(FrameType::messages, undecodable),
        encode_frame(FrameType::hello, "again"),
        encode_frame(FrameType::bootstrap, "wrong channel"),
        encode_header({.type = FrameType::messages, .payload_bytes = 0xffffffff}),
        std::string(100, 'g'),
    };
    for (const auto& bytes : bad) {
      auto stream = co_await connect(receiver.endpoint(), identity(11));
      CHECK((co_await stream->write(bytes)).has_value());
      CHECK(co_await is_closed(stream.get()));
    }
    CHECK(receiver.handler.messages.empty());
    CHECK(receiver.acceptor.counters().bad_frames == bad.size());
    co_await receiver.stop();
  });
}

TEST_CASE("random bytes behind the magic never crash the acceptor") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    PeerAcceptorOptions options;
    options.handshake_timeout = base::milliseconds(200);
    Receiver receiver(executor, identity(22), options);
    base::Rng rng(11);
    for (int round = 0; round < 100; ++round) {
      std::string payload(rng.in_range(0, 150), '\0');
      for (auto& byte : payload) byte = static_cast<char>(rng.next());
      auto bytes = rng.chance(1, 2) ? encode_frame(FrameType::hello, payload) : std::string(frame_magic) + payload;
      auto socket = co_await fixture::connect(receiver.endpoint());
      co_await asio::async_write(socket, asio::buffer(bytes), as_result);
      socket.shutdown(TcpSocket::shutdown_send);
      (void)co_await fixture::read_all(&socket, base::seconds(2));
    }
    auto stream = co_await connect(receiver.endpoint(), identity(11));
    CHECK(receiver.acceptor.session_count() >= 1);
    co_await receiver.stop();
  });
}

TEST_CASE("the sessions of a removed member are closed") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto removed = co_await connect(receiver.endpoint(), identity(11));
    auto kept = co_await connect(receiver.endpoint(), identity(12));
    receiver.acceptor.close_sessions(base::NodeId(11));
    CHECK(co_await is_closed(removed.get()));
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 1; }));
    co_await receiver.stop();
  });
}

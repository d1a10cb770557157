// The link to one member: delivers, reconnects, drops in a stated order, and never talks to the wrong one.
#include "net/peer_link.hpp"

#include "net/peer_fixture.hpp"

using namespace whitewater;
using namespace whitewater::net;
using fixture::Dialler;
using fixture::eventually;
using fixture::quick;
using fixture::Receiver;
using fixture::run_on_reactor;
using samples::identity;

namespace {

core::Heartbeat heartbeat(std::uint64_t round) {
  return {.commit = core::Index(1), .read_round = round, .released = core::Index(0)};
}

// A port that can be dialled, where nobody listens any more.
Endpoint closed_port(Executor executor) {
  TcpAcceptor acceptor(executor, fixture::loopback());
  return acceptor.local_endpoint();
}

}  // namespace

TEST_CASE("every kind of message arrives as it was sent") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    Dialler dialler(executor, identity(11), 22, {receiver.endpoint()});
    REQUIRE(co_await dialler.connected());
    const auto sent = samples::every_message();
    for (const auto& message : sent) CHECK(dialler.link.send(message));
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == sent.size(); }));
    for (const auto& message : sent) {
      const auto bytes = encode_message(message);
      const auto& received = receiver.handler.messages;
      CHECK(std::ranges::any_of(received, [&](const auto& candidate) { return encode_message(candidate) == bytes; }));
    }
    CHECK(receiver.handler.hellos.size() == 1);
    CHECK(receiver.handler.hellos[0].node == base::NodeId(11));
    CHECK(dialler.link.counters().sent_messages == sent.size());
    CHECK(co_await eventually([&] { return dialler.owner.last_round_trip.has_value(); }));
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("messages of one turn leave in one write and arrive in one batch") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto options = quick();
    options.ping_interval = base::seconds(10);
    Dialler dialler(executor, identity(11), 22, {receiver.endpoint()}, options);
    REQUIRE(co_await dialler.connected());
    CHECK(co_await eventually([&] { return dialler.owner.last_round_trip.has_value(); }));
    const auto writes_before = dialler.link.counters().stream.writes;
    for (std::uint64_t i = 0; i < 100; ++i) dialler.link.send(dialler.message(samples::append(i, 1, 64)));
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == 100; }));
    CHECK(dialler.link.counters().stream.writes - writes_before == 1);
    CHECK(receiver.handler.batch_count <= 2);
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("large appends arrive whole and in order") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto options = quick();
    options.idle_timeout = base::seconds(5);
    Dialler dialler(executor, identity(11), 22, {receiver.endpoint()}, options);
    REQUIRE(co_await dialler.connected());
    for (std::uint64_t i = 0; i < 8; ++i) {
      CHECK(dialler.link.send(dialler.message(samples::append(i, 1, core::entry_payload_bytes_max - 100))));
    }
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() >= 7; }));
    std::uint64_t last = 0;
    for (const auto& message : receiver.handler.messages) {
      const auto& entries = std::get<core::AppendRequest>(message.body).entries;
      CHECK(entries.at(0).index.value > last);
      last = entries.at(0).index.value;
      CHECK(entries.at(0).payload ==
            samples::append(last - 1, 1, core::entry_payload_bytes_max - 100).entries.at(0).payload);
    }
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("a link whose peer is restarted under a new address finds it there") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    auto first = std::make_unique<Receiver>(executor, identity(22, 1));
    Dialler dialler(executor, identity(11), 22, {first->endpoint()});
    REQUIRE(co_await dialler.connected());
    co_await first->stop();
    first.reset();
    CHECK(co_await eventually([&] { return !dialler.link.is_connected(); }));
    Receiver second(executor, identity(22, 2));
    dialler.owner.addresses = {closed_port(executor), second.endpoint()};
    REQUIRE(co_await dialler.connected());
    dialler.link.send(dialler.message(heartbeat(5)));
    CHECK(co_await eventually([&] { return second.handler.messages.size() == 1; }));
    CHECK(dialler.owner.up_count == 2);
    CHECK(dialler.owner.down_count == 1);
    CHECK(dialler.link.counters().connects == 2);
    co_await dialler.stop();
    co_await second.stop();
  });
}

TEST_CASE("without a connection urgent messages wait a moment, appends and proposals are refused") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    Dialler dialler(executor, identity(11), 22, {});
    CHECK(co_await eventually([&] { return dialler.owner.resolve_count > 2; }));
    CHECK(!dialler.link.send(dialler.message(samples::append(1, 1, 10))));
    CHECK(!dialler.link.send(dialler.message(core::ForwardedProposals{})));
    CHECK(dialler.link.send(dialler.message(heartbeat(1))));
    CHECK(dialler.link.counters().dropped_messages == 2);
    dialler.owner.addresses = {receiver.endpoint()};
    CHECK(co_await eventually([&] { return receiver.handler.messages.size() == 1; }));
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("what waited too long for a connection is not sent") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto options = quick();
    options.stale_after = base::milliseconds(20);
    Dialler dialler(executor, identity(11), 22, {}, options);
    dialler.link.send(dialler.message(heartbeat(1)));
    co_await sleep_for(base::milliseconds(60));
    dialler.owner.addresses = {receiver.endpoint()};
    REQUIRE(co_await dialler.connected());
    dialler.link.send(dialler.message(heartbeat(2)));
    CHECK(co_await eventually([&] { return !receiver.handler.messages.empty(); }));
    CHECK(std::get<core::Heartbeat>(receiver.handler.messages.at(0).body).read_round == 2);
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("a peer that reads nothing costs bounded memory, and heartbeats still overtake") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    // A port that shakes hands and then reads no more.
    TcpAcceptor acceptor(executor, fixture::loopback());
    auto options = quick();
    options.idle_timeout = base::seconds(20);
    options.queue.bytes_max = 8UL << 20;
    Dialler dialler(executor, identity(11), 22, {acceptor.local_endpoint()}, options);
    auto socket = co_await acceptor.async_accept(use_awaitable);
    FrameStream stream(std::move(socket), "", handshake_payload_bytes_max);
    CHECK((co_await stream.read_frame()).has_value());
    const HelloReply reply{.version = 1,
                           .cluster = base::ClusterId(500),
                           .node = base::NodeId(22),
                           .incarnation = base::Incarnation(1),
                           .name = "",
                           .address = ""};
    CHECK((co_await stream.write(encode_frame(FrameType::hello_reply, encode(reply)))).has_value());
    REQUIRE(co_await dialler.connected());
    for (std::uint64_t i = 0; i < 100; ++i) {
      dialler.link.send(dialler.message(samples::append(i, 1, 1UL << 20)));
      co_await sleep_for(base::microseconds(100));
    }
    CHECK(dialler.link.counters().dropped_messages > 50);
    CHECK(dialler.link.send(dialler.message(heartbeat(1))));
    co_await dialler.stop();
  });
}

TEST_CASE("a silent peer is given up after the idle time-out") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TcpAcceptor acceptor(executor, fixture::loopback());
    Dialler dialler(executor, identity(11), 22, {acceptor.local_endpoint()});
    FrameStream stream(co_await acceptor.async_accept(use_awaitable), "", handshake_payload_bytes_max);
    CHECK((co_await stream.read_frame()).has_value());
    const HelloReply reply{.version = 1,
                           .cluster = base::ClusterId(500),
                           .node = base::NodeId(22),
                           .incarnation = base::Incarnation(1),
                           .name = "",
                           .address = ""};
    CHECK((co_await stream.write(encode_frame(FrameType::hello_reply, encode(reply)))).has_value());
    REQUIRE(co_await dialler.connected());
    const auto before = now();
    CHECK(co_await eventually([&] { return !dialler.link.is_connected(); }));
    CHECK(now() - before >= base::milliseconds(200));
    co_await dialler.stop();
  });
}

TEST_CASE("a peer that accepts and never answers the hello does not hold the link") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TcpAcceptor silent(executor, fixture::loopback());
    Receiver receiver(executor, identity(22));
    auto options = quick();
    options.dial_timeout = base::milliseconds(50);
    Dialler dialler(executor, identity(11), 22, {silent.local_endpoint(), receiver.endpoint()}, options);
    CHECK(co_await dialler.connected());
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("a refused link tells its owner why and goes on trying") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22, 1, 600));
    Dialler dialler(executor, identity(11), 22, {receiver.endpoint()});
    CHECK(co_await eventually([&] { return dialler.owner.refusals.size() >= 2; }));
    CHECK(dialler.owner.refusals[0].reason == RefusalReason::wrong_cluster);
    CHECK(dialler.owner.refusals[0].cluster == base::ClusterId(600));
    CHECK(!dialler.link.is_connected());
    CHECK(receiver.handler.messages.empty());
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("S24: a stale address that leads to another member is passed over for the right one") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver wrong(executor, identity(33));
    Receiver right(executor, identity(22));
    Dialler dialler(executor, identity(11), 22, {wrong.endpoint(), right.endpoint()});
    REQUIRE(co_await dialler.connected());
    dialler.link.send(dialler.message(heartbeat(1)));
    CHECK(co_await eventually([&] { return right.handler.messages.size() == 1; }));
    CHECK(wrong.handler.messages.empty());
    CHECK(dialler.owner.refusals.at(0).reason == RefusalReason::wrong_receiver);
    co_await dialler.stop();
    co_await wrong.stop();
    co_await right.stop();
  });
}

TEST_CASE("redial_soon cuts the backoff short") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    Receiver receiver(executor, identity(22));
    auto options = quick();
    options.backoff_min = base::seconds(20);
    options.backoff_max = base::seconds(20);
    Dialler dialler(executor, identity(11), 22, {}, options);
    CHECK(co_await eventually([&] { return dialler.owner.resolve_count == 1; }));
    co_await sleep_for(base::milliseconds(10));
    dialler.owner.addresses = {receiver.endpoint()};
    dialler.link.redial_soon();
    CHECK(co_await dialler.connected());
    co_await dialler.stop();
    co_await receiver.stop();
  });
}

TEST_CASE("a closed link ends in every state, and sends nothing more") {
  run_on_reactor([](Executor executor) -> Awaitable<void> {
    TcpAcceptor silent(executor, fixture::loopback());
    Receiver receiver(executor, identity(22));
    Dialler connected(executor, identity(11), 22, {receiver.endpoint()});
    REQUIRE(co_await connected.connected());
    Dialler shaking_hands(executor, identity(11), 22, {silent.local_endpoint()});
    Dialler waiting(executor, identity(11), 22, {});
    CHECK(co_await eventually([&] { return waiting.owner.resolve_count > 0; }));
    for (auto* dialler : {&connected, &shaking_hands, &waiting}) {
      dialler->link.close();
      co_await dialler->tasks.join();  // returns: the link's coroutine has ended by itself
      CHECK(!dialler->link.is_connected());
      CHECK(!dialler->link.send(dialler->message(heartbeat(1))));
    }
    CHECK(co_await eventually([&] { return receiver.acceptor.session_count() == 0; }));
    co_await receiver.stop();
  });
}

// Two ends of the peer protocol on loopback: a member that receives, and a member that dials.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/peer_acceptor.hpp"
#include "net/peer_link.hpp"
#include "net/reactor_fixture.hpp"
#include "net/samples.hpp"

namespace whitewater::net::fixture {

class RecordingHandler final : public PeerHandler {
 public:
  explicit RecordingHandler(LocalIdentity self) : self(std::move(self)) {}
  [[nodiscard]] LocalIdentity identity() const override { return self; }
  void on_hello(const PeerInfo& peer) override { hellos.push_back(peer); }
  void on_refused_hello(const PeerInfo& dialler) override { refused.push_back(dialler); }
  void on_message(core::Message message) override {
    messages.push_back(std::move(message));
    is_in_batch = true;
  }
  void on_batch_end() override {
    CHECK(is_in_batch);
    is_in_batch = false;
    ++batch_count;
  }
  Awaitable<std::string> on_bootstrap(PeerInfo from, std::string payload) override {
    if (payload == "slow") co_await sleep_for(base::milliseconds(300));
    if (payload == "silent") co_return std::string();
    co_return "answer to " + from.name + ": " + payload;
  }
  void on_superseded(base::Incarnation newer) override { superseded_by = newer; }

  LocalIdentity self;
  std::vector<PeerInfo> hellos;
  std::vector<PeerInfo> refused;
  std::vector<core::Message> messages;
  int batch_count = 0;
  bool is_in_batch = false;
  base::Incarnation superseded_by;
};

// A member that accepts peers on a port of its own.
struct Receiver {
  Receiver(Executor executor, LocalIdentity self, PeerAcceptorOptions options = {}, ListenerOptions listening = {},
           SnapshotHandler* snapshots = nullptr)
      : handler(std::move(self)),
        acceptor(handler, watchdog, sink, options, snapshots),
        port(executor, {.peer = &acceptor, .http1 = nullptr, .http2 = nullptr}, watchdog, listening) {}
  Awaitable<void> stop() { co_await port.stop(); }
  [[nodiscard]] Endpoint endpoint() const { return port.endpoint(); }

  base::NullLogSink sink;
  Watchdog watchdog;
  RecordingHandler handler;
  PeerAcceptor acceptor;
  Port port;
};

class RecordingOwner final : public PeerLinkOwner {
 public:
  explicit RecordingOwner(LocalIdentity self) : self(std::move(self)) {}
  [[nodiscard]] LocalIdentity identity() const override { return self; }
  Awaitable<base::Result<std::vector<Endpoint>>> resolve(std::string) override {
    ++resolve_count;
    if (addresses.empty()) co_return base::Errc::not_found;
    co_return addresses;
  }
  void on_link_up(const PeerInfo&) override { ++up_count; }
  void on_link_down(base::NodeId, std::string) override { ++down_count; }
  void on_round_trip(base::NodeId, base::Duration duration) override { last_round_trip = duration; }
  void on_link_refused(base::NodeId, const Refusal& refusal) override { refusals.push_back(refusal); }

  LocalIdentity self;
  std::vector<Endpoint> addresses;
  std::vector<Refusal> refusals;
  std::optional<base::Duration> last_round_trip;
  int resolve_count = 0;
  int up_count = 0;
  int down_count = 0;
};

inline PeerLinkOptions quick() {
  PeerLinkOptions options;
  options.backoff_min = base::milliseconds(5);
  options.backoff_max = base::milliseconds(20);
  options.ping_interval = base::milliseconds(30);
  options.idle_timeout = base::milliseconds(300);
  options.dial_timeout = base::milliseconds(500);
  return options;
}

// A member that dials `receiver_id`; its link runs until stop().
struct Dialler {
  Dialler(Executor executor, LocalIdentity self, std::uint64_t receiver_id, std::vector<Endpoint> addresses,
          PeerLinkOptions options = quick())
      : owner(std::move(self)),
        link(executor, {.id = base::NodeId(receiver_id), .name = "peer"}, options, owner, sink, base::Rng(receiver_id)),
        tasks(executor) {
    owner.addresses = std::move(addresses);
    tasks.spawn(link.run());
  }
  Awaitable<void> stop() {
    tasks.cancel();
    co_await tasks.join();
  }
  Awaitable<bool> connected() {
    co_return co_await eventually([this] { return link.is_connected(); });
  }
  [[nodiscard]] core::Message message(core::MessageBody body) const {
    return {.from = owner.self.node, .to = link.peer(), .term = core::Term(1), .body = std::move(body)};
  }

  base::NullLogSink sink;
  RecordingOwner owner;
  PeerLink link;
  TaskGroup tasks;
};

}  // namespace whitewater::net::fixture

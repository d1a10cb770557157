// BootstrapLoop: moves BootstrapFsm's actions to the network and the disk, and their completions back. Owned by the
// server for as long as the process runs, because a member answers HELLO for ever; reactor thread. Tasks live in its
// own TaskGroup, which run() joins. Does not decide anything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/log_line.hpp"
#include "discovery/bootstrap_fsm.hpp"
#include "net/event.hpp"
#include "net/reactor.hpp"
#include "net/task_group.hpp"

namespace whitewater::discovery {

// Implemented by the server over net's exchange(): resolve, dial, one bootstrap frame out, one back, close.
class BootstrapTransport {
 public:
  virtual ~BootstrapTransport() = default;
  // The reply's payload. The address is resolved at this very dial. Every implementation has a time-out of its own.
  virtual net::Awaitable<base::Result<std::string>> exchange(HostPort address, std::string payload) = 0;
};

// Implemented by the server over the meta record of the data directory.
class MetaStore {
 public:
  virtual ~MetaStore() = default;
  // Returns when the record is on stable storage. A failure is a FatalError exception, which ends the process.
  virtual net::Awaitable<void> persist(BootstrapMeta meta) = 0;
};

using BootstrapOutcome = std::variant<Found, Join>;

class BootstrapLoop {
 public:
  BootstrapLoop(net::Executor executor, BootstrapOptions options, BootstrapMeta meta, BootstrapTransport& transport,
                MetaStore& store, base::LogSink& log);

  // Runs until it is cancelled. A FatalError of the store comes out of here. Called once.
  net::Awaitable<void> run();
  // Waits until this member belongs to a cluster: at once when its meta already said so. Called once, while run() runs.
  net::Awaitable<BootstrapOutcome> outcome();
  // The answer to a peer's bootstrap frame. malformed, limit_exceeded or unsupported_version for bytes that do not
  // decode, too_many_requests above bootstrap_requests_max, stopped after run() ended.
  net::Awaitable<base::Result<std::string>> answer(std::string payload);

  // Who answers members that say good-bye; nobody before there is a cluster.
  using GoodbyeHandler = std::function<net::Awaitable<Ack>(Goodbye)>;
  void on_goodbye(GoodbyeHandler handler) { goodbye_handler_ = std::move(handler); }
  void on_peers(const PeerSet& peers);  // a PeerRefresher::Listener
  // Of the StatefulSet that this member's pod belongs to.
  void on_replicas(std::uint32_t replicas);
  void on_cluster_view(ClusterView view);
  // A member of a cluster was refused at the handshake (net::PeerHandler::on_refused_hello).
  void on_member_heard(base::ClusterId cluster_id, const std::string& name, const std::string& advertise);
  // Called once, when the cluster that this member waits for is gone. May throw what ends the process.
  void on_orphaned(std::function<void()> handler) { orphaned_handler_ = std::move(handler); }
  // Called for everybody who says HELLO or answers one, at any time. Must not suspend and must not throw.
  void on_peer_seen(std::function<void(const PeerInfo&)> observer) { observer_ = std::move(observer); }
  [[nodiscard]] const BootstrapStatus& status() const { return fsm_.status(); }
  [[nodiscard]] const BootstrapMeta& meta() const { return fsm_.meta(); }

 private:
  struct Waiter {
    net::Event answered;
    std::string reply;
    explicit Waiter(net::Executor executor) : answered(executor) {}
  };
  void pump();
  void perform(BootstrapAction action);
  void report_status();
  net::Awaitable<void> exchange_task(SendExchange action);
  net::Awaitable<void> persist_task(Persist action);
  net::Awaitable<void> tick_task();

  net::Executor executor_;
  BootstrapFsm fsm_;
  BootstrapTransport& transport_;
  MetaStore& store_;
  base::LogSink& log_;
  net::TaskGroup tasks_;
  net::Timer timer_;  // of tick_task; cancelled when the next tick may have moved
  net::Event decided_;
  std::optional<BootstrapOutcome> outcome_;
  std::map<std::uint64_t, std::shared_ptr<Waiter>> waiters_;
  std::uint64_t next_request_id_ = 1;
  GoodbyeHandler goodbye_handler_;
  std::function<void(const PeerInfo&)> observer_;
  std::function<void()> orphaned_handler_;
  std::string last_logged_;
  bool is_stopped_ = false;
};

// Requests that wait for an answer at one time.
inline constexpr std::size_t bootstrap_requests_max = 256;

}  // namespace whitewater::discovery

// Snapshots between members: SnapshotSender brings this leader's store to followers whose entries the log has released;
// SnapshotInstaller makes a store of what another leader sends and puts it in place of this member's own. Both are
// owned by the server and run on the reactor thread. They decide neither who needs a snapshot (core) nor what is in one
// (kv).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "kv/rocksdb_backend.hpp"
#include "kv/snapshot.hpp"
#include "net/snapshot_receiver.hpp"
#include "net/snapshot_sender.hpp"
#include "server/member.hpp"
#include "server/peers.hpp"
#include "server/store_slots.hpp"

namespace whitewater::server {

struct SnapshotCounters {
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;  // attempts that ended early; each is tried again while it is wanted
  std::uint64_t installed = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
};

class SnapshotSender {
 public:
  // `rate_bytes_per_s`: 0 is unlimited. Everything outlives the sender.
  SnapshotSender(net::Executor executor, Member& member, Peers& peers, std::uint64_t rate_bytes_per_s, base::Rng rng,
                 base::LogSink& sink, SnapshotCounters& counters);

  // Until cancelled; send() works while it runs.
  net::Awaitable<void> run();
  // The follower is sent snapshots, one after the other, until it follows the log again or this member leads no more.
  void send(base::NodeId peer);
  [[nodiscard]] bool is_sending() const { return !sending_.empty(); }

 private:
  struct Attempt;

  net::Awaitable<void> send_until_followed(base::NodeId peer);
  net::Awaitable<base::Result<base::Index>> send_once(base::NodeId peer, Attempt* attempt);
  [[nodiscard]] bool is_wanted(base::NodeId peer) const;

  net::Executor executor_;
  Member& member_;
  Peers& peers_;
  std::uint64_t rate_bytes_per_s_;
  base::Rng rng_;
  base::LogSink& sink_;
  SnapshotCounters& counters_;
  net::TaskGroup tasks_;
  std::map<base::NodeId, bool> sending_;
};

class SnapshotInstaller final : public net::SnapshotHandler {
 public:
  // `member` gives null until this process belongs to a cluster. `is_reading` tells whether the present store is still
  // read by a SnapshotSender, which it must outlive.
  SnapshotInstaller(net::Executor executor, StoreSlots& slots, kv::RocksdbOptions store_options,
                    std::function<Member*()> member, std::function<bool()> is_reading, base::LogSink& sink,
                    SnapshotCounters& counters);
  ~SnapshotInstaller() override;
  SnapshotInstaller(const SnapshotInstaller&) = delete;
  SnapshotInstaller& operator=(const SnapshotInstaller&) = delete;

  net::Awaitable<base::Result<std::string>> on_offer(net::PeerInfo from, net::SnapshotOffer offer) override;
  net::Awaitable<base::Result<void>> on_chunk(net::PeerInfo from, std::string_view bytes) override;
  net::Awaitable<base::Result<base::Index>> on_end(net::PeerInfo from, std::string_view trailer) override;
  // What has arrived stays for a while: the next offer of the same snapshot goes on from there.
  void on_abort(net::PeerInfo from) override;

  // Closes and removes replaced stores as soon as nobody reads them; until cancelled.
  net::Awaitable<void> run();

 private:
  struct Incoming;
  struct Retired {
    std::unique_ptr<kv::Store> store;
    std::string folder;
  };

  net::Awaitable<base::Result<void>> begin(net::PeerInfo from, net::SnapshotOffer offer);
  // Runs `work` on a thread of its own; the reactor goes on meanwhile. One at a time for each thread. An exception ends
  // the process.
  net::Awaitable<void> run_blocking(std::thread* thread, std::function<void()> work);
  void give_up();
  [[nodiscard]] base::Result<base::Index> install();

  net::Executor executor_;
  StoreSlots& slots_;
  kv::RocksdbOptions store_options_;
  std::function<Member*()> member_;
  std::function<bool()> is_reading_;
  base::LogSink& sink_;
  SnapshotCounters& counters_;
  std::unique_ptr<Incoming> incoming_;
  std::vector<Retired> retired_;
  std::thread opener_;  // opening and closing a store waits for its disk
  std::thread closer_;
};

}  // namespace whitewater::server

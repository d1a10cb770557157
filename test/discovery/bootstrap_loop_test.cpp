#include "discovery/bootstrap_loop.hpp"

#include "catch.hpp"
#include "reactor_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::milliseconds;
using base::seconds;

namespace {

class Disk final : public MetaStore {
 public:
  BootstrapMeta meta;
  int writes = 0;
  bool fails = false;
  net::Awaitable<void> persist(BootstrapMeta next) override {
    co_await net::sleep_for(milliseconds(1));
    if (fails) throw base::FatalError(base::ExitCode::disk, "the disk is gone");
    meta = std::move(next);
    ++writes;
  }
};

// Members that talk to each other in one reactor: an exchange is a call of the other one's answer().
class Switchboard final : public BootstrapTransport {
 public:
  std::map<std::string, BootstrapLoop*> members;
  net::Awaitable<base::Result<std::string>> exchange(HostPort address, std::string payload) override {
    co_await net::sleep_for(milliseconds(1));
    const auto it = members.find(pod_name_of(address.host));
    if (it == members.end()) co_return Errc::connection_lost;
    co_return co_await it->second->answer(std::move(payload));
  }
};

struct Node {
  Disk disk;
  std::unique_ptr<BootstrapLoop> loop;
};

BootstrapOptions options_of(int i, std::uint32_t expect) {
  BootstrapOptions options;
  options.name = "whitewater-" + std::to_string(i);
  options.node_id = base::NodeId(static_cast<std::uint64_t>(100 + i));
  options.incarnation = base::Incarnation(1);
  options.advertise = options.name + ".ww:8090";
  options.expect = expect;
  options.single = expect == 1;
  options.settle = milliseconds(100);
  options.poll_min = milliseconds(20);
  return options;
}

PeerSet peers(int count) {
  PeerSet set;
  set.is_known = true;
  for (int i = 0; i < count; ++i) {
    const auto name = "whitewater-" + std::to_string(i);
    set.peers.push_back(make_candidate(name, {name + ".ww", 8090}));
  }
  return set;
}

net::Awaitable<void> note_outcome(BootstrapLoop& loop, std::vector<BootstrapOutcome>& outcomes) {
  outcomes.push_back(co_await loop.outcome());
}

net::Awaitable<void> found_three(net::Executor executor) {
  Switchboard board;
  base::NullLogSink log;
  std::array<Node, 3> nodes;
  std::vector<BootstrapOutcome> outcomes;
  net::TaskGroup tasks(executor);
  const auto begin = net::now();
  for (int i = 0; i < 3; ++i) {
    auto& node = nodes[static_cast<std::size_t>(i)];
    node.loop = std::make_unique<BootstrapLoop>(executor, options_of(i, 3), BootstrapMeta{}, board, node.disk, log);
    board.members["whitewater-" + std::to_string(i)] = node.loop.get();
    tasks.spawn(node.loop->run());
    tasks.spawn(note_outcome(*node.loop, outcomes));
    node.loop->on_peers(peers(3));
  }
  while (outcomes.size() < 3 && net::now() - begin < seconds(5)) co_await net::sleep_for(milliseconds(5));
  REQUIRE(outcomes.size() == 3);
  for (const auto& outcome : outcomes) {
    REQUIRE(std::get<Found>(outcome).configuration == std::get<Found>(outcomes.front()).configuration);
  }
  for (const auto& node : nodes) {
    REQUIRE(node.disk.meta == nodes[0].disk.meta);
    REQUIRE(node.disk.writes == 2);  // prepared, member
    REQUIRE(node.loop->status().phase == BootstrapPhase::founded);
  }
  tasks.cancel();
  co_await tasks.join();
  REQUIRE((co_await nodes[0].loop->answer(encode(BootstrapRequest(Hello{})))).error() == Errc::stopped);
}

net::Awaitable<void> found_one(net::Executor executor) {
  Switchboard board;
  base::NullLogSink log;
  Node node;
  node.loop = std::make_unique<BootstrapLoop>(executor, options_of(0, 1), BootstrapMeta{}, board, node.disk, log);
  net::TaskGroup tasks(executor);
  std::vector<BootstrapOutcome> outcomes;
  tasks.spawn(node.loop->run());
  const auto begin = net::now();
  node.loop->on_peers(peers(1));
  (void)co_await node.loop->outcome();
  REQUIRE(net::now() - begin < milliseconds(100));
  REQUIRE((co_await node.loop->answer("nonsense")).error() == Errc::unsupported_version);
  const auto reply = co_await node.loop->answer(encode(BootstrapRequest(Hello{})));
  REQUIRE(std::get<HelloReply>(*decode_bootstrap_reply(*reply)).info.state == MemberState::member);
  tasks.cancel();
  co_await tasks.join();
  // A restart finds its decision in the record, without asking anybody.
  BootstrapLoop again(executor, options_of(0, 1), node.disk.meta, board, node.disk, log);
  const auto outcome = co_await again.outcome();
  REQUIRE(std::get<Found>(outcome).cluster_id == node.disk.meta.cluster_id);
}

net::Awaitable<void> fail_disk(net::Executor executor) {
  Switchboard board;
  base::NullLogSink log;
  Node node;
  node.disk.fails = true;
  node.loop = std::make_unique<BootstrapLoop>(executor, options_of(0, 1), BootstrapMeta{}, board, node.disk, log);
  net::TaskGroup tasks(executor);
  tasks.spawn(node.loop->run());
  node.loop->on_peers(peers(1));
  co_await tasks.join();
}

}  // namespace

TEST_CASE("three loops found one cluster on the reactor", "[bootstrap]") { run_on_reactor(found_three); }

TEST_CASE("a single member founds at once, and a restart remembers", "[bootstrap]") { run_on_reactor(found_one); }

TEST_CASE("a failed write of the meta record ends the run with its own error", "[bootstrap]") {
  REQUIRE_THROWS_AS(run_on_reactor(fail_disk), base::FatalError);
}

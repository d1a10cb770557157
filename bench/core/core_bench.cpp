// How many entries a second the core decides, and what they cost in heap allocations: three nodes in memory whose disks
// are durable at once and whose messages arrive in the order they were sent. No clock, no network.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <deque>
#include <new>

#include "base/assert.hpp"
#include "core/node.hpp"

namespace {

std::size_t allocation_count = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocation_count;
  const std::size_t step = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace whitewater::core {
namespace {

constexpr std::uint64_t nodes_count = 3;
constexpr std::size_t payload_bytes = 128;
constexpr std::uint64_t entries_between_releases = 4096;

class Cluster {
 public:
  Cluster() {
    Configuration configuration;
    for (std::uint64_t id = 1; id <= nodes_count; ++id) configuration.voters.push_back({NodeId(id), "n"});
    for (std::uint64_t id = 1; id <= nodes_count; ++id) {
      NodeOptions options;
      options.id = NodeId(id);
      NodeStart start;
      start.configuration = configuration;
      start.rng_seed = id;
      nodes_[id - 1] = std::make_unique<Node>(options, std::move(start));
    }
    now_ = leader().next_deadline();
    leader().on_tick(now_);
    drain();
    WW_ASSERT(leader().role() == Role::leader);
  }

  Node& leader() { return *nodes_[0]; }

  // Proposes `count` entries as one batch and lets the cluster decide them.
  void decide(std::uint64_t count, const SharedBytes& payload) {
    const std::size_t before = allocation_count;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto accepted = leader().on_propose(now_, {{NodeId(1), ++sequence_}, payload});
      WW_ASSERT(accepted.has_value());
    }
    leader_allocations_ += allocation_count - before;
    drain();
    WW_ASSERT(leader().handed_to_apply() == leader().log().last_index());
    // As after a checkpoint: the log in memory stays small.
    if (leader().log().last_index() - leader().log().first_index() >= entries_between_releases) {
      for (auto& node : nodes_) node->on_released(node->handed_to_apply());
    }
  }

  [[nodiscard]] std::size_t leader_allocations() const { return leader_allocations_; }

 private:
  void drain() {
    bool is_busy = true;
    while (is_busy) {
      is_busy = false;
      for (auto& node : nodes_) is_busy |= step(*node);
    }
  }

  bool step(Node& node) {
    const std::size_t before = allocation_count;
    Output output = node.take_output();
    const bool is_busy = !output.empty();
    if (output.persist) node.on_persisted(now_, output.persist->token);
    if (&node == nodes_[0].get()) leader_allocations_ += allocation_count - before;
    for (auto* messages : {&output.messages, &output.after_persist}) {
      for (Message& m : *messages) deliver(std::move(m));
    }
    return is_busy;
  }

  void deliver(Message message) {
    Node& node = *nodes_[message.to.value - 1];
    const std::size_t before = allocation_count;
    node.on_message(now_, std::move(message));
    if (&node == nodes_[0].get()) leader_allocations_ += allocation_count - before;
  }

  std::array<std::unique_ptr<Node>, nodes_count> nodes_;
  base::Instant now_;  // stands still after the election
  std::uint64_t sequence_ = 0;
  std::size_t leader_allocations_ = 0;
};

void decide_batches(benchmark::State& state) {
  const auto batch = static_cast<std::uint64_t>(state.range(0));
  Cluster cluster;
  const SharedBytes payload(std::string(payload_bytes, 'x'));
  for (int i = 0; i < 200; ++i) cluster.decide(batch, payload);
  const std::size_t leader_before = cluster.leader_allocations();
  const std::size_t all_before = allocation_count;
  for (auto _ : state) cluster.decide(batch, payload);
  const auto batches = static_cast<double>(state.iterations());
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["leader_allocs_per_batch"] =
      static_cast<double>(cluster.leader_allocations() - leader_before) / batches;
  state.counters["leader_allocs_per_entry"] =
      static_cast<double>(cluster.leader_allocations() - leader_before) / batches / static_cast<double>(batch);
  state.counters["all_allocs_per_batch"] = static_cast<double>(allocation_count - all_before) / batches;
}

}  // namespace

BENCHMARK(decide_batches)->Arg(1)->Arg(8)->Arg(64)->Arg(512)->Unit(benchmark::kMicrosecond);

}  // namespace whitewater::core

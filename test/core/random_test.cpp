// Seeded random runs: a cluster under loss, delay, duplication, reordering, partitions, slow disks and crashes, checked
// after every step; then everything heals and the cluster must make progress. WHITEWATER_SEED=N runs one seed,
// WHITEWATER_SEEDS=N the first N.
#include <cstdlib>

#include "catch.hpp"
#include "core/random_checker.hpp"

namespace whitewater::core::test {
namespace {

constexpr std::uint64_t seeds = 1000;
constexpr int steps = 3000;
constexpr std::size_t network_messages_max = 300;  // more are dropped
constexpr int heal_rounds_max = 4000;

// Drawn per seed (swarm testing): what is rare in one run is common in another.
struct Chaos {
  std::uint64_t drop_percent;
  std::uint64_t duplicate_percent;
  std::uint64_t crash_permille;
  std::uint64_t cut_permille;
  std::uint64_t write_percent;  // chance that a due disk write completes
  std::uint64_t propose_percent;
  bool in_order;  // deliver the oldest message instead of any
};

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed) : rng_(seed), cluster_(checker_) {
    chaos_ = {rng_.in_range(0, 12),  rng_.in_range(0, 8),  rng_.in_range(0, 40), rng_.in_range(0, 15),
              rng_.in_range(5, 100), rng_.in_range(2, 20), rng_.chance(1, 3)};
    const std::uint64_t count = rng_.chance(1, 2) ? 3 : 5;
    Configuration configuration = make_configuration(count == 3 ? Ids{1, 2, 3} : Ids{1, 2, 3, 4, 5});
    if (count == 5 && rng_.chance(1, 3)) configuration = make_configuration({1, 2, 3}, {2, 3, 4}, {5});
    NodeOptions options;
    options.election_timeout = base::milliseconds(100);
    options.heartbeat_interval = base::milliseconds(20);
    options.window.messages_max = rng_.in_range(1, 4);
    options.append_bytes_max = rng_.in_range(100, 2000);
    options.cache_bytes_max = rng_.chance(1, 2) ? 1 : 1UL << 20;
    options.apply_entries_max = rng_.in_range(1, 20);
    for (std::uint64_t id = 1; id <= count; ++id) {
      options.id = NodeId(id);
      cluster_.add_member(options, configuration);
      cluster_.member(id).automatic_disk = false;
    }
    count_ = count;
  }

  std::string run() {
    for (int i = 0; i < steps && checker_.violation().empty(); ++i) step();
    return checker_.violation();
  }

  // Everything works again: all members must come to apply a new proposal.
  std::string heal() {
    cluster_.heal();
    for (std::uint64_t id = 1; id <= count_; ++id) {
      if (!cluster_.is_up(id)) cluster_.restart(id);
      cluster_.set_automatic_disk(id, true);
    }
    bool proposed = false;
    for (int round = 0; round < heal_rounds_max && checker_.violation().empty(); ++round) {
      for (std::uint64_t id = 1; id <= count_; ++id) cluster_.tick(id, base::milliseconds(5));
      while (!cluster_.network().empty()) deliver(0);
      if (!proposed && round > 200) proposed = propose(rng_.in_range(1, count_));
      if (proposed && is_everything_applied()) return checker_.violation();
    }
    return checker_.violation().empty() ? "no progress after healing:\n" + describe_all() : checker_.violation();
  }

  [[nodiscard]] const RandomChecker& checker() const { return checker_; }

 private:
  [[nodiscard]] std::string describe_all() {
    std::string text;
    for (std::uint64_t id = 1; id <= count_; ++id) {
      text += cluster_.node(id).describe() + "\n";
      for (const auto& [peer, progress] : cluster_.node(id).progress()) {
        text += "  " + std::to_string(peer.value) + " " + describe(progress) + "\n";
      }
    }
    return text;
  }

  [[nodiscard]] bool is_everything_applied() {
    const std::size_t all = checker_.committed().size();
    bool last_is_here = false;
    for (std::uint64_t id = 1; id <= count_; ++id) {
      const auto& applied = cluster_.member(id).applied;
      if (applied.size() != all || cluster_.node(id).log().last_index().value != all) return false;
      last_is_here = last_is_here || (all > 0 && applied.back().request.sequence == next_request_ - 1);
    }
    return last_is_here;
  }

  bool propose(std::uint64_t id) {
    const std::uint64_t sequence = next_request_++;
    return cluster_.propose(id, {{NodeId(id), sequence}, make_payload(std::string(rng_.in_range(1, 60), 'p'))})
        .has_value();
  }

  void deliver(std::size_t position) {
    auto& network = cluster_.network();
    Message message = network[position];
    // The transport sends a frame at most once: a proposal that is forwarded twice would be applied twice.
    const bool may_duplicate = !std::holds_alternative<ForwardedProposals>(message.body);
    if (!may_duplicate || !rng_.chance(chaos_.duplicate_percent, 100) || network.size() > 100) {
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(position));
    }
    if (cluster_.can_pass(message)) cluster_.deliver(std::move(message));
  }

  void step_network() {
    auto& network = cluster_.network();
    while (network.size() > network_messages_max) {
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(rng_.in_range(0, network.size() - 1)));
    }
    if (network.empty()) return;
    const std::size_t position = chaos_.in_order ? 0 : rng_.in_range(0, network.size() - 1);
    if (rng_.chance(chaos_.drop_percent, 100)) {
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(position));
    } else {
      deliver(position);
    }
  }

  void step_faults(std::uint64_t id) {
    if (!cluster_.is_up(id)) {
      if (rng_.chance(1, 10)) cluster_.restart(id);
      return;
    }
    if (rng_.chance(chaos_.crash_permille, 1000)) {
      crash(id);
      return;
    }
    if (rng_.chance(chaos_.cut_permille, 1000)) cluster_.cut(id, rng_.in_range(1, count_));
    if (rng_.chance(1, 60)) cluster_.heal();
    if (rng_.chance(1, 200)) cluster_.connect(id, rng_.in_range(1, count_));
    if (rng_.chance(1, 300)) cluster_.transfer(id);
    if (rng_.chance(1, 50)) release(id);
  }

  void crash(std::uint64_t id) {
    MemberEnv& member = cluster_.member(id);
    // The state machine persists on its own, never beyond the durable log.
    const std::uint64_t durable =
        std::min<std::uint64_t>(member.applied.size(), member.node->log().durable_index().value);
    member.durable_applied = Index(rng_.in_range(member.durable_applied.value, durable));
    cluster_.crash(id);
  }

  void release(std::uint64_t id) {
    MemberEnv& member = cluster_.member(id);
    const std::uint64_t durable =
        std::min<std::uint64_t>(member.applied.size(), member.node->log().durable_index().value);
    member.durable_applied = Index(rng_.in_range(member.durable_applied.value, durable));
    const Index upto = std::min(member.durable_applied, member.node->releasable());
    if (upto >= member.node->log().first_index()) cluster_.release(id, upto);
  }

  void step() {
    const std::uint64_t id = rng_.in_range(1, count_);
    const std::uint64_t dice = rng_.in_range(1, 100);
    step_faults(id);
    if (dice <= 60) {
      for (int i = 0; i < 3; ++i) step_network();
    } else if (dice <= 80) {
      for (int i = 0; i < 2 && rng_.chance(chaos_.write_percent, 100); ++i) cluster_.complete_write(id);
    } else if (dice <= 92) {
      cluster_.tick(id, base::milliseconds(rng_.in_range(1, 40)));
    } else if (cluster_.is_up(id)) {
      if (rng_.chance(chaos_.propose_percent * 4, 100)) propose(id);
      if (rng_.chance(1, 4)) {
        const std::uint64_t tag = next_tag_++;
        checker_.on_read_started(tag);
        static_cast<void>(cluster_.read(id, tag));
      }
    }
  }

  base::Rng rng_;
  Chaos chaos_{};
  RandomChecker checker_;
  ClusterEnv cluster_;
  std::uint64_t count_ = 0;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_tag_ = 1;
};

}  // namespace

TEST_CASE("random runs keep Raft's promises and recover") {
  const char* one = std::getenv("WHITEWATER_SEED");
  const char* many = std::getenv("WHITEWATER_SEEDS");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : many != nullptr ? std::strtoull(many, nullptr, 10) : seeds;
  std::uint64_t committed = 0;
  std::uint64_t reads = 0;
  std::uint64_t terms = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("WHITEWATER_SEED=" << seed);
    RandomRun run(seed);
    REQUIRE(run.run() == "");
    REQUIRE(run.heal() == "");
    committed += run.checker().committed().size();
    reads += run.checker().reads_done();
    terms += run.checker().committed().back().term.value;
  }
  // The runs must not be idle: this is a half of what is usual.
  INFO("committed " << committed << " entries, answered " << reads << " reads, in " << terms << " terms");
  if (one != nullptr) return;
  CHECK(committed > 10 * last);
  CHECK(reads > 5 * last);
  CHECK(terms > 3 * last);
}

}  // namespace whitewater::core::test

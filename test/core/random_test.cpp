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
constexpr std::uint64_t joiners = 2;  // members that no configuration names at first

// Drawn per seed (swarm testing): what is rare in one run is common in another.
struct Chaos {
  std::uint64_t drop_percent;
  std::uint64_t duplicate_percent;
  std::uint64_t crash_permille;
  std::uint64_t cut_permille;
  std::uint64_t write_percent;  // chance that a due disk write completes
  std::uint64_t propose_percent;
  std::uint64_t change_permille;
  std::uint64_t snapshot_percent;  // chance that a snapshot that is wanted arrives
  bool release_early;              // also what a follower still needs
  bool in_order;                   // deliver the oldest message instead of any
};

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed) : rng_(seed), cluster_(checker_) {
    chaos_ = {rng_.in_range(0, 12),
              rng_.in_range(0, 8),
              rng_.in_range(0, 40),
              rng_.in_range(0, 15),
              rng_.in_range(5, 100),
              rng_.in_range(2, 20),
              rng_.chance(1, 2) ? rng_.in_range(5, 100) : 0,
              rng_.in_range(1, 50),
              rng_.chance(1, 2),
              rng_.chance(1, 3)};
    std::uint64_t count = rng_.chance(1, 2) ? 3 : 5;
    Configuration configuration = make_configuration(count == 3 ? Ids{1, 2, 3} : Ids{1, 2, 3, 4, 5});
    if (count == 5 && rng_.chance(1, 3)) configuration = make_configuration({1, 2, 3}, {2, 3, 4}, {5});
    NodeOptions options;
    options.election_timeout = base::milliseconds(100);
    options.heartbeat_interval = base::milliseconds(20);
    options.window.messages_max = rng_.in_range(1, 4);
    options.append_bytes_max = rng_.in_range(100, 2000);
    options.cache_bytes_max = rng_.chance(1, 2) ? 1 : 1UL << 20;
    options.apply_entries_max = rng_.in_range(1, 20);
    options.promotion_lag_entries_max = rng_.in_range(0, 10);
    if (chaos_.change_permille > 0) count += joiners;
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
    checker_.snapshots_wanted.clear();
    for (std::uint64_t id = 1; id <= count_; ++id) {
      for (const auto& [peer, progress] : cluster_.node(id).progress()) {
        if (progress.state() == Progress::State::snapshot) checker_.snapshots_wanted.insert({id, peer.value});
      }
    }
    for (int round = 0; round < heal_rounds_max && checker_.violation().empty(); ++round) {
      for (std::uint64_t id = 1; id <= count_; ++id) cluster_.tick(id, base::milliseconds(5));
      while (!cluster_.network().empty()) deliver(0);
      // One may be of no use until its receiver has heard of the term.
      for (int i = 0; i < 4 && !checker_.snapshots_wanted.empty(); ++i) send_snapshot();
      if (!proposed && round > 200 && leader() != 0) proposed = propose(leader());
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
    if (leader() == 0 || cluster_.node(leader()).configuration().is_joint()) return false;
    for (const Member& member : cluster_.node(leader()).configuration().members()) {
      const std::uint64_t id = member.id.value;
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

  [[nodiscard]] std::uint64_t leader() {
    std::uint64_t found = 0;
    for (std::uint64_t id = 1; id <= count_; ++id) {
      if (!cluster_.is_up(id) || cluster_.node(id).role() != Role::leader) continue;
      if (found == 0 || cluster_.node(id).term() > cluster_.node(found).term()) found = id;
    }
    return found;
  }

  // Mostly what `asker` believes to be possible.
  [[nodiscard]] ChangeKind draw_kind(std::uint64_t asker, NodeId member) {
    const Configuration& known = cluster_.node(asker).configuration();
    if (rng_.chance(1, 20)) return static_cast<ChangeKind>(rng_.in_range(1, 4));
    if (!known.contains(member)) return ChangeKind::add_learner;
    if (known.is_learner(member)) return rng_.chance(4, 5) ? ChangeKind::promote : ChangeKind::remove;
    return rng_.chance(1, 2) ? ChangeKind::demote : ChangeKind::remove;
  }

  void change(std::uint64_t id) {
    ConfigurationChange change;
    std::set<std::uint64_t> named;
    const std::uint64_t parts = rng_.in_range(1, 3);
    for (std::uint64_t i = 0; i < parts; ++i) {
      const std::uint64_t member = rng_.in_range(1, count_);
      if (!named.insert(member).second) continue;
      change.changes.push_back({draw_kind(id, NodeId(member)), make_members({member}).front()});
    }
    static_cast<void>(cluster_.change(id, {NodeId(id), next_request_++}, change));
  }

  void send_snapshot() {
    const auto [from, to] = *checker_.snapshots_wanted.begin();
    checker_.snapshots_wanted.erase(checker_.snapshots_wanted.begin());
    if (!cluster_.is_up(from) || !cluster_.is_up(to)) return;
    note_durable(from);
    cluster_.send_snapshot(from, to);
    const auto& progress = cluster_.node(from).progress();
    const auto found = progress.find(NodeId(to));
    const bool is_still_wanted = found != progress.end() && found->second.state() == Progress::State::snapshot;
    if (is_still_wanted) checker_.snapshots_wanted.insert({from, to});
  }

  void deliver(std::size_t position) {
    auto& network = cluster_.network();
    Message message = network[position];
    // The transport sends a frame at most once: a proposal that is forwarded twice would be applied twice.
    const bool may_duplicate = !std::holds_alternative<ForwardedProposals>(message.body) &&
                               !std::holds_alternative<ForwardedChange>(message.body);
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
    if (rng_.chance(chaos_.change_permille, 1000)) change(id);
    if (!checker_.snapshots_wanted.empty() && rng_.chance(chaos_.snapshot_percent, 100)) send_snapshot();
  }

  void crash(std::uint64_t id) {
    // The state machine persists on its own, never beyond the durable log.
    note_durable(id);
    cluster_.crash(id);
  }

  void note_durable(std::uint64_t id) {
    MemberEnv& member = cluster_.member(id);
    const std::uint64_t durable =
        std::min<std::uint64_t>(member.applied.size(), member.node->log().durable_index().value);
    member.durable_applied = Index(rng_.in_range(std::min(member.durable_applied.value, durable), durable));
  }

  void release(std::uint64_t id) {
    note_durable(id);
    MemberEnv& member = cluster_.member(id);
    // The log keeps what the state machine has not made durable in the log's own order.
    Index upto = std::min(member.durable_applied, member.disk.last());
    if (!chaos_.release_early) upto = std::min(upto, member.node->releasable());
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
  std::uint64_t snapshots = 0;
  std::uint64_t changes = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("WHITEWATER_SEED=" << seed);
    RandomRun run(seed);
    REQUIRE(run.run() == "");
    REQUIRE(run.heal() == "");
    committed += run.checker().committed().size();
    reads += run.checker().reads_done();
    snapshots += run.checker().snapshots_installed();
    changes += run.checker().changes_committed();
    terms += run.checker().committed().back().term.value;
  }
  // The runs must not be idle: this is a half of what is usual.
  INFO("committed " << committed << " entries, answered " << reads << " reads, in " << terms << " terms, " << snapshots
                    << " snapshots, " << changes << " configurations");
  if (one != nullptr) return;
  CHECK(committed > 10 * last);
  CHECK(reads > 5 * last);
  CHECK(terms > 3 * last);
  CHECK(snapshots > last / 2);
  CHECK(changes > last);
}

}  // namespace whitewater::core::test

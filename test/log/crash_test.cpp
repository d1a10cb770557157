// The crash model: exhaustive for up to three batches in flight, seeded and random beyond.
#include <cstdlib>

#include "catch.hpp"
#include "log/log_rig.hpp"

using namespace whitewater;
using namespace whitewater::log;

namespace {

// Ways in which a write of eight sectors can land: every prefix, every proper suffix, alternating sectors.
constexpr unsigned fates = 9 + 7 + 2;
bool has_landed(unsigned fate, std::size_t sector) {
  if (fate < 9) return sector < fate;
  if (fate < 16) return sector >= fate - 8;
  return sector % 2 == fate - 16;
}

// Random traffic: appends, votes, truncations, completions in any order, releases, crashes. Returns the first problem.
class RandomRun {
 public:
  RandomRun(std::uint64_t seed, const PlannerLimits& limits) : rng_(seed), rig_(limits, 2) {}

  std::string run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto problem = step();
      if (!problem.empty()) return "step " + std::to_string(i) + ": " + problem;
    }
    return {};
  }
  [[nodiscard]] int crashes() const { return crashes_; }
  LogRig& rig() { return rig_; }

 private:
  std::string step() {
    const auto dice = rng_.in_range(0, 99);
    if (dice < 45) {
      append();
    } else if (dice < 90) {
      complete_one();
    } else if (dice < 95) {
      const auto durable_last = std::min(rig_.durable().last, rig_.appended().last).value;
      if (durable_last > commit_) commit_ = rng_.in_range(commit_, durable_last);
      if (commit_ > 0) rig_.release(rng_.in_range(0, commit_));
    } else {
      ++crashes_;
      rig_.disk().crash_random(rng_);
      if (auto problem = rig_.recover_and_check(); !problem.empty()) return problem;
      term_ = std::max(term_, rig_.appended().hard_state.term.value);
    }
    return {};
  }

  void append() {
    const ModelState state = rig_.appended();
    LogAppend append;
    if (rng_.chance(1, 5)) {
      append.hard_state = core::HardState{Term(++term_), NodeId(rng_.in_range(0, 3))};
    }
    std::uint64_t next = state.last.value + 1;
    const bool truncates = rng_.chance(1, 8) && state.last.value > commit_;
    if (truncates) next = rng_.in_range(commit_ + 1, state.last.value), ++term_;
    std::uint64_t floor = 1;  // terms never fall along the log
    if (const auto it = state.entries.find(next - 1); it != state.entries.end()) floor = it->second.term.value;
    const auto bytes_max = rng_.chance(1, 10) ? 20000 : 2000;
    const auto count = rng_.in_range(truncates ? 1 : 0, 4);
    if (rig_.planner().is_full(count * 20000)) return;
    for (std::uint64_t i = 0; i < count; ++i) {
      append.entries.push_back(
          make_entry(next + i, std::max(term_, floor),
                     std::string(rng_.in_range(0, bytes_max), static_cast<char>(rng_.next() & 0x7f))));
    }
    rig_.append(std::move(append));
  }

  void complete_one() {
    const auto& pending = rig_.disk().pending();
    if (!pending.empty()) rig_.complete(pending[rng_.in_range(0, pending.size() - 1)].id);
  }

  base::Rng rng_;
  LogRig rig_;
  std::uint64_t term_ = 1;
  std::uint64_t commit_ = 0;
  int crashes_ = 0;
};

}  // namespace

TEST_CASE("every way in which up to three batches in flight can land leaves a prefix with everything durable") {
  // Intent: the exhaustive half of the crash model, then another crash behind the repair.
  auto limits = LogRig::small_limits();
  limits.eager_in_flight_max = 4;
  for (unsigned in_flight = 1; in_flight <= 3; ++in_flight) {
    unsigned combinations = 1;
    for (unsigned i = 0; i < in_flight; ++i) combinations *= fates;
    for (unsigned combination = 0; combination < combinations; ++combination) {
      LogRig rig(limits);
      rig.complete_all();
      rig.append_vote(1, 7);
      rig.complete_all();
      rig.append_entry(1, 1);
      rig.complete_all();
      for (unsigned i = 0; i < in_flight; ++i)
        rig.append_entry(2 + i, 1, std::string(3900, static_cast<char>('a' + i)));
      REQUIRE(rig.disk().pending().size() == in_flight);
      const auto first = rig.disk().pending().front().id;
      rig.disk().crash([&](const auto& write, std::size_t sector) {
        unsigned rest = combination;
        for (auto i = write.id - first; i > 0; --i) rest /= fates;
        return has_landed(rest % fates, sector);
      });
      auto problem = rig.recover_and_check();
      if (problem.empty()) {
        rig.append_entry(rig.last_recovered().last_index.value + 1, 1, "again");
        rig.complete_all();
        problem = rig.recover_and_check();
      }
      if (!problem.empty()) FAIL(in_flight << " in flight, combination " << combination << ": " << problem);
    }
  }
}

TEST_CASE("random traffic with crashes never loses what was durable and never refuses") {
  // Intent: the random half; WW_LOG_CRASH_SEED repeats one seed.
  const char* one = std::getenv("WW_LOG_CRASH_SEED");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : 150;
  int crashes = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    auto limits = LogRig::small_limits();
    limits.eager_in_flight_max = 1 + static_cast<std::uint32_t>(seed % 4);
    limits.segments_max = 3 + static_cast<std::uint32_t>(seed % 6);
    RandomRun run(seed, limits);
    const auto problem = run.run(500);
    if (!problem.empty()) FAIL("seed " << seed << ", " << problem);
    crashes += run.crashes();
  }
  CHECK(crashes > 0);
}

TEST_CASE("bit rot of what is durable is refused or touches only the last batches in flight") {
  // Intent: no damage is ever served: after a flipped bit recovery refuses, or what it returns is a true prefix that
  // lacks at most what no later batch can vouch for.
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    base::Rng rng(seed);
    LogRig rig;
    rig.complete_all();
    for (std::uint64_t i = 1; i <= 40; ++i) {
      rig.append_entry(i, 1, std::string(rng.in_range(1, 3000), 'd'));
      rig.complete_all();
    }
    const auto ref = rig.planner().locate(Index(rng.in_range(1, 40)));
    REQUIRE(ref.has_value());
    rig.disk().flip_bit(ref->slot, ref->offset_bytes + static_cast<std::uint32_t>(rng.in_range(0, 90)),
                        static_cast<int>(rng.in_range(0, 7)));
    auto result = recover(rig.disk(), {rig_node, ClusterId(0), Index(0), 64U << 20});
    if (ref->first < Index(40)) {
      if (!std::holds_alternative<RecoveryRefusal>(result)) FAIL("seed " << seed);
    } else {
      CHECK(std::get<RecoveredLog>(result).last_index == Index(39));
    }
  }
}

TEST_CASE("arbitrary bytes in a segment never crash recovery") {
  // Intent: robustness of the scan; lengths are bounded before use.
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    base::Rng rng(seed);
    LogRig rig;
    rig.complete_all();
    for (std::uint64_t i = 1; i <= 20; ++i) {
      rig.append_entry(i, 1, std::string(500, 'd'));
      rig.complete_all();
    }
    for (int i = 0; i < 40; ++i) {
      auto& bytes = rig.disk().bytes(static_cast<Slot>(rng.in_range(0, 2)));
      bytes[rng.in_range(0, bytes.size() - 1)] = static_cast<char>(rng.next());
    }
    (void)recover(rig.disk(), {rig_node, ClusterId(0), Index(0), 64U << 20});
  }
}

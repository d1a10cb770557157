// Bit rot where the format promises to notice it, on logs of a few segments with and without a crash before.
#include "sim/bit_rot.hpp"

#include "catch.hpp"
#include "log/log_rig.hpp"

using namespace whitewater;
using namespace whitewater::sim;

namespace {

void write_entries(log::LogRig& rig, std::uint64_t first, std::uint64_t last, std::size_t payload_bytes) {
  for (std::uint64_t i = first; i <= last; ++i) {
    rig.append_entry(i, 1, std::string(payload_bytes, 'a'));
    rig.complete_all();
  }
}

log::RecoveredLog recover_whole(log::LogRig& rig) {
  auto result = log::recover(rig.disk(), {log::rig_node, base::ClusterId(0), base::Index(0), 64U << 20});
  REQUIRE(std::holds_alternative<log::RecoveredLog>(result));
  return std::get<log::RecoveredLog>(std::move(result));
}

}  // namespace

TEST_CASE("what no later batch vouches for is left alone") {
  log::LogRig rig;
  CHECK(vouched_regions(rig.disk(), recover_whole(rig)).empty());
  write_entries(rig, 1, 10, 100);
  const auto regions = vouched_regions(rig.disk(), recover_whole(rig));
  // The header and all batches but the last: written one after the other, each vouches for the one before.
  CHECK(regions.size() == 10);
  CHECK(regions.back().sequence == 9);
  CHECK(regions.back().size_bytes == sizeof(log::BatchHeader) + log::entry_record_bytes + 100);
}

TEST_CASE("rot in whatever is vouched for is refused or does no harm") {
  // Intent: every seed damages another place; the rig's model knows what must be there.
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    base::Rng rng(seed);
    log::LogRig rig;
    write_entries(rig, 1, 30, 3000);
    if (rng.chance(1, 2)) rig.release(rng.in_range(1, 20));
    write_entries(rig, 31, 35, 3000);
    for (std::uint64_t i = 36; i < 39; ++i) rig.append_entry(i, 1);
    rig.disk().crash_random(rng);
    const auto done = rot(rig.disk(), recover_whole(rig), rng);
    REQUIRE(done);
    const std::string problem = rig.recover_and_check();
    INFO("seed " << seed << ": " << *done);
    CHECK((problem.empty() || problem.find("the log is ") == 0));
    refused += problem.empty() ? 0 : 1;
  }
  CHECK(refused > 350);
}

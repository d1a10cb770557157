// Configuration entries and changes of the configuration: what decodes encodes to the same bytes; what a change makes
// of a configuration decodes again, and no two majorities of neighbouring configurations miss each other.
#include "base/codec.hpp"
#include "core/membership.hpp"
#include "core/quorum.hpp"
#include "fuzz/fuzz.hpp"

namespace whitewater::fuzz {
namespace {

using namespace core;

// Members by the bits of `set`: who is in it decides for one configuration, all others for the next.
void check_majorities_meet(const Configuration& a, const Configuration& b, std::uint64_t set) {
  const auto is_in = [&](NodeId id) { return ((set >> (id.value * 0x9e3779b97f4a7c15U >> 58)) & 1U) != 0; };
  const bool decides_a = is_quorum(a, is_in);
  const bool decides_b = is_quorum(b, [&](NodeId id) { return !is_in(id); });
  WW_ASSERT_MSG(!decides_a || !decides_b, "two majorities without a common member");
}

void check_decodes(const Configuration& configuration) {
  const auto decoded = decode_configuration(encode(configuration));
  WW_ASSERT_MSG(decoded.has_value(), "a configuration that a change made does not decode");
  WW_ASSERT(*decoded == configuration);
  WW_ASSERT(normalized(configuration) == configuration);
}

std::string seed(const Configuration& configuration, const ConfigurationChange& change) {
  std::string out;
  base::ByteWriter writer(out);
  const std::string first = encode(configuration);
  writer.u64(0x5555555555555555U);
  writer.u16(static_cast<std::uint16_t>(first.size()));
  writer.bytes(first);
  writer.bytes(encode(change));
  return out;
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  const std::uint64_t set = choices.u64();
  const std::string_view first = choices.long_bytes();
  const std::string_view second = choices.rest();
  const auto configuration = decode_configuration(first);
  const auto change = decode_change(second);
  if (change) {
    WW_ASSERT_MSG(encode(*change) == second, "what decodes encodes to the same bytes");
    (void)describe(*change);
  }
  if (!configuration) return;
  WW_ASSERT_MSG(encode(*configuration) == first, "what decodes encodes to the same bytes");
  WW_ASSERT(normalized(*configuration) == *configuration);
  (void)describe(*configuration);
  if (configuration->is_joint()) {
    check_decodes(left_joint(*configuration));
    check_majorities_meet(*configuration, left_joint(*configuration), set);
  }
  if (!change) return;
  const auto next = next_configuration(*configuration, *change);
  if (!next) return;
  check_decodes(*next);
  WW_ASSERT(!next->voters.empty());
  check_majorities_meet(*configuration, *next, set);
  if (!next->is_joint()) return;
  check_decodes(left_joint(*next));
  check_majorities_meet(*next, left_joint(*next), set);
}

std::vector<std::string> fuzz_seeds() {
  const Member one{NodeId(1), "one:2380"};
  const Member two{NodeId(2), "two"};
  const Member three{NodeId(3), ""};
  const Member four{NodeId(4), "four"};
  const Configuration three_voters{{one, two, three}, {}, {four}};
  return {seed(three_voters, {{{ChangeKind::promote, four}}}),
          seed(three_voters, {{{ChangeKind::promote, four}, {ChangeKind::remove, three}}}),
          seed(three_voters, {{{ChangeKind::demote, two}, {ChangeKind::demote, three}}}),
          seed({{one}, {}, {}}, {{{ChangeKind::add_learner, two}}}),
          seed({{one, two}, {one, three}, {four}, {three}}, {{{ChangeKind::remove, one}}})};
}

}  // namespace whitewater::fuzz

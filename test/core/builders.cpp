#include "core/builders.hpp"

namespace whitewater::core::test {

std::vector<Member> make_members(const Ids& ids) {
  std::vector<Member> members;
  for (const std::uint64_t id : ids) members.push_back({NodeId(id), "n" + std::to_string(id)});
  return members;
}

Configuration make_configuration(const Ids& voters, const Ids& outgoing, const Ids& learners) {
  return normalized({make_members(voters), make_members(outgoing), make_members(learners)});
}

SharedBytes make_payload(std::string text) { return SharedBytes(std::move(text)); }

Entry make_command(std::uint64_t term, std::uint64_t index, std::string text) {
  return {Term(term), Index(index), EntryType::command, {NodeId(99), index}, make_payload(std::move(text))};
}

Entry make_noop(std::uint64_t term, std::uint64_t index) { return {Term(term), Index(index), EntryType::noop, {}, {}}; }

Entry make_configuration_entry(std::uint64_t term, std::uint64_t index, const Configuration& value) {
  return {Term(term), Index(index), EntryType::configuration, {}, make_payload(encode(value))};
}

std::vector<Entry> make_log(const std::vector<std::uint64_t>& terms) {
  std::vector<Entry> log;
  for (const std::uint64_t term : terms) log.push_back(make_command(term, log.size() + 1));
  return log;
}

Configuration random_configuration(base::Rng& rng, std::uint64_t ids_max) {
  Configuration c;
  for (std::uint64_t id = 1; id <= ids_max; ++id) {
    const bool voter = rng.chance(1, 2);
    const bool outgoing = rng.chance(1, 4);
    const Member member{NodeId(id), std::string(rng.in_range(0, 20), 'a')};
    if (voter) c.voters.push_back(member);
    if (outgoing) c.outgoing.push_back(member);
    if (!voter && !outgoing && rng.chance(1, 2)) c.learners.push_back(member);
  }
  if (c.voters.empty()) c.voters.push_back({NodeId(ids_max + 1), "last"});
  return c;
}

}  // namespace whitewater::core::test

#include "core/types.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/codec.hpp"

namespace whitewater::core {
namespace {

constexpr std::uint8_t configuration_format = 3;

bool has_id(const std::vector<Member>& members, NodeId id) {
  return std::any_of(members.begin(), members.end(), [&](const Member& m) { return m.id == id; });
}

void sort_unique(std::vector<Member>& members) {
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.id < b.id; });
  members.erase(
      std::unique(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.id == b.id; }),
      members.end());
}

void write_members(base::ByteWriter& w, const std::vector<Member>& members) {
  w.u16(static_cast<std::uint16_t>(members.size()));
  for (const Member& m : members) {
    w.u64(m.id.value);
    w.blob(m.name);
  }
}

bool read_members(base::ByteReader& r, std::vector<Member>& members) {
  const std::size_t count = r.u16();
  if (!r.ok() || count > configuration_members_max) return false;
  for (std::size_t i = 0; i < count; ++i) {
    Member m;
    m.id = NodeId(r.u64());
    m.name = std::string(r.blob(member_name_bytes_max));
    if (!r.ok() || m.id.is_zero() || (!members.empty() && !(members.back().id < m.id))) return false;
    members.push_back(std::move(m));
  }
  return true;
}

std::string describe_members(const std::vector<Member>& members) {
  std::string text;
  for (const Member& m : members) {
    fmt::format_to(std::back_inserter(text), "{}{}({})", text.empty() ? "" : " ", m.name, base::to_hex(m.id));
  }
  return text;
}

}  // namespace

bool Configuration::is_voter(NodeId id) const { return has_id(voters, id) || has_id(outgoing, id); }
bool Configuration::is_learner(NodeId id) const { return has_id(learners, id); }
bool Configuration::contains(NodeId id) const { return is_voter(id) || is_learner(id); }

const Member* Configuration::find(NodeId id) const {
  for (const auto* list : {&voters, &outgoing, &learners}) {
    for (const Member& m : *list) {
      if (m.id == id) return &m;
    }
  }
  return nullptr;
}

std::vector<Member> Configuration::members() const {
  std::vector<Member> all = voters;
  all.insert(all.end(), outgoing.begin(), outgoing.end());
  all.insert(all.end(), learners.begin(), learners.end());
  sort_unique(all);
  return all;
}

Configuration normalized(Configuration configuration) {
  sort_unique(configuration.voters);
  sort_unique(configuration.outgoing);
  sort_unique(configuration.learners);
  sort_unique(configuration.next_learners);
  return configuration;
}

std::string encode(const Configuration& configuration) {
  std::string out;
  base::ByteWriter w(out);
  w.u8(configuration_format);
  write_members(w, configuration.voters);
  write_members(w, configuration.outgoing);
  write_members(w, configuration.learners);
  write_members(w, configuration.next_learners);
  w.blob(std::string_view(configuration.reason).substr(0, change_reason_bytes_max));
  return out;
}

base::Result<Configuration> decode_configuration(std::string_view bytes) {
  base::ByteReader r(bytes);
  if (r.u8() != configuration_format) return base::make_error_code(base::Errc::unsupported_version);
  Configuration c;
  if (!read_members(r, c.voters) || !read_members(r, c.outgoing) || !read_members(r, c.learners) ||
      !read_members(r, c.next_learners)) {
    return base::make_error_code(base::Errc::malformed);
  }
  c.reason = std::string(r.blob(change_reason_bytes_max));
  if (!r.at_end()) return base::make_error_code(base::Errc::malformed);
  if (c.members().size() > 2 * configuration_members_max) return base::make_error_code(base::Errc::limit_exceeded);
  for (const Member& m : c.next_learners) {
    if (!has_id(c.outgoing, m.id) || has_id(c.voters, m.id)) return base::make_error_code(base::Errc::malformed);
  }
  for (const Member& m : c.learners) {
    if (c.is_voter(m.id)) return base::make_error_code(base::Errc::malformed);
  }
  return c;
}

std::string describe(EntryType type) {
  switch (type) {
    case EntryType::noop:
      return "noop";
    case EntryType::configuration:
      return "configuration";
    case EntryType::command:
      return "command";
  }
  return "unknown";
}

std::string describe(const Entry& entry) {
  return fmt::format("{}/{} {} {}B", entry.term.value, entry.index.value, describe(entry.type),
                     entry.payload.size_bytes());
}

std::string describe(const HardState& state) {
  return fmt::format("term={} vote={}", state.term.value, state.vote.is_zero() ? "-" : base::to_hex(state.vote));
}

std::string describe(const Configuration& configuration) {
  std::string text = "voters=[" + describe_members(configuration.voters) + "]";
  if (configuration.is_joint()) text += " outgoing=[" + describe_members(configuration.outgoing) + "]";
  if (!configuration.learners.empty()) text += " learners=[" + describe_members(configuration.learners) + "]";
  if (!configuration.next_learners.empty()) {
    text += " next_learners=[" + describe_members(configuration.next_learners) + "]";
  }
  return text;
}

}  // namespace whitewater::core

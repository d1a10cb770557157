// The values that the Raft core, the log and the peer protocol share: entries, hard state, configuration. Plain data;
// the log (log/record.hpp) and the wire (net/message_codec.hpp) own their encodings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"

namespace whitewater::core {

using base::ClusterId;
using base::Incarnation;
using base::Index;
using base::NodeId;
using base::SharedBytes;
using base::Term;

// Largest payload of one entry: etcd's default request limit (1.5 MiB) and room for its framing.
inline constexpr std::size_t entry_payload_bytes_max = 2UL << 20;
// Members of one configuration, learners included.
inline constexpr std::size_t configuration_members_max = 64;
inline constexpr std::size_t member_name_bytes_max = 253;  // a DNS name
inline constexpr std::size_t change_reason_bytes_max = 200;

enum class EntryType : std::uint8_t {
  noop = 1,           // a new leader's first entry (thesis §6.4: commits what earlier terms left)
  configuration = 2,  // payload: encode(Configuration)
  command = 3,        // payload: a command of the state machine, opaque to Raft
};

// Who proposed an entry: the member that the client talked to and its running number. The member that finds its own id
// on an applied entry answers its client. {0, 0} for entries that nobody waits for.
struct RequestId {
  NodeId node;
  std::uint64_t sequence = 0;  // unique per node over restarts: the incarnation is in the upper 24 bits
  bool operator==(const RequestId&) const = default;
};

struct Entry {
  Term term;
  Index index;
  EntryType type = EntryType::noop;
  RequestId request;
  SharedBytes payload;
  bool operator==(const Entry&) const = default;
};

// What Raft must never forget across a restart (thesis figure 3.1). The commit index is not part of it.
struct HardState {
  Term term;
  NodeId vote;  // zero: no vote in this term
  bool operator==(const HardState&) const = default;
};

struct Member {
  NodeId id;
  std::string name;  // resolved on every dial: a host name with or without ":port", or an address; never an identity
  bool operator==(const Member&) const = default;
};

// Who votes. While `outgoing` is not empty the configuration is joint (thesis §4.3): a decision needs a majority of
// `voters` and a majority of `outgoing`. Every list is sorted by id and holds no id twice; a learner is in neither list
// of voters. A voter that becomes a learner is in `outgoing` and `next_learners` until the joint configuration is left.
struct Configuration {
  std::vector<Member> voters;
  std::vector<Member> outgoing;
  std::vector<Member> learners;
  std::vector<Member> next_learners{};
  std::string reason{};  // why it came to be, for people; at most change_reason_bytes_max
  bool operator==(const Configuration&) const = default;

  [[nodiscard]] bool is_joint() const { return !outgoing.empty(); }
  [[nodiscard]] bool is_voter(NodeId id) const;  // in either list of voters
  [[nodiscard]] bool is_learner(NodeId id) const;
  [[nodiscard]] bool contains(NodeId id) const;
  [[nodiscard]] const Member* find(NodeId id) const;
  // Every member once, ordered by id.
  [[nodiscard]] std::vector<Member> members() const;
};

// Sorts the lists and drops repeated ids.
[[nodiscard]] Configuration normalized(Configuration configuration);
[[nodiscard]] std::string encode(const Configuration& configuration);
// malformed, limit_exceeded or unsupported_version.
[[nodiscard]] base::Result<Configuration> decode_configuration(std::string_view bytes);

[[nodiscard]] std::string describe(EntryType type);
[[nodiscard]] std::string describe(const Entry& entry);
[[nodiscard]] std::string describe(const HardState& state);
[[nodiscard]] std::string describe(const Configuration& configuration);

}  // namespace whitewater::core

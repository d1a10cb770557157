// What members say to each other before there is a cluster (kubernetes.md §3.6): the payload of net's bootstrap frames,
// always one request and one reply. HELLO asks; PREPARE, COMMIT and ABORT carry the two phases. Values and a bounded
// codec: decoding arbitrary bytes never crashes and never allocates more than the input's size. Does not decide
// anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "core/types.hpp"
#include "discovery/founders.hpp"

namespace whitewater::discovery {

inline constexpr std::uint8_t bootstrap_protocol_version = 2;
inline constexpr std::size_t bootstrap_message_bytes_max = 64UL << 10;
inline constexpr std::size_t reason_bytes_max = 512;

enum class MemberState : std::uint8_t {
  fresh = 0,     // an empty disk that promised nothing
  prepared = 1,  // promised one set of founders; only that set may be committed
  member = 2,    // belongs to a cluster, for good
  removed = 3,   // was removed from its cluster
};

// Who somebody is and where it stands; sent in HELLO and in every reply to it.
struct PeerInfo {
  std::string name;
  base::NodeId node_id;
  base::Incarnation incarnation;
  base::ClusterId cluster_id;  // zero: belongs to none
  MemberState state = MemberState::fresh;
  std::uint32_t expect = 0;  // 0: not stated
  std::string token;
  std::uint64_t set_hash = 0;  // prepared or founded with; 0: none
  std::uint64_t observed_hash =
      0;            // member_hash of whom it would found with, without a count; 0: nobody yet, or stated
  base::Term term;  // a member's, for people
  base::Index commit;
  std::string advertise;              // "host:port"
  std::vector<core::Member> members;  // of the cluster, from a member that knows them
  bool operator==(const PeerInfo&) const = default;
};

struct Hello {
  PeerInfo sender;
  bool operator==(const Hello&) const = default;
};
struct Prepare {
  base::NodeId sender;
  base::NodeId receiver;
  FounderSet set;
  bool operator==(const Prepare&) const = default;
};
struct Commit {
  base::NodeId sender;
  base::NodeId receiver;
  std::uint64_t set_hash = 0;
  base::ClusterId cluster_id;
  bool operator==(const Commit&) const = default;
};
// Only the coordinator that prepared a set and has not committed it may take it back.
struct Abort {
  base::NodeId sender;
  base::NodeId receiver;
  std::uint64_t set_hash = 0;
  std::uint64_t attempt = 0;
  bool operator==(const Abort&) const = default;
};
// A member is about to end, and tells what it knows of others that have: kubernetes.md §3.8 rule 6. Answered by an Ack
// that says whether the leader, if this is it, has nothing left to do before the sender may go.
struct Goodbye {
  struct Departure {
    base::NodeId node_id;
    base::Incarnation incarnation;  // of the run that ends
    bool is_for_good = false;       // its place was scaled in
    bool operator==(const Departure&) const = default;
  };
  base::NodeId sender;
  std::vector<Departure> departures;  // the sender's own first
  bool operator==(const Goodbye&) const = default;
};
using BootstrapRequest = std::variant<Hello, Prepare, Commit, Abort, Goodbye>;

struct HelloReply {
  PeerInfo info;
  bool operator==(const HelloReply&) const = default;
};
// To PREPARE, COMMIT and ABORT. `accepted` is sent only once what it promises is durable.
struct Ack {
  base::NodeId node_id;  // who answers
  bool accepted = false;
  MemberState state = MemberState::fresh;
  std::uint64_t set_hash = 0;
  base::ClusterId cluster_id;
  std::string reason;  // a sentence, when not accepted
  bool operator==(const Ack&) const = default;
};
using BootstrapReply = std::variant<HelloReply, Ack>;

[[nodiscard]] std::string encode(const BootstrapRequest& request);
[[nodiscard]] std::string encode(const BootstrapReply& reply);
// malformed, limit_exceeded or unsupported_version.
[[nodiscard]] base::Result<BootstrapRequest> decode_bootstrap_request(std::string_view bytes);
[[nodiscard]] base::Result<BootstrapReply> decode_bootstrap_reply(std::string_view bytes);

[[nodiscard]] std::string_view describe(MemberState state);
[[nodiscard]] std::string describe(const PeerInfo& info);
[[nodiscard]] std::string describe(const BootstrapRequest& request);
[[nodiscard]] std::string describe(const BootstrapReply& reply);

}  // namespace whitewater::discovery

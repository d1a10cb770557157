// The first exchange on every peer connection, both sides, as pure decisions: who is there, which cluster, which run of
// the member, which protocol. A dialler that is not accepted is told why. A stale address record may lead to another
// pod, so the dialler names the receiver it means (kubernetes.md §3.1), and an older run of a member never displaces a
// newer (§3.5). The loops are peer_dial.cpp and peer_acceptor.cpp. Does not authenticate: that is TLS's part.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "core/types.hpp"
#include "net/frame.hpp"

namespace whitewater::net {

inline constexpr std::uint16_t protocol_version_min = 1;
inline constexpr std::uint16_t protocol_version_max = 1;
inline constexpr std::size_t advertised_address_bytes_max = core::member_name_bytes_max + 6;  // name, ':' and a port
inline constexpr std::size_t refusal_text_bytes_max = 512;
// Senders whose newest incarnation is remembered; far above the members that a cluster can have in a lifetime of
// minutes.
inline constexpr std::size_t incarnation_senders_max = 1024;

// What a connection is for. Heartbeats and votes may get a connection of their own so that no bulk data is ahead of
// them.
enum class Channel : std::uint8_t {
  raft = 1,       // core messages of every kind
  control = 2,    // core messages that must not wait: heartbeats, votes, read rounds
  discovery = 3,  // one bootstrap exchange; open to members without a cluster
  snapshot = 4,   // bulk transfer
};

struct Hello {
  std::uint16_t version_min = protocol_version_min;
  std::uint16_t version_max = protocol_version_max;
  Channel channel = Channel::raft;
  base::ClusterId cluster;  // zero: no cluster yet
  base::NodeId sender;
  base::NodeId receiver;          // whom the dialler means; zero: whoever answers
  base::Incarnation incarnation;  // the sender's run
  std::string sender_name;        // pod name or the like, for people and for the membership rules of discovery
  std::string sender_address;     // host:port at which the sender can be dialled
  bool operator==(const Hello&) const = default;
};

struct HelloReply {
  std::uint16_t version = protocol_version_max;  // the one to use from here on
  base::ClusterId cluster;
  base::NodeId node;
  base::Incarnation incarnation;
  std::string name;
  std::string address;
  bool operator==(const HelloReply&) const = default;
};

enum class RefusalReason : std::uint8_t {
  malformed = 1,
  unsupported_version = 2,
  wrong_cluster = 3,
  wrong_receiver = 4,
  stale_incarnation = 5,
  self_connection = 6,
  no_cluster = 7,  // the receiver belongs to no cluster yet, so it takes no Raft messages
  overloaded = 8,  // too many peer connections
};

struct Refusal {
  RefusalReason reason = RefusalReason::malformed;
  base::ClusterId cluster;  // the refuser's
  base::NodeId node;
  base::Incarnation incarnation;  // stale_incarnation: the newest known of the dialler, else the refuser's own
  std::string text;               // a sentence with the next step
  bool operator==(const Refusal&) const = default;
};

// What this member says about itself.
struct LocalIdentity {
  base::ClusterId cluster;
  base::NodeId node;
  base::Incarnation incarnation;
  std::string name;
  std::string address;
};

// What an accepted handshake proved about the other side.
struct PeerInfo {
  Channel channel = Channel::raft;
  std::uint16_t version = protocol_version_max;
  base::ClusterId cluster;
  base::NodeId node;
  base::Incarnation incarnation;
  std::string name;
  std::string address;
};

[[nodiscard]] std::string encode(const Hello& hello);
[[nodiscard]] std::string encode(const HelloReply& reply);
[[nodiscard]] std::string encode(const Refusal& refusal);
// malformed, limit_exceeded.
[[nodiscard]] base::Result<Hello> decode_hello(std::string_view bytes);
[[nodiscard]] base::Result<HelloReply> decode_hello_reply(std::string_view bytes);
[[nodiscard]] base::Result<Refusal> decode_refusal(std::string_view bytes);

[[nodiscard]] std::string_view to_string(RefusalReason reason);
[[nodiscard]] std::string_view to_string(Channel channel);
[[nodiscard]] base::Errc to_errc(RefusalReason reason);

[[nodiscard]] Hello make_hello(const LocalIdentity& self, Channel channel, base::NodeId receiver);

// The newest incarnation seen of each member of this cluster.
class IncarnationTable {
 public:
  enum class Verdict { first, same, newer, older };
  [[nodiscard]] Verdict compare(base::NodeId sender, base::Incarnation incarnation) const;
  // Zero when unknown.
  [[nodiscard]] base::Incarnation newest(base::NodeId sender) const;
  // Keeps the newer one. When full, forgets the sender that was heard of longest ago.
  void record(base::NodeId sender, base::Incarnation incarnation);

 private:
  struct Seen {
    base::Incarnation incarnation;
    std::uint64_t order = 0;
  };
  std::map<base::NodeId, Seen> newest_;
  std::uint64_t order_ = 0;
};

// The acceptor's decision on the dialler's first frame.
struct Accepted {
  PeerInfo peer;
  HelloReply reply;
};
struct Refused {
  Refusal refusal;
  // Not zero: the dialler is a newer run of this very member, so this one has to end.
  base::Incarnation newer_own_incarnation = {};
  PeerInfo dialler = {};  // as it introduced itself, which proves nothing; empty when its hello does not decode
};
using AcceptDecision = std::variant<Accepted, Refused>;
[[nodiscard]] AcceptDecision decide_hello(const Hello& hello, const LocalIdentity& self, const IncarnationTable& seen);
// The same from the frame, malformed ones included; records an accepted sender on the raft and control channels.
[[nodiscard]] AcceptDecision on_first_frame(const Frame& frame, const LocalIdentity& self, IncarnationTable& seen);

// The dialler's decision on the acceptor's first frame.
using DialDecision = std::variant<PeerInfo, Refusal>;
[[nodiscard]] base::Result<DialDecision> decide_reply(const Frame& frame, const Hello& sent);

}  // namespace whitewater::net

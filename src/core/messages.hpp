// What members say to each other. Any message may be lost, duplicated, delayed without bound or reordered; the core
// stays safe. The transport drops a message whose sender, receiver or cluster is not the one it was meant for.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "core/membership.hpp"
#include "core/types.hpp"

namespace whitewater::core {

// Bounds of one message; the codec refuses more.
inline constexpr std::size_t message_entries_max = 4096;
inline constexpr std::size_t message_payload_bytes_max = 4UL << 20;
// No election gets here; a larger term is damage, and the member that took it over could never campaign again.
inline constexpr Term term_max{1UL << 62};

// Leader to follower (thesis §3.5). Empty `entries` carry the commit index or probe for a match.
struct AppendRequest {
  Index prev_index;
  Term prev_term;
  Index commit;
  std::vector<Entry> entries;  // contiguous, from prev_index + 1
};

// Sent only once what it acknowledges is durable.
struct AppendResponse {
  bool rejected = false;
  Index index;  // accepted: everything up to here matches and is durable; rejected: the prev_index that did not match
  Index hint_index;  // rejected: the largest index at which the follower could match
  Term hint_term;    // rejected: its term there
};

// Never waits for a disk. Proves leadership for reads and CheckQuorum.
struct Heartbeat {
  Index commit;                  // already cut to what this follower is known to hold
  std::uint64_t read_round = 0;  // of this broadcast; grows, never reused
  Index released;                // every member holds everything up to here, so nobody needs it from another's log
  Index leader_commit{};         // uncut: how far the cluster is, for a follower that is behind
};
struct HeartbeatResponse {
  std::uint64_t read_round = 0;  // echoes the Heartbeat
};

struct VoteRequest {
  bool pre_vote = false;  // thesis §9.6: asks without raising anybody's term
  bool transfer = false;  // the old leader asked for it: stickiness does not apply (thesis §4.2.3)
  Index last_index;
  Term last_term;
};
struct VoteResponse {
  bool pre_vote = false;
  bool granted = false;
};

// The leader asks this follower to campaign at once (thesis §3.10).
struct TimeoutNow {};

struct Proposal {
  RequestId request;
  SharedBytes payload;
};
// A follower hands its clients' proposals to the leader.
struct ForwardedProposals {
  std::vector<Proposal> proposals;
};
// The same for a change of the configuration (core/membership.hpp), one at a time.
struct ForwardedChange {
  RequestId request;
  ConfigurationChange change;
};
// The leader did not append them; their clients get `reason`.
struct ForwardRejected {
  std::vector<RequestId> requests;
  base::Errc reason = base::Errc::not_leader;
};

// A follower asks up to where it must have applied to serve the reads it has queued (thesis §6.4).
struct ReadIndexRequest {
  std::uint64_t tag = 0;  // the follower's own, never reused within its incarnation
};
struct ReadIndexResponse {
  std::uint64_t tag = 0;
  bool refused = false;
  Index index;
};

using MessageBody =
    std::variant<AppendRequest, AppendResponse, Heartbeat, HeartbeatResponse, VoteRequest, VoteResponse, TimeoutNow,
                 ForwardedProposals, ForwardedChange, ForwardRejected, ReadIndexRequest, ReadIndexResponse>;

struct Message {
  NodeId from;
  NodeId to;
  Term term;  // the sender's; for a pre-vote request the term it would campaign in
  MessageBody body;
};

[[nodiscard]] std::string describe(const Message& message);

}  // namespace whitewater::core

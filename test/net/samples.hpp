// Messages and identities that several tests of the peer protocol share.
#pragma once

#include <string>
#include <vector>

#include "core/messages.hpp"
#include "net/handshake.hpp"

namespace whitewater::net::samples {

inline core::Message message(core::MessageBody body) {
  return {.from = core::NodeId(11), .to = core::NodeId(22), .term = core::Term(7), .body = std::move(body)};
}

inline core::Entry entry(std::uint64_t index, std::string payload) {
  return {.term = core::Term(7),
          .index = core::Index(index),
          .type = core::EntryType::command,
          .request = {.node = core::NodeId(11), .sequence = index * 3},
          .payload = core::SharedBytes(std::move(payload))};
}

inline core::AppendRequest append(std::uint64_t prev_index, std::size_t count, std::size_t payload_bytes) {
  core::AppendRequest body{.prev_index = core::Index(prev_index),
                           .prev_term = core::Term(6),
                           .commit = core::Index(prev_index),
                           .entries = {}};
  for (std::size_t i = 1; i <= count; ++i) {
    body.entries.push_back(entry(prev_index + i, std::string(payload_bytes, static_cast<char>('a' + i % 26))));
  }
  return body;
}

// At least one of every variant and of every flag.
inline std::vector<core::Message> every_message() {
  using namespace core;
  std::vector<Message> all;
  const auto add = [&](MessageBody body) { all.push_back(message(std::move(body))); };
  add(append(41, 0, 0));
  add(append(41, 1, 0));
  add(append(41, 3, 100));
  add(append(0, 2, 20000));
  add(AppendResponse{.rejected = false, .index = Index(9), .hint_index = Index(), .hint_term = Term()});
  add(AppendResponse{.rejected = true, .index = Index(9), .hint_index = Index(5), .hint_term = Term(3)});
  add(Heartbeat{.commit = Index(8), .read_round = 77, .released = Index(6), .leader_commit = Index(9)});
  add(HeartbeatResponse{.read_round = 77});
  add(VoteRequest{.pre_vote = true, .transfer = false, .last_index = Index(4), .last_term = Term(2)});
  add(VoteRequest{.pre_vote = false, .transfer = true, .last_index = Index(4), .last_term = Term(2)});
  add(VoteResponse{.pre_vote = true, .granted = false});
  add(VoteResponse{.pre_vote = false, .granted = true});
  add(TimeoutNow{});
  add(ForwardedProposals{.proposals = {{.request = {NodeId(3), 4}, .payload = SharedBytes(std::string("one"))},
                                       {.request = {NodeId(3), 5}, .payload = SharedBytes()}}});
  add(ForwardRejected{.requests = {{NodeId(3), 4}, {NodeId(3), 5}}, .reason = base::Errc::too_many_requests});
  add(ReadIndexRequest{.tag = 12});
  add(ReadIndexResponse{.tag = 12, .refused = true, .index = Index(0)});
  add(ReadIndexResponse{.tag = 13, .refused = false, .index = Index(99)});
  return all;
}

inline LocalIdentity identity(std::uint64_t node, std::uint64_t incarnation = 1, std::uint64_t cluster = 500) {
  return {.cluster = base::ClusterId(cluster),
          .node = base::NodeId(node),
          .incarnation = base::Incarnation(incarnation),
          .name = "member-" + std::to_string(node),
          .address = "127.0.0.1:" + std::to_string(8000 + node)};
}

}  // namespace whitewater::net::samples

#include "net/handshake.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::net {
namespace {

Refused refuse(RefusalReason reason, const LocalIdentity& self, std::string text) {
  return {.refusal = {.reason = reason,
                      .cluster = self.cluster,
                      .node = self.node,
                      .incarnation = self.incarnation,
                      .text = std::move(text)}};
}

// A member meets its own id: it dialled its own address, or two runs of it are alive (a pod that was force-deleted
// while its node was unreachable). The older run is the one that ends.
Refused refuse_own_id(const Hello& hello, const LocalIdentity& self) {
  if (hello.incarnation == self.incarnation) {
    return refuse(RefusalReason::self_connection, self, "this is the dialling member itself");
  }
  if (hello.incarnation < self.incarnation) {
    return refuse(RefusalReason::stale_incarnation, self,
                  "a newer run of the dialling member exists (incarnation " + std::to_string(self.incarnation.value) +
                      "): this older one has to end");
  }
  auto refused =
      refuse(RefusalReason::self_connection, self, "the answering member is an older run of the dialling one");
  refused.newer_own_incarnation = hello.incarnation;
  return refused;
}

PeerInfo describe_dialler(const Hello& hello) {
  return {.channel = hello.channel,
          .version = std::min(hello.version_max, protocol_version_max),
          .cluster = hello.cluster,
          .node = hello.sender,
          .incarnation = hello.incarnation,
          .name = hello.sender_name,
          .address = hello.sender_address};
}

bool checks_cluster(Channel channel) { return channel != Channel::discovery; }

}  // namespace

Hello make_hello(const LocalIdentity& self, Channel channel, base::NodeId receiver) {
  return {.channel = channel,
          .cluster = self.cluster,
          .sender = self.node,
          .receiver = receiver,
          .incarnation = self.incarnation,
          .sender_name = self.name,
          .sender_address = self.address};
}

IncarnationTable::Verdict IncarnationTable::compare(base::NodeId sender, base::Incarnation incarnation) const {
  const auto found = newest_.find(sender);
  if (found == newest_.end()) return Verdict::first;
  if (incarnation == found->second.incarnation) return Verdict::same;
  return incarnation > found->second.incarnation ? Verdict::newer : Verdict::older;
}

base::Incarnation IncarnationTable::newest(base::NodeId sender) const {
  const auto found = newest_.find(sender);
  return found == newest_.end() ? base::Incarnation() : found->second.incarnation;
}

void IncarnationTable::record(base::NodeId sender, base::Incarnation incarnation) {
  WW_ASSERT(!sender.is_zero());
  auto& seen = newest_[sender];
  seen.incarnation = std::max(seen.incarnation, incarnation);
  seen.order = ++order_;
  if (newest_.size() <= incarnation_senders_max) return;
  const auto oldest = std::min_element(newest_.begin(), newest_.end(), [](const auto& left, const auto& right) {
    return left.second.order < right.second.order;
  });
  newest_.erase(oldest);
}

AcceptDecision decide_hello(const Hello& hello, const LocalIdentity& self, const IncarnationTable& seen) {
  if (hello.version_min > protocol_version_max || hello.version_max < protocol_version_min) {
    return refuse(RefusalReason::unsupported_version, self,
                  "this member speaks protocol versions " + std::to_string(protocol_version_min) + " to " +
                      std::to_string(protocol_version_max) + ", the dialler " + std::to_string(hello.version_min) +
                      " to " + std::to_string(hello.version_max));
  }
  // Before the receiver check: a member that meets its own id has to know it even when it was looking for another.
  if (hello.sender == self.node) return refuse_own_id(hello, self);
  // Before the receiver check too: at the address of another cluster nothing else is worth saying.
  if (checks_cluster(hello.channel) && !self.cluster.is_zero() && hello.cluster != self.cluster) {
    return refuse(RefusalReason::wrong_cluster, self,
                  "this member belongs to another cluster, " + base::to_hex(self.cluster) + ", the dialler to " +
                      base::to_hex(hello.cluster));
  }
  if (!hello.receiver.is_zero() && hello.receiver != self.node) {
    return refuse(RefusalReason::wrong_receiver, self,
                  "this is member " + base::to_hex(self.node) + ", not " + base::to_hex(hello.receiver) +
                      ": the address record is stale");
  }
  if (checks_cluster(hello.channel) && self.cluster.is_zero()) {
    return refuse(RefusalReason::no_cluster, self, "this member belongs to no cluster yet");
  }
  if (seen.compare(hello.sender, hello.incarnation) == IncarnationTable::Verdict::older) {
    auto refused =
        refuse(RefusalReason::stale_incarnation, self, "a newer run of the dialling member has connected already");
    refused.refusal.incarnation = seen.newest(hello.sender);
    return refused;
  }
  const auto version = std::min(hello.version_max, protocol_version_max);
  return Accepted{.peer = describe_dialler(hello),
                  .reply = {.version = version,
                            .cluster = self.cluster,
                            .node = self.node,
                            .incarnation = self.incarnation,
                            .name = self.name,
                            .address = self.address}};
}

AcceptDecision on_first_frame(const Frame& frame, const LocalIdentity& self, IncarnationTable& seen) {
  if (frame.type != FrameType::hello) {
    return refuse(RefusalReason::malformed, self, "the first frame of a connection is a hello");
  }
  const auto hello = decode_hello(frame.payload);
  if (hello.has_error()) return refuse(RefusalReason::malformed, self, "the hello does not decode");
  auto decision = decide_hello(*hello, self, seen);
  if (auto* refused = std::get_if<Refused>(&decision)) refused->dialler = describe_dialler(*hello);
  // Only the channels that prove the cluster fill the table: nobody else can make it forget.
  if (std::holds_alternative<Accepted>(decision) && checks_cluster(hello->channel)) {
    seen.record(hello->sender, hello->incarnation);
  }
  return decision;
}

base::Result<DialDecision> decide_reply(const Frame& frame, const Hello& sent) {
  if (frame.type == FrameType::refused) {
    auto refusal = decode_refusal(frame.payload);
    if (refusal.has_error()) return refusal.error();
    return DialDecision(std::move(*refusal));
  }
  if (frame.type != FrameType::hello_reply) return base::Errc::malformed;
  const auto reply = decode_hello_reply(frame.payload);
  if (reply.has_error()) return reply.error();
  if (reply->version < sent.version_min || reply->version > sent.version_max) return base::Errc::unsupported_version;
  // The acceptor checks the same; a dialler that trusts no acceptor's version still never sends to the wrong one.
  if (!sent.receiver.is_zero() && reply->node != sent.receiver) return base::Errc::wrong_receiver;
  if (checks_cluster(sent.channel) && reply->cluster != sent.cluster) return base::Errc::wrong_cluster;
  return DialDecision(PeerInfo{.channel = sent.channel,
                               .version = reply->version,
                               .cluster = reply->cluster,
                               .node = reply->node,
                               .incarnation = reply->incarnation,
                               .name = reply->name,
                               .address = reply->address});
}

}  // namespace whitewater::net

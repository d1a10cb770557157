// The first exchange of a peer connection: who is accepted, who is refused and what they are told.
#include "net/handshake.hpp"

#include "base/rng.hpp"
#include "catch.hpp"
#include "net/samples.hpp"

using namespace whitewater;
using namespace whitewater::net;
using samples::identity;

namespace {

const LocalIdentity self = identity(2, 5);
const LocalIdentity other = identity(1, 9);

std::optional<RefusalReason> refusal_of(const Hello& hello, const LocalIdentity& receiver = self,
                                        const IncarnationTable& seen = {}) {
  const auto decision = decide_hello(hello, receiver, seen);
  const auto* refused = std::get_if<Refused>(&decision);
  return refused == nullptr ? std::nullopt : std::optional(refused->refusal.reason);
}

Hello hello_to(std::uint64_t receiver, Channel channel = Channel::raft) {
  return make_hello(other, channel, base::NodeId(receiver));
}

Frame frame_of(FrameType type, std::string_view payload) {
  return {.type = type, .payload = payload, .owner = nullptr};
}

}  // namespace

TEST_CASE("hello, reply and refusal survive encoding") {
  const auto hello = hello_to(2, Channel::control);
  CHECK(decode_hello(encode(hello)).value() == hello);
  const HelloReply reply{.version = 1,
                         .cluster = self.cluster,
                         .node = self.node,
                         .incarnation = self.incarnation,
                         .name = "n",
                         .address = "a:1"};
  CHECK(decode_hello_reply(encode(reply)).value() == reply);
  const Refusal refusal{.reason = RefusalReason::wrong_receiver,
                        .cluster = self.cluster,
                        .node = self.node,
                        .incarnation = self.incarnation,
                        .text = "why"};
  CHECK(decode_refusal(encode(refusal)).value() == refusal);
}

TEST_CASE("names and addresses at their bounds fit the frame, longer ones are cut") {
  auto hello = hello_to(2);
  hello.sender_name.assign(5000, 'n');
  hello.sender_address.assign(5000, 'a');
  const auto decoded = decode_hello(encode(hello));
  REQUIRE(decoded.has_value());
  CHECK(decoded->sender_name.size() == core::member_name_bytes_max);
  CHECK(decoded->sender_address.size() == advertised_address_bytes_max);
}

TEST_CASE("fields that a later version appends are ignored") {
  CHECK(decode_hello(encode(hello_to(2)) + "more").value() == hello_to(2));
}

TEST_CASE("every prefix of a hello and random bytes are refused without a crash") {
  const auto bytes = encode(hello_to(2));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK(decode_hello(std::string_view(bytes).substr(0, size)).has_error());
  base::Rng rng(7);
  for (int round = 0; round < 5000; ++round) {
    std::string random(rng.in_range(0, 120), '\0');
    for (auto& byte : random) byte = static_cast<char>(rng.next());
    if (!random.empty()) random[0] = 1;
    (void)decode_hello(random);
    (void)decode_hello_reply(random);
    (void)decode_refusal(random);
  }
}

TEST_CASE("a hello without a sender, with an unknown channel or an empty range of versions is malformed") {
  auto hello = hello_to(2);
  hello.sender = base::NodeId();
  CHECK(decode_hello(encode(hello)).error() == base::Errc::malformed);
  hello = hello_to(2);
  hello.channel = static_cast<Channel>(9);
  CHECK(decode_hello(encode(hello)).error() == base::Errc::malformed);
  hello = hello_to(2);
  hello.version_min = 3;
  hello.version_max = 2;
  CHECK(decode_hello(encode(hello)).error() == base::Errc::malformed);
}

TEST_CASE("a member of the same cluster that means us is accepted on every channel") {
  for (const auto channel : {Channel::raft, Channel::control, Channel::discovery, Channel::snapshot}) {
    const auto decision = decide_hello(hello_to(2, channel), self, {});
    const auto* accepted = std::get_if<Accepted>(&decision);
    REQUIRE(accepted != nullptr);
    CHECK(accepted->peer.node == other.node);
    CHECK(accepted->peer.incarnation == other.incarnation);
    CHECK(accepted->peer.name == other.name);
    CHECK(accepted->peer.address == other.address);
    CHECK(accepted->peer.channel == channel);
    CHECK(accepted->reply.node == self.node);
    CHECK(accepted->reply.version == protocol_version_max);
  }
  CHECK(!refusal_of(hello_to(0)));  // whoever answers
}

TEST_CASE("each reason to refuse, and none other") {
  CHECK(refusal_of(hello_to(3)) == RefusalReason::wrong_receiver);
  CHECK(refusal_of(hello_to(3, Channel::discovery)) == RefusalReason::wrong_receiver);
  CHECK(refusal_of(make_hello(identity(1, 9, 501), Channel::raft, self.node)) == RefusalReason::wrong_cluster);
  CHECK(refusal_of(make_hello(identity(1, 9, 0), Channel::raft, self.node)) == RefusalReason::wrong_cluster);
  CHECK(refusal_of(hello_to(2), identity(2, 5, 0)) == RefusalReason::no_cluster);
  auto newer = hello_to(2);
  newer.version_min = protocol_version_max + 1;
  newer.version_max = protocol_version_max + 3;
  CHECK(refusal_of(newer) == RefusalReason::unsupported_version);
  auto wider = hello_to(2);
  wider.version_max = protocol_version_max + 3;
  CHECK(!refusal_of(wider));
}

TEST_CASE("discovery may cross clusters, and works for members without one") {
  CHECK(!refusal_of(make_hello(identity(1, 9, 501), Channel::discovery, self.node)));
  CHECK(!refusal_of(make_hello(identity(1, 9, 0), Channel::discovery, base::NodeId()), identity(2, 5, 0)));
}

TEST_CASE("a member that dials itself is told so") {
  const auto decision = decide_hello(make_hello(self, Channel::raft, base::NodeId()), self, {});
  const auto& refused = std::get<Refused>(decision);
  CHECK(refused.refusal.reason == RefusalReason::self_connection);
  CHECK(refused.newer_own_incarnation.is_zero());
}

TEST_CASE("of two runs of one member the older is the one to end") {
  auto older = self;
  older.incarnation = base::Incarnation(4);
  CHECK(refusal_of(make_hello(older, Channel::raft, base::NodeId())) == RefusalReason::stale_incarnation);
  auto newer = self;
  newer.incarnation = base::Incarnation(6);
  const auto decision = decide_hello(make_hello(newer, Channel::raft, base::NodeId(77)), self, {});
  CHECK(std::get<Refused>(decision).newer_own_incarnation == base::Incarnation(6));
}

TEST_CASE("an older run of a member is refused after a newer one, and told which") {
  IncarnationTable seen;
  seen.record(other.node, base::Incarnation(10));
  const auto decision = decide_hello(hello_to(2), self, seen);
  const auto& refusal = std::get<Refused>(decision).refusal;
  CHECK(refusal.reason == RefusalReason::stale_incarnation);
  CHECK(refusal.incarnation == base::Incarnation(10));
  seen = {};
  seen.record(other.node, base::Incarnation(9));
  CHECK(!refusal_of(hello_to(2), self, seen));
}

TEST_CASE("the incarnation table keeps the newest and forgets the longest unheard when full") {
  IncarnationTable table;
  using Verdict = IncarnationTable::Verdict;
  CHECK(table.compare(base::NodeId(1), base::Incarnation(3)) == Verdict::first);
  table.record(base::NodeId(1), base::Incarnation(3));
  table.record(base::NodeId(1), base::Incarnation(2));
  CHECK(table.compare(base::NodeId(1), base::Incarnation(3)) == Verdict::same);
  CHECK(table.compare(base::NodeId(1), base::Incarnation(2)) == Verdict::older);
  CHECK(table.compare(base::NodeId(1), base::Incarnation(4)) == Verdict::newer);
  for (std::uint64_t node = 2; node <= incarnation_senders_max; ++node)
    table.record(base::NodeId(node), base::Incarnation(1));
  table.record(base::NodeId(1), base::Incarnation(3));  // heard of again
  table.record(base::NodeId(999999), base::Incarnation(1));
  CHECK(table.compare(base::NodeId(1), base::Incarnation(3)) == Verdict::same);
  CHECK(table.compare(base::NodeId(2), base::Incarnation(1)) == Verdict::first);
}

TEST_CASE("only channels that prove the cluster are remembered") {
  IncarnationTable seen;
  const auto stranger = encode(make_hello(identity(1, 900, 501), Channel::discovery, base::NodeId()));
  CHECK(std::holds_alternative<Accepted>(on_first_frame(frame_of(FrameType::hello, stranger), self, seen)));
  CHECK(seen.newest(base::NodeId(1)).is_zero());
  const auto member = encode(hello_to(2));
  CHECK(std::holds_alternative<Accepted>(on_first_frame(frame_of(FrameType::hello, member), self, seen)));
  CHECK(seen.newest(base::NodeId(1)) == base::Incarnation(9));
}

TEST_CASE("a first frame that is no hello is refused") {
  IncarnationTable seen;
  for (const auto type : {FrameType::messages, FrameType::ping, FrameType::bootstrap, FrameType::hello_reply}) {
    const auto decision = on_first_frame(frame_of(type, encode(hello_to(2))), self, seen);
    CHECK(std::get<Refused>(decision).refusal.reason == RefusalReason::malformed);
  }
  CHECK(std::get<Refused>(on_first_frame(frame_of(FrameType::hello, "junk"), self, seen)).refusal.reason ==
        RefusalReason::malformed);
}

TEST_CASE("the dialler believes only an answer that fits what it sent") {
  const auto sent = hello_to(2);
  HelloReply reply{.version = 1,
                   .cluster = self.cluster,
                   .node = self.node,
                   .incarnation = self.incarnation,
                   .name = "n",
                   .address = "a"};
  const auto decide = [&] {
    const auto bytes = encode(reply);
    return decide_reply(frame_of(FrameType::hello_reply, bytes), sent);
  };
  REQUIRE(decide().has_value());
  CHECK(std::get<PeerInfo>(*decide()).node == self.node);
  reply.node = base::NodeId(3);
  CHECK(decide().error() == base::Errc::wrong_receiver);
  reply.node = self.node;
  reply.cluster = base::ClusterId(501);
  CHECK(decide().error() == base::Errc::wrong_cluster);
  reply.cluster = self.cluster;
  reply.version = 2;
  CHECK(decide().error() == base::Errc::unsupported_version);
  CHECK(decide_reply(frame_of(FrameType::messages, ""), sent).error() == base::Errc::malformed);
  const auto refusal = encode(
      Refusal{.reason = RefusalReason::overloaded, .cluster = {}, .node = {}, .incarnation = {}, .text = "full"});
  const auto refused = decide_reply(frame_of(FrameType::refused, refusal), sent);
  CHECK(std::get<Refusal>(*refused).text == "full");
}

TEST_CASE("every reason has a name and an error of its own kind") {
  for (int reason = 1; reason <= static_cast<int>(RefusalReason::overloaded); ++reason) {
    CHECK(to_string(static_cast<RefusalReason>(reason)) != "unknown");
    CHECK(static_cast<int>(to_errc(static_cast<RefusalReason>(reason))) != 0);
  }
}

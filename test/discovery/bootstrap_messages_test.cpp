#include "discovery/bootstrap_messages.hpp"
#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;

namespace {

PeerInfo info() {
  PeerInfo out;
  out.name = "whitewater-2";
  out.node_id = base::NodeId(0xfedcba9876543210ULL);
  out.incarnation = base::Incarnation(7);
  out.cluster_id = base::ClusterId(11);
  out.state = MemberState::removed;
  out.expect = 5;
  out.token = "token";
  out.set_hash = 99;
  out.observed_hash = 98;
  out.term = base::Term(3);
  out.commit = base::Index(4);
  out.advertise = "whitewater-2.ww:8090";
  out.members = {{base::NodeId(1), "a:1"}, {base::NodeId(2), "b:2"}};
  return out;
}

FounderSet set(std::size_t n = 3) {
  FounderSet out{"token", 42, {}};
  for (std::size_t i = 0; i < n; ++i) {
    const auto name = "whitewater-" + std::to_string(i);
    out.founders.push_back({name, base::NodeId(i + 1), name + ".ww:8090"});
  }
  return out;
}

std::vector<BootstrapRequest> requests() {
  return {Hello{info()}, Prepare{base::NodeId(1), base::NodeId(2), set()},
          Commit{base::NodeId(1), base::NodeId(2), 3, base::ClusterId(4)},
          Abort{base::NodeId(1), base::NodeId(2), 3, 4},
          Goodbye{base::NodeId(1),
                  {{base::NodeId(1), base::Incarnation(2), true}, {base::NodeId(3), base::Incarnation(4), false}}}};
}
std::vector<BootstrapReply> replies() {
  return {HelloReply{info()}, Ack{base::NodeId(1), true, MemberState::prepared, 2, base::ClusterId(3), ""},
          Ack{base::NodeId(1), false, MemberState::fresh, 0, {}, "a reason"}};
}

}  // namespace

TEST_CASE("every bootstrap message survives its codec", "[bootstrap]") {
  for (const auto& request : requests()) {
    const auto back = decode_bootstrap_request(encode(request));
    REQUIRE(back.has_value());
    REQUIRE(*back == request);
    REQUIRE_FALSE(describe(request).empty());
  }
  for (const auto& reply : replies()) {
    const auto back = decode_bootstrap_reply(encode(reply));
    REQUIRE(back.has_value());
    REQUIRE(*back == reply);
    REQUIRE_FALSE(describe(reply).empty());
  }
}

TEST_CASE("the largest messages fit their bound", "[bootstrap]") {
  auto large = set(0);
  large.token = std::string(token_bytes_max, 't');
  for (std::size_t i = 0; i < founders_max; ++i) {
    large.founders.push_back({std::string(253, 'n'), base::NodeId(i + 1), std::string(advertise_bytes_max, 'a')});
  }
  const auto bytes = encode(BootstrapRequest(Prepare{base::NodeId(1), base::NodeId(2), large}));
  REQUIRE(bytes.size() <= bootstrap_message_bytes_max);
  REQUIRE(std::get<Prepare>(*decode_bootstrap_request(bytes)).set == large);
  auto full = info();
  full.members.assign(core::configuration_members_max, {base::NodeId(1), std::string(advertise_bytes_max, 'a')});
  REQUIRE(decode_bootstrap_reply(encode(BootstrapReply(HelloReply{full}))).has_value());
}

TEST_CASE("each way of being undecodable has its error", "[bootstrap]") {
  const auto hello = encode(BootstrapRequest(Hello{info()}));
  REQUIRE(decode_bootstrap_request("").error() == Errc::malformed);
  REQUIRE(decode_bootstrap_request(hello + "x").error() == Errc::malformed);
  REQUIRE(decode_bootstrap_reply(hello).error() == Errc::malformed);  // a request is no reply
  REQUIRE(decode_bootstrap_request(encode(replies().front())).error() == Errc::malformed);
  auto newer = hello;
  newer[0] = 3;
  REQUIRE(decode_bootstrap_request(newer).error() == Errc::unsupported_version);
  REQUIRE(decode_bootstrap_request(std::string(bootstrap_message_bytes_max + 1, '\1')).error() == Errc::limit_exceeded);
  auto many = info();
  many.members.clear();
  auto bytes = encode(BootstrapRequest(Hello{many}));
  bytes[bytes.size() - 2] = 65;  // the count of members
  REQUIRE(decode_bootstrap_request(bytes).error() == Errc::limit_exceeded);
  for (const auto& request : requests()) {
    const auto whole = encode(request);
    for (std::size_t n = 0; n < whole.size(); ++n)
      REQUIRE_FALSE(decode_bootstrap_request(whole.substr(0, n)).has_value());
  }
}

TEST_CASE("damaged and random bytes never crash the bootstrap codec", "[bootstrap]") {
  base::Rng rng(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = encode(requests()[rng.in_range(0, 3)]);
    for (auto n = rng.in_range(1, 4); n > 0; --n)
      bytes[rng.in_range(0, bytes.size() - 1)] = static_cast<char>(rng.next());
    if (const auto request = decode_bootstrap_request(bytes)) REQUIRE_FALSE(encode(*request).empty());
    if (const auto reply = decode_bootstrap_reply(bytes)) REQUIRE_FALSE(encode(*reply).empty());
  }
}

TEST_CASE("a set of founders is decoded within its bounds", "[bootstrap]") {
  REQUIRE(*decode_founder_set(encode(set())) == set());
  REQUIRE(decode_founder_set("").error() == Errc::malformed);
  REQUIRE(decode_founder_set("\x02").error() == Errc::unsupported_version);
  REQUIRE(decode_founder_set(std::string(founder_set_bytes_max + 1, '\1')).error() == Errc::limit_exceeded);
  auto bytes = encode(set(0));
  bytes[bytes.size() - 2] = 65;
  REQUIRE(decode_founder_set(bytes).error() == Errc::limit_exceeded);
}

// The cluster id is a promise between versions: a founder that was updated in between must derive the same. The numbers
// were computed by another SHA-256 from the byte layout in founders.hpp.
TEST_CASE("cluster id and set hash are fixed functions of the set", "[bootstrap]") {
  const auto a = set();
  REQUIRE(base::to_hex(cluster_id_of(a)) == "49e42ce7cc6a63b5");
  REQUIRE(base::to_hex(set_hash(a)) == "f2ba5fb9926afb2e");
  auto b = a;
  b.attempt = 43;
  REQUIRE(set_hash(b) == set_hash(a));
  b.founders[0].advertise = "elsewhere:1";
  REQUIRE(cluster_id_of(b) == cluster_id_of(a));  // addresses are no identity
  REQUIRE(set_hash(b) != set_hash(a));            // but they are part of entry 1
  b = a;
  b.founders[0].node_id = base::NodeId(77);
  REQUIRE(cluster_id_of(b) != cluster_id_of(a));
  b = a;
  b.token = "token2";
  REQUIRE(cluster_id_of(b) != cluster_id_of(a));
}

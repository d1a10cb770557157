#include "discovery/dns_answer.hpp"

#include "base/rng.hpp"
#include "catch.hpp"
#include "dns_message.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::seconds;

namespace {
DnsMessage three() {
  DnsMessage message;
  for (int i = 0; i < 3; ++i)
    message.srv("whitewater-" + std::to_string(i) + ".ww.default.svc.cluster.local", 8090, 30 - i);
  return message;
}
}  // namespace

TEST_CASE("an SRV answer yields pod name, ordinal, port and the smallest TTL", "[dns]") {
  const auto answer = decode_srv_answer(three().bytes());
  REQUIRE(answer.has_value());
  REQUIRE(answer->peers.size() == 3);
  REQUIRE(answer->peers[2].name == "whitewater-2");
  REQUIRE(answer->peers[2].ordinal == 2U);
  REQUIRE(describe(answer->peers[2].address) == "whitewater-2.ww.default.svc.cluster.local:8090");
  REQUIRE(answer->ttl == seconds(28));
  REQUIRE_FALSE(answer->is_partial);
}

TEST_CASE("addresses of the additional section belong to their target", "[dns]") {
  auto message = three();
  message.a("WHITEWATER-1.ww.default.svc.cluster.local", std::string("\x0a\0\0\x07", 4));
  message.a("whitewater-1.ww.default.svc.cluster.local", std::string(15, '\0') + '\1');
  message.a("somebody.else", std::string("\x0a\0\0\x09", 4));
  const auto answer = decode_srv_answer(message.bytes());
  REQUIRE(answer->peers[1].addresses == std::vector<std::string>{"10.0.0.7", "::1"});
  REQUIRE(answer->peers[0].addresses.empty());
}

TEST_CASE("duplicates, root targets, port 0 and odd names are left out", "[dns]") {
  auto message = three();
  message.srv("WhiteWater-0.ww.default.svc.cluster.local");
  message.srv("");
  message.srv("whitewater-9.ww", 0);
  message.srv("bad name.ww");
  message.answers += dns_record("\xc0\x0c", 33, 1, srv_data(8090, std::string("\3a.b\0", 5)));
  ++message.answer_count;
  REQUIRE(decode_srv_answer(message.bytes())->peers.size() == 3);
}

TEST_CASE("negative answers are told apart from failures and from garbage", "[dns]") {
  DnsMessage message;
  REQUIRE(decode_srv_answer(message.bytes()).error() == Errc::not_found);  // no record
  message.flags = 0x8583;
  REQUIRE(decode_srv_answer(message.bytes()).error() == Errc::not_found);  // NXDOMAIN
  for (const auto rcode : {1, 2, 4, 5}) {
    message.flags = static_cast<std::uint16_t>(0x8580 | rcode);
    REQUIRE(decode_srv_answer(message.bytes()).error() == Errc::connection_lost);
  }
  message.flags = 0x0100;
  REQUIRE(decode_srv_answer(message.bytes()).error() == Errc::malformed);  // a question
  REQUIRE(decode_srv_answer("").error() == Errc::malformed);
  REQUIRE(decode_srv_answer(std::string(70000, 'x')).error() == Errc::malformed);
  auto cut = three().bytes();
  cut.resize(cut.size() - 5);
  REQUIRE(decode_srv_answer(cut).error() == Errc::malformed);
}

TEST_CASE("a truncated answer gives what it holds and says that it is partial", "[dns]") {
  auto message = three();
  message.flags |= 0x0200;
  auto bytes = message.bytes();
  bytes.resize(bytes.size() - 5);
  const auto answer = decode_srv_answer(bytes);
  REQUIRE(answer.has_value());
  REQUIRE(answer->peers.size() == 2);
  REQUIRE(answer->is_partial);
}

TEST_CASE("more records than the limits are cut, not refused", "[dns]") {
  DnsMessage message;
  for (int i = 0; i < 100; ++i) message.srv("whitewater-" + std::to_string(i) + ".ww");
  REQUIRE(decode_srv_answer(message.bytes())->peers.size() == 100);
  for (int i = 100; i < 400; ++i) message.srv("whitewater-" + std::to_string(i) + ".ww");
  const auto answer = decode_srv_answer(message.bytes());
  REQUIRE(answer->peers.size() == candidates_max);
  REQUIRE(answer->is_partial);
}

TEST_CASE("compression loops and pointers forward are refused", "[dns]") {
  DnsMessage message;
  for (const auto* target : {"\xc0\x0c", "\xff\xff", "\xc0"}) {
    message.answers = dns_record("\xc0\x0c", 33, 1, srv_data(8090, target));
    message.answer_count = 1;
    const auto answer = decode_srv_answer(message.bytes());
    // The first points at a good name, the question's own; the others point nowhere.
    REQUIRE(answer.has_value() == (std::string(target) == "\xc0\x0c"));
  }
  message.question.clear();
  message.answers = dns_record(std::string("\xc0\x0c"), 33, 1, "");  // points at itself
  REQUIRE(decode_srv_answer(message.bytes()).error() == Errc::malformed);
}

TEST_CASE("random and damaged DNS bytes never crash and stay within the limits", "[dns]") {
  base::Rng rng(11);
  auto good = three();
  good.a("whitewater-1.ww.default.svc.cluster.local", std::string("\x0a\0\0\x07", 4));
  const auto bytes = good.bytes();
  for (int i = 0; i < 30000; ++i) {
    auto damaged = bytes;
    for (auto n = rng.in_range(1, 8); n > 0; --n)
      damaged[rng.in_range(0, damaged.size() - 1)] = static_cast<char>(rng.next());
    if (rng.chance(1, 4)) damaged.resize(rng.in_range(0, damaged.size()));
    if (const auto answer = decode_srv_answer(damaged)) {
      REQUIRE(answer->peers.size() <= 3);
      for (const auto& peer : answer->peers) REQUIRE(is_host_valid(peer.address.host));
    }
  }
}

// The protocols of the one port, told apart by their first bytes.
#include "net/sniff.hpp"

#include "base/rng.hpp"
#include "catch.hpp"
#include "net/frame.hpp"

using namespace whitewater::net;

namespace {

// The answer must be the same however the bytes are cut: "need more" until it is known, then the protocol.
void check_all_prefixes(std::string_view bytes, Protocol expected) {
  bool is_known = false;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto seen = sniff(bytes.substr(0, size));
    if (seen != Protocol::need_more) is_known = true;
    CHECK((is_known ? seen == expected : seen == Protocol::need_more));
    if (size >= sniff_bytes_max) CHECK(is_known);
  }
  CHECK(is_known);
}

}  // namespace

TEST_CASE("each protocol is told from its first bytes, whatever the cut") {
  check_all_prefixes(encode_frame(FrameType::hello, "hi"), Protocol::peer);
  check_all_prefixes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::http2);
  check_all_prefixes("GET / HTTP/1.1\r\n\r\n", Protocol::http1);
  check_all_prefixes("POST /v3/kv/put HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes("HEAD / HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes("PUT / HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes("PATCH / HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes("DELETE / HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes("OPTIONS * HTTP/1.1\r\n", Protocol::http1);
  check_all_prefixes(std::string_view("\x16\x03\x01\x02\x00\x01", 6), Protocol::tls);
}

TEST_CASE("what is none of them is known early") {
  CHECK(sniff("hello") == Protocol::unknown);
  CHECK(sniff("get /") == Protocol::unknown);
  CHECK(sniff("PRI / HTTP/1.1") == Protocol::unknown);
  CHECK(sniff(std::string_view("\0", 1)) == Protocol::unknown);
  CHECK(sniff("\x16\x04") == Protocol::unknown);
  CHECK(sniff("\xabXYZ") == Protocol::unknown);
  CHECK(sniff("") == Protocol::need_more);
}

TEST_CASE("no bytes keep the sniffer waiting for more than its bound") {
  whitewater::base::Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(sniff_bytes_max, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(rng.chance(1, 2) ? rng.next() : rng.in_range('A', 'Z'));
    CHECK(sniff(bytes) != Protocol::need_more);
  }
}

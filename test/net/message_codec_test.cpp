// core::Message on the wire: every variant survives, and no bytes whatsoever crash the decoder or make it allocate
// freely.
#include "net/message_codec.hpp"

#include <limits>

#include "base/codec.hpp"
#include "base/rng.hpp"
#include "catch.hpp"
#include "net/samples.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::Errc;

namespace {

base::Result<core::Message> decode(const std::string& bytes) {
  SliceSource slices(bytes, nullptr);
  return decode_message(bytes, slices);
}

// Equal as bytes is equal as values: the encoding has one form per message.
void check_same(const core::Message& left, const core::Message& right) {
  CHECK(left.from == right.from);
  CHECK(left.to == right.to);
  CHECK(left.term == right.term);
  REQUIRE(left.body.index() == right.body.index());
  CHECK(encode_message(left) == encode_message(right));
}

constexpr std::size_t head_bytes = 25;

}  // namespace

TEST_CASE("every message survives encoding and decoding") {
  for (const auto& message : samples::every_message()) {
    const auto bytes = encode_message(message);
    CHECK(bytes.size() == encoded_size_bytes(message));
    const auto decoded = decode(bytes);
    REQUIRE(decoded.has_value());
    check_same(message, *decoded);
  }
}

TEST_CASE("decoded entries equal the ones that were sent, indexes included") {
  const auto sent = samples::append(41, 64, 256);
  const auto decoded = decode(encode_message(samples::message(sent)));
  REQUIRE(decoded.has_value());
  const auto& received = std::get<core::AppendRequest>(decoded->body);
  CHECK(received.entries == sent.entries);
  CHECK(received.entries.back().index == core::Index(105));
}

TEST_CASE("every prefix of a message is refused as malformed") {
  for (const auto& message : samples::every_message()) {
    const auto bytes = encode_message(message);
    const auto step = std::max<std::size_t>(1, bytes.size() / 200);
    for (std::size_t size = 0; size < bytes.size(); size += step) {
      const auto decoded = decode(bytes.substr(0, size));
      REQUIRE(decoded.has_error());
      CHECK(decoded.error() == Errc::malformed);
    }
  }
}

TEST_CASE("bytes after a message are refused") {
  const auto decoded = decode(encode_message(samples::message(core::TimeoutNow{})) + "x");
  REQUIRE(decoded.has_error());
  CHECK(decoded.error() == Errc::malformed);
}

TEST_CASE("an unknown kind of message is refused as a newer version") {
  auto bytes = encode_message(samples::message(core::TimeoutNow{}));
  for (const char kind : {'\0', '\x0d', '\xff'}) {
    bytes[0] = kind;
    CHECK(decode(bytes).error() == Errc::unsupported_version);
  }
}

TEST_CASE("an unknown entry type, flag or reason is refused") {
  auto append = encode_message(samples::message(samples::append(1, 1, 3)));
  append[head_bytes + 28 + 8] = 9;  // the entry's type follows its term
  CHECK(decode(append).error() == Errc::malformed);
  auto vote = encode_message(samples::message(core::VoteResponse{}));
  vote[head_bytes] = 4;
  CHECK(decode(vote).error() == Errc::malformed);
  auto rejected = encode_message(samples::message(core::ForwardRejected{}));
  rejected[head_bytes] = 0;
  CHECK(decode(rejected).error() == Errc::malformed);
  rejected[head_bytes] = '\xff';
  CHECK(decode(rejected).error() == Errc::malformed);
}

TEST_CASE("a count of entries over the bound is refused before memory is taken for it") {
  std::string bytes = encode_message(samples::message(samples::append(1, 0, 0)));
  bytes.resize(bytes.size() - 4);
  const auto with_count = [&](std::uint32_t count) {
    auto changed = bytes;
    base::ByteWriter(changed).u32(count);
    return decode(changed).error();
  };
  CHECK(with_count(core::message_entries_max + 1) == Errc::limit_exceeded);
  CHECK(with_count(std::numeric_limits<std::uint32_t>::max()) == Errc::limit_exceeded);
  CHECK(with_count(core::message_entries_max) == Errc::malformed);  // allowed, but the bytes cannot hold them
}

TEST_CASE("a payload over the bound of an entry or of a message is refused") {
  std::string entry_too_large = encode_message(samples::message(samples::append(1, 1, 0)));
  entry_too_large.resize(entry_too_large.size() - 4);
  base::ByteWriter(entry_too_large).u32(core::entry_payload_bytes_max + 1);
  entry_too_large.append(core::entry_payload_bytes_max + 1, 'x');
  CHECK(decode(entry_too_large).error() == Errc::limit_exceeded);
  // Three entries of two thirds of the bound each.
  const auto message = samples::message(samples::append(1, 3, core::message_payload_bytes_max / 2));
  CHECK(decode(encode_message(message)).error() == Errc::limit_exceeded);
}

TEST_CASE("S59: an index that would wrap is refused") {
  auto body = samples::append(std::numeric_limits<std::uint64_t>::max() - 2, 2, 1);
  const auto fits = decode(encode_message(samples::message(body)));
  REQUIRE(fits.has_value());
  CHECK(std::get<core::AppendRequest>(fits->body).entries.back().index.value ==
        std::numeric_limits<std::uint64_t>::max());
  auto bytes = encode_message(samples::message(body));
  bytes[head_bytes] = '\xff';  // prev_index, lowest byte: one too far for two entries
  bytes[head_bytes] = '\xfe';
  CHECK(decode(bytes).error() == Errc::malformed);
}

TEST_CASE("random bytes and flipped bits never crash the decoder") {
  base::Rng rng(20240817);
  const auto samples = samples::every_message();
  std::size_t accepted_count = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    if (round % 2 == 0) {
      bytes.resize(rng.in_range(0, 300));
      for (auto& byte : bytes) byte = static_cast<char>(rng.next());
      if (!bytes.empty()) bytes[0] = static_cast<char>(rng.in_range(0, 13));
    } else {
      bytes = encode_message(samples[rng.in_range(0, samples.size() - 1)]);
      for (std::uint64_t flips = rng.in_range(1, 4); flips > 0; --flips) {
        bytes[rng.in_range(0, std::min<std::size_t>(bytes.size() - 1, 200))] ^=
            static_cast<char>(1U << rng.in_range(0, 7));
      }
    }
    const auto decoded = decode(bytes);
    if (decoded.has_error()) continue;
    ++accepted_count;
    CHECK(encode_message(*decoded) == bytes);  // what is accepted is exactly what would have been sent
  }
  CHECK(accepted_count > 0);
}

TEST_CASE("entries share one copy of a small frame and the frame's own memory of a large one") {
  const auto message = samples::message(samples::append(1, 8, 100));
  std::string payload;
  base::ByteWriter(payload).blob(encode_message(message));
  std::vector<core::Message> out;
  REQUIRE(decode_messages(payload, nullptr, out).has_value());
  const auto& copied = std::get<core::AppendRequest>(out.at(0).body).entries;
  CHECK((copied[0].payload.data() < payload.data() || copied[0].payload.data() >= payload.data() + payload.size()));
  // One block: the distance between two payloads is that of the encoding.
  CHECK(copied[1].payload.data() - copied[0].payload.data() == 100 + 29);

  const auto owner = std::make_shared<const std::string>(payload);
  out.clear();
  REQUIRE(decode_messages(*owner, owner, out).has_value());
  const auto& shared = std::get<core::AppendRequest>(out.at(0).body).entries;
  CHECK(shared[0].payload.data() >= owner->data());
  CHECK(shared[0].payload.data() < owner->data() + owner->size());
}

TEST_CASE("a frame of messages whose lengths do not add up is refused") {
  std::string payload;
  base::ByteWriter(payload).blob(encode_message(samples::message(core::TimeoutNow{})));
  std::vector<core::Message> out;
  CHECK(decode_messages(payload + "ab", nullptr, out).error() == Errc::malformed);
  out.clear();
  CHECK(decode_messages(payload + std::string("\xff\xff\xff\xff", 4), nullptr, out).error() == Errc::malformed);
  out.clear();
  CHECK(decode_messages("", nullptr, out).has_value());
  CHECK(out.empty());
}

// Frames over a byte stream: any split, any damage, any length.
#include "net/frame.hpp"

#include <cstring>

#include "base/rng.hpp"
#include "catch.hpp"
#include "net/frame_batch.hpp"
#include "net/samples.hpp"

using namespace whitewater;
using namespace whitewater::net;
using base::Errc;

namespace {

struct Received {
  std::vector<std::pair<FrameType, std::string>> frames;
  std::optional<Errc> failure;
};

// Feeds `stream` in pieces of at most `piece_bytes`.
Received receive(FrameDecoder& decoder, std::string_view stream, std::size_t piece_bytes) {
  Received result;
  while (true) {
    auto frame = decoder.next();
    if (frame.has_error()) {
      result.failure = static_cast<Errc>(frame.error().value());
      return result;
    }
    if (frame->has_value()) {
      result.frames.emplace_back((*frame)->type, std::string((*frame)->payload));
      continue;
    }
    if (stream.empty()) return result;
    const auto room = decoder.prepare();
    REQUIRE(!room.empty());
    const auto size = std::min({room.size(), stream.size(), piece_bytes});
    std::memcpy(room.data(), stream.data(), size);
    decoder.commit(size);
    stream.remove_prefix(size);
  }
}

Received receive(std::string_view stream, std::size_t piece_bytes = 1 << 20) {
  FrameDecoder decoder(frame_payload_bytes_max);
  return receive(decoder, stream, piece_bytes);
}

std::string joined(const FrameBatch& batch) {
  std::string out;
  for (const auto part : batch.buffers()) out.append(part);
  return out;
}

}  // namespace

TEST_CASE("frames arrive whole, however the stream is cut") {
  std::string stream;
  std::vector<std::string> payloads = {
      "", "x", std::string(1000, 'a'), std::string(70000, 'b'), std::string(63000, 'd'), "tail"};
  for (const auto& payload : payloads) stream += encode_frame(FrameType::messages, payload);
  for (const std::size_t piece_bytes : {1UL, 7UL, 19UL, 4096UL, 65536UL, 1UL << 20}) {
    const auto received = receive(stream, piece_bytes);
    CHECK(!received.failure);
    REQUIRE(received.frames.size() == payloads.size());
    for (std::size_t i = 0; i < payloads.size(); ++i) CHECK(received.frames[i].second == payloads[i]);
  }
}

TEST_CASE("a frame at the bound is received into memory of its own, one over it is refused") {
  const std::string largest(frame_payload_bytes_max, 'z');
  FrameDecoder decoder(frame_payload_bytes_max);
  const auto received = receive(decoder, encode_frame(FrameType::messages, largest), 300000);
  REQUIRE(received.frames.size() == 1);
  CHECK(received.frames[0].second == largest);
  CHECK(decoder.is_at_boundary());

  const auto header = encode_header({.type = FrameType::messages, .payload_bytes = frame_payload_bytes_max + 1});
  CHECK(receive(header).failure == Errc::limit_exceeded);
}

TEST_CASE("before the handshake a frame is bounded much lower") {
  FrameDecoder decoder(handshake_payload_bytes_max);
  const auto header = encode_header({.type = FrameType::hello, .payload_bytes = handshake_payload_bytes_max + 1});
  CHECK(receive(decoder, header, 100).failure == Errc::limit_exceeded);
  CHECK(decoder.next().error() == Errc::limit_exceeded);  // and it stays so
}

TEST_CASE("every flipped bit of a frame is noticed") {
  const auto good = encode_frame(FrameType::messages, "payload of a frame");
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<char>(1U << (bit % 8));
    const auto received = receive(bad);
    CHECK(received.frames.empty());
    REQUIRE(received.failure);
    CHECK((*received.failure == Errc::malformed || *received.failure == Errc::checksum_mismatch));
  }
}

TEST_CASE("damage in a large frame is noticed") {
  auto bad = encode_frame(FrameType::messages, std::string(200000, 'q'));
  bad[150000] ^= 1;
  CHECK(receive(bad).failure == Errc::checksum_mismatch);
}

TEST_CASE("garbage is refused from its first byte on") {
  CHECK(receive("G").failure == Errc::malformed);
  CHECK(receive("\xabW!").failure == Errc::malformed);
  CHECK(!receive("\xabWW").failure);
}

TEST_CASE("an unknown type is refused") {
  for (const std::uint8_t type : {0, 14, 255}) {
    const auto header = encode_header({.type = static_cast<FrameType>(type)});
    CHECK(receive(header).failure == Errc::malformed);
  }
}

TEST_CASE("random streams never crash the decoder") {
  base::Rng rng(42);
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    for (int part = 0; part < 3; ++part) {
      auto frame = encode_frame(static_cast<FrameType>(rng.in_range(1, 7)), std::string(rng.in_range(0, 200), 'r'));
      if (rng.chance(1, 3)) frame[rng.in_range(0, frame.size() - 1)] = static_cast<char>(rng.next());
      if (rng.chance(1, 5)) frame.resize(rng.in_range(0, frame.size()));
      stream += frame;
    }
    const auto received = receive(stream, rng.in_range(1, 64));
    CHECK(received.frames.size() <= 3);
  }
}

TEST_CASE("a batch coalesces neighbouring messages into one frame and survives the stream") {
  const auto sent = samples::every_message();
  FrameBatch batch;
  batch.add_frame(FrameType::ping, "12345678");
  for (const auto& message : sent) batch.add_message(message);
  batch.seal();
  const auto stream = joined(batch);
  CHECK(stream.size() == batch.size_bytes());
  const auto received = receive(stream, 5000);
  REQUIRE(!received.failure);
  REQUIRE(received.frames.size() == 2);
  CHECK(received.frames[0].second == "12345678");
  std::vector<core::Message> messages;
  REQUIRE(decode_messages(received.frames[1].second, nullptr, messages).has_value());
  REQUIRE(messages.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) CHECK(encode_message(messages[i]) == encode_message(sent[i]));
}

TEST_CASE("a batch refers to large payloads and copies small ones") {
  const auto message = samples::message(samples::append(5, 3, gather_bytes_min));
  FrameBatch batch;
  batch.add_message(message);
  batch.add_message(samples::message(samples::append(8, 3, gather_bytes_min - 1)));
  batch.seal();
  const auto& entries = std::get<core::AppendRequest>(message.body).entries;
  std::size_t referenced_count = 0;
  for (const auto part : batch.buffers()) {
    for (const auto& entry : entries) referenced_count += part.data() == entry.payload.data() ? 1U : 0U;
  }
  CHECK(referenced_count == 3);
  CHECK(!receive(joined(batch)).failure);
}

TEST_CASE("a batch splits what does not fit one frame, and is empty again after clear") {
  FrameBatch batch;
  for (int i = 0; i < 6; ++i)
    batch.add_message(samples::message(samples::append(5, 2, core::message_payload_bytes_max / 2)));
  batch.seal();
  FrameDecoder decoder(frame_payload_bytes_max);
  const auto received = receive(decoder, joined(batch), 1 << 20);
  CHECK(!received.failure);
  CHECK(received.frames.size() == 6);
  batch.clear();
  CHECK(batch.empty());
  batch.add_frame(FrameType::pong, "x");
  batch.seal();
  CHECK(joined(batch) == encode_frame(FrameType::pong, "x"));
}

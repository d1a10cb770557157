// The byte stream of a peer connection: whole frames, torn anywhere, come out as they were put in; damage ends the
// stream; what a frame carries decodes within bounds and encodes to the same bytes.
#include "base/codec.hpp"
#include "fuzz/fuzz.hpp"
#include "net/frame.hpp"
#include "net/handshake.hpp"
#include "net/message_codec.hpp"
#include "net/samples.hpp"

namespace whitewater::fuzz {
namespace {

using namespace net;

constexpr std::size_t frames_max = 8;
constexpr std::size_t buffer_bytes = 8UL << 10;  // the smallest, so that more frames get memory of their own
constexpr std::uint8_t frame_types = 13;

std::string encode_list(const std::vector<core::Message>& messages) {
  std::string out;
  for (const core::Message& message : messages) base::ByteWriter(out).blob(encode_message(message));
  return out;
}

// Reserved bytes and those behind the known fields are a later version's, and ignored (docs/wire-protocol.md).
template <class Decode>
void check_handshake(std::string_view bytes, const Decode& decode) {
  const auto value = decode(bytes);
  if (!value) return;
  const auto again = decode(encode(*value));
  WW_ASSERT_MSG(again.has_value() && *again == *value, "what decodes encodes to the same value");
}

void check_payload(const Frame& frame) {
  if (frame.type == FrameType::messages) {
    std::vector<core::Message> messages;
    if (!decode_messages(frame.payload, frame.owner, messages)) return;
    for (const core::Message& message : messages) (void)describe(message);
    WW_ASSERT_MSG(encode_list(messages) == frame.payload, "what decodes encodes to the same bytes");
  }
  if (frame.type == FrameType::hello) check_handshake(frame.payload, decode_hello);
  if (frame.type == FrameType::hello_reply) check_handshake(frame.payload, decode_hello_reply);
  if (frame.type == FrameType::refused) check_handshake(frame.payload, decode_refusal);
  IncarnationTable seen;
  (void)on_first_frame(frame, samples::identity(1), seen);
  (void)decide_reply(frame, make_hello(samples::identity(2), Channel::raft, base::NodeId(1)));
}

struct Sent {
  FrameType type;
  std::string payload;
};

// Feeds the stream in pieces that the input chooses. The frames that came out, and whether the stream was refused.
bool receive(Choices& choices, std::string_view stream, std::vector<Sent>& received) {
  FrameDecoder decoder(frame_payload_bytes_max, buffer_bytes);
  while (!stream.empty()) {
    const auto room = decoder.prepare();
    WW_ASSERT(!room.empty());
    const std::size_t piece = std::min({room.size(), stream.size(), std::size_t{1} + choices.u16()});
    std::memcpy(room.data(), stream.data(), piece);
    decoder.commit(piece);
    stream.remove_prefix(piece);
    for (;;) {
      auto frame = decoder.next();
      if (!frame) return false;
      if (!*frame) break;
      received.push_back({(*frame)->type, std::string((*frame)->payload)});
      check_payload(**frame);
    }
  }
  return true;
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  std::vector<Sent> sent;
  std::vector<Sent> received;
  std::string stream;
  if (choices.chance(4)) {
    const std::string raw(choices.long_bytes());
    (void)receive(choices, raw, received);
    return;
  }
  const std::size_t count = 1 + choices.u8() % frames_max;
  for (std::size_t i = 0; i < count && !choices.empty(); ++i) {
    const auto type = static_cast<FrameType>(1 + choices.u8() % frame_types);
    sent.push_back({type, std::string(choices.long_bytes())});
    stream += encode_frame(type, sent.back().payload);
  }
  const bool is_damaged = choices.chance(4) && !stream.empty();
  if (is_damaged) {
    const std::size_t at = choices.u16() % stream.size();
    stream[at] = static_cast<char>(stream[at] ^ (1 + choices.u8() % 255));
  }
  const bool is_whole = receive(choices, stream, received);
  WW_ASSERT(is_damaged || (is_whole && received.size() == sent.size()));
  WW_ASSERT_MSG(!is_damaged || !is_whole || received.size() < sent.size(), "damage is not passed on");
  for (std::size_t i = 0; i < received.size(); ++i) {
    WW_ASSERT(received[i].type == sent[i].type);
    WW_ASSERT(received[i].payload == sent[i].payload);
  }
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::pair<FrameType, std::string>> frames;
  for (const core::Message& message : samples::every_message()) {
    if (encoded_size_bytes(message) < 1000) frames.emplace_back(FrameType::messages, encode_list({message}));
  }
  const LocalIdentity self = samples::identity(1);
  const Hello hello = make_hello(samples::identity(2), Channel::raft, base::NodeId(1));
  frames.emplace_back(FrameType::hello, encode(hello));
  const auto accepted = decide_hello(hello, self, {});
  frames.emplace_back(FrameType::hello_reply, encode(std::get<Accepted>(accepted).reply));
  frames.emplace_back(FrameType::refused, encode(Refusal{RefusalReason::overloaded, self.cluster, self.node, {}, "x"}));
  std::vector<std::string> seeds;
  for (const auto& [type, payload] : frames) {
    std::string seed("\1\0", 2);  // whole frames, one of them
    base::ByteWriter writer(seed);
    writer.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(type) - 1));
    writer.u16(static_cast<std::uint16_t>(payload.size()));
    writer.bytes(payload);
    seeds.push_back(seed + "\1\377\377");
  }
  return seeds;
}

}  // namespace whitewater::fuzz

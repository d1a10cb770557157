// Bytes of the handshake's frames. Each starts with a format number of its own, so that a later protocol can still
// refuse an earlier one in words that it understands; fields are only ever appended, and a reader ignores what follows
// those it knows.
#include "base/assert.hpp"
#include "base/codec.hpp"
#include "net/handshake.hpp"

namespace whitewater::net {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Errc;

constexpr std::uint8_t format_number = 1;

std::string_view cut(std::string_view text, std::size_t bytes_max) { return text.substr(0, bytes_max); }

}  // namespace

std::string encode(const Hello& hello) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(format_number);
  writer.u8(static_cast<std::uint8_t>(hello.channel));
  writer.u16(hello.version_min);
  writer.u16(hello.version_max);
  writer.u16(0);
  writer.u64(hello.cluster.value);
  writer.u64(hello.sender.value);
  writer.u64(hello.receiver.value);
  writer.u64(hello.incarnation.value);
  writer.blob(cut(hello.sender_name, core::member_name_bytes_max));
  writer.blob(cut(hello.sender_address, advertised_address_bytes_max));
  WW_ASSERT(out.size() <= handshake_payload_bytes_max);
  return out;
}

base::Result<Hello> decode_hello(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_number) return Errc::malformed;
  Hello hello;
  const auto channel = reader.u8();
  hello.version_min = reader.u16();
  hello.version_max = reader.u16();
  (void)reader.u16();
  hello.cluster = base::ClusterId(reader.u64());
  hello.sender = base::NodeId(reader.u64());
  hello.receiver = base::NodeId(reader.u64());
  hello.incarnation = base::Incarnation(reader.u64());
  hello.sender_name = reader.blob(core::member_name_bytes_max);
  hello.sender_address = reader.blob(advertised_address_bytes_max);
  if (!reader.ok()) return Errc::malformed;
  if (channel < static_cast<std::uint8_t>(Channel::raft)) return Errc::malformed;
  if (channel > static_cast<std::uint8_t>(Channel::snapshot)) return Errc::malformed;
  if (hello.sender.is_zero()) return Errc::malformed;
  if (hello.version_min > hello.version_max) return Errc::malformed;
  hello.channel = static_cast<Channel>(channel);
  return hello;
}

std::string encode(const HelloReply& reply) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(format_number);
  writer.u8(0);
  writer.u16(reply.version);
  writer.u64(reply.cluster.value);
  writer.u64(reply.node.value);
  writer.u64(reply.incarnation.value);
  writer.blob(cut(reply.name, core::member_name_bytes_max));
  writer.blob(cut(reply.address, advertised_address_bytes_max));
  WW_ASSERT(out.size() <= handshake_payload_bytes_max);
  return out;
}

base::Result<HelloReply> decode_hello_reply(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_number) return Errc::malformed;
  (void)reader.u8();
  HelloReply reply;
  reply.version = reader.u16();
  reply.cluster = base::ClusterId(reader.u64());
  reply.node = base::NodeId(reader.u64());
  reply.incarnation = base::Incarnation(reader.u64());
  reply.name = reader.blob(core::member_name_bytes_max);
  reply.address = reader.blob(advertised_address_bytes_max);
  if (!reader.ok()) return Errc::malformed;
  if (reply.node.is_zero()) return Errc::malformed;
  return reply;
}

std::string encode(const Refusal& refusal) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(format_number);
  writer.u8(static_cast<std::uint8_t>(refusal.reason));
  writer.u16(0);
  writer.u64(refusal.cluster.value);
  writer.u64(refusal.node.value);
  writer.u64(refusal.incarnation.value);
  writer.blob(cut(refusal.text, refusal_text_bytes_max));
  WW_ASSERT(out.size() <= handshake_payload_bytes_max);
  return out;
}

base::Result<Refusal> decode_refusal(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != format_number) return Errc::malformed;
  Refusal refusal;
  const auto reason = reader.u8();
  (void)reader.u16();
  refusal.cluster = base::ClusterId(reader.u64());
  refusal.node = base::NodeId(reader.u64());
  refusal.incarnation = base::Incarnation(reader.u64());
  refusal.text = reader.blob(refusal_text_bytes_max);
  if (!reader.ok()) return Errc::malformed;
  if (reason < static_cast<std::uint8_t>(RefusalReason::malformed)) return Errc::malformed;
  if (reason > static_cast<std::uint8_t>(RefusalReason::overloaded)) return Errc::malformed;
  refusal.reason = static_cast<RefusalReason>(reason);
  return refusal;
}

std::string_view to_string(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::malformed:
      return "malformed";
    case RefusalReason::unsupported_version:
      return "unsupported version";
    case RefusalReason::wrong_cluster:
      return "wrong cluster";
    case RefusalReason::wrong_receiver:
      return "wrong receiver";
    case RefusalReason::stale_incarnation:
      return "stale incarnation";
    case RefusalReason::self_connection:
      return "self connection";
    case RefusalReason::no_cluster:
      return "no cluster";
    case RefusalReason::overloaded:
      return "overloaded";
  }
  return "unknown";
}

std::string_view to_string(Channel channel) {
  switch (channel) {
    case Channel::raft:
      return "raft";
    case Channel::control:
      return "control";
    case Channel::discovery:
      return "discovery";
    case Channel::snapshot:
      return "snapshot";
  }
  return "unknown";
}

base::Errc to_errc(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::malformed:
      return Errc::malformed;
    case RefusalReason::unsupported_version:
      return Errc::unsupported_version;
    case RefusalReason::wrong_cluster:
    case RefusalReason::no_cluster:
      return Errc::wrong_cluster;
    case RefusalReason::wrong_receiver:
      return Errc::wrong_receiver;
    case RefusalReason::stale_incarnation:
      return Errc::stale_incarnation;
    case RefusalReason::self_connection:
      return Errc::self_connection;
    case RefusalReason::overloaded:
      return Errc::too_many_requests;
  }
  return Errc::malformed;
}

}  // namespace whitewater::net

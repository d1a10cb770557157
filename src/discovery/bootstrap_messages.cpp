#include "discovery/bootstrap_messages.hpp"

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::discovery {

using base::ByteReader;
using base::ByteWriter;
using base::Errc;
using base::Result;

namespace {

enum class Kind : std::uint8_t {
  hello = 1,
  prepare = 2,
  commit = 3,
  abort = 4,
  goodbye = 5,
  hello_reply = 65,
  ack = 66
};

std::string_view cut(std::string_view text, std::size_t bytes_max) { return text.substr(0, bytes_max); }

ByteWriter begin(std::string& out, Kind kind) {
  ByteWriter writer(out);
  writer.u8(bootstrap_protocol_version);
  writer.u8(static_cast<std::uint8_t>(kind));
  return writer;
}

void put(ByteWriter& writer, const PeerInfo& info) {
  writer.blob(cut(info.name, core::member_name_bytes_max));
  writer.u64(info.node_id.value);
  writer.u64(info.incarnation.value);
  writer.u64(info.cluster_id.value);
  writer.u8(static_cast<std::uint8_t>(info.state));
  writer.u32(info.expect);
  writer.blob(cut(info.token, token_bytes_max));
  writer.u64(info.set_hash);
  writer.u64(info.observed_hash);
  writer.u64(info.term.value);
  writer.u64(info.commit.value);
  writer.blob(cut(info.advertise, advertise_bytes_max));
  WW_ASSERT(info.members.size() <= core::configuration_members_max);
  writer.u16(static_cast<std::uint16_t>(info.members.size()));
  for (const auto& member : info.members) {
    writer.u64(member.id.value);
    writer.blob(cut(member.name, advertise_bytes_max));
  }
}

// Errors other than "cut short" are put into `error`; the reader latches the rest.
MemberState take_state(ByteReader& reader, Errc& error) {
  const auto value = reader.u8();
  if (value > static_cast<std::uint8_t>(MemberState::removed)) error = Errc::malformed;
  return static_cast<MemberState>(value);
}

PeerInfo take_info(ByteReader& reader, Errc& error) {
  PeerInfo info;
  info.name = reader.blob(core::member_name_bytes_max);
  info.node_id = base::NodeId(reader.u64());
  info.incarnation = base::Incarnation(reader.u64());
  info.cluster_id = base::ClusterId(reader.u64());
  info.state = take_state(reader, error);
  info.expect = reader.u32();
  info.token = reader.blob(token_bytes_max);
  info.set_hash = reader.u64();
  info.observed_hash = reader.u64();
  info.term = base::Term(reader.u64());
  info.commit = base::Index(reader.u64());
  info.advertise = reader.blob(advertise_bytes_max);
  const auto count = reader.u16();
  if (count > core::configuration_members_max) {
    error = Errc::limit_exceeded;
    return info;
  }
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    core::Member member;
    member.id = base::NodeId(reader.u64());
    member.name = reader.blob(advertise_bytes_max);
    info.members.push_back(std::move(member));
  }
  return info;
}

FounderSet take_set(ByteReader& reader, Errc& error) {
  auto set = decode_founder_set(reader.blob(founder_set_bytes_max));
  if (!set) {
    error = Errc::malformed;
    return {};
  }
  return std::move(*set);
}

Goodbye take_goodbye(ByteReader& reader, Errc& error) {
  Goodbye goodbye;
  goodbye.sender = base::NodeId(reader.u64());
  const auto count = reader.u16();
  if (count > core::configuration_members_max) {
    error = Errc::limit_exceeded;
    return goodbye;
  }
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    Goodbye::Departure departure;
    departure.node_id = base::NodeId(reader.u64());
    departure.incarnation = base::Incarnation(reader.u64());
    const auto flags = reader.u8();
    if (flags > 1) error = Errc::malformed;
    departure.is_for_good = flags == 1;
    goodbye.departures.push_back(departure);
  }
  return goodbye;
}

Result<BootstrapRequest> take_request(Kind kind, ByteReader& reader, Errc& error) {
  switch (kind) {
    case Kind::hello:
      return Hello{take_info(reader, error)};
    case Kind::prepare: {
      Prepare prepare;
      prepare.sender = base::NodeId(reader.u64());
      prepare.receiver = base::NodeId(reader.u64());
      prepare.set = take_set(reader, error);
      return prepare;
    }
    case Kind::commit: {
      Commit commit;
      commit.sender = base::NodeId(reader.u64());
      commit.receiver = base::NodeId(reader.u64());
      commit.set_hash = reader.u64();
      commit.cluster_id = base::ClusterId(reader.u64());
      return commit;
    }
    case Kind::abort: {
      Abort abort;
      abort.sender = base::NodeId(reader.u64());
      abort.receiver = base::NodeId(reader.u64());
      abort.set_hash = reader.u64();
      abort.attempt = reader.u64();
      return abort;
    }
    case Kind::goodbye:
      return take_goodbye(reader, error);
    default:
      return Errc::malformed;
  }
}

Result<BootstrapReply> take_reply(Kind kind, ByteReader& reader, Errc& error) {
  if (kind == Kind::hello_reply) return HelloReply{take_info(reader, error)};
  if (kind != Kind::ack) return Errc::malformed;
  Ack ack;
  ack.node_id = base::NodeId(reader.u64());
  const auto accepted = reader.u8();
  if (accepted > 1) error = Errc::malformed;
  ack.accepted = accepted == 1;
  ack.state = take_state(reader, error);
  ack.set_hash = reader.u64();
  ack.cluster_id = base::ClusterId(reader.u64());
  ack.reason = reader.blob(reason_bytes_max);
  return ack;
}

// The frame around every message: version, kind, body, nothing behind it.
template <class Message, class Take>
Result<Message> decode(std::string_view bytes, Take take) {
  if (bytes.size() > bootstrap_message_bytes_max) return Errc::limit_exceeded;
  ByteReader reader(bytes);
  const auto version = reader.u8();
  if (!reader.ok()) return Errc::malformed;
  if (version != bootstrap_protocol_version) return Errc::unsupported_version;
  const auto kind = static_cast<Kind>(reader.u8());
  Errc error{};
  auto message = take(kind, reader, error);
  if (!message) return message;
  if (error != Errc{}) return error;
  if (!reader.at_end()) return Errc::malformed;
  return message;
}

}  // namespace

std::string encode(const BootstrapRequest& request) {
  std::string out;
  if (const auto* hello = std::get_if<Hello>(&request)) {
    auto writer = begin(out, Kind::hello);
    put(writer, hello->sender);
  } else if (const auto* prepare = std::get_if<Prepare>(&request)) {
    auto writer = begin(out, Kind::prepare);
    writer.u64(prepare->sender.value);
    writer.u64(prepare->receiver.value);
    writer.blob(encode(prepare->set));
  } else if (const auto* commit = std::get_if<Commit>(&request)) {
    auto writer = begin(out, Kind::commit);
    writer.u64(commit->sender.value);
    writer.u64(commit->receiver.value);
    writer.u64(commit->set_hash);
    writer.u64(commit->cluster_id.value);
  } else if (const auto* abort = std::get_if<Abort>(&request)) {
    auto writer = begin(out, Kind::abort);
    writer.u64(abort->sender.value);
    writer.u64(abort->receiver.value);
    writer.u64(abort->set_hash);
    writer.u64(abort->attempt);
  } else {
    const auto& goodbye = std::get<Goodbye>(request);
    WW_ASSERT(goodbye.departures.size() <= core::configuration_members_max);
    auto writer = begin(out, Kind::goodbye);
    writer.u64(goodbye.sender.value);
    writer.u16(static_cast<std::uint16_t>(goodbye.departures.size()));
    for (const Goodbye::Departure& departure : goodbye.departures) {
      writer.u64(departure.node_id.value);
      writer.u64(departure.incarnation.value);
      writer.u8(departure.is_for_good ? 1 : 0);
    }
  }
  WW_ASSERT(out.size() <= bootstrap_message_bytes_max);
  return out;
}

std::string encode(const BootstrapReply& reply) {
  std::string out;
  if (const auto* hello = std::get_if<HelloReply>(&reply)) {
    auto writer = begin(out, Kind::hello_reply);
    put(writer, hello->info);
  } else {
    const auto& ack = std::get<Ack>(reply);
    auto writer = begin(out, Kind::ack);
    writer.u64(ack.node_id.value);
    writer.u8(ack.accepted ? 1 : 0);
    writer.u8(static_cast<std::uint8_t>(ack.state));
    writer.u64(ack.set_hash);
    writer.u64(ack.cluster_id.value);
    writer.blob(cut(ack.reason, reason_bytes_max));
  }
  WW_ASSERT(out.size() <= bootstrap_message_bytes_max);
  return out;
}

Result<BootstrapRequest> decode_bootstrap_request(std::string_view bytes) {
  return decode<BootstrapRequest>(bytes, take_request);
}

Result<BootstrapReply> decode_bootstrap_reply(std::string_view bytes) {
  return decode<BootstrapReply>(bytes, take_reply);
}

std::string_view describe(MemberState state) {
  switch (state) {
    case MemberState::fresh:
      return "fresh";
    case MemberState::prepared:
      return "prepared";
    case MemberState::member:
      return "member";
    case MemberState::removed:
      return "removed";
  }
  return "unknown";
}

std::string describe(const PeerInfo& info) {
  auto text = info.name + "/" + base::to_hex(info.node_id) + " " + std::string(describe(info.state));
  if (!info.cluster_id.is_zero()) text += " of " + base::to_hex(info.cluster_id);
  if (info.set_hash != 0) text += " set " + base::to_hex(info.set_hash);
  if (info.observed_hash != 0) text += " sees " + base::to_hex(info.observed_hash);
  return text + (info.expect == 0 ? " infers" : " expect " + std::to_string(info.expect));
}

std::string describe(const BootstrapRequest& request) {
  if (const auto* hello = std::get_if<Hello>(&request)) return "HELLO from " + describe(hello->sender);
  if (const auto* prepare = std::get_if<Prepare>(&request)) {
    return "PREPARE to " + base::to_hex(prepare->receiver) + " " + describe(prepare->set);
  }
  if (const auto* commit = std::get_if<Commit>(&request)) {
    return "COMMIT to " + base::to_hex(commit->receiver) + " cluster " + base::to_hex(commit->cluster_id);
  }
  if (const auto* abort = std::get_if<Abort>(&request)) {
    return "ABORT to " + base::to_hex(abort->receiver) + " set " + base::to_hex(abort->set_hash);
  }
  return "GOODBYE from " + base::to_hex(std::get<Goodbye>(request).sender);
}

std::string describe(const BootstrapReply& reply) {
  if (const auto* hello = std::get_if<HelloReply>(&reply)) return "HELLO reply: " + describe(hello->info);
  const auto& ack = std::get<Ack>(reply);
  if (ack.accepted) return base::to_hex(ack.node_id) + " accepts, " + std::string(describe(ack.state));
  return base::to_hex(ack.node_id) + " refuses: " + ack.reason;
}

}  // namespace whitewater::discovery

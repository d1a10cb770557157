#include "net/message_codec.hpp"

#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "base/assert.hpp"
#include "base/codec.hpp"

namespace whitewater::net {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Errc;
using base::Index;
using base::NodeId;
using base::Result;
using base::SharedBytes;
using base::Term;

// The first byte of a message. Numbers are never reused.
enum class Kind : std::uint8_t {
  append_request = 1,
  append_response = 2,
  heartbeat = 3,
  heartbeat_response = 4,
  vote_request = 5,
  vote_response = 6,
  timeout_now = 7,
  forwarded_proposals = 8,
  forward_rejected = 9,
  read_index_request = 10,
  read_index_response = 11,
  forwarded_change = 12,
};

constexpr std::size_t head_bytes = 1 + 8 + 8 + 8;
constexpr std::size_t append_head_bytes = 3 * 8 + 4;
constexpr std::size_t entry_head_bytes = 8 + 1 + 16 + 4;
constexpr std::size_t proposal_head_bytes = 16 + 4;
constexpr std::size_t request_id_bytes = 16;
// Each change: kind, id and a name.
constexpr std::size_t change_bytes_max =
    3 + core::configuration_members_max * (1 + 8 + 4 + core::member_name_bytes_max);
constexpr auto errc_first = static_cast<std::uint16_t>(Errc::no_leader);
constexpr auto errc_last = static_cast<std::uint16_t>(Errc::out_of_order);

// Encoded sizes of the bodies.
struct BodySize {
  std::size_t operator()(const core::AppendRequest& body) const {
    std::size_t size = append_head_bytes;
    for (const auto& entry : body.entries) size += entry_head_bytes + entry.payload.size_bytes();
    return size;
  }
  std::size_t operator()(const core::AppendResponse&) const { return 1 + 3 * 8; }
  std::size_t operator()(const core::Heartbeat&) const { return 4 * 8; }
  std::size_t operator()(const core::HeartbeatResponse&) const { return 8; }
  std::size_t operator()(const core::VoteRequest&) const { return 1 + 2 * 8; }
  std::size_t operator()(const core::VoteResponse&) const { return 1; }
  std::size_t operator()(const core::TimeoutNow&) const { return 0; }
  std::size_t operator()(const core::ForwardedProposals& body) const {
    std::size_t size = 4;
    for (const auto& proposal : body.proposals) size += proposal_head_bytes + proposal.payload.size_bytes();
    return size;
  }
  std::size_t operator()(const core::ForwardedChange& body) const {
    return request_id_bytes + 4 + core::encode(body.change).size();
  }
  std::size_t operator()(const core::ForwardRejected& body) const {
    return 2 + 4 + request_id_bytes * body.requests.size();
  }
  std::size_t operator()(const core::ReadIndexRequest&) const { return 8; }
  std::size_t operator()(const core::ReadIndexResponse&) const { return 8 + 1 + 8; }
};

std::uint8_t flags(bool first, bool second = false) {
  return static_cast<std::uint8_t>((first ? 1U : 0U) | (second ? 2U : 0U));
}

class Encoder {
 public:
  Encoder(const core::Message& message, MessageSink& sink) : message_(message), sink_(sink) {}

  void operator()(const core::AppendRequest& body) {
    WW_ASSERT(body.entries.size() <= core::message_entries_max);
    head(Kind::append_request);
    u64(body.prev_index.value);
    u64(body.prev_term.value);
    u64(body.commit.value);
    writer().u32(static_cast<std::uint32_t>(body.entries.size()));
    Index expected = body.prev_index.next();
    for (const auto& entry : body.entries) {
      // The index is not sent: the receiver counts from prev_index.
      WW_ASSERT_MSG(entry.index == expected, "the entries of an append are contiguous");
      expected = expected.next();
      u64(entry.term.value);
      writer().u8(static_cast<std::uint8_t>(entry.type));
      request_id(entry.request);
      payload(entry.payload);
    }
  }
  void operator()(const core::AppendResponse& body) {
    head(Kind::append_response);
    writer().u8(flags(body.rejected));
    u64(body.index.value);
    u64(body.hint_index.value);
    u64(body.hint_term.value);
  }
  void operator()(const core::Heartbeat& body) {
    head(Kind::heartbeat);
    u64(body.commit.value);
    u64(body.read_round);
    u64(body.released.value);
    u64(body.leader_commit.value);
  }
  void operator()(const core::HeartbeatResponse& body) {
    head(Kind::heartbeat_response);
    u64(body.read_round);
  }
  void operator()(const core::VoteRequest& body) {
    head(Kind::vote_request);
    writer().u8(flags(body.pre_vote, body.transfer));
    u64(body.last_index.value);
    u64(body.last_term.value);
  }
  void operator()(const core::VoteResponse& body) {
    head(Kind::vote_response);
    writer().u8(flags(body.pre_vote, body.granted));
  }
  void operator()(const core::TimeoutNow&) { head(Kind::timeout_now); }
  void operator()(const core::ForwardedProposals& body) {
    WW_ASSERT(body.proposals.size() <= core::message_entries_max);
    head(Kind::forwarded_proposals);
    writer().u32(static_cast<std::uint32_t>(body.proposals.size()));
    for (const auto& proposal : body.proposals) {
      request_id(proposal.request);
      payload(proposal.payload);
    }
  }
  void operator()(const core::ForwardedChange& body) {
    head(Kind::forwarded_change);
    request_id(body.request);
    writer().blob(core::encode(body.change));
  }
  void operator()(const core::ForwardRejected& body) {
    WW_ASSERT(body.requests.size() <= core::message_entries_max);
    head(Kind::forward_rejected);
    writer().u16(static_cast<std::uint16_t>(body.reason));
    writer().u32(static_cast<std::uint32_t>(body.requests.size()));
    for (const auto& request : body.requests) request_id(request);
  }
  void operator()(const core::ReadIndexRequest& body) {
    head(Kind::read_index_request);
    u64(body.tag);
  }
  void operator()(const core::ReadIndexResponse& body) {
    head(Kind::read_index_response);
    u64(body.tag);
    writer().u8(flags(body.refused));
    u64(body.index.value);
  }

 private:
  ByteWriter writer() { return ByteWriter(sink_.inline_bytes()); }
  void u64(std::uint64_t value) { writer().u64(value); }
  void head(Kind kind) {
    writer().u8(static_cast<std::uint8_t>(kind));
    u64(message_.from.value);
    u64(message_.to.value);
    u64(message_.term.value);
  }
  void request_id(const core::RequestId& request) {
    u64(request.node.value);
    u64(request.sequence);
  }
  void payload(const SharedBytes& bytes) {
    WW_ASSERT(bytes.size_bytes() <= core::entry_payload_bytes_max);
    writer().u32(static_cast<std::uint32_t>(bytes.size_bytes()));
    sink_.payload(bytes);
  }

  const core::Message& message_;
  MessageSink& sink_;
};

class StringSink final : public MessageSink {
 public:
  std::string& inline_bytes() override { return out_; }
  void payload(const SharedBytes& bytes) override { out_.append(bytes.view()); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads one message. The first refusal wins; the caller looks at it once, at the end.
class Decoder {
 public:
  Decoder(std::string_view bytes, SliceSource& slices) : reader_(bytes), slices_(slices) {}

  Result<core::Message> decode() {
    const auto kind = reader_.u8();
    core::Message message;
    message.from = NodeId(reader_.u64());
    message.to = NodeId(reader_.u64());
    message.term = Term(reader_.u64());
    if (!reader_.ok()) return Errc::malformed;
    if (!decode_body(static_cast<Kind>(kind), message.body)) return Errc::unsupported_version;
    if (refusal_) return *refusal_;
    if (!reader_.at_end()) return Errc::malformed;
    return message;
  }

 private:
  bool decode_body(Kind kind, core::MessageBody& out) {
    switch (kind) {
      case Kind::append_request:
        return append_request(out.emplace<core::AppendRequest>());
      case Kind::append_response:
        return append_response(out.emplace<core::AppendResponse>());
      case Kind::heartbeat:
        out = core::Heartbeat{
            .commit = index(), .read_round = reader_.u64(), .released = index(), .leader_commit = index()};
        return true;
      case Kind::heartbeat_response:
        out = core::HeartbeatResponse{.read_round = reader_.u64()};
        return true;
      case Kind::vote_request:
        return vote_request(out.emplace<core::VoteRequest>());
      case Kind::vote_response:
        return vote_response(out.emplace<core::VoteResponse>());
      case Kind::timeout_now:
        out = core::TimeoutNow{};
        return true;
      case Kind::forwarded_proposals:
        return forwarded_proposals(out.emplace<core::ForwardedProposals>());
      case Kind::forward_rejected:
        return forward_rejected(out.emplace<core::ForwardRejected>());
      case Kind::forwarded_change:
        return forwarded_change(out.emplace<core::ForwardedChange>());
      case Kind::read_index_request:
        out = core::ReadIndexRequest{.tag = reader_.u64()};
        return true;
      case Kind::read_index_response:
        return read_index_response(out.emplace<core::ReadIndexResponse>());
    }
    return false;
  }

  bool append_request(core::AppendRequest& body) {
    body.prev_index = index();
    body.prev_term = Term(reader_.u64());
    body.commit = index();
    const auto count = this->count(entry_head_bytes);
    if (body.prev_index.value > std::numeric_limits<std::uint64_t>::max() - count) refuse(Errc::malformed);
    if (refusal_ || !reader_.ok()) return true;
    body.entries.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      core::Entry entry;
      entry.index = body.prev_index + (i + 1);
      entry.term = Term(reader_.u64());
      const auto type = reader_.u8();
      entry.request = request_id();
      entry.payload = payload();
      if (!reader_.ok() || refusal_) break;
      if (type < static_cast<std::uint8_t>(core::EntryType::noop)) refuse(Errc::malformed);
      if (type > static_cast<std::uint8_t>(core::EntryType::command)) refuse(Errc::malformed);
      entry.type = static_cast<core::EntryType>(type);
      body.entries.push_back(std::move(entry));
    }
    return true;
  }
  bool append_response(core::AppendResponse& body) {
    body.rejected = (flag_bits(1) & 1U) != 0;
    body.index = index();
    body.hint_index = index();
    body.hint_term = Term(reader_.u64());
    return true;
  }
  bool vote_request(core::VoteRequest& body) {
    const auto bits = flag_bits(2);
    body.pre_vote = (bits & 1U) != 0;
    body.transfer = (bits & 2U) != 0;
    body.last_index = index();
    body.last_term = Term(reader_.u64());
    return true;
  }
  bool vote_response(core::VoteResponse& body) {
    const auto bits = flag_bits(2);
    body.pre_vote = (bits & 1U) != 0;
    body.granted = (bits & 2U) != 0;
    return true;
  }
  bool forwarded_proposals(core::ForwardedProposals& body) {
    const auto count = this->count(proposal_head_bytes);
    body.proposals.reserve(count);
    for (std::size_t i = 0; i < count && reader_.ok() && !refusal_; ++i) {
      const auto request = request_id();
      body.proposals.push_back({.request = request, .payload = payload()});
    }
    return true;
  }
  bool forwarded_change(core::ForwardedChange& body) {
    body.request = request_id();
    const auto bytes = reader_.blob(change_bytes_max);
    if (!reader_.ok()) return true;
    auto change = core::decode_change(bytes);
    if (!change) {
      refuse(static_cast<Errc>(change.error().value()));
      return true;
    }
    body.change = std::move(*change);
    return true;
  }
  bool forward_rejected(core::ForwardRejected& body) {
    const auto reason = reader_.u16();
    if (reader_.ok() && (reason < errc_first || reason > errc_last)) refuse(Errc::malformed);
    body.reason = static_cast<Errc>(reason);
    const auto count = this->count(request_id_bytes);
    body.requests.reserve(count);
    for (std::size_t i = 0; i < count; ++i) body.requests.push_back(request_id());
    return true;
  }
  bool read_index_response(core::ReadIndexResponse& body) {
    body.tag = reader_.u64();
    body.refused = (flag_bits(1) & 1U) != 0;
    body.index = index();
    return true;
  }

  Index index() { return Index(reader_.u64()); }
  core::RequestId request_id() {
    const NodeId node(reader_.u64());
    return {.node = node, .sequence = reader_.u64()};
  }
  // A number of elements that the rest of the bytes can hold, each of at least `element_bytes_min`.
  std::size_t count(std::size_t element_bytes_min) {
    const std::size_t count = reader_.u32();
    if (count > core::message_entries_max) {
      refuse(Errc::limit_exceeded);
      return 0;
    }
    if (count * element_bytes_min > reader_.remaining_bytes()) {
      refuse(Errc::malformed);
      return 0;
    }
    return count;
  }
  SharedBytes payload() {
    const std::size_t size = reader_.u32();
    if (size > core::entry_payload_bytes_max) refuse(Errc::limit_exceeded);
    payload_bytes_ += size;
    if (payload_bytes_ > core::message_payload_bytes_max) refuse(Errc::limit_exceeded);
    if (refusal_) return {};
    const auto part = reader_.bytes(size);
    if (part.empty()) return {};
    return slices_.slice(part);
  }
  std::uint8_t flag_bits(unsigned bit_count) {
    const auto bits = reader_.u8();
    if ((bits >> bit_count) != 0) refuse(Errc::malformed);
    return bits;
  }
  void refuse(Errc why) {
    if (!refusal_) refusal_ = why;
  }

  ByteReader reader_;
  SliceSource& slices_;
  std::optional<Errc> refusal_;
  std::size_t payload_bytes_ = 0;
};

}  // namespace

void encode_message(const core::Message& message, MessageSink& sink) {
  std::visit(Encoder(message, sink), message.body);
}

std::string encode_message(const core::Message& message) {
  StringSink sink;
  encode_message(message, sink);
  return sink.take();
}

std::size_t encoded_size_bytes(const core::Message& message) {
  return head_bytes + std::visit(BodySize{}, message.body);
}

SharedBytes SliceSource::slice(std::string_view part) {
  WW_ASSERT(part.data() >= bytes_.data());
  WW_ASSERT(part.data() + part.size() <= bytes_.data() + bytes_.size());
  if (shared_begin_ == nullptr) {
    if (owner_ == nullptr) {
      auto copy = std::make_shared<const std::string>(bytes_);
      shared_begin_ = copy->data();
      owner_ = std::move(copy);
    } else {
      shared_begin_ = bytes_.data();
    }
  }
  return {owner_, std::string_view(shared_begin_ + (part.data() - bytes_.data()), part.size())};
}

Result<core::Message> decode_message(std::string_view bytes, SliceSource& slices) {
  return Decoder(bytes, slices).decode();
}

Result<void> decode_messages(std::string_view payload, const std::shared_ptr<const void>& owner,
                             std::vector<core::Message>& out) {
  SliceSource slices(payload, owner);
  ByteReader reader(payload);
  while (!reader.at_end()) {
    const auto bytes = reader.blob(payload.size());
    if (!reader.ok()) return Errc::malformed;
    auto message = decode_message(bytes, slices);
    if (message.has_error()) return message.error();
    out.push_back(std::move(*message));
  }
  return {};
}

}  // namespace whitewater::net

// The frames of a snapshot transfer: what decodes encodes to the same bytes, behind which a later version may have put
// fields of its own (docs/wire-protocol.md). The first byte chooses the kind.
#include "fuzz/fuzz.hpp"
#include "net/snapshot_message.hpp"

namespace whitewater::fuzz {
namespace {

using namespace net;

template <class Decode>
void check(std::string_view bytes, const Decode& decode) {
  const auto value = decode(bytes);
  if (value) WW_ASSERT_MSG(bytes.starts_with(encode(*value)), "what decodes encodes to the same bytes");
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  const std::uint8_t kind = choices.u8() % 6;
  const std::string_view bytes = choices.rest();
  if (kind == 0) check(bytes, decode_snapshot_offer);
  if (kind == 1) check(bytes, decode_snapshot_offer_reply);
  if (kind == 2) check(bytes, decode_snapshot_chunk);
  if (kind == 3) check(bytes, decode_snapshot_ack);
  if (kind == 4) check(bytes, decode_snapshot_end);
  if (kind == 5) check(bytes, decode_snapshot_done);
}

std::vector<std::string> fuzz_seeds() {
  using base::Index;
  using base::Term;
  return {std::string(1, '\0') + encode(SnapshotOffer{Term(3), Index(100), Term(2), 12345, "header"}),
          std::string(1, '\1') + encode(SnapshotOfferReply{base::Errc::too_many_requests, ""}),
          std::string(1, '\1') + encode(SnapshotOfferReply{std::nullopt, "position"}),
          std::string(1, '\2') + encode(SnapshotChunk{7, "bytes"}),
          std::string(1, '\3') + encode(SnapshotAck{7}),
          std::string(1, '\4') + encode(SnapshotEnd{"trailer"}),
          std::string(1, '\5') + encode(SnapshotDone{std::nullopt, Index(100)}),
          std::string(1, '\5') + encode(SnapshotDone{base::Errc::no_space, Index(0)})};
}

}  // namespace whitewater::fuzz

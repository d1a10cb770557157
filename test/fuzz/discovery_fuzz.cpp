// What members hear before there is a cluster: bootstrap messages, sets of founders and DNS answers. The first byte
// chooses.
#include "discovery/bootstrap_messages.hpp"
#include "discovery/dns_answer.hpp"
#include "fuzz/fuzz.hpp"

namespace whitewater::fuzz {
namespace {

using namespace discovery;

template <class Decode>
void check(std::string_view bytes, const Decode& decode) {
  const auto value = decode(bytes);
  if (value) WW_ASSERT_MSG(encode(*value) == bytes, "what decodes encodes to the same bytes");
}

void check_answer(std::string_view bytes) {
  const auto answer = decode_srv_answer(bytes);
  if (answer) WW_ASSERT(answer->peers.size() <= dns_records_max);
}

// www-0.ww.test, port 2380, as a server says it.
std::string srv_answer() {
  const auto name = [](std::string_view label) { return std::string(label) + std::string("\2ww\4test\0", 9); };
  const std::string head("\0\1\x81\x80\0\1\0\1\0\0\0\0", 12);
  const std::string target = name("\5www-0");
  const std::string question = name("\5_peer") + std::string("\0\41\0\1", 4);
  const std::string record = std::string("\xc0\x0c\0\41\0\1\0\0\0\36\0", 11) + static_cast<char>(6 + target.size()) +
                             std::string("\0\0\0\0\x09\x4c", 6) + target;
  return head + question + record;
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  const std::uint8_t kind = choices.u8() % 4;
  const std::string_view bytes = choices.rest();
  if (kind == 0) check(bytes, decode_bootstrap_request);
  if (kind == 1) check(bytes, decode_bootstrap_reply);
  if (kind == 2) check(bytes, decode_founder_set);
  if (kind == 3) check_answer(bytes);
}

std::vector<std::string> fuzz_seeds() {
  using base::NodeId;
  FounderSet set{"token", 3, {{"ww-0", NodeId(5), "ww-0.ww:2380"}, {"ww-1", NodeId(6), "ww-1.ww:2380"}}};
  PeerInfo info;
  info.name = "ww-0";
  info.node_id = NodeId(5);
  info.token = "token";
  info.advertise = "ww-0.ww:2380";
  info.members = {{NodeId(5), "ww-0.ww:2380"}};
  const auto request = [](BootstrapRequest value) { return std::string(1, '\0') + encode(value); };
  return {request(Hello{info}),
          request(Prepare{NodeId(5), NodeId(6), set}),
          request(Commit{NodeId(5), NodeId(6), 9, base::ClusterId(8)}),
          request(Abort{NodeId(5), NodeId(6), 9, 3}),
          request(Goodbye{NodeId(5), {{NodeId(5), base::Incarnation(2), true}}}),
          "\1" + encode(BootstrapReply(HelloReply{info})),
          "\1" + encode(BootstrapReply(Ack{NodeId(6), false, MemberState::fresh, 9, base::ClusterId(8), "no"})),
          "\2" + encode(set),
          "\3" + srv_answer()};
}

}  // namespace whitewater::fuzz

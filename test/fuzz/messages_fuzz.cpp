// One core message: what decodes keeps the promises of its type and encodes to the same bytes, in the size that was
// foretold.
#include "fuzz/fuzz.hpp"
#include "net/message_codec.hpp"
#include "net/samples.hpp"

namespace whitewater::fuzz {
namespace {

struct Promises {
  void operator()(const core::AppendRequest& body) const {
    WW_ASSERT(body.entries.size() <= core::message_entries_max);
    core::Index expected = body.prev_index.next();
    for (const core::Entry& entry : body.entries) {
      WW_ASSERT(entry.index == expected);
      WW_ASSERT(entry.payload.size_bytes() <= core::entry_payload_bytes_max);
      WW_ASSERT(entry.type >= core::EntryType::noop && entry.type <= core::EntryType::command);
      expected = expected.next();
    }
  }
  void operator()(const core::ForwardedProposals& body) const {
    WW_ASSERT(body.proposals.size() <= core::message_entries_max);
    for (const core::Proposal& proposal : body.proposals) {
      WW_ASSERT(proposal.payload.size_bytes() <= core::entry_payload_bytes_max);
    }
  }
  void operator()(const core::ForwardedChange& body) const {
    WW_ASSERT(!body.change.changes.empty());
    WW_ASSERT(body.change.changes.size() <= core::configuration_members_max);
  }
  void operator()(const core::ForwardRejected& body) const {
    WW_ASSERT(body.requests.size() <= core::message_entries_max);
    WW_ASSERT(!base::make_error_code(body.reason).message().empty());
  }
  template <class Other>
  void operator()(const Other&) const {}
};

}  // namespace

void fuzz_one(std::string_view input) {
  net::SliceSource slices(input, nullptr);
  const auto message = net::decode_message(input, slices);
  if (!message) return;
  std::visit(Promises{}, message->body);
  (void)describe(*message);
  WW_ASSERT(net::encoded_size_bytes(*message) == input.size());
  WW_ASSERT_MSG(net::encode_message(*message) == input, "what decodes encodes to the same bytes");
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const core::Message& message : net::samples::every_message()) seeds.push_back(net::encode_message(message));
  const core::ConfigurationChange change{{{core::ChangeKind::add_learner, {core::NodeId(4), "four:2380"}},
                                          {core::ChangeKind::remove, {core::NodeId(3), ""}}}};
  seeds.push_back(net::encode_message(net::samples::message(core::ForwardedChange{{core::NodeId(1), 9}, change})));
  return seeds;
}

}  // namespace whitewater::fuzz

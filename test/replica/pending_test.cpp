// The queue of unanswered proposals.
#include "replica/pending.hpp"

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::replica;

namespace {

PendingProposal proposal(std::string bytes, int deadline_ms) {
  PendingProposal p;
  p.payload = base::SharedBytes(std::move(bytes));
  p.deadline = {base::milliseconds(deadline_ms)};
  return p;
}

}  // namespace

TEST_CASE("sequence numbers grow from the first and find their proposals") {
  PendingProposals pending(100);
  CHECK(pending.add(proposal("a", 1)) == 100);
  CHECK(pending.add(proposal("bb", 1)) == 101);
  CHECK(pending.find(99) == nullptr);
  CHECK(pending.find(101)->payload.view() == "bb");
  CHECK(pending.find(102) == nullptr);
  CHECK(pending.count() == 2);
  CHECK(pending.payload_bytes() == 3);
}

TEST_CASE("proposals are answered in any order and their bytes given back") {
  PendingProposals pending(1);
  for (int i = 0; i < 3; ++i) pending.add(proposal("xx", 1));
  pending.finish(2);
  CHECK(pending.find(2) == nullptr);
  CHECK(pending.count() == 2);
  CHECK(pending.payload_bytes() == 4);
  pending.finish(1);
  pending.finish(3);
  CHECK(pending.count() == 0);
  CHECK(pending.payload_bytes() == 0);
  CHECK(pending.add(proposal("y", 2)) == 4);
  CHECK(pending.find(4) != nullptr);
}

TEST_CASE("those past their deadline expire once, with the state they were in") {
  PendingProposals pending(1);
  pending.add(proposal("a", 10));
  pending.add(proposal("b", 10));
  pending.add(proposal("c", 20));
  pending.find(2)->state = PendingProposal::State::proposed;
  std::vector<std::pair<std::uint64_t, PendingProposal::State>> expired;
  const auto note = [&](std::uint64_t sequence, const PendingProposal& p) { expired.emplace_back(sequence, p.state); };
  pending.expire({base::milliseconds(9)}, note);
  CHECK(expired.empty());
  pending.expire({base::milliseconds(10)}, note);
  pending.expire({base::milliseconds(10)}, note);
  REQUIRE(expired.size() == 2);
  CHECK(expired[0].second == PendingProposal::State::held);
  CHECK(expired[1].second == PendingProposal::State::proposed);
  CHECK(pending.count() == 1);
}

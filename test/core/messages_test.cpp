#include "core/messages.hpp"

#include "catch.hpp"
#include "core/builders.hpp"

namespace whitewater::core::test {
namespace {

std::string text_of(MessageBody body) { return describe(Message{NodeId(1), NodeId(2), Term(3), std::move(body)}); }

}  // namespace

TEST_CASE("every kind of message describes itself") {
  CHECK(text_of(AppendRequest{Index(4), Term(2), Index(3), {}}) == "1->2 term=3 Append prev=2/4 commit=3");
  CHECK(text_of(AppendRequest{Index(4), Term(2), Index(3), {make_noop(3, 5)}}) ==
        "1->2 term=3 Append prev=2/4 commit=3 entries=[3/5 noop 0B]");
  CHECK(text_of(AppendRequest{Index(4), Term(2), Index(3), {make_noop(3, 5), make_command(3, 6)}}) ==
        "1->2 term=3 Append prev=2/4 commit=3 entries=[3/5 noop 0B .. 3/6 command 1B]");
  CHECK(text_of(AppendResponse{false, Index(9), {}, {}}) == "1->2 term=3 AppendOk match=9");
  CHECK(text_of(AppendResponse{true, Index(9), Index(4), Term(2)}) == "1->2 term=3 AppendReject prev=9 hint=2/4");
  CHECK(text_of(Heartbeat{Index(5), 8, {}}) == "1->2 term=3 Heartbeat commit=5 round=8");
  CHECK(text_of(HeartbeatResponse{8}) == "1->2 term=3 HeartbeatOk round=8");
  CHECK(text_of(VoteRequest{false, false, Index(5), Term(2)}) == "1->2 term=3 VoteRequest last=2/5");
  CHECK(text_of(VoteRequest{false, true, Index(5), Term(2)}) == "1->2 term=3 VoteRequest last=2/5 transfer");
  CHECK(text_of(VoteRequest{true, false, Index(5), Term(2)}) == "1->2 term=3 PreVoteRequest last=2/5");
  CHECK(text_of(VoteResponse{false, true}) == "1->2 term=3 Vote granted");
  CHECK(text_of(VoteResponse{true, false}) == "1->2 term=3 PreVote refused");
  CHECK(text_of(TimeoutNow{}) == "1->2 term=3 TimeoutNow");
  CHECK(text_of(ForwardedProposals{{Proposal{}, Proposal{}}}) == "1->2 term=3 Forward count=2");
  CHECK(text_of(ReadIndexRequest{6}) == "1->2 term=3 ReadIndex tag=6");
  CHECK(text_of(ReadIndexResponse{6, false, Index(2)}) == "1->2 term=3 ReadIndexOk tag=6 index=2");
  CHECK(text_of(ReadIndexResponse{6, true, Index(0)}) == "1->2 term=3 ReadIndexRefused tag=6");
  const std::string rejected = text_of(ForwardRejected{{RequestId{}}, base::Errc::too_many_requests});
  CHECK(rejected.find("1->2 term=3 ForwardRejected count=1 reason=") == 0);
}

}  // namespace whitewater::core::test

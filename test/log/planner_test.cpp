#include "log/planner.hpp"

#include "catch.hpp"
#include "log/log_rig.hpp"

using namespace whitewater;
using namespace whitewater::log;

namespace {

LogAppend entries_append(std::uint64_t first, std::uint64_t count, std::uint64_t term, std::size_t payload_bytes = 1) {
  LogAppend append;
  for (std::uint64_t i = 0; i < count; ++i) {
    append.entries.push_back(make_entry(first + i, term, std::string(payload_bytes, 'v')));
  }
  return append;
}

// What was written since the last call, one line for each write.
class Transcript {
 public:
  explicit Transcript(LogRig& rig) : rig_(rig) {}
  std::string pending() const {
    std::string text;
    for (const auto& write : rig_.disk().pending()) {
      BatchHeader batch;
      text += "slot " + std::to_string(write.slot) + " at " + std::to_string(write.offset_bytes) + ": ";
      if (write.offset_bytes == 0) {
        SegmentHeader header;
        REQUIRE(check_segment_header(write.bytes, header) == HeaderCheck::valid);
        text += "segment " + std::to_string(header.sequence) + " base " + std::to_string(header.base_index);
      } else {
        REQUIRE(check_batch_header(write.bytes, rig_log_id, batch) == HeaderCheck::valid);
        text += "batch " + std::to_string(batch.sequence) + " records " + std::to_string(batch.record_count) +
                " entries " + std::to_string(batch.entry_count) + " durable " + std::to_string(batch.durable_upto);
      }
      text += "\n";
    }
    return text;
  }

 private:
  LogRig& rig_;
};

}  // namespace

TEST_CASE("a fresh log writes its header at once and its first batch behind it") {
  // Intent: batches wait for the header of their segment.
  LogRig rig;
  const Transcript transcript(rig);
  CHECK(transcript.pending() == "slot 0 at 0: segment 1 base 1\n");
  rig.append_entry(1, 1);
  CHECK(transcript.pending() == "slot 0 at 0: segment 1 base 1\n");
  rig.complete_all();
  CHECK(rig.planner().durable_token() == 1);
}

TEST_CASE("what comes while a write is in flight goes out together when it is done") {
  // Intent: group commit without a timer.
  LogRig rig;
  const Transcript transcript(rig);
  rig.complete_all();
  rig.append_entry(1, 1);
  CHECK(transcript.pending() == "slot 0 at 4096: batch 1 records 1 entries 1 durable 0\n");
  rig.append_entry(2, 1);
  rig.append_vote(2, 7);
  rig.append_entry(3, 2);
  CHECK(rig.disk().pending().size() == 1);
  rig.complete(rig.disk().pending().front().id);
  CHECK(transcript.pending() == "slot 0 at 8192: batch 2 records 3 entries 2 durable 1\n");
  CHECK(rig.planner().durable_token() == 1);
  rig.complete_all();
  CHECK(rig.planner().durable_token() == 4);
  CHECK(rig.planner().durable_hard_state() == core::HardState{Term(2), NodeId(7)});
}

TEST_CASE("full batches go out up to four in flight, and durable is the contiguous prefix") {
  // Intent: pipelining and order of completion.
  LogRig rig;
  rig.complete_all();
  for (std::uint64_t i = 0; i < 6; ++i) rig.append(entries_append(1 + i * 3, 3, 1, 5000));
  REQUIRE(rig.disk().pending().size() == 4);
  auto ids = rig.disk().pending();
  rig.complete(ids[1].id);
  CHECK(rig.planner().durable_token() == 0);
  CHECK(rig.planner().durable_sequence() == 0);
  CHECK_FALSE(rig.planner().locate(Index(4)).has_value());
  rig.complete(ids[0].id);
  CHECK(rig.planner().durable_sequence() == 2);
  CHECK(rig.planner().locate(Index(1)).has_value());
  rig.complete_all();
  CHECK(rig.planner().durable_token() == 6);
  CHECK(rig.planner().last_index() == Index(18));
}

TEST_CASE("entries at or below the last index supersede the suffix, in a batch of their own") {
  // Intent: logical truncation; the superseded entries are no longer located.
  LogRig rig;
  rig.complete_all();
  rig.append(entries_append(1, 5, 1));
  rig.complete_all();
  rig.append(entries_append(6, 1, 1));
  rig.append(entries_append(7, 1, 1));
  rig.append(entries_append(4, 1, 2));
  rig.complete_all();
  CHECK(rig.planner().last_index() == Index(4));
  CHECK(rig.planner().term_at(Index(3)) == Term(1));
  CHECK(rig.planner().term_at(Index(4)) == Term(2));
  CHECK(rig.planner().term_at(Index(5)) == Term(0));
  CHECK_FALSE(rig.planner().locate(Index(5)).has_value());
  CHECK(rig.planner().locate(Index(4))->sequence > rig.planner().locate(Index(3))->sequence);
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(4));
}

TEST_CASE("a reset restarts the log behind a snapshot") {
  // Intent: the record that a follower writes when it installed a snapshot; its term is known at the boundary.
  LogRig rig;
  rig.complete_all();
  rig.append(entries_append(1, 3, 1));
  LogAppend append = entries_append(101, 2, 4);
  append.reset = LogReset{Index(101), Term(3)};
  rig.append(std::move(append));
  rig.complete_all();
  CHECK(rig.planner().first_index() == Index(101));
  CHECK(rig.planner().term_at(Index(100)) == Term(3));
  CHECK_FALSE(rig.planner().locate(Index(3)).has_value());
  rig.release(100);
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().first_index == Index(101));
  CHECK(rig.last_recovered().terms.term_at(Index(100)) == Term(3));
}

TEST_CASE("an append without content is durable with what came before it") {
  // Intent: tokens never overtake.
  LogRig rig;
  rig.complete_all();
  CHECK(rig.append({}) == 1);
  CHECK(rig.planner().durable_token() == 1);
  rig.append_entry(1, 1);
  rig.append({});
  CHECK(rig.planner().durable_token() == 1);
  rig.complete_all();
  CHECK(rig.planner().durable_token() == 3);
}

TEST_CASE("one entry over the group size is a batch of its own") {
  // Intent: the largest entry fits.
  LogRig rig;
  rig.complete_all();
  const std::size_t largest = rig.planner().entry_payload_bytes_max();
  CHECK(largest > 16U << 10);
  rig.append_entry(1, 1, std::string(largest, 'b'));
  rig.append_entry(2, 1, std::string(largest, 'c'));
  rig.complete_all();
  CHECK(rig.planner().durable_token() == 2);
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("a full log refuses before it stalls, keeps a reserve for votes, and goes on after a release") {
  // Intent: no ENOSPC in the middle; S11 for the log's budget.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  LogRig rig(limits, 3);
  rig.complete_all();
  std::uint64_t index = 0;
  while (!rig.planner().is_full(3000)) {
    rig.append_entry(++index, 1, std::string(3000, 'v'));
    rig.complete_all();
    REQUIRE(index < 1000);
  }
  CHECK(index > 20);
  CHECK_FALSE(rig.planner().stalled_for_space());
  for (std::uint64_t term = 2; term < 12; ++term) rig.append_vote(term, 7);
  rig.complete_all();
  CHECK(rig.planner().durable_hard_state().term == Term(11));
  CHECK_FALSE(rig.planner().stalled_for_space());
  rig.release(index);
  rig.complete_all();
  CHECK_FALSE(rig.planner().is_full(3000));
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("appends past the last free block wait and go out when segments are released") {
  // Intent: a log without any space holds back instead of failing, and the marker block frees it.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  LogRig rig(limits, 3);
  rig.complete_all();
  std::uint64_t index = 0;
  while (!rig.planner().stalled_for_space()) {
    rig.append_entry(++index, 1, std::string(3000, 'v'));
    rig.complete_all();
    REQUIRE(index < 1000);
  }
  CHECK(rig.planner().is_full());
  CHECK(rig.planner().durable_token() == index - 1);
  rig.release(index / 2);
  rig.complete_all();
  CHECK_FALSE(rig.planner().stalled_for_space());
  CHECK(rig.planner().durable_token() == index);
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("a log that is full to the last block of a segment goes on after a release without another append") {
  // Intent: a leader whose log is full proposes nothing, so the marker cannot wait for an append to make room for it.
  PlannerLimits limits = LogRig::small_limits();
  limits.segment_bytes = segment_bytes_min;  // two batches and the reserved block
  limits.segments_max = 4;
  LogRig rig(limits, 4);
  rig.complete_all();
  std::uint64_t last = 0;
  while (!rig.planner().is_full()) {
    rig.append_entry(++last, 1);
    rig.complete_all();
  }
  REQUIRE(last == 6);
  rig.release(last - 1);
  rig.complete_all();
  CHECK_FALSE(rig.planner().is_full());
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("a released slot is not reused before a durable batch says that it is not needed") {
  // Intent: a torn header over a released segment must never look like a missing one.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  limits.free_segments_min = 0;
  LogRig rig(limits, 3);
  rig.complete_all();
  std::uint64_t index = 0;
  while (rig.planner().free_slots() > 0) {
    rig.append_entry(++index, 1, std::string(3000, 'v'));
    rig.complete_all();
  }
  rig.release(index - 1);
  CHECK(rig.planner().free_slots() == 0);
  rig.append_entry(++index, 1);
  CHECK(rig.planner().free_slots() == 0);
  rig.complete_all();
  CHECK(rig.planner().free_slots() == 2);
}

TEST_CASE("a batch made before a release frees nothing by becoming durable") {
  // Intent: the announcement counts, not the moment; the batch in flight carries the old first_live.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  limits.free_segments_min = 0;
  LogRig rig(limits, 3);
  rig.complete_all();
  std::uint64_t index = 0;
  while (rig.planner().free_slots() > 0) {
    rig.append_entry(++index, 1, std::string(3000, 'v'));
    rig.complete_all();
  }
  rig.append_entry(++index, 1);
  REQUIRE(rig.disk().pending().size() == 1);
  rig.release(index - 1);
  rig.complete_all();
  CHECK(rig.planner().free_slots() == 0);
  rig.append_entry(++index, 1);
  rig.complete_all();
  CHECK(rig.planner().free_slots() == 2);
}

TEST_CASE("a segment whose last batch is not durable stays live although its entries were released") {
  // Intent: a leader may apply by its followers' quorum before its own write is done (S12).
  auto limits = LogRig::small_limits();
  limits.eager_in_flight_max = 4;
  LogRig rig(limits, 3);
  rig.complete_all();
  for (std::uint64_t i = 1; i <= 13; ++i) {
    rig.append_entry(i, 1, std::string(3000, 'v'));
    rig.complete_all();
  }
  rig.append_entry(14, 1, std::string(3000, 'v'));
  rig.append_entry(15, 1, std::string(3000, 'v'));
  REQUIRE(rig.disk().pending().size() == 2);  // the last batch of the segment and the header of the next
  const auto header = rig.disk().pending().back().id;
  rig.complete(header);
  rig.release(14);
  CHECK(rig.planner().describe().find("first live 1") != std::string::npos);
  rig.complete_all();
  CHECK(rig.planner().describe().find("first live 2") != std::string::npos);
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("a log that is full to the last block and idle is freed by a release alone") {
  // Intent: a full log gets no append, so the marker may not wait for one.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  LogRig rig(limits, 3);
  rig.complete_all();
  std::uint64_t index = 0;
  for (; index < 3U * 14U;) {
    rig.append_entry(++index, 1, std::string(3000, 'v'));
    rig.complete_all();
  }
  REQUIRE(rig.planner().free_slots() == 0);
  REQUIRE_FALSE(rig.planner().stalled_for_space());
  REQUIRE(rig.planner().is_full());
  rig.release(index);
  rig.complete_all();
  CHECK(rig.planner().free_slots() == 2);
  CHECK_FALSE(rig.planner().is_full());
  rig.append_entry(++index, 1);
  rig.complete_all();
  CHECK(rig.recover_and_check().empty());
}

TEST_CASE("a grown segment is asked for once, and again only after a retry") {
  // Intent: growth requests and their refusal.
  auto limits = LogRig::small_limits();
  BufferPool pool(6, limits.group_bytes_max);
  LogPlanner planner({ClusterId(0), rig_node, 1}, Incarnation(1), limits, RecoveredLog{}, 2, pool);
  PlannerOutput out;
  planner.take_output(out);
  CHECK(out.grow == Slot(2));
  planner.on_write_done(out.writes.front().id);
  planner.take_output(out);
  CHECK_FALSE(out.grow.has_value());
  planner.on_segment_add_failed(2);
  planner.take_output(out);
  CHECK_FALSE(out.grow.has_value());
  planner.on_growth_retry();
  planner.take_output(out);
  CHECK(out.grow == Slot(2));
  planner.on_segment_added(2);
  planner.take_output(out);
  CHECK_FALSE(out.grow.has_value());
  CHECK(planner.slots() == 3);
}

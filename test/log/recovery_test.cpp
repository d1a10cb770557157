// Damage and unusual images, by name of the hazard catalogue.
#include "log/recovery.hpp"

#include "catch.hpp"
#include "log/log_rig.hpp"

using namespace whitewater;
using namespace whitewater::log;

namespace {

// Entries first..last, one batch each, all durable.
void write_entries(LogRig& rig, std::uint64_t first, std::uint64_t last, std::uint64_t term = 1,
                   std::size_t bytes = 100) {
  rig.complete_all();
  for (std::uint64_t i = first; i <= last; ++i) {
    rig.append_entry(i, term, std::string(bytes, static_cast<char>('a' + i % 26)));
    rig.complete_all();
  }
}
RecoveryRefusal refusal_of(CrashDisk& disk, RecoveryOptions options = {rig_node, ClusterId(0), Index(0), 1U << 20}) {
  auto result = recover(disk, options);
  REQUIRE(std::holds_alternative<RecoveryRefusal>(result));
  return std::get<RecoveryRefusal>(result);
}
// Rewrites the header of segment file `slot` with its checksum.
template <class Change>
void change_header(CrashDisk& disk, Slot slot, Change change) {
  SegmentHeader header;
  REQUIRE(check_segment_header(std::string_view(disk.bytes(slot)).substr(0, block_bytes), header) ==
          HeaderCheck::valid);
  change(header);
  seal_segment_header(header, disk.bytes(slot).data());
}

}  // namespace

TEST_CASE("an untouched directory is a fresh log") {
  // Intent: nothing written, nothing refused.
  CrashDisk disk(2, 64 << 10);
  auto result = recover(disk, {rig_node, ClusterId(0), Index(0), 0});
  REQUIRE(std::holds_alternative<RecoveredLog>(result));
  CHECK(std::get<RecoveredLog>(result).is_fresh);
  CHECK(std::get<RecoveredLog>(result).first_index == Index(1));
}

TEST_CASE("a log over many segments comes back whole, with a release") {
  // Intent: the plain way through rolls, recycling and the header's copies.
  LogRig rig;
  for (std::uint64_t index = 1; index <= 200; ++index) {
    if (index % 17 == 0) rig.append_vote(1 + index / 17, 7);
    rig.append_entry(index, 1 + index / 17, std::string(2000, 'v'));
    rig.complete_all();
    if (index % 40 == 0) rig.release(index - 10);
  }
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(200));
  CHECK(rig.last_recovered().first_index > Index(1));
  CHECK(rig.last_recovered().torn_bytes == 0);
  CHECK(rig.planner().slots() <= 8);
}

TEST_CASE("recovery keeps the newest entries in memory as far as it was told") {
  // Intent: keep_from and keep_bytes_max.
  LogRig rig;
  write_entries(rig, 1, 20);
  auto result = recover(rig.disk(), {rig_node, ClusterId(0), Index(15), 1U << 20});
  CHECK(std::get<RecoveredLog>(result).entries.size() == 6);
  CHECK(std::get<RecoveredLog>(result).entries.front().index == Index(15));
  result = recover(rig.disk(), {rig_node, ClusterId(0), Index(0), 3 * (100 + entry_record_bytes)});
  CHECK(std::get<RecoveredLog>(result).entries.size() == 3);
  result = recover(rig.disk(), {rig_node, ClusterId(0), Index(0), 0});
  CHECK(std::get<RecoveredLog>(result).entries.empty());
  CHECK(std::get<RecoveredLog>(result).last_index == Index(20));
}

TEST_CASE("S1 a vote that was not durable is forgotten, one that was is not") {
  // Intent: a vote is only answered once durable, and then it is there.
  LogRig rig;
  rig.complete_all();
  rig.append_vote(3, 100);
  rig.complete_all();
  rig.append_vote(4, 200);
  CHECK(rig.planner().durable_hard_state() == core::HardState{Term(3), NodeId(100)});
  rig.disk().crash([](const auto&, std::size_t) { return false; });
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().hard_state == core::HardState{Term(3), NodeId(100)});
  rig.append_vote(4, 300);
  rig.complete_all();
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().hard_state == core::HardState{Term(4), NodeId(300)});
}

TEST_CASE("S2 a stale term never comes back after a crash between the term and the vote") {
  // Intent: hard states are ordered with everything else, over a roll too.
  LogRig rig;
  write_entries(rig, 1, 12, 1, 3000);
  rig.append_vote(5, 0);
  rig.complete_all();
  rig.append_vote(5, 9);
  rig.disk().crash([](const auto&, std::size_t sector) { return sector > 0; });
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().hard_state == core::HardState{Term(5), NodeId(0)});
  write_entries(rig, 13, 40, 5, 3000);
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().hard_state.term == Term(5));
}

TEST_CASE("S5 every subset of sectors of a torn last batch leaves what was durable") {
  // Intent: all 256 ways in which one block can tear.
  for (unsigned subset = 0; subset < 256; ++subset) {
    LogRig rig;
    write_entries(rig, 1, 3);
    rig.append_entry(4, 1, std::string(3900, 'z'));
    rig.disk().crash([subset](const auto&, std::size_t sector) { return ((subset >> sector) & 1U) != 0; });
    const auto problem = rig.recover_and_check();
    if (!problem.empty()) FAIL("subset " << subset << ": " << problem);
    const bool is_whole = subset == 255;
    CHECK(rig.last_recovered().last_index == Index(is_whole ? 4 : 3));
    CHECK((rig.last_recovered().torn_bytes > 0) == (subset != 255 && subset != 0));
    write_entries(rig, is_whole ? 5 : 4, 6);
    CHECK(rig.recover_and_check().empty());
  }
}

TEST_CASE("S6 damage in the middle of the log is refused and names the place") {
  // Intent: bit rot and lost writes of acknowledged batches, wherever a later batch proves them acknowledged.
  for (std::uint64_t victim = 1; victim <= 8; ++victim) {
    LogRig rig;
    write_entries(rig, 1, 10);
    const auto offset = static_cast<std::uint32_t>(victim * block_bytes);
    SECTION("a flipped bit in batch " + std::to_string(victim)) { rig.disk().flip_bit(0, offset + 150, 3); }
    SECTION("a flipped bit in the header of batch " + std::to_string(victim)) {
      rig.disk().flip_bit(0, offset + 20, 1);
    }
    SECTION("zeros in place of batch " + std::to_string(victim)) { rig.disk().zero(0, offset, block_bytes); }
    if (rig.recover_and_check().empty()) continue;  // no section of this victim in this pass
    const auto refusal = refusal_of(rig.disk());
    CHECK(refusal.kind == RefusalKind::corrupt);
    CHECK(refusal.slot == 0);
    CHECK(refusal.offset_bytes == offset);
    CHECK(describe(refusal).find("acknowledged") != std::string::npos);
  }
}

TEST_CASE("S6 damage at the end of a segment is proven by the next one") {
  // Intent: proof across files: by the header's durable_upto and by batches.
  LogRig rig;
  write_entries(rig, 1, 40, 1, 3000);
  // 14 batches fit in a segment of 16 blocks: header, 14, marker block.
  rig.disk().flip_bit(0, 14 * block_bytes + 200);
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
}

TEST_CASE("S6 a loss at the end of a segment is proven by the header of the next one alone") {
  // Intent: a stop right after a roll, before the new segment has a batch.
  LogRig rig;
  write_entries(rig, 1, 16, 1, 3000);
  std::string& first = rig.disk().bytes(0);
  std::string& second = rig.disk().bytes(1);
  std::fill(first.begin() + 14 * block_bytes, first.end(), '\0');
  std::fill(second.begin() + block_bytes, second.end(), '\0');
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
}

TEST_CASE("S6 a damaged header of a live segment is refused, the oldest, a middle and the newest one") {
  // Intent: lost segments are noticed.
  for (const Slot slot : {0U, 1U, 2U}) {
    LogRig rig;
    write_entries(rig, 1, 40, 1, 3000);
    rig.disk().flip_bit(slot, 60);
    CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
  }
}

TEST_CASE("S6 a log whose only header is damaged is not taken for a fresh one") {
  // Intent: the worst way to lose everything in silence.
  LogRig rig;
  write_entries(rig, 1, 3);
  rig.disk().flip_bit(0, 60);
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
}

TEST_CASE("S6 a lost header of a recycled segment is noticed although the old one is intact") {
  // Intent: an acknowledged write that never reached the medium brings the released header back.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  LogRig rig(limits, 3);
  write_entries(rig, 1, 20, 1, 3000);
  const std::string old_header = rig.disk().bytes(0).substr(0, block_bytes);
  rig.release(20);
  write_entries(rig, 21, 50, 1, 3000);
  REQUIRE(rig.disk().bytes(0).substr(0, block_bytes) != old_header);
  REQUIRE(rig.planner().locate(Index(50))->slot == 0);
  rig.disk().bytes(0).replace(0, block_bytes, old_header);
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
}

TEST_CASE("S7 a stale batch behind a refilled hole does not come back") {
  // Intent: the on-disk ABA; the new batch has the length and the content of the lost one.
  auto limits = LogRig::small_limits();
  limits.eager_in_flight_max = 4;
  LogRig rig(limits);
  write_entries(rig, 1, 2);
  rig.append_entry(3, 1, "same");
  rig.append_entry(4, 1, "stale");
  REQUIRE(rig.disk().pending().size() == 2);
  const auto lost = rig.disk().pending().front().id;
  rig.disk().crash([lost](const auto& write, std::size_t) { return write.id != lost; });
  REQUIRE(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(2));
  rig.append_entry(3, 1, "same");
  rig.complete_all();
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(3));
  // And again without a write in between: nothing grows back either.
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(3));
}

TEST_CASE("S8 valid batches of a segment's earlier use are not replayed") {
  // Intent: recycled segments keep their old batches behind the new ones.
  auto limits = LogRig::small_limits();
  limits.segments_max = 3;
  LogRig rig(limits, 3);
  write_entries(rig, 1, 30, 1, 3000);
  rig.release(30);
  write_entries(rig, 31, 45, 2, 3000);
  REQUIRE(rig.planner().locate(Index(45))->slot == 0);
  BatchHeader stale;
  const auto& bytes = rig.disk().bytes(0);
  REQUIRE(check_batch_header(std::string_view(bytes).substr(14 * block_bytes, block_bytes), rig_log_id, stale) ==
          HeaderCheck::valid);
  CHECK(stale.segment_sequence == 1);
  CHECK(rig.recover_and_check().empty());
  CHECK(rig.last_recovered().last_index == Index(45));
  CHECK(rig.last_recovered().torn_bytes == 0);
}

TEST_CASE("S8 a torn header over a released segment is not taken for a missing one") {
  // Intent: only batches, no header yet, say that the oldest segment is released when its slot is used again.
  for (const bool lands_torn : {false, true}) {
    auto limits = LogRig::small_limits();
    limits.segments_max = 3;
    LogRig rig(limits, 3);
    std::uint64_t index = 0;
    while (rig.planner().free_slots() > 0) write_entries(rig, index + 1, index + 1, 1, 3000), ++index;
    rig.release(20);
    while (rig.disk().pending().empty() || rig.disk().pending().back().offset_bytes != 0) {
      rig.complete_all();
      rig.append_entry(++index, 1, std::string(3000, 'n'));
      REQUIRE(index < 100);
    }
    REQUIRE(rig.disk().pending().back().slot == 0);
    rig.disk().crash([&](const auto&, std::size_t) { return false; });
    if (lands_torn) rig.disk().flip_bit(0, 40);
    CHECK(rig.recover_and_check().empty());
    CHECK(rig.last_recovered().first_index > Index(1));
    write_entries(rig, rig.last_recovered().last_index.value + 1, rig.last_recovered().last_index.value + 5);
    CHECK(rig.recover_and_check().empty());
  }
}

TEST_CASE("S13 a misdirected write is noticed by its place, in its own and in the other's") {
  // Intent: right checksum, wrong place.
  LogRig rig;
  write_entries(rig, 1, 10);
  SECTION("over an acknowledged batch") { rig.disk().copy(0, 5 * block_bytes, 0, 3 * block_bytes, block_bytes); }
  SECTION("into another segment and not into its own place") {
    rig.disk().copy(0, 4 * block_bytes, 1, 4 * block_bytes, block_bytes);
    rig.disk().zero(0, 4 * block_bytes, block_bytes);
  }
  SECTION("a segment header into another file") { rig.disk().copy(0, 0, 1, 0, block_bytes); }
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
}

TEST_CASE("S15 a crash at every step of a roll and of the first header write") {
  // Intent: header none, torn or whole; with the batch before it under way as well.
  for (unsigned subset = 0; subset < 4; ++subset) {
    LogRig fresh;
    fresh.append_entry(1, 1);
    fresh.disk().crash([subset](const auto&, std::size_t sector) { return sector % 4 < subset; });
    CHECK(fresh.recover_and_check().empty());
    CHECK(fresh.last_recovered().last_index == Index(0));
    write_entries(fresh, 1, 3);
    CHECK(fresh.recover_and_check().empty());

    auto limits = LogRig::small_limits();
    limits.eager_in_flight_max = 4;
    LogRig rig(limits);
    write_entries(rig, 1, 13, 1, 3000);
    for (std::uint64_t i = 14; i <= 17; ++i) rig.append_entry(i, 1, std::string(3000, 'r'));
    REQUIRE(rig.disk().pending().size() == 2);
    REQUIRE(rig.disk().pending().back().offset_bytes == 0);
    for (const bool batch_lands : {false, true}) {
      LogRig copy(limits);
      write_entries(copy, 1, 13, 1, 3000);
      for (std::uint64_t i = 14; i <= 17; ++i) copy.append_entry(i, 1, std::string(3000, 'r'));
      copy.disk().crash([&](const auto& write, std::size_t sector) {
        return write.offset_bytes != 0 ? batch_lands : sector % 4 < subset;
      });
      CHECK(copy.recover_and_check().empty());
      CHECK(copy.last_recovered().last_index == Index(batch_lands ? 14 : 13));
      write_entries(copy, batch_lands ? 15 : 14, 60, 2, 3000);
      CHECK(copy.recover_and_check().empty());
    }
  }
}

TEST_CASE("S16 a newer segment, batch or record is refused with the version") {
  // Intent: a downgrade never guesses.
  LogRig rig;
  write_entries(rig, 1, 5);
  std::string& bytes = rig.disk().bytes(0);
  SECTION("segment") {
    change_header(rig.disk(), 0, [](SegmentHeader& header) { header.version = 2; });
  }
  SECTION("batch") {
    BatchHeader header;
    std::memcpy(&header, bytes.data() + 3 * block_bytes, sizeof header);
    header.version = 2;
    seal_batch(header, rig_log_id, bytes.data() + 3 * block_bytes);
  }
  SECTION("record") {
    BatchHeader header;
    std::memcpy(&header, bytes.data() + 3 * block_bytes, sizeof header);
    bytes[3 * block_bytes + sizeof header] = 99;
    seal_batch(header, rig_log_id, bytes.data() + 3 * block_bytes);
  }
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::newer_format);
}

TEST_CASE("a log of another member, another cluster, another size or another log is refused") {
  // Intent: every refusal of the identity check.
  LogRig rig;
  write_entries(rig, 1, 40, 1, 3000);
  CHECK(refusal_of(rig.disk(), {NodeId(2), ClusterId(0), Index(0), 0}).kind == RefusalKind::other_member);
  change_header(rig.disk(), 0, [](SegmentHeader& header) { header.cluster_id = 5; });
  CHECK(refusal_of(rig.disk(), {rig_node, ClusterId(6), Index(0), 0}).kind == RefusalKind::other_cluster);
  change_header(rig.disk(), 1, [](SegmentHeader& header) { header.log_id = 5; });
  CHECK(refusal_of(rig.disk()).reason.find("another log") != std::string::npos);
  change_header(rig.disk(), 1, [](SegmentHeader& header) { header.log_id = rig_log_id, header.segment_bytes = 5; });
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::corrupt);
  change_header(rig.disk(), 1, [](SegmentHeader& header) { header.segment_bytes = 64 << 10, header.sequence = 1; });
  CHECK(refusal_of(rig.disk()).reason.find("two segments") != std::string::npos);
}

TEST_CASE("a device that cannot read is not taken for an empty log") {
  // Intent: the unreadable refusal.
  LogRig rig;
  write_entries(rig, 1, 3);
  rig.disk().fail_reads(true);
  CHECK(refusal_of(rig.disk()).kind == RefusalKind::unreadable);
}

TEST_CASE("intact batches whose content contradicts itself are refused") {
  // Intent: the checks of the content, for a writer's bug.
  LogRig rig;
  write_entries(rig, 1, 5);
  std::string& bytes = rig.disk().bytes(0);
  char* batch = bytes.data() + 5 * block_bytes;  // the last one
  BatchHeader header;
  std::memcpy(&header, batch, sizeof header);
  const auto set_u64 = [&](std::size_t at, std::uint64_t value) { std::memcpy(batch + sizeof header + at, &value, 8); };
  SECTION("an index that does not follow") { set_u64(16, 9); }
  SECTION("a term of zero") { set_u64(8, 0); }
  SECTION("fewer entries than the header says") { header.entry_count = 2; }
  SECTION("bytes behind the last record") { header.payload_bytes += 8; }
  SECTION("a truncation behind the end") {
    RecordWriter writer(batch + sizeof header);
    writer.put(TruncateRecord{Index(77), Term(1)});
    header.payload_bytes = small_record_bytes, header.entry_count = 0, header.record_count = 1;
  }
  seal_batch(header, rig_log_id, batch);
  const auto refusal = refusal_of(rig.disk());
  CHECK(refusal.kind == RefusalKind::corrupt);
  CHECK(refusal.offset_bytes == 5 * block_bytes);
}

TEST_CASE("every kind of refusal has a name") {
  // Intent: describe() covers the enumeration.
  for (const auto kind : {RefusalKind::corrupt, RefusalKind::newer_format, RefusalKind::other_member,
                          RefusalKind::other_cluster, RefusalKind::unreadable}) {
    CHECK(describe(kind) != "unknown");
  }
}

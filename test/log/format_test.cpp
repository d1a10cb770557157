#include "log/format.hpp"

#include "base/crc32c.hpp"
#include "catch.hpp"
#include "log/batch_index.hpp"
#include "log/meta.hpp"
#include "log/strategy_fsm.hpp"

using namespace whitewater;
using namespace whitewater::log;
using base::Errc;

namespace {

// One batch of every kind of record, in a block.
std::string sample_batch(BatchHeader& header) {
  core::Entry entry;
  entry.term = Term(3);
  entry.index = Index(9);
  entry.type = core::EntryType::command;
  entry.request = {NodeId(5), 77};
  entry.payload = core::SharedBytes(std::string("value"));
  std::string batch(block_bytes, '#');
  RecordWriter writer(batch.data() + sizeof(BatchHeader));
  writer.put(core::HardState{Term(3), NodeId(8)});
  writer.put(LogReset{Index(12), Term(2)});
  writer.put(TruncateRecord{Index(9), Term(2)});
  writer.put(entry);
  header.length_bytes = block_bytes;
  header.payload_bytes = static_cast<std::uint32_t>(writer.position() - batch.data() - sizeof(BatchHeader));
  header.segment_sequence = 4;
  header.offset_bytes = 8192;
  header.record_count = 4;
  header.sequence = 10;
  header.durable_upto = 8;
  header.first_index = 9;
  header.entry_count = 1;
  header.crc = seal_batch(header, 99, batch.data());
  return batch;
}

base::Result<Record> parse(const std::string& bytes) {
  base::ByteReader reader(bytes);
  return read_record(reader, nullptr);
}
std::string record_text(std::uint8_t kind, std::uint8_t type, std::uint16_t reserved, std::uint32_t length,
                        std::uint64_t a, std::uint64_t b, const std::string& rest = "") {
  std::string out;
  base::ByteWriter w(out);
  w.u8(kind), w.u8(type), w.u16(reserved), w.u32(length), w.u64(a), w.u64(b), w.bytes(rest);
  return out;
}

}  // namespace

TEST_CASE("a batch of every record reads back as it was written") {
  // Intent: the format's round trip, and the padding is zeros.
  BatchHeader header;
  const std::string batch = sample_batch(header);
  BatchHeader read;
  REQUIRE(check_batch_header(batch, 99, read) == HeaderCheck::valid);
  CHECK(read.sequence == 10);
  CHECK(is_payload_intact(read, batch));
  base::ByteReader reader(std::string_view(batch).substr(sizeof(BatchHeader), read.payload_bytes));
  CHECK(std::get<core::HardState>(*read_record(reader, nullptr)) == core::HardState{Term(3), NodeId(8)});
  CHECK(std::get<LogReset>(*read_record(reader, nullptr)) == LogReset{Index(12), Term(2)});
  CHECK(std::get<TruncateRecord>(*read_record(reader, nullptr)) == TruncateRecord{Index(9), Term(2)});
  const auto entry = std::get<core::Entry>(*read_record(reader, nullptr));
  CHECK(entry.payload.view() == "value");
  CHECK(entry.request == core::RequestId{NodeId(5), 77});
  CHECK(reader.at_end());
  CHECK(is_blank(std::string_view(batch).substr(sizeof(BatchHeader) + read.payload_bytes)));
}

TEST_CASE("every flipped bit of a batch is noticed") {
  // Intent: the two checksums leave no byte of header or payload uncovered.
  BatchHeader header;
  const std::string batch = sample_batch(header);
  for (std::size_t byte = 0; byte < sizeof(BatchHeader) + header.payload_bytes; ++byte) {
    std::string damaged = batch;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 4);
    BatchHeader read;
    const bool is_valid =
        check_batch_header(damaged, 99, read) == HeaderCheck::valid && is_payload_intact(read, damaged);
    if (is_valid) FAIL("byte " << byte);
  }
}

TEST_CASE("a batch of another log does not pass") {
  // Intent: the log id seeds the checksum, so bytes of a client's value cannot imitate a batch.
  BatchHeader header;
  const std::string batch = sample_batch(header);
  CHECK(check_batch_header(batch, 98, header) == HeaderCheck::damaged);
}

TEST_CASE("batch headers are told apart: blank, foreign, damaged, newer, impossible lengths") {
  // Intent: each outcome of check_batch_header.
  BatchHeader header;
  CHECK(check_batch_header(std::string(block_bytes, '\0'), 99, header) == HeaderCheck::blank);
  CHECK(check_batch_header(std::string(block_bytes, 'a'), 99, header) == HeaderCheck::foreign);
  const auto sealed = [](auto change) {
    BatchHeader h;
    std::string batch = sample_batch(h);
    change(h);
    seal_batch(h, 99, batch.data());
    return check_batch_header(batch, 99, h);
  };
  CHECK(sealed([](BatchHeader& h) { h.version = 2; }) == HeaderCheck::newer);
  CHECK(sealed([](BatchHeader& h) { h.version = 0; }) == HeaderCheck::damaged);
  CHECK(sealed([](BatchHeader& h) { h.sequence = 0; }) == HeaderCheck::damaged);
  CHECK(sealed([](BatchHeader& h) { h.sequence = counter_max + 1; }) == HeaderCheck::damaged);
  CHECK(sealed([](BatchHeader& h) { h.segment_sequence = ~0ULL; }) == HeaderCheck::damaged);
  CHECK(sealed([](BatchHeader& h) { h.durable_upto = h.sequence; }) == HeaderCheck::damaged);
  BatchHeader huge;
  std::string large(batch_bytes_max + block_bytes, '\0');
  huge.length_bytes = batch_bytes_max + block_bytes;
  huge.sequence = 1;
  seal_batch(huge, 99, large.data());
  CHECK(check_batch_header(large, 99, huge) == HeaderCheck::damaged);
}

TEST_CASE("a record that does not decode names its error") {
  // Intent: every error of read_record.
  CHECK(parse("short").error() == Errc::malformed);
  CHECK(parse(record_text(2, 0, 1, 0, 1, 1)).error() == Errc::unsupported_version);
  CHECK(parse(record_text(9, 0, 0, 0, 1, 1)).error() == Errc::unsupported_version);
  CHECK(parse(record_text(2, 0, 0, 5, 1, 1)).error() == Errc::malformed);
  CHECK(parse(record_text(3, 0, 0, 0, 0, 1)).error() == Errc::malformed);
  CHECK(parse(record_text(4, 0, 0, 0, 0, 1)).error() == Errc::malformed);
  CHECK(parse(record_text(1, 9, 0, 0, 1, 1)).error() == Errc::unsupported_version);
  CHECK(parse(record_text(1, 3, 0, core::entry_payload_bytes_max + 1, 1, 1)).error() == Errc::limit_exceeded);
  CHECK(parse(record_text(1, 3, 0, 4, 1, 1, std::string(16, 'a') + "abc")).error() == Errc::malformed);
  CHECK(parse(record_text(1, 3, 0, 0, 0, 1, std::string(16, 'a'))).error() == Errc::malformed);
  CHECK(parse(record_text(1, 3, 0, 0, 1, 0, std::string(16, 'a'))).error() == Errc::malformed);
}

TEST_CASE("a segment header reads back and every flipped bit is noticed") {
  // Intent: round trip and coverage of the segment header's checksum.
  SegmentHeader header;
  header.node_id = 5;
  header.sequence = 3;
  header.base_index = 1;
  header.first_batch_sequence = 1;
  std::string block(block_bytes, '#');
  seal_segment_header(header, block.data());
  SegmentHeader read;
  REQUIRE(check_segment_header(block, read) == HeaderCheck::valid);
  CHECK(read.node_id == 5);
  for (std::size_t byte = 0; byte < sizeof header; ++byte) {
    std::string damaged = block;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1);
    if (check_segment_header(damaged, read) == HeaderCheck::valid) FAIL("byte " << byte);
  }
  CHECK(check_segment_header(std::string(block_bytes, '\0'), read) == HeaderCheck::blank);
  CHECK(check_segment_header(std::string(block_bytes, 'z'), read) == HeaderCheck::foreign);
  header.version = 2;
  seal_segment_header(header, block.data());
  CHECK(check_segment_header(block, read) == HeaderCheck::newer);
}

TEST_CASE("entries of a batch are read for the range that is still valid") {
  // Intent: read_entries clips to the reference and refuses another batch in its place.
  BatchHeader header;
  const std::string batch = sample_batch(header);
  BatchRef ref{Index(9), Index(9), 10, 4, 0, 8192, block_bytes};
  CHECK(read_entries(ref, 99, Index(9), nullptr, batch)->size() == 1);
  CHECK(read_entries(ref, 99, Index(10), nullptr, batch)->empty());
  CHECK(read_entries(ref, 98, Index(9), nullptr, batch).error() == Errc::checksum_mismatch);
  CHECK(read_entries(ref, 99, Index(9), nullptr, "short").error() == Errc::malformed);
  ref.sequence = 11;
  CHECK(read_entries(ref, 99, Index(9), nullptr, batch).error() == Errc::checksum_mismatch);
}

TEST_CASE("term runs follow appends, truncation, reset and release") {
  // Intent: the terms that Raft's matching relies on (S21: no answer for what is not known).
  TermRuns terms;
  terms.append(Index(1), Term(1));
  terms.append(Index(2), Term(1));
  terms.append(Index(3), Term(4));
  CHECK(terms.term_at(Index(2)) == Term(1));
  CHECK(terms.term_at(Index(4)) == Term(0));
  terms.drop_before(Index(2));
  CHECK(terms.term_at(Index(1)) == Term(1));
  CHECK(terms.boundary() == Index(1));
  terms.truncate_from(Index(3), Term(1));
  CHECK(terms.last() == Index(2));
  terms.append(Index(3), Term(5));
  CHECK(terms.term_at(Index(3)) == Term(5));
  terms.drop_before(Index(4));
  CHECK(terms.term_at(Index(3)) == Term(5));
  CHECK(terms.term_at(Index(2)) == Term(0));
  terms.reset(Index(40), Term(6));
  CHECK(terms.term_at(Index(40)) == Term(6));
  terms.truncate_from(Index(39), Term(6));
  CHECK(terms.boundary() == Index(38));
}

TEST_CASE("the identity record reads back from either copy") {
  // Intent: meta round trip, choice of the newer copy, and every refusal.
  MetaRecord record;
  record.generation = 3;
  record.node = NodeId(7);
  record.cluster = base::ClusterId(9);
  record.incarnation = Incarnation(2);
  record.state = MemberState::prepared;
  record.prepared_set_hash = 55;
  record.pod_name = "whitewater-0";
  const std::string copy = encode(record);
  CHECK(decode_meta(copy).value() == record);
  CHECK(decode_meta(std::string(meta_copy_bytes, '\0')).error() == Errc::not_found);
  CHECK(decode_meta(std::string(meta_copy_bytes, 'q')).error() == Errc::malformed);

  MetaRecord older = record;
  older.generation = 2;
  std::string damaged = copy;
  damaged[30] = static_cast<char>(damaged[30] ^ 1);
  CHECK(decode_meta(damaged).error() == Errc::checksum_mismatch);
  CHECK(choose_meta(copy + copy)->record == record);
  CHECK_FALSE(choose_meta(copy + copy)->needs_rewrite);
  CHECK(choose_meta(encode(older) + copy)->record == record);
  CHECK(choose_meta(copy + encode(older))->needs_rewrite);
  CHECK(choose_meta(damaged + encode(older))->record == older);
  CHECK(choose_meta(copy + damaged)->record == record);
  CHECK(choose_meta(damaged + damaged).error() == Errc::checksum_mismatch);
  CHECK(choose_meta(std::string(meta_file_bytes, '\0'))->record == std::nullopt);
  CHECK(choose_meta("")->record == std::nullopt);
  CHECK(choose_meta("partial").error() == Errc::checksum_mismatch);
  MetaRecord twin = record;
  twin.node = NodeId(8);
  CHECK(choose_meta(copy + encode(twin)).error() == Errc::malformed);
}

TEST_CASE("an identity record of a newer version is refused, not taken for damage") {
  // Intent: S16 for the identity record.
  MetaRecord record;
  record.node = NodeId(7);
  std::string copy = encode(record);
  const auto body_bytes = static_cast<std::uint8_t>(copy[12]);
  copy[8] = 2;
  std::string crc;
  base::ByteWriter(crc).u32(base::crc32c(copy.substr(0, 16U + body_bytes)));
  copy.replace(16U + body_bytes, 4, crc);
  CHECK(decode_meta(copy).error() == Errc::unsupported_version);
  CHECK(choose_meta(copy + encode(record)).error() == Errc::unsupported_version);
}

TEST_CASE("io_uring is given up when its median stays three times the probe's for 50 ms, once") {
  // Intent: the run-time switch of the write strategy.
  using base::microseconds;
  using base::milliseconds;
  StrategyFsm fsm;
  fsm.on_start(microseconds(150));
  base::Instant now;
  const auto feed = [&](microseconds latency, int count) {
    bool switched = false;
    for (int i = 0; i < count; ++i) {
      now = now + latency;
      switched = fsm.on_sample(now, latency) || switched;
    }
    return switched;
  };
  CHECK_FALSE(feed(microseconds(150), 2000));
  CHECK_FALSE(feed(microseconds(400), 500));
  CHECK_FALSE(feed(milliseconds(20), 1));  // one slow write is no trend
  CHECK_FALSE(feed(microseconds(150), 2000));
  CHECK(feed(milliseconds(4), 40));
  CHECK_FALSE(feed(milliseconds(4), 100));
  fsm.on_start(base::Duration(0));
  CHECK_FALSE(feed(milliseconds(4), 100));
}

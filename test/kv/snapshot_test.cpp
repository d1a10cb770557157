#include "kv/snapshot.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "base/codec.hpp"
#include "base/crc32c.hpp"
#include "base/rng.hpp"
#include "kv/rocksdb_backend.hpp"
#include "store_harness.hpp"
#include "temporary_folder.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;
using base::Errc;

namespace {

constexpr std::size_t chunk_checksum_bytes = 4;
constexpr std::size_t chunk_header_bytes = 4 + 12 + 12;

std::unique_ptr<Backend> memory() { return std::make_unique<MemoryBackend>(); }
std::unique_ptr<Backend> rocksdb_in(const std::string& directory) {
  RocksdbOptions options;
  options.directory = directory;
  options.write_buffer_bytes = 64UL << 10;  // several flushes of RocksDB's own in one transfer
  return std::make_unique<RocksdbBackend>(options);
}
void persist(StoreHarness& h) { h.store().persist_upto(h.store().applied_index()); }

// Keys that live, die and come again, some large values, compactions, a configuration.
void fill(StoreHarness& h, std::uint64_t seed, int commands) {
  base::Rng rng(seed);
  for (int i = 0; i < commands; ++i) {
    const auto key = "k" + std::to_string(rng.in_range(0, 59));
    if (i == commands / 3) h.store().set_configuration(h.store().applied_index().next(), "members");
    if (i == commands / 2) h.compact(h.store().current_revision() - 30);
    if (rng.chance(1, 8)) {
      (void)h.apply(delete_of(key, key + "5"));
    } else if (rng.chance(1, 10)) {
      TxnRequest txn;
      txn.success = {{put_of(key, "first")}, {put_of(key + "x", "second")}, {delete_of("k7")}};
      h.txn(txn);
    } else {
      h.put(key, std::string(rng.chance(1, 30) ? 5000 : rng.in_range(0, 200), static_cast<char>('a' + i % 26)));
    }
    if (rng.chance(1, 4)) persist(h);
    if (rng.chance(1, 4)) h.store().compact_step(3);
  }
  persist(h);
}

SnapshotHeader sent(const SnapshotHeader& header) {
  const auto received = decode_snapshot_header(encode_snapshot_header(header));
  REQUIRE(received.has_value());
  CHECK(*received == header);
  return *received;
}

std::vector<SnapshotChunk> all_chunks(SnapshotReader& reader, std::size_t bytes_max) {
  std::vector<SnapshotChunk> chunks;
  while (auto chunk = reader.next_chunk(bytes_max)) {
    CHECK(chunk->after == (chunks.empty() ? RecordId{} : chunks.back().last));
    CHECK(chunk->last == reader.position());
    CHECK(chunk->is_last == reader.total().has_value());
    chunks.push_back(std::move(*chunk));
  }
  CHECK(reader.total().has_value());
  return chunks;
}

// Offers a step again until the backend is not busy; how often it was.
int insist(const std::function<base::Result<void>()>& step) {
  for (int refused = 0;; ++refused) {
    const auto result = step();
    if (result) return refused;
    REQUIRE(result.error() == Errc::too_many_requests);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::unique_ptr<Store> finish(SnapshotWriter& writer, const SnapshotTotal& total) {
  CHECK_FALSE(writer.is_durable());
  insist([&] { return writer.begin_finish(total); });
  while (!writer.is_durable()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return writer.take_store();
}

std::unique_ptr<Store> transfer(SnapshotReader& reader, std::unique_ptr<Backend> target, std::size_t bytes_max) {
  SnapshotWriter writer(std::move(target), sent(reader.header()));
  while (const auto chunk = reader.next_chunk(bytes_max)) {
    insist([&] { return writer.add_chunk(chunk->bytes); });
    CHECK(writer.position() == reader.position());
  }
  REQUIRE(reader.total().has_value());
  CHECK(*reader.total() == writer.so_far());
  return finish(writer, *reader.total());
}

std::string show(const RangeResult& result) {
  if (const auto* error = std::get_if<ErrorCode>(&result)) return "error " + std::to_string(static_cast<int>(*error));
  const auto& response = std::get<RangeResponse>(result);
  std::string out = "count " + std::to_string(response.count) + " at " + std::to_string(response.header_revision);
  for (const auto& kv : response.kvs) {
    out += '\n' + kv.key + '=' + kv.value + ' ' + std::to_string(kv.create_revision) + ' ' +
           std::to_string(kv.mod_revision) + ' ' + std::to_string(kv.version) + ' ' + std::to_string(kv.lease);
  }
  return out;
}

// Every answer, at every revision.
void check_same(const Store& copy, const Store& source) {
  copy.check_invariants();
  CHECK(copy.applied_index() == source.applied_index());
  CHECK(copy.current_revision() == source.current_revision());
  CHECK(copy.compact_revision() == source.compact_revision());
  CHECK(copy.configuration() == source.configuration());
  CHECK(copy.size().keys == source.size().keys);
  CHECK(copy.hash() == source.hash());
  for (Revision at = std::max<Revision>(source.compact_revision() - 1, 1); at <= source.current_revision() + 1; ++at) {
    for (const auto& request : {everything(), range_of("k2", "k5")}) {
      auto asked = request;
      asked.revision = at;
      REQUIRE(show(copy.range(asked)) == show(source.range(asked)));
      asked.count_only = true;
      REQUIRE(show(copy.range(asked)) == show(source.range(asked)));
    }
  }
}

// A chunk's checksum made right again after its bytes were changed.
void seal(std::string& chunk, const SnapshotHeader& header) {
  const auto start = base::crc32c(encode_snapshot_header(header));
  const auto checksum = base::crc32c(std::string_view(chunk).substr(chunk_checksum_bytes), start);
  std::memcpy(chunk.data(), &checksum, sizeof checksum);
}

Errc error_of(const base::Result<void>& result) {
  REQUIRE(result.has_error());
  return static_cast<Errc>(result.error().value());
}

base::ExitCode exit_code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::FatalError& error) {
    return error.code();
  }
  return base::ExitCode::ok;
}

// A source with several chunks, and a writer that has taken the first of them.
struct HalfSent {
  StoreHarness source;
  std::unique_ptr<SnapshotReader> reader;
  std::vector<SnapshotChunk> chunks;
  std::unique_ptr<SnapshotWriter> writer;
  MemoryBackend* target = nullptr;

  explicit HalfSent(int commands = 200) {
    fill(source, 3, commands);
    reader = source.store().open_snapshot();
    chunks = all_chunks(*reader, 2000);
    REQUIRE(chunks.size() > 4);
    auto backend = std::make_unique<MemoryBackend>();
    target = backend.get();
    writer = std::make_unique<SnapshotWriter>(std::move(backend), reader->header());
    REQUIRE(writer->add_chunk(chunks[0].bytes).has_value());
  }
  // The refusal, which changes nothing: the transfer goes on as if nothing had come.
  Errc refusal(std::string_view chunk) {
    const auto position = writer->position();
    const auto so_far = writer->so_far();
    const auto taken = target->size().total_bytes;
    const auto error = error_of(writer->add_chunk(chunk));
    CHECK(writer->position() == position);
    CHECK(writer->so_far() == so_far);
    CHECK(target->size().total_bytes == taken);
    return error;
  }
  void finish_and_check() {
    for (std::size_t i = 1; i < chunks.size(); ++i) REQUIRE(writer->add_chunk(chunks[i].bytes).has_value());
    check_same(*finish(*writer, *reader->total()), source.store());
  }
};

}  // namespace

TEST_CASE("a snapshot carries a store from any backend to any other") {
  // Content, configuration and compaction state, whatever the chunks' size; the copy on disk opens again.
  for (const std::size_t bytes_max : {1UL, 300UL, 10'000UL, 100UL << 20}) {
    for (const bool is_source_on_disk : {false, true}) {
      for (const bool is_copy_on_disk : {false, true}) {
        INFO(bytes_max << " bytes, on disk: " << is_source_on_disk << is_copy_on_disk);
        TemporaryFolder folder;
        StoreHarness source(is_source_on_disk ? rocksdb_in(folder / "source") : memory());
        fill(source, bytes_max, 300);
        auto reader = source.store().open_snapshot();
        auto copy = transfer(*reader, is_copy_on_disk ? rocksdb_in(folder / "copy") : memory(), bytes_max);
        check_same(*copy, source.store());
        CHECK(copy->durable_applied_index() == source.store().applied_index());
        CHECK(copy->configuration() == "members");
        if (!is_copy_on_disk) continue;
        copy.reset();
        const Store opened(rocksdb_in(folder / "copy"));
        check_same(opened, source.store());
      }
    }
  }
}

TEST_CASE("chunks keep to the size that was asked for, but hold one record at least") {
  StoreHarness source;
  for (int i = 0; i < 50; ++i) source.put("k" + std::to_string(i), std::string(100, 'x'));
  source.put("large", std::string(3000, 'x'));
  persist(source);
  auto reader = source.store().open_snapshot();
  std::size_t records_alone = 0;
  for (const auto& chunk : all_chunks(*reader, 1000)) {
    if (chunk.bytes.size() > 1000) {
      ++records_alone;
      CHECK(chunk.last.main == source.store().current_revision());
      CHECK(chunk.bytes.size() < 3200);
    }
  }
  CHECK(records_alone == 1);
  CHECK(reader->total()->record_count == 51);
  // The same total however it is cut.
  const auto again = source.store().open_snapshot();
  CHECK(all_chunks(*again, 1).size() == 51);
  CHECK(again->total() == reader->total());
}

TEST_CASE("the largest record passes, and no chunk is larger than what a receiver takes") {
  StoreHarness source;
  for (int i = 0; i < 4; ++i) source.put("k" + std::to_string(i), std::string(command_bytes_max - 100, 'x'));
  persist(source);
  auto reader = source.store().open_snapshot();
  const auto chunks = all_chunks(*reader, 1UL << 30);
  CHECK(chunks.size() > 1);
  for (const auto& chunk : chunks) CHECK(chunk.bytes.size() <= snapshot_chunk_bytes_max);
  REQUIRE(reader->seek({}).has_value());
  check_same(*transfer(*reader, memory(), 1UL << 30), source.store());
}

TEST_CASE("the store goes on while its snapshot is read, and the copy is what it was when it was opened") {
  // Puts, deletes, further compactions and their removals, between all chunks; then the same log leads to the same
  // place.
  for (const bool is_on_disk : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      INFO("on disk " << is_on_disk << ", seed " << seed);
      TemporaryFolder folder;
      StoreHarness source(is_on_disk ? rocksdb_in(folder / "source") : memory());
      fill(source, seed, 300);
      StoreHarness twin;  // stays where the source is now
      fill(twin, seed, 300);
      source.put("ahead", "applied and not yet persisted");
      auto reader = source.store().open_snapshot();
      CHECK(reader->header().meta.applied == twin.store().applied_index());
      persist(source);
      SnapshotWriter writer(memory(), sent(reader->header()));
      base::Rng rng(seed);
      while (const auto chunk = reader->next_chunk(700)) {
        REQUIRE(writer.add_chunk(chunk->bytes).has_value());
        source.put("k" + std::to_string(rng.in_range(0, 59)), "later");
        (void)source.apply(delete_of("k" + std::to_string(rng.in_range(0, 59))));
        if (rng.chance(1, 5)) source.compact(source.store().current_revision());
        persist(source);
        source.store().compact_step(20);
        if (rng.chance(1, 5)) source.store().flush();
      }
      source.compact_physically();
      CHECK(source.store().hash() != twin.store().hash());
      check_same(*finish(writer, *reader->total()), twin.store());
    }
  }
}

TEST_CASE("a transfer is resumed after any chunk, as often as need be") {
  HalfSent t;
  for (std::size_t lost = 0; lost < t.chunks.size(); ++lost) {
    INFO("from chunk " << lost);
    auto reader = t.source.store().open_snapshot();
    SnapshotWriter writer(memory(), sent(reader->header()));
    // The receiver takes chunks up to `lost`; the sender reads on to the end without an answer.
    for (std::size_t i = 0; const auto chunk = reader->next_chunk(2000); ++i) {
      if (i < lost) REQUIRE(writer.add_chunk(chunk->bytes).has_value());
    }
    REQUIRE(reader->seek(writer.position()).has_value());
    CHECK(reader->position() == writer.position());
    // Other cuts than the first time.
    while (const auto chunk = reader->next_chunk(777)) REQUIRE(writer.add_chunk(chunk->bytes).has_value());
    CHECK(reader->total() == t.reader->total());
    check_same(*finish(writer, *reader->total()), t.source.store());
  }
}

TEST_CASE("a reader goes back to where it was and never farther than it read") {
  HalfSent t;
  const auto reader = t.source.store().open_snapshot();
  CHECK(error_of(reader->seek(t.chunks[0].last)) == Errc::out_of_order);
  REQUIRE(reader->next_chunk(2000).has_value());
  CHECK_FALSE(reader->total().has_value());
  CHECK(error_of(reader->seek(t.chunks[1].last)) == Errc::out_of_order);
  CHECK(error_of(reader->seek({-1, 0})) == Errc::out_of_order);
  CHECK(error_of(reader->seek({0, 1})) == Errc::out_of_order);
  CHECK(reader->position() == t.chunks[0].last);
  REQUIRE(reader->seek({}).has_value());
  CHECK(reader->next_chunk(2000)->bytes == t.chunks[0].bytes);
  CHECK(reader->next_chunk(2000)->bytes == t.chunks[1].bytes);
}

TEST_CASE("an empty store, and one that only has a configuration, are sent as well") {
  for (const bool is_on_disk : {false, true}) {
    for (const bool has_configuration : {false, true}) {
      TemporaryFolder folder;
      StoreHarness source;
      if (has_configuration) source.store().set_configuration(Index(1), "the members");
      persist(source);
      auto reader = source.store().open_snapshot();
      auto copy = transfer(*reader, is_on_disk ? rocksdb_in(folder / "copy") : memory(), 1000);
      CHECK(reader->total()->record_count == 0);
      check_same(*copy, source.store());
      CHECK(copy->configuration() == (has_configuration ? "the members" : ""));
      copy->advance(copy->applied_index().next());
      copy->persist_upto(copy->applied_index());
      copy->flush();
      CHECK(copy->durable_applied_index() == source.store().applied_index().next());
    }
  }
}

TEST_CASE("a compaction that the source has not carried out to the end goes on in the copy") {
  // Some obsolete records are gone and some are sent: no answer differs, and both end with the same records.
  for (const int steps : {0, 1, 3, 1000}) {
    INFO(steps << " steps");
    auto disk = std::make_shared<MemoryDisk>();
    StoreHarness source(std::make_unique<MemoryBackend>(disk));
    for (int i = 0; i < 100; ++i) source.put("k" + std::to_string(i % 10), std::to_string(i));
    source.erase("k3");
    source.put("k4", "last");
    source.compact(source.store().current_revision());
    persist(source);
    for (int i = 0; i < steps; ++i) source.store().compact_step(10);
    auto reader = source.store().open_snapshot();
    auto copied_disk = std::make_shared<MemoryDisk>();
    const auto copy = transfer(*reader, std::make_unique<MemoryBackend>(copied_disk), 1000);
    check_same(*copy, source.store());
    CHECK(copy->physically_compacted_revision() == source.store().physically_compacted_revision());
    source.compact_physically();
    while (copy->compact_step(7)) {
    }
    check_same(*copy, source.store());
    source.store().flush();
    copy->flush();
    CHECK(copied_disk->records == disk->records);
    CHECK(copied_disk->meta == disk->meta);
    // A further compaction too.
    const std::vector<Command> commands{put_of("k5", "newer"), delete_of("k6"),
                                        CompactionRequest{.revision = source.store().current_revision() + 2}};
    for (const auto& command : commands) {
      (void)source.apply(command);
      (void)copy->apply(copy->applied_index().next(), encode_command(command));
    }
    check_same(*copy, source.store());
    source.compact_physically();
    copy->persist_upto(copy->applied_index());
    while (copy->compact_step(7)) {
    }
    check_same(*copy, source.store());
  }
}

TEST_CASE("chunks that are repeated, left out or of another snapshot are refused, and the transfer goes on") {
  HalfSent t;
  CHECK(t.refusal(t.chunks[0].bytes) == Errc::out_of_order);
  CHECK(t.refusal(t.chunks[2].bytes) == Errc::out_of_order);
  t.source.put("one", "more");
  persist(t.source);
  const auto other = t.source.store().open_snapshot();
  REQUIRE(other->next_chunk(2000).has_value());
  CHECK(t.refusal(other->next_chunk(2000)->bytes) == Errc::checksum_mismatch);
  for (std::size_t i = 1; i < t.chunks.size(); ++i) REQUIRE(t.writer->add_chunk(t.chunks[i].bytes).has_value());
  CHECK(t.refusal(t.chunks.back().bytes) == Errc::out_of_order);
  REQUIRE(t.writer->begin_finish(*t.reader->total()).has_value());
  CHECK(error_of(t.writer->add_chunk(t.chunks[0].bytes)) == Errc::out_of_order);
}

TEST_CASE("a damaged chunk is refused whole: every byte of it, cut short or made longer") {
  HalfSent t;
  const std::string& good = t.chunks[1].bytes;
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    REQUIRE(t.refusal(bad) == Errc::checksum_mismatch);
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto error = t.refusal(std::string_view(good).substr(0, size));
    REQUIRE(error == (size <= chunk_header_bytes ? Errc::malformed : Errc::checksum_mismatch));
  }
  CHECK(t.refusal(good + 'x') == Errc::checksum_mismatch);
  CHECK(t.refusal(std::string(snapshot_chunk_bytes_max + 1, 'x')) == Errc::limit_exceeded);
  t.finish_and_check();
}

namespace {

struct ForgedRecord {
  RecordId id;
  RecordView record;
};
std::string forge(const SnapshotHeader& header, RecordId after, RecordId last,
                  const std::vector<ForgedRecord>& records) {
  std::string out(chunk_checksum_bytes, '\0');
  base::ByteWriter writer(out);
  const auto put_id = [&](RecordId id) {
    writer.u64(static_cast<std::uint64_t>(id.main));
    writer.u32(id.sub);
  };
  put_id(after);
  put_id(last);
  for (const auto& [id, record] : records) {
    put_id(id);
    writer.blob(encode_record(record));
  }
  seal(out, header);
  return out;
}

}  // namespace

TEST_CASE("records that could not be in a store are refused though the checksum is right") {
  HalfSent t;
  const auto& header = t.reader->header();
  const RecordId at = t.writer->position();
  const Revision next = at.main + 1;
  const Revision beyond = header.meta.current + 1;
  const RecordView record{.key = "k", .create_revision = 2, .version = 1, .value = "v"};
  const auto refused = [&](RecordId last, const std::vector<ForgedRecord>& records) {
    return t.refusal(forge(header, at, last, records)) == Errc::malformed;
  };
  CHECK(refused(at, {}));
  CHECK(refused(at, {{at, record}}));                                            // the last one again
  CHECK(refused({next, 0}, {{{next, 1}, record}, {{next, 0}, record}}));         // descending
  CHECK(refused({next, 0}, {{{next, 0}, record}, {{next, 0}, record}}));         // twice
  CHECK(refused({next, 1}, {{{next, 0}, record}}));                              // ends elsewhere than it says
  CHECK(refused({beyond, 0}, {{{beyond, 0}, record}}));                          // after the snapshot's revision
  CHECK(refused({-1, 0}, {{{-1, 0}, record}}));                                  // no revision
  CHECK(refused({next, record_sub_meta}, {{{next, record_sub_meta}, record}}));  // the meta record's name
  auto early = record;
  early.create_revision = next + 1;
  CHECK(refused({next, 0}, {{{next, 0}, early}}));  // created after it was changed
  auto odd = record;
  odd.version = 0;
  CHECK(refused({next, 0}, {{{next, 0}, record}, {{next, 1}, odd}}));  // the second does not decode: none is taken
  t.finish_and_check();
}

TEST_CASE("a snapshot of an empty store takes no records") {
  SnapshotWriter writer(memory(), SnapshotHeader{});
  const RecordView record{.key = "k", .create_revision = 1, .version = 1, .value = "v"};
  CHECK(error_of(writer.add_chunk(forge({}, {}, {1, 0}, {{{1, 0}, record}}))) == Errc::malformed);
}

TEST_CASE("random bytes and random changes under a right checksum never break the writer") {
  // What passes is a possible history; the total then tells that it is not the one that was sent.
  HalfSent t;
  base::Rng rng(11);
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    SnapshotWriter writer(memory(), t.reader->header());
    REQUIRE(writer.add_chunk(t.chunks[0].bytes).has_value());
    std::string chunk = t.chunks[1].bytes;
    if (rng.chance(1, 5)) chunk.resize(chunk_header_bytes + rng.in_range(1, 200));
    for (std::uint64_t changes = rng.in_range(1, 4); changes > 0; --changes) {
      chunk[rng.in_range(chunk_checksum_bytes, chunk.size() - 1)] = static_cast<char>(rng.in_range(0, 255));
    }
    if (rng.chance(1, 5)) {
      for (auto& byte : chunk) byte = static_cast<char>(rng.in_range(0, 255));
    }
    seal(chunk, t.reader->header());
    if (chunk == t.chunks[1].bytes) continue;
    if (!writer.add_chunk(chunk)) {
      CHECK(writer.position() == t.chunks[0].last);
      continue;
    }
    ++taken;
    for (std::size_t i = 2; i < t.chunks.size() && writer.position() == t.chunks[i].after; ++i) {
      REQUIRE(writer.add_chunk(t.chunks[i].bytes).has_value());
    }
    REQUIRE(error_of(writer.begin_finish(*t.reader->total())) == Errc::checksum_mismatch);
    const auto store = finish(writer, writer.so_far());
    store->check_invariants();
    (void)store->hash();
    while (store->compact_step(100)) {
    }
    store->check_invariants();
  }
  CHECK(taken > 100);
}

TEST_CASE("a wrong total is refused and the right one still finishes") {
  HalfSent t;
  CHECK(error_of(t.writer->begin_finish(*t.reader->total())) == Errc::checksum_mismatch);  // too early
  for (std::size_t i = 1; i < t.chunks.size(); ++i) REQUIRE(t.writer->add_chunk(t.chunks[i].bytes).has_value());
  auto wrong = *t.reader->total();
  wrong.checksum ^= 1;
  CHECK(error_of(t.writer->begin_finish(wrong)) == Errc::checksum_mismatch);
  wrong = *t.reader->total();
  ++wrong.record_count;
  CHECK(error_of(t.writer->begin_finish(wrong)) == Errc::checksum_mismatch);
  CHECK(t.target->meta() == StoreMeta{});
  CHECK_FALSE(t.writer->is_durable());
  check_same(*finish(*t.writer, *t.reader->total()), t.source.store());
}

TEST_CASE("a busy backend puts a transfer off and loses nothing of it") {
  HalfSent t;
  t.target->set_busy(true);
  CHECK(t.refusal(t.chunks[1].bytes) == Errc::too_many_requests);
  t.target->set_busy(false);
  for (std::size_t i = 1; i < t.chunks.size(); ++i) REQUIRE(t.writer->add_chunk(t.chunks[i].bytes).has_value());
  t.target->set_busy(true);
  CHECK(error_of(t.writer->begin_finish(*t.reader->total())) == Errc::too_many_requests);
  CHECK_FALSE(t.writer->is_durable());
  t.target->set_busy(false);
  REQUIRE(t.writer->begin_finish(*t.reader->total()).has_value());
  REQUIRE(t.writer->begin_finish(*t.reader->total()).has_value());  // asked again: nothing more happens
  CHECK(t.writer->is_durable());
  check_same(*t.writer->take_store(), t.source.store());
}

namespace {

// Refuses to start a flush the first times, and then leaves it to the test to end it by flush().
class LaggingBackend final : public Backend {
 public:
  explicit LaggingBackend(int put_off) : put_off_(put_off) {}
  [[nodiscard]] StoreMeta meta() const override { return inner_.meta(); }
  [[nodiscard]] bool is_empty() const override { return inner_.is_empty(); }
  [[nodiscard]] std::unique_ptr<BackendView> open_view() const override { return inner_.open_view(); }
  void for_each(const std::function<void(RecordId, std::string_view)>& visit) const override { inner_.for_each(visit); }
  void read(std::span<const RecordId> ids,
            const std::function<void(std::size_t, std::string_view)>& visit) const override {
    inner_.read(ids, visit);
  }
  [[nodiscard]] bool write(const WriteGroup& group, WriteMode mode) override { return inner_.write(group, mode); }
  [[nodiscard]] bool write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) override {
    return inner_.write_without_meta(puts, mode);
  }
  bool flush_async() override { return put_off_-- <= 0; }
  void flush() override { inner_.flush(); }
  [[nodiscard]] Index flushed_index() const override { return inner_.flushed_index(); }
  [[nodiscard]] BackendSize size() const override { return inner_.size(); }
  [[nodiscard]] bool is_flush_running() const { return put_off_ < 0; }

 private:
  MemoryBackend inner_;
  int put_off_;
};

}  // namespace

TEST_CASE("a flush that the backend puts off is asked for again, and its end is waited for") {
  StoreHarness source;
  fill(source, 5, 100);
  auto reader = source.store().open_snapshot();
  auto owned = std::make_unique<LaggingBackend>(2);
  auto& backend = *owned;
  SnapshotWriter writer(std::move(owned), reader->header());
  while (const auto chunk = reader->next_chunk(5000)) REQUIRE(writer.add_chunk(chunk->bytes).has_value());
  REQUIRE(writer.begin_finish(*reader->total()).has_value());
  CHECK_FALSE(backend.is_flush_running());
  CHECK_FALSE(writer.is_durable());
  CHECK_FALSE(backend.is_flush_running());
  CHECK_FALSE(writer.is_durable());
  CHECK(backend.is_flush_running());
  CHECK_FALSE(writer.is_durable());
  backend.flush();
  CHECK(writer.is_durable());
  check_same(*writer.take_store(), source.store());
}

TEST_CASE("a disk that is slower than the sender refuses chunks instead of waiting") {
  TemporaryFolder folder;
  StoreHarness source;
  for (int i = 0; i < 3000; ++i) source.put("k" + std::to_string(i * 7919 % 3000), std::string(1000, 'x'));
  persist(source);
  auto reader = source.store().open_snapshot();
  RocksdbOptions options;
  options.directory = folder / "copy";
  options.write_buffer_bytes = 64UL << 10;
  options.write_buffers_max = 2;
  options.background_bytes_per_second = 4L << 20;
  SnapshotWriter writer(std::make_unique<RocksdbBackend>(options), reader->header());
  int refused = 0;
  while (const auto chunk = reader->next_chunk(32UL << 10)) {
    refused += insist([&] { return writer.add_chunk(chunk->bytes); });
  }
  CHECK(refused > 0);
  auto copy = finish(writer, *reader->total());
  CHECK(copy->durable_applied_index() == source.store().applied_index());
  CHECK(copy->hash() == source.store().hash());
  copy.reset();
  const Store opened(std::make_unique<RocksdbBackend>(options));
  CHECK(opened.applied_index() == source.store().applied_index());
  CHECK(opened.hash() == source.store().hash());
}

TEST_CASE("a backend that is not empty takes no snapshot") {
  TemporaryFolder folder;
  const auto refused = [](std::unique_ptr<Backend> backend) {
    return exit_code_of([&] { SnapshotWriter(std::move(backend), SnapshotHeader{}); }) ==
           base::ExitCode::data_directory;
  };
  auto disk = std::make_shared<MemoryDisk>();
  disk->meta.applied = Index(1);
  CHECK(refused(std::make_unique<MemoryBackend>(disk)));
  auto records_alone = std::make_shared<MemoryDisk>();
  records_alone->records[{2, 0}] = "bytes";
  CHECK(refused(std::make_unique<MemoryBackend>(records_alone)));
  auto backend = rocksdb_in(folder / "store");
  REQUIRE(backend->is_empty());
  REQUIRE(backend->write_without_meta({}, WriteMode::must_accept));
  CHECK(refused(std::move(backend)));
  StoreHarness(rocksdb_in(folder / "other")).store().flush();
  {
    StoreHarness h(rocksdb_in(folder / "other"));
    h.store().advance(Index(1));
    persist(h);
  }
  CHECK(refused(rocksdb_in(folder / "other")));
}

TEST_CASE("a snapshot that was not finished does not open as a store") {
  // The writer is dropped after every number of chunks; whatever reached the disk is refused, or nothing did.
  HalfSent t;
  for (std::size_t taken = 0; taken <= t.chunks.size(); ++taken) {
    INFO(taken << " chunks");
    TemporaryFolder folder;
    auto disk = std::make_shared<MemoryDisk>();
    auto on_memory = std::make_unique<MemoryBackend>(disk);
    auto* memory_backend = on_memory.get();
    {
      SnapshotWriter in_memory(std::move(on_memory), t.reader->header());
      SnapshotWriter writer(rocksdb_in(folder / "copy"), t.reader->header());
      for (std::size_t i = 0; i < taken; ++i) {
        insist([&] { return writer.add_chunk(t.chunks[i].bytes); });
        REQUIRE(in_memory.add_chunk(t.chunks[i].bytes).has_value());
      }
      memory_backend->flush();
    }
    const auto rocksdb_code = exit_code_of([&] { Store(rocksdb_in(folder / "copy")); });
    const auto memory_code = exit_code_of([&] { Store(std::make_unique<MemoryBackend>(disk)); });
    if (taken == 0) {
      CHECK(rocksdb_code == base::ExitCode::ok);
      CHECK(Store(rocksdb_in(folder / "copy")).applied_index() == Index(0));
      CHECK(memory_code == base::ExitCode::ok);
    } else {
      CHECK(rocksdb_code == base::ExitCode::corrupt);
      CHECK(memory_code == base::ExitCode::corrupt);
    }
  }
}

TEST_CASE("a snapshot is durable when it says so") {
  // The disk as it is then holds the whole store.
  auto disk = std::make_shared<MemoryDisk>();
  HalfSent t;
  REQUIRE(t.reader->seek({}).has_value());
  transfer(*t.reader, std::make_unique<MemoryBackend>(disk), 2000).reset();
  check_same(Store(std::make_unique<MemoryBackend>(disk)), t.source.store());
}

TEST_CASE("a snapshot's header is decoded within bounds") {
  StoreMeta meta;
  meta.applied = Index(7);
  meta.current = 5;
  meta.compacted = 4;
  meta.compaction_finished = 2;
  meta.configuration = base::SharedBytes(std::string(configuration_bytes_max, 'c'));
  const auto good = encode_snapshot_header({meta});
  CHECK(good.size() <= snapshot_header_bytes_max);
  REQUIRE(decode_snapshot_header(good).has_value());
  CHECK(decode_snapshot_header(good)->meta == meta);
  const auto error = [](std::string_view bytes) {
    const auto result = decode_snapshot_header(bytes);
    return result ? Errc{} : static_cast<Errc>(result.error().value());
  };
  CHECK(error("") == Errc::malformed);
  CHECK(error(std::string(snapshot_header_bytes_max + 1, 'x')) == Errc::limit_exceeded);
  CHECK(error(std::string(1, '\2') + good.substr(1)) == Errc::unsupported_version);
  for (std::size_t size = 1; size < 60; ++size) {
    CHECK(error(good.substr(0, size)) == (size < 5 ? Errc::malformed : Errc::checksum_mismatch));
  }
  for (std::size_t i = 1; i < 60; ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK(error(bad) == Errc::checksum_mismatch);
  }
  CHECK(error(good + 'x') == Errc::checksum_mismatch);
  meta.applied = Index(0);
  CHECK(error(encode_snapshot_header({meta})) == Errc::malformed);  // nothing applied, and yet content
  meta.applied = Index(7);
  meta.compacted = 6;
  CHECK(error(encode_snapshot_header({meta})) == Errc::malformed);
}

// What a snapshot's receiver makes of its chunks. Some are arbitrary, some have a right checksum over arbitrary bytes,
// some hold arbitrary records in the right form, since no fuzzer guesses a checksum. Whatever is taken is a store: it
// can be opened, and sent on with the same total.
#include "base/codec.hpp"
#include "base/crc32c.hpp"
#include "fuzz/fuzz.hpp"
#include "kv/memory_backend.hpp"
#include "kv/snapshot.hpp"
#include "kv/store.hpp"

namespace whitewater::fuzz {
namespace {

using namespace kv;

constexpr int steps_max = 32;
constexpr std::size_t forward_chunk_bytes = 300;

void put_id(base::ByteWriter& writer, RecordId id) {
  writer.u64(static_cast<std::uint64_t>(id.main));
  writer.u32(id.sub);
}

std::string chunk_with_checksum(const SnapshotHeader& header, std::string_view rest) {
  std::string out;
  base::ByteWriter writer(out);
  writer.u32(base::crc32c(rest, base::crc32c(encode_snapshot_header(header))));
  writer.bytes(rest);
  return out;
}

// Records whose names mostly ascend and whose bytes are mostly those of a record.
std::string make_records(Choices& choices, RecordId& last) {
  std::string out;
  base::ByteWriter writer(out);
  const int count = 1 + choices.u8() % 6;
  for (int i = 0; i < count; ++i) {
    const std::uint8_t step = choices.u8();
    last = step % 4 == 0 ? RecordId{last.main, last.sub + 1} : RecordId{last.main + step % 4, step};
    const RecordView record{.tombstone = choices.chance(4),
                            .key = choices.take(choices.u8() % 8),
                            .create_revision = last.main - choices.u8() % 4,
                            .version = choices.u8() % 4,
                            .lease = choices.u8(),
                            .value = choices.take(choices.u8() % 32)};
    put_id(writer, last);
    writer.blob(choices.chance(8) ? std::string(choices.short_bytes()) : encode_record(record));
  }
  return out;
}

std::string make_chunk(Choices& choices, const SnapshotWriter& writer, const SnapshotHeader& header) {
  const std::uint8_t kind = choices.u8() % 8;
  if (kind == 0) return std::string(choices.long_bytes());
  if (kind == 1) return chunk_with_checksum(header, choices.long_bytes());
  std::string rest;
  base::ByteWriter place(rest);
  put_id(place, writer.position());
  RecordId last = writer.position();
  const std::string records = make_records(choices, last);
  put_id(place, kind == 2 ? RecordId{last.main, last.sub + 1} : last);
  return chunk_with_checksum(header, rest + records);
}

void check_header(std::string_view bytes) {
  const auto header = decode_snapshot_header(bytes);
  if (header) WW_ASSERT_MSG(encode_snapshot_header(*header) == bytes, "what decodes encodes to the same bytes");
}

// The store goes on to the next member as it came.
void check_store(const Store& store, const SnapshotHeader& header, const SnapshotTotal& total) {
  store.check_invariants();
  const auto reader = store.open_snapshot();
  WW_ASSERT(reader->header() == header);
  SnapshotWriter writer(std::make_unique<MemoryBackend>(), header);
  for (auto chunk = reader->next_chunk(forward_chunk_bytes); chunk; chunk = reader->next_chunk(forward_chunk_bytes)) {
    WW_ASSERT_MSG(writer.add_chunk(chunk->bytes).has_value(), "what was taken is taken by the next member, too");
  }
  WW_ASSERT(reader->total() == total);
  WW_ASSERT(writer.begin_finish(total).has_value());
  WW_ASSERT(writer.is_durable());
  WW_ASSERT(writer.take_store()->hash() == store.hash());
}

}  // namespace

void fuzz_one(std::string_view input) {
  Choices choices(input);
  if (choices.chance(16)) return check_header(choices.rest());
  SnapshotHeader header;
  header.meta.applied = base::Index(choices.u16());
  header.meta.current = 1 + choices.u16() % 512;
  header.meta.compacted = choices.u8() % 128 - 1;
  header.meta.compaction_finished = std::min<Revision>(choices.u8() % 128 - 1, header.meta.compacted);
  header.meta.configuration = base::SharedBytes(std::string(choices.short_bytes()));
  const std::string encoded = encode_snapshot_header(header);
  check_header(encoded);
  if (!decode_snapshot_header(encoded)) return;

  const auto disk = std::make_shared<MemoryDisk>();
  auto backend = std::make_unique<MemoryBackend>(disk);
  MemoryBackend& memory = *backend;
  SnapshotWriter writer(std::move(backend), header);
  for (int i = 0; i < steps_max && !choices.empty(); ++i) {
    memory.set_busy(choices.chance(8));
    const RecordId before = writer.position();
    const SnapshotTotal so_far = writer.so_far();
    const bool is_taken = writer.add_chunk(make_chunk(choices, writer, header)).has_value();
    WW_ASSERT(is_taken ? before < writer.position() : before == writer.position());
    WW_ASSERT(is_taken || so_far == writer.so_far());
  }
  memory.set_busy(false);
  const SnapshotTotal total = writer.so_far();
  WW_ASSERT(!writer.begin_finish({total.record_count + 1, total.checksum}).has_value());
  WW_ASSERT(writer.begin_finish(total).has_value());
  WW_ASSERT(writer.is_durable());
  const auto store = writer.take_store();
  check_store(*store, header, total);
  const Store opened(std::make_unique<MemoryBackend>(disk));  // throws, which ends the run, if it is no store
  WW_ASSERT_MSG(opened.hash() == store->hash(), "the index that was built on the way is that of the records");
}

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  const std::string head("\1\1\0\377\1\0\0\0", 8);  // applied 1, revisions up to 512, never compacted, no configuration
  for (int length = 20; length <= 400; length *= 2) {
    std::string seed = head;
    for (int i = 0; i < length; ++i) seed += static_cast<char>(3 + i * 7 % 31);
    seeds.push_back(seed);
  }
  SnapshotHeader header;
  header.meta.applied = base::Index(9);
  header.meta.current = 4;
  seeds.push_back(std::string(1, '\0') + encode_snapshot_header(header));
  return seeds;
}

}  // namespace whitewater::fuzz

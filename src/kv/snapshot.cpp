#include "kv/snapshot.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/codec.hpp"
#include "base/crc32c.hpp"
#include "kv/index.hpp"
#include "kv/store.hpp"

namespace whitewater::kv {
namespace {

using base::Errc;

constexpr std::uint8_t format_version = 1;
constexpr std::size_t checksum_bytes = sizeof(std::uint32_t);
// Its id and the length of its bytes.
constexpr std::size_t record_header_bytes = record_name_bytes + sizeof(std::uint32_t);
constexpr std::size_t chunk_header_bytes = checksum_bytes + 2 * record_name_bytes;
static_assert(chunk_header_bytes + record_header_bytes + record_bytes_max <= snapshot_chunk_bytes_max);

void put_id(base::ByteWriter& writer, RecordId id) {
  writer.u64(static_cast<std::uint64_t>(id.main));
  writer.u32(id.sub);
}

RecordId get_id(base::ByteReader& reader) {
  const auto main = static_cast<Revision>(reader.u64());
  return {main, reader.u32()};
}

std::string encode_chunk(RecordId after, RecordId last, std::string_view records, std::uint32_t header_checksum) {
  std::string place;
  base::ByteWriter place_writer(place);
  put_id(place_writer, after);
  put_id(place_writer, last);
  std::string out;
  out.reserve(checksum_bytes + place.size() + records.size());
  base::ByteWriter writer(out);
  writer.u32(base::crc32c(records, base::crc32c(place, header_checksum)));
  writer.bytes(place);
  writer.bytes(records);
  return out;
}

// Points into the bytes of its chunk.
struct DecodedChunk {
  RecordId after;
  RecordId last;
  std::string_view records;
};

base::Result<DecodedChunk> decode_chunk(std::string_view bytes, std::uint32_t header_checksum) {
  if (bytes.size() > snapshot_chunk_bytes_max) return Errc::limit_exceeded;
  if (bytes.size() <= chunk_header_bytes) return Errc::malformed;
  base::ByteReader reader(bytes);
  if (reader.u32() != base::crc32c(bytes.substr(checksum_bytes), header_checksum)) return Errc::checksum_mismatch;
  DecodedChunk chunk;
  chunk.after = get_id(reader);
  chunk.last = get_id(reader);
  chunk.records = reader.bytes(reader.remaining_bytes());
  WW_ASSERT(reader.at_end());
  return chunk;
}

// Points into the bytes of its chunk.
struct DecodedRecord {
  RecordWrite write;
  RecordView view;
};

// Every record of the chunk, each such that it may follow on the one before: nothing of it need be refused afterwards.
base::Result<std::vector<DecodedRecord>> decode_records(const DecodedChunk& chunk, const StoreMeta& meta) {
  base::ByteReader reader(chunk.records);
  std::vector<DecodedRecord> out;
  RecordId previous = chunk.after;
  while (!reader.at_end()) {
    const RecordId id = get_id(reader);
    const std::string_view bytes = reader.blob(record_bytes_max);
    if (!reader.ok()) return Errc::malformed;
    const auto [record, problem] = check_record(meta, previous, id, bytes);
    if (problem != nullptr) return Errc::malformed;
    out.push_back({{id, bytes}, record});
    previous = id;
  }
  if (previous != chunk.last) return Errc::malformed;
  return out;
}

std::uint32_t checksum_of(const SnapshotHeader& header) { return base::crc32c(encode_snapshot_header(header)); }

}  // namespace

std::string encode_snapshot_header(const SnapshotHeader& header) {
  std::string meta;
  base::ByteWriter(meta).blob(encode_meta(header.meta));
  std::string out;
  base::ByteWriter writer(out);
  writer.u8(format_version);
  writer.u32(base::crc32c(meta));
  writer.bytes(meta);
  return out;
}

base::Result<SnapshotHeader> decode_snapshot_header(std::string_view bytes) {
  if (bytes.size() > snapshot_header_bytes_max) return Errc::limit_exceeded;
  base::ByteReader reader(bytes);
  const auto version = reader.u8();
  if (reader.ok() && version != format_version) return Errc::unsupported_version;
  const auto checksum = reader.u32();
  if (!reader.ok()) return Errc::malformed;
  if (checksum != base::crc32c(bytes.substr(bytes.size() - reader.remaining_bytes()))) return Errc::checksum_mismatch;
  const auto encoded_meta = reader.blob(snapshot_header_bytes_max);
  if (!reader.at_end()) return Errc::malformed;
  auto meta = decode_meta(encoded_meta);
  if (!meta) return meta.error();
  // Nothing can be known of a store to which nothing was applied.
  if (meta->applied == Index() && *meta != StoreMeta{}) return Errc::malformed;
  return SnapshotHeader{std::move(*meta)};
}

SnapshotReader::SnapshotReader(std::unique_ptr<BackendView> view)
    : view_(std::move(view)), header_{view_->meta()}, header_checksum_(checksum_of(header_)) {
  so_far_.checksum = header_checksum_;
}

std::optional<SnapshotChunk> SnapshotReader::next_chunk(std::size_t bytes_max) {
  const std::size_t records_bytes_max =
      std::min(bytes_max, snapshot_chunk_bytes_max) - std::min(bytes_max, chunk_header_bytes);
  std::string records;
  RecordId last = position_;
  bool has_more = false;
  view_->for_each_after(position_, [&](RecordId id, std::string_view bytes) {
    const std::size_t begin = records.size();
    has_more = begin > 0 && begin + record_header_bytes + bytes.size() > records_bytes_max;
    if (has_more) return false;
    base::ByteWriter writer(records);
    put_id(writer, id);
    writer.blob(bytes);
    if (counted_upto_ < id) {
      so_far_.checksum = base::crc32c(std::string_view(records).substr(begin), so_far_.checksum);
      ++so_far_.record_count;
      counted_upto_ = id;
    }
    last = id;
    return true;
  });
  if (!has_more) is_read_ = true;
  if (records.empty()) return std::nullopt;
  SnapshotChunk chunk;
  chunk.after = std::exchange(position_, last);
  chunk.last = last;
  chunk.bytes = encode_chunk(chunk.after, last, records, header_checksum_);
  chunk.is_last = !has_more;
  WW_ASSERT(chunk.bytes.size() <= snapshot_chunk_bytes_max);
  return chunk;
}

base::Result<void> SnapshotReader::seek(RecordId after) {
  const bool is_place = after == RecordId{} || after.main > 0;
  if (!is_place || after > counted_upto_) return Errc::out_of_order;
  position_ = after;
  return {};
}

std::optional<SnapshotTotal> SnapshotReader::total() const { return is_read_ ? std::optional(so_far_) : std::nullopt; }

SnapshotWriter::SnapshotWriter(std::unique_ptr<Backend> backend, SnapshotHeader header)
    : backend_(std::move(backend)),
      index_(std::make_unique<KeyIndex>()),
      header_(std::move(header)),
      header_checksum_(checksum_of(header_)) {
  if (!backend_->is_empty()) {
    throw base::FatalError(base::ExitCode::data_directory, "the store that is to take a snapshot is not empty");
  }
  so_far_.checksum = header_checksum_;
}

SnapshotWriter::~SnapshotWriter() = default;

base::Result<void> SnapshotWriter::add_chunk(std::string_view bytes) {
  if (is_finishing_) return Errc::out_of_order;
  const auto chunk = decode_chunk(bytes, header_checksum_);
  if (!chunk) return chunk.error();
  if (chunk->after != position_) return Errc::out_of_order;
  const auto records = decode_records(*chunk, header_.meta);
  if (!records) return records.error();
  std::vector<RecordWrite> writes;
  writes.reserve(records->size());
  for (const auto& record : *records) writes.push_back(record.write);
  if (!backend_->write_without_meta(writes, WriteMode::may_refuse)) return Errc::too_many_requests;

  for (const auto& [write, view] : *records) {
    index_->restore(view.key, write.id, view.create_revision, view.version, header_.meta.compacted);
  }
  so_far_.record_count += records->size();
  so_far_.checksum = base::crc32c(chunk->records, so_far_.checksum);
  position_ = chunk->last;
  return {};
}

base::Result<void> SnapshotWriter::begin_finish(const SnapshotTotal& total) {
  if (total != so_far_) return Errc::checksum_mismatch;
  if (is_finishing_) return {};
  // The meta record comes last and so reaches the disk last: a crash leaves a whole store or none.
  if (!backend_->write({{}, {}, header_.meta}, WriteMode::may_refuse)) return Errc::too_many_requests;
  is_finishing_ = true;
  is_flush_started_ = backend_->flush_async();
  return {};
}

bool SnapshotWriter::is_durable() {
  if (!is_finishing_) return false;
  if (!is_flush_started_) is_flush_started_ = backend_->flush_async();
  return is_flush_started_ && backend_->flushed_index() >= header_.meta.applied;
}

std::unique_ptr<Store> SnapshotWriter::take_store() {
  WW_ASSERT_MSG(is_durable(), "a snapshot is taken into use only when it would survive a crash");
  return std::unique_ptr<Store>(new Store(std::move(backend_), std::move(index_)));
}

}  // namespace whitewater::kv

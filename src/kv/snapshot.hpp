// Snapshots: a store as one member sends it to another, record by record in the order of history. The reader belongs to
// the sender and reads a view that stands still while its store goes on; the writer belongs to the receiver and makes a
// store of what arrives, with the key index built on the way. Both are driven from the store's thread, do bounded work
// in each call, wait for nothing and talk to nobody: how chunks travel and when they are asked for again is the
// owner's.
//
// Header: u8 format version, u32 CRC-32C of what follows it, blob encoded meta (record.hpp): applied index, revisions,
// compaction state and configuration.
// Chunk: u32 CRC-32C of all that follows, started with the header's CRC so that chunks of another snapshot do not pass;
// u64 main, u32 sub of the record that it follows on (0, 0 in the first); the same of its last record; then records,
// each u64 main, u32 sub, blob. Ids ascend.
// Total: the number of records and the CRC-32C over all of them in order, started with the header's CRC. It is the same
// however the records were cut into chunks and however often chunks were sent again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kv/backend.hpp"
#include "kv/record.hpp"

namespace whitewater::kv {

class KeyIndex;
class Store;

inline constexpr std::size_t snapshot_header_bytes_max = configuration_bytes_max + 64;
// A chunk holds at least one record, and any record fits. The index takes about 1.5 µs a record, small ones are 40
// bytes: chunks of a quarter of a megabyte keep the receiver's thread free.
inline constexpr std::size_t snapshot_chunk_bytes_max = 4UL << 20;

struct SnapshotHeader {
  StoreMeta meta;
  bool operator==(const SnapshotHeader&) const = default;
};
[[nodiscard]] std::string encode_snapshot_header(const SnapshotHeader& header);
// limit_exceeded, malformed, checksum_mismatch, or unsupported_version for a snapshot from a newer version.
[[nodiscard]] base::Result<SnapshotHeader> decode_snapshot_header(std::string_view bytes);

struct SnapshotTotal {
  std::uint64_t record_count = 0;
  std::uint32_t checksum = 0;
  bool operator==(const SnapshotTotal&) const = default;
};

struct SnapshotChunk {
  RecordId after;     // it follows on this record; RecordId{}: it is the first
  RecordId last;      // its last record, and so where to go on
  std::string bytes;  // what SnapshotWriter::add_chunk takes
  bool is_last = false;
};

class SnapshotReader {
 public:
  // Store::open_snapshot() makes one. The view's backend outlives it.
  explicit SnapshotReader(std::unique_ptr<BackendView> view);

  [[nodiscard]] const SnapshotHeader& header() const { return header_; }
  // The records after position() that fit into `bytes_max` with the chunk's own header, at least one and at most
  // snapshot_chunk_bytes_max. None when no record is left. Throws base::FatalError when the disk fails.
  [[nodiscard]] std::optional<SnapshotChunk> next_chunk(std::size_t bytes_max);
  // The last record sent; RecordId{} before the first.
  [[nodiscard]] RecordId position() const { return position_; }
  // Goes on after this record, back to RecordId{} if need be. out_of_order: farther than was ever read.
  base::Result<void> seek(RecordId after);
  // Known once the last record was read, of an empty snapshot once next_chunk() was asked.
  [[nodiscard]] std::optional<SnapshotTotal> total() const;

 private:
  std::unique_ptr<BackendView> view_;
  SnapshotHeader header_;
  std::uint32_t header_checksum_;
  RecordId position_;
  RecordId counted_upto_;  // records up to here are in so_far_, however often they are read
  SnapshotTotal so_far_;
  bool is_read_ = false;
};

class SnapshotWriter {
 public:
  // Takes an empty backend over. Throws base::FatalError (data_directory) when it is not empty. Until begin_finish()
  // the backend has no meta record and is no store: the owner removes it when the transfer is given up.
  SnapshotWriter(std::unique_ptr<Backend> backend, SnapshotHeader header);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // The chunk that follows on position(). Refused whole, with nothing changed: limit_exceeded, checksum_mismatch,
  // malformed (damaged: ask for it again from position()), out_of_order (repeated or too early: the same),
  // too_many_requests (the backend is busy: offer the same chunk again later).
  base::Result<void> add_chunk(std::string_view bytes);
  // The last record taken, after which the next chunk is to begin; RecordId{} before the first.
  [[nodiscard]] RecordId position() const { return position_; }
  [[nodiscard]] const SnapshotTotal& so_far() const { return so_far_; }

  // After the last chunk: turns the records into a store and starts to make it durable. Refused with nothing changed:
  // checksum_mismatch (this is not all, or not what was sent), too_many_requests (busy: call again later). No chunk is
  // taken afterwards.
  base::Result<void> begin_finish(const SnapshotTotal& total);
  // To be asked again and again after begin_finish(): it starts a flush that the backend had put off. False before, and
  // as long as the disk takes nothing: the owner gives up after a time.
  [[nodiscard]] bool is_durable();
  // The finished store, once is_durable(); the writer is of no use afterwards. Costs nothing: the index is there.
  [[nodiscard]] std::unique_ptr<Store> take_store();

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<KeyIndex> index_;
  SnapshotHeader header_;
  std::uint32_t header_checksum_;
  RecordId position_;
  SnapshotTotal so_far_;
  bool is_finishing_ = false;
  bool is_flush_started_ = false;
};

}  // namespace whitewater::kv

// RocksdbBackend: records in RocksDB with its write-ahead log off, because the Raft log is the write-ahead log. Writes
// go to a memtable and touch no disk; flushes and compactions run on two background threads of RocksDB, rate-limited.
// Owned by the store's thread; RocksDB's threads only raise flushed_index() and note background errors. Does not fsync
// on the commit path.
//
// One column family. The meta record is named (current revision, record_sub_meta) and so sorts behind every record it
// speaks of: files stay disjoint and move down the levels without being rewritten. A fixed name would make every file
// overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "kv/backend.hpp"

namespace whitewater::kv {

// Defaults keep an idle member small; the write path never waits for them.
struct RocksdbOptions {
  std::string directory;                       // created when missing
  std::size_t write_buffer_bytes = 8UL << 20;  // one memtable; it is allocated as it fills
  int write_buffers_max = 6;                   // filled and not yet flushed; beyond, writes are refused or wait
  std::size_t block_cache_bytes = 8UL << 20;
  std::int64_t background_bytes_per_second = 64L << 20;  // flush and compaction together
  int open_files_max = 256;
  std::function<void(base::Duration)> on_write;  // called with the duration of each group's write
};

class RocksdbBackend final : public Backend {
 public:
  // Throws base::FatalError: data_directory (cannot open, locked), corrupt, newer_format, disk.
  explicit RocksdbBackend(const RocksdbOptions& options);
  // Flushes. What was written is within the durable log, so that this is safe at any time. Every view is gone by then.
  ~RocksdbBackend() override;
  RocksdbBackend(const RocksdbBackend&) = delete;
  RocksdbBackend& operator=(const RocksdbBackend&) = delete;

  [[nodiscard]] StoreMeta meta() const override;
  [[nodiscard]] bool is_empty() const override;
  // Pins a sequence number of RocksDB, no file and no memtable.
  [[nodiscard]] std::unique_ptr<BackendView> open_view() const override;
  void for_each(const std::function<void(RecordId, std::string_view)>& visit) const override;
  void read(std::span<const RecordId> ids,
            const std::function<void(std::size_t, std::string_view)>& visit) const override;
  [[nodiscard]] bool write(const WriteGroup& group, WriteMode mode) override;
  [[nodiscard]] bool write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) override;
  bool flush_async() override;
  void flush() override;
  [[nodiscard]] Index flushed_index() const override;
  [[nodiscard]] BackendSize size() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whitewater::kv

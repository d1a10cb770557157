// MemoryBackend: records in a map, for tests and the simulator. The MemoryDisk outlives the backend as a disk outlives
// a process: it holds what was flushed. Dropping a backend without flush() is a crash, after which a new one on the
// same disk finds the last flushed state. Single-threaded, deterministic, no I/O.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kv/backend.hpp"

namespace whitewater::kv {

struct MemoryDisk {
  std::map<RecordId, std::string> records;
  StoreMeta meta;
};

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>());

  [[nodiscard]] StoreMeta meta() const override { return meta_; }
  [[nodiscard]] bool is_empty() const override { return records_.empty() && meta_ == StoreMeta{}; }
  // A copy of every record.
  [[nodiscard]] std::unique_ptr<BackendView> open_view() const override;
  void for_each(const std::function<void(RecordId, std::string_view)>& visit) const override;
  void read(std::span<const RecordId> ids,
            const std::function<void(std::size_t, std::string_view)>& visit) const override;
  [[nodiscard]] bool write(const WriteGroup& group, WriteMode mode) override;
  [[nodiscard]] bool write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) override;
  // Completes at once, unless busy.
  bool flush_async() override;
  void flush() override;
  [[nodiscard]] Index flushed_index() const override { return disk_->meta.applied; }
  [[nodiscard]] BackendSize size() const override;

  // Test hook: writes that may be refused are refused while set, and flushes put off until after the next write, as
  // RocksDB does when its background work lags.
  void set_busy(bool busy) { busy_ = busy; }

 private:
  // What flush() still has to carry to the disk; erased records are those without bytes.
  struct Unflushed {
    RecordId id;
    bool erase = false;
  };

  void add(std::span<const RecordWrite> puts);

  std::shared_ptr<MemoryDisk> disk_;
  std::map<RecordId, std::string> records_;
  StoreMeta meta_;
  std::vector<Unflushed> unflushed_;
  std::uint64_t bytes_ = 0;
  bool busy_ = false;
  bool is_flush_due_ = false;
};

}  // namespace whitewater::kv

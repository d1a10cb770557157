#include "kv/memory_backend.hpp"

#include <utility>

#include "base/assert.hpp"

namespace whitewater::kv {
namespace {

class MemoryView final : public BackendView {
 public:
  explicit MemoryView(MemoryDisk state) : state_(std::move(state)) {}
  [[nodiscard]] StoreMeta meta() const override { return state_.meta; }
  void for_each_after(RecordId after, const std::function<bool(RecordId, std::string_view)>& visit) const override {
    for (auto record = state_.records.upper_bound(after); record != state_.records.end(); ++record) {
      if (!visit(record->first, record->second)) return;
    }
  }

 private:
  MemoryDisk state_;
};

}  // namespace

MemoryBackend::MemoryBackend(std::shared_ptr<MemoryDisk> disk)
    : disk_(std::move(disk)), records_(disk_->records), meta_(disk_->meta) {
  for (const auto& [id, bytes] : records_) bytes_ += record_name_bytes + bytes.size();
}

std::unique_ptr<BackendView> MemoryBackend::open_view() const {
  return std::make_unique<MemoryView>(MemoryDisk{records_, meta_});
}

void MemoryBackend::for_each(const std::function<void(RecordId, std::string_view)>& visit) const {
  for (const auto& [id, bytes] : records_) visit(id, bytes);
}

void MemoryBackend::read(std::span<const RecordId> ids,
                         const std::function<void(std::size_t, std::string_view)>& visit) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto found = records_.find(ids[i]);
    WW_ASSERT_MSG(found != records_.end(), "the index names a record that the backend does not hold");
    visit(i, found->second);
  }
}

void MemoryBackend::add(std::span<const RecordWrite> puts) {
  for (const auto& put : puts) {
    const auto [place, is_new] = records_.emplace(put.id, std::string(put.bytes));
    WW_ASSERT(is_new);
    bytes_ += record_name_bytes + put.bytes.size();
    unflushed_.push_back({put.id, false});
  }
}

bool MemoryBackend::write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) {
  WW_ASSERT(meta_ == StoreMeta{});
  if (busy_ && mode == WriteMode::may_refuse) return false;
  add(puts);
  return true;
}

bool MemoryBackend::write(const WriteGroup& group, WriteMode mode) {
  if (busy_ && mode == WriteMode::may_refuse) return false;
  add(group.puts);
  for (const auto id : group.erases) {
    const auto found = records_.find(id);
    WW_ASSERT(found != records_.end());
    bytes_ -= record_name_bytes + found->second.size();
    records_.erase(found);
    unflushed_.push_back({id, true});
  }
  WW_ASSERT(group.meta.applied >= meta_.applied);
  meta_ = group.meta;
  if (is_flush_due_) flush();
  return true;
}

bool MemoryBackend::flush_async() {
  if (busy_) {
    is_flush_due_ = true;
    return false;
  }
  flush();
  return true;
}

void MemoryBackend::flush() {
  for (const auto& change : unflushed_) {
    const auto found = records_.find(change.id);
    if (change.erase || found == records_.end()) {
      disk_->records.erase(change.id);
    } else {
      disk_->records.insert_or_assign(change.id, found->second);
    }
  }
  unflushed_.clear();
  is_flush_due_ = false;
  disk_->meta = meta_;
}

BackendSize MemoryBackend::size() const { return {bytes_, bytes_}; }

}  // namespace whitewater::kv

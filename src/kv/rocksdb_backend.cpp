#include "kv/rocksdb_backend.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <mutex>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::kv {
namespace {

using base::ExitCode;
using base::FatalError;

// Keys of one MultiGet: enough to share block look-ups, few enough to stay on the stack.
constexpr std::size_t multi_get_keys = 64;
constexpr std::size_t open_readahead_bytes = 2UL << 20;
// A flush that RocksDB starts by itself is known to within this many of its sequence numbers.
constexpr std::uint64_t flush_mark_sequences = 256;

rocksdb::Slice slice(const std::array<char, record_name_bytes>& name) { return {name.data(), name.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

[[noreturn]] void fail(const std::string& doing, const rocksdb::Status& status) {
  const auto code = status.IsCorruption() || status.IsNotFound() ? ExitCode::corrupt : ExitCode::disk;
  throw FatalError(code, "store: " + doing + ": " + status.ToString());
}

// Which applied index is durable. The store's thread notes how far each sequence number carries; RocksDB's flush thread
// says up to which sequence number its files go.
class FlushTracker {
 public:
  void reset(std::uint64_t sequence, Index applied) {
    const std::lock_guard lock(mutex_);
    flushed_sequence_ = sequence;
    flushed_ = applied;
  }
  // Everything up to `applied` has sequence numbers up to `sequence`.
  void on_written(std::uint64_t sequence, Index applied, bool is_exact) {
    const std::lock_guard lock(mutex_);
    if (!is_exact && !marks_.empty() && sequence - marks_.back().first < flush_mark_sequences) return;
    marks_.emplace_back(sequence, applied);
    advance();
  }
  void on_flushed(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    flushed_sequence_ = std::max(flushed_sequence_, sequence);
    advance();
  }
  [[nodiscard]] Index flushed() const {
    const std::lock_guard lock(mutex_);
    return flushed_;
  }

 private:
  void advance() {
    while (!marks_.empty() && marks_.front().first <= flushed_sequence_) {
      flushed_ = std::max(flushed_, marks_.front().second);
      marks_.pop_front();
    }
  }
  mutable std::mutex mutex_;
  std::deque<std::pair<std::uint64_t, Index>> marks_;
  std::uint64_t flushed_sequence_ = 0;
  Index flushed_;
};

class FlushListener final : public rocksdb::EventListener {
 public:
  explicit FlushListener(std::shared_ptr<FlushTracker> tracker) : tracker_(std::move(tracker)) {}
  // One flush thread: files are finished in the order of their writes, so that everything up to here is durable.
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo& info) override {
    tracker_->on_flushed(info.largest_seqno);
  }

 private:
  std::shared_ptr<FlushTracker> tracker_;
};

rocksdb::Options make_options(const RocksdbOptions& options, std::shared_ptr<FlushTracker> tracker) {
  rocksdb::Options out;
  out.create_if_missing = true;
  out.info_log_level = rocksdb::WARN_LEVEL;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 1UL << 20;
  out.max_manifest_file_size = 4UL << 20;
  out.stats_dump_period_sec = 0;  // no timer thread of its own
  out.stats_persist_period_sec = 0;
  out.skip_stats_update_on_db_open = true;
  out.max_open_files = options.open_files_max;
  out.table_cache_numshardbits = 2;

  out.max_background_jobs = 2;  // one flush, one compaction
  out.max_subcompactions = 1;
  out.bytes_per_sync = 1UL << 20;  // spreads the write-back that would otherwise come at the final fsync
  out.rate_limiter.reset(rocksdb::NewGenericRateLimiter(options.background_bytes_per_second));

  out.write_buffer_size = options.write_buffer_bytes;
  out.max_write_buffer_number = options.write_buffers_max;
  out.allow_concurrent_memtable_write =
      false;  // one writer; also lets ascending inserts start where the last one ended
  out.enable_write_thread_adaptive_yield = false;
  // Files are mostly disjoint, so that many in level 0 cost reads little; the write path is not to be slowed for them.
  out.level0_slowdown_writes_trigger = 40;
  out.level0_stop_writes_trigger = 60;
  out.target_file_size_base = 16UL << 20;
  out.max_bytes_for_level_base = 64UL << 20;
  out.compression = rocksdb::kNoCompression;
  const auto supported = rocksdb::GetSupportedCompressions();
  if (std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end()) {
    out.bottommost_compression = rocksdb::kLZ4Compression;
  }

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, 2);
  table.block_size = 8UL << 10;
  table.filter_policy = nullptr;  // every record asked for exists: a filter would never say no
  table.format_version = 5;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.listeners.push_back(std::make_shared<FlushListener>(std::move(tracker)));
  return out;
}

RecordId meta_id(const StoreMeta& meta) { return {meta.current, record_sub_meta}; }

RecordId checked_name(const rocksdb::DB& db, const rocksdb::Slice& name) {
  if (name.size() != record_name_bytes) {
    throw FatalError(ExitCode::corrupt, "store: a record's name in " + db.GetName() + " is malformed");
  }
  return decode_name(view(name));
}

class RocksdbView final : public BackendView {
 public:
  // `open_views` counts this one while it lives.
  RocksdbView(rocksdb::DB& db, StoreMeta meta, std::size_t& open_views)
      : db_(db), snapshot_(db.GetSnapshot()), meta_(std::move(meta)), open_views_(open_views) {
    ++open_views_;
  }
  ~RocksdbView() override {
    db_.ReleaseSnapshot(snapshot_);
    --open_views_;
  }
  RocksdbView(const RocksdbView&) = delete;
  RocksdbView& operator=(const RocksdbView&) = delete;

  [[nodiscard]] StoreMeta meta() const override { return meta_; }
  // An iterator of its own for each call: one kept from call to call would keep memtables and files from being
  // released.
  void for_each_after(RecordId after, const std::function<bool(RecordId, std::string_view)>& visit) const override {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> records(db_.NewIterator(options));
    if (after == RecordId{}) {
      records->SeekToFirst();
    } else {
      records->Seek(slice(encode_name(after)));
    }
    for (; records->Valid(); records->Next()) {
      const RecordId id = checked_name(db_, records->key());
      if (id <= after || id.sub == record_sub_meta) continue;
      if (!visit(id, view(records->value()))) return;
    }
    if (!records->status().ok()) fail("cannot read", records->status());
  }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* snapshot_;
  StoreMeta meta_;
  std::size_t& open_views_;
};

}  // namespace

struct RocksdbBackend::State {
  std::shared_ptr<FlushTracker> tracker = std::make_shared<FlushTracker>();
  std::unique_ptr<rocksdb::DB> db;
  StoreMeta meta;
  bool has_meta = false;
  rocksdb::WriteBatch batch;  // kept for its memory
  // A flush was asked for while writes were stopped (all write buffers waiting to be flushed); it is due after the next
  // write.
  bool is_flush_due = false;
  std::function<void(base::Duration)> on_write;
  bool has_records_without_meta = false;
  std::size_t open_views = 0;

  void add_puts(std::span<const RecordWrite> puts) {
    for (const auto& put : puts) {
      batch.Put(slice(encode_name(put.id)), rocksdb::Slice(put.bytes.data(), put.bytes.size()));
    }
  }

  [[nodiscard]] bool write_batch(WriteMode mode) {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    options.no_slowdown = mode == WriteMode::may_refuse;
    const auto status = db->Write(options, &batch);
    if (status.IsIncomplete() && mode == WriteMode::may_refuse) return false;
    if (!status.ok()) fail("cannot write", status);
    return true;
  }

  void start_flush() {
    tracker->on_written(db->GetLatestSequenceNumber(), meta.applied, true);
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;  // otherwise it would wait here until a flush stalls nobody
    const auto status = db->Flush(options);
    if (!status.ok() && !status.IsTryAgain()) fail("cannot start a flush", status);
    is_flush_due = status.IsTryAgain();
  }

  // The newest name is the meta record's; an empty database is a new store.
  void load_meta() {
    const std::unique_ptr<rocksdb::Iterator> last(db->NewIterator(rocksdb::ReadOptions()));
    last->SeekToLast();
    if (!last->status().ok()) fail("cannot read", last->status());
    if (!last->Valid()) return;
    const auto name = view(last->key());
    if (name.size() != record_name_bytes || decode_name(name).sub != record_sub_meta) {
      throw FatalError(ExitCode::corrupt, "store: " + db->GetName() + " holds records but no meta record");
    }
    const auto found = decode_meta(view(last->value()));
    if (!found && found.error() == base::Errc::unsupported_version) {
      throw FatalError(ExitCode::newer_format, "store: " + db->GetName() + " was written by a newer version");
    }
    if (!found || meta_id(*found) != decode_name(name)) {
      throw FatalError(ExitCode::corrupt, "store: the meta record of " + db->GetName() + " does not decode");
    }
    meta = *found;
    has_meta = true;
  }
};

RocksdbBackend::RocksdbBackend(const RocksdbOptions& options) : state_(std::make_unique<State>()) {
  state_->on_write = options.on_write;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(make_options(options, state_->tracker), options.directory, &db);
  if (!status.ok()) {
    const auto code = status.IsCorruption()     ? ExitCode::corrupt
                      : status.IsNotSupported() ? ExitCode::newer_format
                                                : ExitCode::data_directory;
    throw FatalError(code, "store: cannot open " + options.directory + ": " + status.ToString());
  }
  state_->db.reset(db);
  state_->load_meta();
  // Without a write-ahead log, what is there when it opens is in files.
  state_->tracker->reset(db->GetLatestSequenceNumber(), state_->meta.applied);
}

RocksdbBackend::~RocksdbBackend() {
  WW_ASSERT_MSG(state_->open_views == 0, "a view outlives its backend");
  // Close flushes what is in memory. A failure loses nothing: the log still holds it.
  state_->db->Close().PermitUncheckedError();
}

StoreMeta RocksdbBackend::meta() const { return state_->meta; }

// A database with records and without a meta record does not open.
bool RocksdbBackend::is_empty() const { return !state_->has_meta && !state_->has_records_without_meta; }

std::unique_ptr<BackendView> RocksdbBackend::open_view() const {
  return std::make_unique<RocksdbView>(*state_->db, state_->meta, state_->open_views);
}

void RocksdbBackend::for_each(const std::function<void(RecordId, std::string_view)>& visit) const {
  rocksdb::ReadOptions options;
  options.readahead_size = open_readahead_bytes;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> records(state_->db->NewIterator(options));
  for (records->SeekToFirst(); records->Valid(); records->Next()) {
    const RecordId id = checked_name(*state_->db, records->key());
    if (id.sub != record_sub_meta) visit(id, view(records->value()));
  }
  if (!records->status().ok()) fail("cannot read", records->status());
}

void RocksdbBackend::read(std::span<const RecordId> ids,
                          const std::function<void(std::size_t, std::string_view)>& visit) const {
  const rocksdb::ReadOptions options;
  auto* family = state_->db->DefaultColumnFamily();
  if (ids.size() == 1) {
    rocksdb::PinnableSlice value;
    const auto name = encode_name(ids[0]);
    const auto status = state_->db->Get(options, family, slice(name), &value);
    if (!status.ok()) fail("cannot read a record", status);
    visit(0, view(value));
    return;
  }
  std::array<std::array<char, record_name_bytes>, multi_get_keys> names;
  std::array<rocksdb::Slice, multi_get_keys> keys;
  std::array<rocksdb::PinnableSlice, multi_get_keys> values;
  std::array<rocksdb::Status, multi_get_keys> statuses;
  for (std::size_t begin = 0; begin < ids.size(); begin += multi_get_keys) {
    const std::size_t count = std::min(multi_get_keys, ids.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      names[i] = encode_name(ids[begin + i]);
      keys[i] = slice(names[i]);
    }
    state_->db->MultiGet(options, family, count, keys.data(), values.data(), statuses.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (!statuses[i].ok()) fail("cannot read a record", statuses[i]);
      visit(begin + i, view(values[i]));
      values[i].Reset();
    }
  }
}

bool RocksdbBackend::write(const WriteGroup& group, WriteMode mode) {
  State& state = *state_;
  WW_ASSERT(group.meta.applied >= state.meta.applied);
  WW_ASSERT(group.meta.current >= state.meta.current);
  state.batch.Clear();
  state.add_puts(group.puts);
  // A record is written once and never again, which is what SingleDelete asks for: both vanish when they meet.
  for (const auto id : group.erases) state.batch.SingleDelete(slice(encode_name(id)));
  if (state.has_meta && meta_id(state.meta) != meta_id(group.meta)) {
    state.batch.Delete(slice(encode_name(meta_id(state.meta))));
  }
  state.batch.Put(slice(encode_name(meta_id(group.meta))), encode_meta(group.meta));

  const auto begin = std::chrono::steady_clock::now();
  if (!state.write_batch(mode)) return false;
  if (state.on_write) state.on_write(std::chrono::steady_clock::now() - begin);
  state.meta = group.meta;
  state.has_meta = true;
  state.tracker->on_written(state.db->GetLatestSequenceNumber(), group.meta.applied, false);
  if (state.is_flush_due) state.start_flush();
  return true;
}

bool RocksdbBackend::write_without_meta(std::span<const RecordWrite> puts, WriteMode mode) {
  State& state = *state_;
  WW_ASSERT(!state.has_meta);
  state.batch.Clear();
  state.add_puts(puts);
  if (!state.write_batch(mode)) return false;
  state.has_records_without_meta = true;
  return true;
}

bool RocksdbBackend::flush_async() {
  state_->start_flush();
  return !state_->is_flush_due;
}

void RocksdbBackend::flush() {
  const auto sequence = state_->db->GetLatestSequenceNumber();
  state_->tracker->on_written(sequence, state_->meta.applied, true);
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  const auto status = state_->db->Flush(options);
  if (!status.ok()) fail("cannot flush", status);
  state_->tracker->on_flushed(sequence);
}

Index RocksdbBackend::flushed_index() const { return state_->tracker->flushed(); }

BackendSize RocksdbBackend::size() const {
  const auto property = [&](const std::string& name) {
    std::uint64_t value = 0;
    return state_->db->GetIntProperty(name, &value) ? value : 0;
  };
  const auto in_memory = property(rocksdb::DB::Properties::kCurSizeAllMemTables);
  const auto in_files = property(rocksdb::DB::Properties::kTotalSstFilesSize);
  const auto live = property(rocksdb::DB::Properties::kEstimateLiveDataSize);
  return {.total_bytes = in_files + in_memory, .in_use_bytes = std::min(live, in_files) + in_memory};
}

}  // namespace whitewater::kv

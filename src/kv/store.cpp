#include "kv/store.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "base/crc32c.hpp"
#include "kv/command_codec.hpp"
#include "kv/compaction_walk.hpp"
#include "kv/index.hpp"
#include "kv/overlay.hpp"
#include "kv/read_view.hpp"
#include "kv/snapshot.hpp"
#include "kv/txn.hpp"
#include "kv/write_txn.hpp"

namespace whitewater::kv {
namespace {

[[noreturn]] void refuse_store(const std::string& why) {
  throw base::FatalError(
      base::ExitCode::corrupt,
      "the store is damaged: " + why + "; restore this member by removing its data directory so that it joins again");
}

// Sebastiano Vigna's SplitMix64 finaliser: spreads every bit over all 64.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// The response of the command if it succeeded, with its transaction committed into `current`.
template <class Response>
CommandResponse finish(std::variant<ErrorCode, Response> result, WriteTxn& txn, Revision& current,
                       StoreCounters& counters) {
  if (const auto* error = std::get_if<ErrorCode>(&result)) return *error;
  current = txn.commit();
  counters.puts += txn.counts().puts;
  counters.deletes += txn.counts().deletes;
  counters.put_bytes += txn.counts().put_bytes;
  return std::get<Response>(std::move(result));
}

std::uint64_t count_ranges(const TxnResponse& response) {
  std::uint64_t count = 0;
  for (const auto& part : response.responses) {
    if (std::holds_alternative<RangeResponse>(part.op)) ++count;
    if (const auto* nested = std::get_if<TxnResponse>(&part.op)) count += count_ranges(*nested);
  }
  return count;
}

void count_txn(const std::variant<ErrorCode, TxnResponse>& result, StoreCounters& counters) {
  const auto* response = std::get_if<TxnResponse>(&result);
  if (response == nullptr) return;
  ++counters.txns;
  counters.ranges += count_ranges(*response);
}

}  // namespace

Store::Store(std::unique_ptr<Backend> backend) : Store(std::move(backend), std::make_unique<KeyIndex>()) {
  rebuild_index();
}

Store::Store(std::unique_ptr<Backend> backend, std::unique_ptr<KeyIndex> index)
    : backend_(std::move(backend)), index_(std::move(index)), overlay_(std::make_unique<RecordOverlay>(*backend_)) {
  const StoreMeta meta = backend_->meta();
  applied_ = meta.applied;
  current_ = meta.current;
  compacted_ = meta.compacted;
  configuration_ = meta.configuration;
}

Store::~Store() = default;

void Store::rebuild_index() {
  const StoreMeta meta = backend_->meta();
  RecordId last;
  backend_->for_each([&](RecordId id, std::string_view bytes) {
    const auto [record, problem] = check_record(meta, last, id, bytes);
    if (problem != nullptr) refuse_store(problem);
    last = id;
    index_->restore(record.key, id, record.create_revision, record.version, compacted_);
  });
}

Index Store::applied_index() const { return applied_; }
Index Store::persisted_index() const { return backend_->meta().applied; }
Index Store::durable_applied_index() const { return backend_->flushed_index(); }
Revision Store::current_revision() const { return current_; }
Revision Store::compact_revision() const { return compacted_; }

CommandResponse Store::apply(Index index, std::string_view encoded_command) {
  WW_ASSERT_MSG(index == applied_.next(), "log entries are applied in order, each once");
  const auto command = decode_command(encoded_command);
  CommandResponse response = command ? execute(*command) : CommandResponse(ErrorCode::malformed_command);
  advance(index);
  return response;
}

void Store::advance(Index index) {
  WW_ASSERT_MSG(index == applied_.next(), "log entries are applied in order, each once");
  applied_ = index;
  StoreMeta meta;
  meta.applied = applied_;
  meta.current = current_;
  meta.compacted = compacted_;
  meta.configuration = configuration_;
  overlay_->end_entry(meta);
}

void Store::set_configuration(Index index, std::string_view encoded) {
  WW_ASSERT(encoded.size() <= configuration_bytes_max);
  configuration_ = base::SharedBytes(std::string(encoded));
  advance(index);
}

CommandResponse Store::execute(const Command& command) {
  if (const auto* put = std::get_if<PutRequest>(&command)) return execute_put(*put);
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&command)) return execute_delete(*erase);
  if (const auto* txn = std::get_if<TxnRequest>(&command)) return execute_txn_command(*txn);
  const auto* compaction = std::get_if<CompactionRequest>(&command);
  WW_ASSERT(compaction != nullptr);
  return execute_compaction(*compaction);
}

CommandResponse Store::execute_put(const PutRequest& request) {
  WriteTxn txn(*index_, *overlay_, current_, compacted_);
  return finish<PutResponse>(txn.put(request), txn, current_, counters_);
}

CommandResponse Store::execute_delete(const DeleteRangeRequest& request) {
  WriteTxn txn(*index_, *overlay_, current_, compacted_);
  return finish<DeleteRangeResponse>(txn.delete_range(request), txn, current_, counters_);
}

CommandResponse Store::execute_txn_command(const TxnRequest& request) {
  WriteTxn txn(*index_, *overlay_, current_, compacted_);
  const ReadView before(*index_, *overlay_, current_, compacted_);
  auto result = execute_txn(request, before, &txn);
  count_txn(result, counters_);
  return finish<TxnResponse>(std::move(result), txn, current_, counters_);
}

CommandResponse Store::execute_compaction(const CompactionRequest& request) {
  if (request.revision <= compacted_) return ErrorCode::compacted;
  if (request.revision > current_) return ErrorCode::future_revision;
  compacted_ = request.revision;
  index_->forget_counts(compacted_);
  return CompactionResponse{.header_revision = current_};
}

RangeResult Store::range(const RangeRequest& request) const {
  ++counters_.ranges;
  return ReadView(*index_, *overlay_, current_, compacted_).range(request);
}

ReadTxnResult Store::read_txn(const TxnRequest& request) const {
  auto result = execute_txn(request, ReadView(*index_, *overlay_, current_, compacted_), nullptr);
  count_txn(result, counters_);
  return result;
}

void Store::persist_upto(Index durable) {
  const auto mode = overlay_->bytes() > overlay_bytes_max ? WriteMode::must_accept : WriteMode::may_refuse;
  overlay_->persist_upto(durable, mode, persist_group_bytes_max);
}

void Store::flush_async() { backend_->flush_async(); }
void Store::flush() { backend_->flush(); }

std::unique_ptr<SnapshotReader> Store::open_snapshot() const {
  return std::make_unique<SnapshotReader>(backend_->open_view());
}

Revision Store::physically_compacted_revision() const { return backend_->meta().compaction_finished; }

// Only a compaction that the backend has is carried out: the records that made others obsolete are then in the backend
// too, and a crash that takes back what was persisted last takes back the removals with it, because they come later.
bool Store::compact_step(std::size_t max_records) {
  WW_ASSERT(max_records > 0);
  const StoreMeta meta = backend_->meta();
  if (!walk_) {
    if (meta.compaction_finished == meta.compacted) return false;
    walk_ = std::make_unique<CompactionWalk>(meta.compacted);
  }
  const auto step = walk_->step(*index_, *backend_, max_records);
  if (step == CompactionWalk::Step::finished) walk_.reset();
  return step != CompactionWalk::Step::finished || backend_->meta().compaction_finished != backend_->meta().compacted;
}

std::uint64_t Store::hash() const {
  std::vector<RecordId> ids;
  for (auto cursor = index_->begin(); cursor.is_valid(); cursor.next()) {
    const IndexEntry& entry = *cursor.entry();
    const std::size_t upto = KeyIndex::marks_upto(entry, compacted_);
    for (std::size_t i = upto == 0 ? 0 : upto - 1; i < KeyIndex::mark_count(entry); ++i) {
      const RecordMark mark = KeyIndex::mark(entry, i);
      // A tombstone at or below the compaction may or may not have been removed yet; no read can tell.
      if (mark.tombstone && mark.main <= compacted_) continue;
      ids.push_back(mark.id());
    }
  }
  std::vector<std::uint32_t> sums(ids.size());
  overlay_->read(ids, [&](std::size_t i, std::string_view bytes) { sums[i] = base::crc32c(bytes); });
  std::uint64_t hash = mix(static_cast<std::uint64_t>(current_)) ^ mix(~static_cast<std::uint64_t>(compacted_));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    hash = mix(hash + static_cast<std::uint64_t>(ids[i].main));
    hash = mix(hash ^ (static_cast<std::uint64_t>(ids[i].sub) << 32 | sums[i]));
  }
  return hash;
}

StoreSize Store::size() const {
  return {.keys = index_->keys_alive(), .overlay_bytes = overlay_->bytes(), .backend = backend_->size()};
}

void Store::check_invariants() const {
  index_->check_basic();
  WW_ASSERT(persisted_index() <= applied_);
  WW_ASSERT(durable_applied_index() <= persisted_index());
  WW_ASSERT(compacted_ <= current_);
}

}  // namespace whitewater::kv

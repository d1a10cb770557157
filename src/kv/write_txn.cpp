#include "kv/write_txn.hpp"

#include <limits>

#include "base/assert.hpp"

namespace whitewater::kv {

WriteTxn::WriteTxn(KeyIndex& index, RecordOverlay& records, Revision current, Revision compacted)
    : index_(index),
      records_(records),
      begin_(current),
      compacted_(compacted),
      records_before_(records.record_count()) {
  WW_ASSERT(current < std::numeric_limits<Revision>::max());
  index_.begin_undo();
}

WriteTxn::~WriteTxn() {
  if (is_committed_) return;
  index_.rollback();
  records_.truncate(records_before_);
}

RecordId WriteTxn::next_id() {
  WW_ASSERT(changes_ < record_sub_meta - 1);
  return {begin_ + 1, changes_++};
}

std::variant<ErrorCode, PutResponse> WriteTxn::put(const PutRequest& request) {
  if (!is_lease_known(request.lease)) return ErrorCode::lease_not_found;
  const bool keeps_something = request.ignore_value || request.ignore_lease;
  std::optional<KeyValue> previous;
  if (keeps_something || request.prev_kv) {
    if (const IndexEntry* entry = index_.find_alive(request.key)) previous = records_.read_key_value(entry->newest());
  }
  if (keeps_something && !previous) return ErrorCode::key_not_found;

  const RecordId id = next_id();
  const PutOutcome outcome = index_.put(request.key, id);
  records_.add(id, encode_record({.tombstone = false,
                                  .key = request.key,
                                  .create_revision = outcome.create_revision,
                                  .version = outcome.version,
                                  .lease = request.ignore_lease ? previous->lease : request.lease,
                                  .value = request.ignore_value ? previous->value : request.value}));
  ++counts_.puts;
  counts_.put_bytes += request.key.size() + request.value.size();
  PutResponse response;
  response.header_revision = revision();
  if (request.prev_kv) response.prev_kv = std::move(previous);
  return response;
}

DeleteRangeResponse WriteTxn::delete_range(const DeleteRangeRequest& request) {
  const auto entries = index_.collect_alive(KeyRange(request.key, request.range_end));
  DeleteRangeResponse response;
  response.deleted = static_cast<std::int64_t>(entries.size());
  if (request.prev_kv && !entries.empty()) {
    std::vector<RecordId> ids;
    ids.reserve(entries.size());
    for (const auto* entry : entries) ids.push_back(entry->newest());
    response.prev_kvs.resize(ids.size());
    records_.read(ids, [&](std::size_t i, std::string_view bytes) {
      const auto record = decode_record(bytes);
      if (!record) throw base::FatalError(base::ExitCode::corrupt, "a record of the store does not decode");
      response.prev_kvs[i] = to_key_value(ids[i], *record);
    });
  }
  for (const auto* entry : entries) {
    const RecordId id = next_id();
    const bool is_removed = index_.remove(entry->key(), id);
    WW_ASSERT(is_removed);
    records_.add(id, encode_record({.tombstone = true, .key = entry->key(), .value = {}}));
  }
  counts_.deletes += entries.size();
  response.header_revision = revision();
  return response;
}

Revision WriteTxn::commit() {
  WW_ASSERT(!is_committed_);
  is_committed_ = true;
  index_.commit_undo();
  return revision();
}

}  // namespace whitewater::kv

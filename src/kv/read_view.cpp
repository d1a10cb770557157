#include "kv/read_view.hpp"

#include <algorithm>
#include <limits>

#include "base/assert.hpp"

namespace whitewater::kv {
namespace {

bool is_key_order(const RangeRequest& request) {
  return request.sort_order == SortOrder::none ||
         (request.sort_order == SortOrder::ascend && request.sort_target == SortTarget::key);
}

bool has_filters(const RangeRequest& request) {
  return request.min_mod_revision != 0 || request.max_mod_revision != 0 || request.min_create_revision != 0 ||
         request.max_create_revision != 0;
}

// How many keys to fetch: one more than the limit tells whether there are more. What has to be sorted by order or
// filtered first is fetched whole. A sort target without an order is, as in etcd, cut in key order before it is sorted.
std::size_t fetch_limit(const RangeRequest& request) {
  if (request.limit <= 0 || !is_key_order(request) || has_filters(request)) return KeyIndex::no_limit;
  if (request.limit == std::numeric_limits<std::int64_t>::max()) return KeyIndex::no_limit;
  return static_cast<std::size_t>(request.limit) + 1;
}

bool is_within(std::int64_t revision, Revision min, Revision max) {
  return (min == 0 || revision >= min) && (max == 0 || revision <= max);
}

int three_way(std::int64_t a, std::int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

int compare_by(SortTarget target, const KeyValue& a, const KeyValue& b) {
  switch (target) {
    case SortTarget::key:
      return a.key.compare(b.key);
    case SortTarget::version:
      return three_way(a.version, b.version);
    case SortTarget::create:
      return three_way(a.create_revision, b.create_revision);
    case SortTarget::mod:
      return three_way(a.mod_revision, b.mod_revision);
    case SortTarget::value:
      return a.value.compare(b.value);
  }
  return 0;
}

// Pairs that tie stay in key order, so that every member gives the same answer.
void sort_pairs(const RangeRequest& request, std::vector<KeyValue>& kvs) {
  const bool is_descending = request.sort_order == SortOrder::descend;
  if (request.sort_target == SortTarget::key) {
    if (is_descending) std::reverse(kvs.begin(), kvs.end());
    return;
  }
  std::sort(kvs.begin(), kvs.end(), [&](const KeyValue& a, const KeyValue& b) {
    const int order = compare_by(request.sort_target, a, b);
    if (order == 0) return a.key < b.key;
    return is_descending ? order > 0 : order < 0;
  });
}

bool is_satisfied(CompareResult wanted, int order) {
  switch (wanted) {
    case CompareResult::equal:
      return order == 0;
    case CompareResult::greater:
      return order > 0;
    case CompareResult::less:
      return order < 0;
    case CompareResult::not_equal:
      return order != 0;
  }
  return true;  // an undeclared result holds, as in etcd
}

}  // namespace

RangeResult ReadView::range(const RangeRequest& request) const {
  if (request.revision > current_) return ErrorCode::future_revision;
  const Revision at = request.revision <= 0 ? current_ : request.revision;
  if (at < compacted_) return ErrorCode::compacted;
  const KeyRange range(request.key, request.range_end);
  RangeResponse response;
  response.header_revision = current_;
  if (request.count_only) {
    response.count = static_cast<std::int64_t>(index_.count(range, at));
    return response;
  }

  const std::size_t limit = fetch_limit(request);
  auto ids = index_.collect(range, at, limit);
  const bool is_cut = limit != KeyIndex::no_limit && ids.size() == limit;
  response.count = static_cast<std::int64_t>(is_cut ? index_.count(range, at) : ids.size());
  std::erase_if(ids,
                [&](RecordId id) { return !is_within(id.main, request.min_mod_revision, request.max_mod_revision); });
  // The key that only tells that there are more need not be read, unless it takes part in a sort.
  const bool is_sorted_later = request.sort_target != SortTarget::key;
  if (is_cut && !is_sorted_later) {
    ids.pop_back();
    response.more = true;
  }

  std::vector<KeyValue> kvs(ids.size());
  records_.read(ids, [&](std::size_t i, std::string_view bytes) {
    auto record = decode_record(bytes);
    if (!record) throw base::FatalError(base::ExitCode::corrupt, "a record of the store does not decode");
    if (request.keys_only && request.sort_target != SortTarget::value) record->value = {};
    kvs[i] = to_key_value(ids[i], *record);
  });
  std::erase_if(kvs, [&](const KeyValue& kv) {
    return !is_within(kv.create_revision, request.min_create_revision, request.max_create_revision);
  });
  sort_pairs(request, kvs);
  if (request.limit > 0 && kvs.size() > static_cast<std::size_t>(request.limit)) {
    kvs.resize(static_cast<std::size_t>(request.limit));
    response.more = true;
  }
  if (request.keys_only) {
    for (auto& kv : kvs) kv.value.clear();
  }
  response.kvs = std::move(kvs);
  return response;
}

bool ReadView::holds_for(const Compare& compare, const IndexEntry& entry) const {
  switch (compare.target) {
    case CompareTarget::version:
      return is_satisfied(compare.result, three_way(entry.version, compare.number));
    case CompareTarget::create:
      return is_satisfied(compare.result, three_way(entry.create_revision, compare.number));
    case CompareTarget::mod:
      return is_satisfied(compare.result, three_way(entry.main, compare.number));
    case CompareTarget::value:
      return is_satisfied(compare.result, records_.read_key_value(entry.newest()).value.compare(compare.value));
    case CompareTarget::lease:
      return is_satisfied(compare.result, three_way(records_.read_key_value(entry.newest()).lease, compare.number));
  }
  return is_satisfied(compare.result, 0);  // an undeclared target compares as equal, as in etcd
}

bool ReadView::holds(const Compare& compare) const {
  const KeyRange range(compare.key, compare.range_end);
  // Every number of a key that does not exist is 0; no value is equal or unequal to a missing one.
  const auto holds_without_keys = [&] {
    if (compare.target == CompareTarget::value) return false;
    const bool is_declared = compare.target >= CompareTarget::version && compare.target <= CompareTarget::lease;
    return is_satisfied(compare.result, is_declared ? three_way(0, compare.number) : 0);
  };
  if (range.is_single()) {
    const IndexEntry* entry = index_.find_alive(compare.key);
    return entry != nullptr ? holds_for(compare, *entry) : holds_without_keys();
  }
  const auto entries = index_.collect_alive(range);
  if (entries.empty()) return holds_without_keys();
  return std::all_of(entries.begin(), entries.end(),
                     [&](const IndexEntry* entry) { return holds_for(compare, *entry); });
}

}  // namespace whitewater::kv

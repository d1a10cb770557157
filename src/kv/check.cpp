#include "kv/check.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "kv/command_codec.hpp"

namespace whitewater::kv {
namespace {

using Refusal = std::optional<ErrorCode>;

// Keys that deletions of one branch cover. Ranges are kept disjoint, so that a look-up needs one of them. A range that
// ends at or before its begin covers nothing; that takes in "\0", the from-key range: etcd does not see it here either.
class DeletedKeys {
 public:
  void add(const DeleteRangeRequest& request) {
    if (request.range_end.empty()) {
      points_.insert(request.key);
    } else {
      add_range(request.key, request.range_end);
    }
  }
  void add(DeletedKeys&& other) {
    if (points_.size() < other.points_.size()) points_.swap(other.points_);
    points_.merge(other.points_);
    if (ranges_.size() < other.ranges_.size()) ranges_.swap(other.ranges_);
    for (const auto& [begin, end] : other.ranges_) add_range(begin, end);
  }
  [[nodiscard]] bool is_empty() const { return points_.empty() && ranges_.empty(); }
  [[nodiscard]] bool contains(std::string_view key) const {
    if (points_.contains(key)) return true;
    auto range = ranges_.upper_bound(key);
    return range != ranges_.begin() && key < std::prev(range)->second;
  }

 private:
  void add_range(std::string_view begin, std::string_view end) {
    if (end <= begin) return;
    auto place = ranges_.upper_bound(begin);
    if (place != ranges_.begin() && std::prev(place)->second >= begin) {
      --place;
      begin = place->first;
    }
    while (place != ranges_.end() && place->first <= end) {
      end = std::max(end, place->second);
      place = ranges_.erase(place);
    }
    ranges_.emplace(begin, end);
  }

  std::set<std::string_view> points_;
  std::map<std::string_view, std::string_view> ranges_;
};

// What a branch writes, nested transactions included.
struct Writes {
  std::set<std::string_view> puts;
  DeletedKeys deletes;
};

Refusal collect_writes(const std::vector<RequestOp>& ops, Writes& out);

// Adds what one nested transaction may write. Its two branches exclude each other, so a key may be in both; against
// anything that came before, in either branch, it is a duplicate.
Refusal collect_nested(const TxnRequest& txn, Writes& out) {
  Writes nested;
  Writes other;
  if (auto refusal = collect_writes(txn.success, nested)) return refusal;
  if (auto refusal = collect_writes(txn.failure, other)) return refusal;
  if (nested.puts.size() < other.puts.size()) nested.puts.swap(other.puts);
  nested.puts.merge(other.puts);
  if (!out.deletes.is_empty()) {
    for (const auto key : nested.puts) {
      if (out.deletes.contains(key)) return ErrorCode::duplicate_key;
    }
  }
  if (out.puts.size() < nested.puts.size()) out.puts.swap(nested.puts);
  out.puts.merge(nested.puts);
  // What merge() left behind is in both.
  if (!nested.puts.empty()) return ErrorCode::duplicate_key;
  out.deletes.add(std::move(nested.deletes));
  out.deletes.add(std::move(other.deletes));
  return std::nullopt;
}

// etcd's order: this level's deletions, then nested transactions one by one (each against the deletions of this level
// and of those before it), then this level's puts against everything.
Refusal collect_writes(const std::vector<RequestOp>& ops, Writes& out) {
  for (const auto& request : ops) {
    if (const auto* erase = std::get_if<DeleteRangeRequest>(&request.op)) out.deletes.add(*erase);
  }
  for (const auto& request : ops) {
    if (const auto* txn = std::get_if<TxnRequest>(&request.op)) {
      if (auto refusal = collect_nested(*txn, out)) return refusal;
    }
  }
  for (const auto& request : ops) {
    const auto* put = std::get_if<PutRequest>(&request.op);
    if (put == nullptr) continue;
    if (out.deletes.contains(put->key)) return ErrorCode::duplicate_key;
    if (!out.puts.insert(put->key).second) return ErrorCode::duplicate_key;
  }
  return std::nullopt;
}

Refusal check_operations(const TxnRequest& txn, std::size_t operations_max, std::size_t depth);

Refusal check_operation(const RequestOp& request, std::size_t operations_max, std::size_t depth) {
  if (const auto* range = std::get_if<RangeRequest>(&request.op)) return check_request(*range);
  if (const auto* put = std::get_if<PutRequest>(&request.op)) return check_request(*put);
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&request.op)) return check_request(*erase);
  if (const auto* txn = std::get_if<TxnRequest>(&request.op)) return check_operations(*txn, operations_max, depth + 1);
  return ErrorCode::key_not_found;  // etcd's answer to an empty operation
}

Refusal check_operations(const TxnRequest& txn, std::size_t operations_max, std::size_t depth) {
  const std::size_t longest = std::max({txn.compare.size(), txn.success.size(), txn.failure.size()});
  if (longest > operations_max) return ErrorCode::too_many_operations;
  if (depth > txn_depth_max) return ErrorCode::too_many_operations;
  for (const auto& compare : txn.compare) {
    if (compare.key.empty()) return ErrorCode::key_not_provided;
  }
  for (const auto* branch : {&txn.success, &txn.failure}) {
    for (const auto& request : *branch) {
      if (auto refusal = check_operation(request, operations_max - longest, depth)) return refusal;
    }
  }
  return std::nullopt;
}

template <class Predicate>
bool all_operations(const TxnRequest& txn, const Predicate& predicate) {
  return std::all_of(txn.success.begin(), txn.success.end(), predicate) &&
         std::all_of(txn.failure.begin(), txn.failure.end(), predicate);
}

bool is_range_somewhere(const TxnRequest& txn) {
  const auto has_range = [](const RequestOp& request) {
    if (const auto* nested = std::get_if<TxnRequest>(&request.op)) return is_range_somewhere(*nested);
    return std::holds_alternative<RangeRequest>(request.op);
  };
  return std::any_of(txn.success.begin(), txn.success.end(), has_range) ||
         std::any_of(txn.failure.begin(), txn.failure.end(), has_range);
}

bool is_every_range_serializable(const TxnRequest& txn) {
  return all_operations(txn, [](const RequestOp& request) {
    if (const auto* nested = std::get_if<TxnRequest>(&request.op)) return is_every_range_serializable(*nested);
    const auto* range = std::get_if<RangeRequest>(&request.op);
    return range != nullptr && range->serializable;
  });
}

}  // namespace

Refusal check_request(const RangeRequest& request) {
  if (request.key.empty()) return ErrorCode::key_not_provided;
  if (request.sort_order < SortOrder::none || request.sort_order > SortOrder::descend) {
    return ErrorCode::invalid_sort_option;
  }
  if (request.sort_target < SortTarget::key || request.sort_target > SortTarget::value) {
    return ErrorCode::invalid_sort_option;
  }
  return std::nullopt;
}

Refusal check_request(const PutRequest& request) {
  if (request.key.empty()) return ErrorCode::key_not_provided;
  if (request.ignore_value && !request.value.empty()) return ErrorCode::value_provided;
  if (request.ignore_lease && request.lease != 0) return ErrorCode::lease_provided;
  return std::nullopt;
}

Refusal check_request(const DeleteRangeRequest& request) {
  return request.key.empty() ? Refusal(ErrorCode::key_not_provided) : std::nullopt;
}

Refusal check_request(const TxnRequest& request, std::size_t operations_max) {
  if (auto refusal = check_operations(request, operations_max, 1)) return refusal;
  for (const auto* branch : {&request.success, &request.failure}) {
    Writes writes;
    if (auto refusal = collect_writes(*branch, writes)) return refusal;
  }
  return std::nullopt;
}

Refusal check_request(const CompactionRequest&) { return std::nullopt; }

Refusal check_request(const Command& command) {
  return std::visit([](const auto& request) { return check_request(request); }, command);
}

bool is_read_only(const TxnRequest& request) {
  return all_operations(request, [](const RequestOp& operation) {
    if (const auto* nested = std::get_if<TxnRequest>(&operation.op)) return is_read_only(*nested);
    return std::holds_alternative<RangeRequest>(operation.op);
  });
}

bool is_serializable(const TxnRequest& request) {
  return is_range_somewhere(request) && is_every_range_serializable(request);
}

}  // namespace whitewater::kv

// What can be said of a request without looking at the store: etcd's refusals before it proposes, in etcd's order, so
// that the first error reported is the same. Pure; called by the API layer for every request. Does not look at
// revisions or leases: those errors come from the store.
#pragma once

#include <cstddef>
#include <optional>

#include "kv/types.hpp"

namespace whitewater::kv {

// etcd's --max-txn-ops: bounds each of a transaction's three lists; a nested transaction gets what its parent's longest
// list leaves over.
inline constexpr std::size_t txn_operations_max = 128;

// Nothing, or why the request is refused.
[[nodiscard]] std::optional<ErrorCode> check_request(const RangeRequest& request);
[[nodiscard]] std::optional<ErrorCode> check_request(const PutRequest& request);
[[nodiscard]] std::optional<ErrorCode> check_request(const DeleteRangeRequest& request);
// The first failing operation in order, nested ones included; duplicate keys only when nothing else is wrong.
[[nodiscard]] std::optional<ErrorCode> check_request(const TxnRequest& request,
                                                     std::size_t operations_max = txn_operations_max);
// Never refused: etcd judges a compaction's revision when it is applied.
[[nodiscard]] std::optional<ErrorCode> check_request(const CompactionRequest& request);
[[nodiscard]] std::optional<ErrorCode> check_request(const Command& command);

// Neither branch can write, at any level: answered by Store::read_txn instead of through the log.
[[nodiscard]] bool is_read_only(const TxnRequest& request);
// A read-only transaction whose every range asks for a serializable read, and that has one: served without a quorum. A
// transaction of compares alone did not ask for a stale answer and gets a linearizable one.
[[nodiscard]] bool is_serializable(const TxnRequest& request);

}  // namespace whitewater::kv

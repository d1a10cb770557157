// Transactions: etcd's order of evaluation. First every compare on the chosen path, nested transactions included,
// against the state before the transaction; then every check that can refuse it; then the operations in order, each
// seeing those before. Pure; runs within Store::apply (with a WriteTxn) and Store::read_txn (without).
#pragma once

#include <variant>

#include "kv/read_view.hpp"
#include "kv/write_txn.hpp"

namespace whitewater::kv {

// `view` is the state before. `writer` is null for a read-only transaction, else a fresh WriteTxn on that state, to be
// committed by the caller on success. Nested responses carry a revision of their own, nested transactions none, as in
// etcd. Errors: key_not_found, lease_not_found, compacted, future_revision.
[[nodiscard]] std::variant<ErrorCode, TxnResponse> execute_txn(const TxnRequest& request, const ReadView& view,
                                                               WriteTxn* writer);

}  // namespace whitewater::kv

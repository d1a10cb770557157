// The size that a request has as a protobuf message. etcd's limits are stated in that form, so the gateway measures it,
// without making the message (etcd-v3-api §1.4 "Request size"). Pure arithmetic, any thread.
#pragma once

#include <cstddef>

#include "kv/types.hpp"

namespace whitewater::api {

[[nodiscard]] std::size_t message_size_bytes(const kv::RangeRequest& request);
[[nodiscard]] std::size_t message_size_bytes(const kv::PutRequest& request);
[[nodiscard]] std::size_t message_size_bytes(const kv::DeleteRangeRequest& request);
[[nodiscard]] std::size_t message_size_bytes(const kv::TxnRequest& request);
[[nodiscard]] std::size_t message_size_bytes(const kv::CompactionRequest& request);

// What etcd wraps around a request of `message_bytes` before it goes into the log: a header with a request id of ten
// bytes, the field's tag and its length.
[[nodiscard]] std::size_t proposal_size_bytes(std::size_t message_bytes);

}  // namespace whitewater::api

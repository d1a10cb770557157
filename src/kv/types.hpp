// Requests and responses of the key-value store: etcd's v3 KV messages as plain structs (field meanings, defaults and
// limits as etcd's; all revisions are int64 like there). The API layer fills them from JSON (later protobuf) and prints
// the answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace whitewater::kv {

using Revision = std::int64_t;  // an empty store is at 1; 0 in a request means "current"

struct KeyValue {
  std::string key;
  Revision create_revision = 0;
  Revision mod_revision = 0;
  std::int64_t version = 0;
  std::string value;
  std::int64_t lease = 0;
  bool operator==(const KeyValue&) const = default;
};

enum class SortOrder : std::int32_t { none = 0, ascend = 1, descend = 2 };
enum class SortTarget : std::int32_t { key = 0, version = 1, create = 2, mod = 3, value = 4 };

struct RangeRequest {
  std::string key;
  std::string range_end;  // empty: one key; "\0": everything from key on
  std::int64_t limit = 0;
  Revision revision = 0;
  SortOrder sort_order = SortOrder::none;  // may hold an undeclared number from the wire; check_request refuses it
  SortTarget sort_target = SortTarget::key;
  bool serializable = false;
  bool keys_only = false;
  bool count_only = false;
  Revision min_mod_revision = 0;
  Revision max_mod_revision = 0;
  Revision min_create_revision = 0;
  Revision max_create_revision = 0;
};
struct RangeResponse {
  Revision header_revision = 0;
  std::vector<KeyValue> kvs;
  bool more = false;
  std::int64_t count = 0;
};

struct PutRequest {
  std::string key;
  std::string value;
  std::int64_t lease = 0;
  bool prev_kv = false;
  bool ignore_value = false;
  bool ignore_lease = false;
};
struct PutResponse {
  Revision header_revision = 0;
  std::optional<KeyValue> prev_kv;
};

struct DeleteRangeRequest {
  std::string key;
  std::string range_end;
  bool prev_kv = false;
};
struct DeleteRangeResponse {
  Revision header_revision = 0;
  std::int64_t deleted = 0;
  std::vector<KeyValue> prev_kvs;
};

enum class CompareResult : std::int32_t { equal = 0, greater = 1, less = 2, not_equal = 3 };
enum class CompareTarget : std::int32_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };

struct Compare {
  CompareResult result = CompareResult::equal;
  CompareTarget target = CompareTarget::version;
  std::string key;
  std::string range_end;
  std::int64_t number = 0;  // version, create_revision, mod_revision or lease, as `target` says; 0 when not given
  std::string value;        // for target value
};

struct RequestOp;
struct TxnRequest {
  std::vector<Compare> compare;
  std::vector<RequestOp> success;
  std::vector<RequestOp> failure;
};
// An op without a member ("std::monostate") came empty from the wire; check_request refuses it.
struct RequestOp {
  std::variant<std::monostate, RangeRequest, PutRequest, DeleteRangeRequest, TxnRequest> op;
};

struct ResponseOp;
struct TxnResponse {
  Revision header_revision = 0;
  bool succeeded = false;
  std::vector<ResponseOp> responses;
};
struct ResponseOp {
  std::variant<RangeResponse, PutResponse, DeleteRangeResponse, TxnResponse> op;
};

struct CompactionRequest {
  Revision revision = 0;
  bool physical = false;
};
struct CompactionResponse {
  Revision header_revision = 0;
};

// Everything that goes through the log.
using Command = std::variant<PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest>;

// Refusals, each with etcd's gRPC code and exact message (api/errors.hpp holds the table: the strings are API).
enum class ErrorCode : std::uint8_t {
  key_not_provided = 1,  // "key is not provided"
  key_not_found,         // "key not found"
  value_provided,        // "value is provided"
  lease_provided,        // "lease is provided"
  too_many_operations,   // "too many operations in txn request"
  duplicate_key,         // "duplicate key given in txn request"
  invalid_sort_option,   // "invalid sort option"
  compacted,             // "mvcc: required revision has been compacted"
  future_revision,       // "mvcc: required revision is a future revision"
  lease_not_found,       // "requested lease not found"
  malformed_command,     // a command in the log that this version cannot decode
};

using CommandResponse = std::variant<ErrorCode, PutResponse, DeleteRangeResponse, TxnResponse, CompactionResponse>;
using RangeResult = std::variant<ErrorCode, RangeResponse>;

}  // namespace whitewater::kv

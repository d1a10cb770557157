// The one table of refusals: error -> gRPC code -> HTTP status -> etcd's exact message. Clients compare the message, so
// the strings are API (etcd-v3-api §1.10). Used by the JSON gateway now and by gRPC later; pure, no state, any thread.
// Does not decide which error applies: kv, replica and the reader of requests do.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/http_answer.hpp"
#include "kv/types.hpp"

namespace whitewater::api {

enum class GrpcCode : std::uint8_t {
  ok = 0,
  canceled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};
inline constexpr std::size_t grpc_code_count = 17;

[[nodiscard]] int http_status(GrpcCode code);
// "InvalidArgument": the value of the label grpc_code in the metrics.
[[nodiscard]] std::string_view describe(GrpcCode code);
// "Bad Request": the reason phrase, also part of an error inside a stream.
[[nodiscard]] std::string_view http_reason(int status);

// Every error that etcd's clients know, in the order of the reference's table.
enum class Error : std::uint8_t {
  // InvalidArgument
  key_not_provided,
  key_not_found,
  value_provided,
  lease_provided,
  too_many_operations,
  duplicate_key,
  invalid_client_api_version,
  invalid_sort_option,
  invalid_member_urls,
  request_too_large,
  user_name_empty,
  role_name_empty,
  authentication_failed,
  permission_not_given,
  invalid_auth_management,
  old_auth_revision,
  wrong_downgrade_target_format,
  invalid_downgrade_target,
  // OutOfRange
  compacted,
  future_revision,
  lease_ttl_too_large,
  // ResourceExhausted
  no_space,
  too_many_requests,
  // NotFound
  lease_not_found,
  member_not_found,
  // FailedPrecondition
  lease_exists,
  member_id_exists,
  peer_urls_exist,
  not_enough_started_members,
  member_not_learner,
  learner_not_ready,
  too_many_learners,
  cluster_id_mismatch,
  root_user_missing,
  root_role_missing,
  user_exists,
  user_not_found,
  role_exists,
  role_not_found,
  role_not_granted,
  permission_not_granted,
  auth_not_enabled,
  not_leader,
  not_capable,
  not_supported_for_learner,
  bad_leader_transferee,
  cluster_version_unavailable,
  downgrade_in_progress,
  no_inflight_downgrade,
  // PermissionDenied, Unauthenticated
  permission_denied,
  invalid_auth_token,
  // Unavailable
  no_leader,
  leader_changed,
  stopped,
  timed_out,
  timed_out_leader_failure,
  timed_out_connection_lost,
  timed_out_apply,
  unhealthy_cluster,
  // DataLoss
  corrupt_cluster,
  // Without the prefix "etcdserver: ": what grpc-go itself sends
  deadline_exceeded,
  canceled,
};

struct ErrorRow {
  Error error;
  GrpcCode code;
  std::string_view message;  // with its prefix, as on the wire
};
[[nodiscard]] std::span<const ErrorRow> error_table();  // in the order of the enumeration
[[nodiscard]] const ErrorRow& error_row(Error error);

// A refusal on its way to a client. `message` may carry data (sizes, positions), so it owns its text.
struct Status {
  GrpcCode code = GrpcCode::ok;
  std::string message;
  bool operator==(const Status&) const = default;
};
[[nodiscard]] Status to_status(Error error);
[[nodiscard]] Status to_status(kv::ErrorCode error);
// Any error of this process, base::Errc or a system's. An unknown outcome is never given a message that suggests a safe
// retry: it becomes the "request timed out" family (§1.10, last paragraph).
[[nodiscard]] Status to_status(boost::system::error_code error);

// {"error":"…","code":N,"message":"…"}: the superset of the bodies of etcd 3.5 and 3.6 (§2.4).
[[nodiscard]] std::string encode_error(const Status& status);
// {"error":{"grpc_code":N,"http_code":H,"message":"…","http_status":"…","code":N}}: the same within a stream, without
// the newline that ends a message there.
[[nodiscard]] std::string encode_stream_error(const Status& status);

[[nodiscard]] HttpAnswer to_answer(const Status& status);

}  // namespace whitewater::api

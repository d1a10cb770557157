#include "api/errors.hpp"

#include <array>

#include "api/json_writer.hpp"
#include "base/assert.hpp"
#include "base/error.hpp"

namespace whitewater::api {
namespace {

using enum GrpcCode;

// In the order of the enumeration; error_row() asserts it.
constexpr std::array rows{
    ErrorRow{Error::key_not_provided, invalid_argument, "etcdserver: key is not provided"},
    // What etcd also says to a transaction with an empty operation.
    ErrorRow{Error::key_not_found, invalid_argument, "etcdserver: key not found"},
    ErrorRow{Error::value_provided, invalid_argument, "etcdserver: value is provided"},
    ErrorRow{Error::lease_provided, invalid_argument, "etcdserver: lease is provided"},
    ErrorRow{Error::too_many_operations, invalid_argument, "etcdserver: too many operations in txn request"},
    ErrorRow{Error::duplicate_key, invalid_argument, "etcdserver: duplicate key given in txn request"},
    ErrorRow{Error::invalid_client_api_version, invalid_argument, "etcdserver: invalid client api version"},
    ErrorRow{Error::invalid_sort_option, invalid_argument, "etcdserver: invalid sort option"},
    ErrorRow{Error::invalid_member_urls, invalid_argument, "etcdserver: given member URLs are invalid"},
    ErrorRow{Error::request_too_large, invalid_argument, "etcdserver: request is too large"},
    ErrorRow{Error::user_name_empty, invalid_argument, "etcdserver: user name is empty"},
    ErrorRow{Error::role_name_empty, invalid_argument, "etcdserver: role name is empty"},
    ErrorRow{Error::authentication_failed, invalid_argument,
             "etcdserver: authentication failed, invalid user ID or password"},
    ErrorRow{Error::permission_not_given, invalid_argument, "etcdserver: permission not given"},
    ErrorRow{Error::invalid_auth_management, invalid_argument, "etcdserver: invalid auth management"},
    ErrorRow{Error::old_auth_revision, invalid_argument, "etcdserver: revision of auth store is old"},
    ErrorRow{Error::wrong_downgrade_target_format, invalid_argument,
             "etcdserver: wrong downgrade target version format"},
    ErrorRow{Error::invalid_downgrade_target, invalid_argument, "etcdserver: invalid downgrade target version"},

    ErrorRow{Error::compacted, out_of_range, "etcdserver: mvcc: required revision has been compacted"},
    ErrorRow{Error::future_revision, out_of_range, "etcdserver: mvcc: required revision is a future revision"},
    ErrorRow{Error::lease_ttl_too_large, out_of_range, "etcdserver: too large lease TTL"},

    ErrorRow{Error::no_space, resource_exhausted, "etcdserver: mvcc: database space exceeded"},
    ErrorRow{Error::too_many_requests, resource_exhausted, "etcdserver: too many requests"},

    ErrorRow{Error::lease_not_found, not_found, "etcdserver: requested lease not found"},
    ErrorRow{Error::member_not_found, not_found, "etcdserver: member not found"},

    ErrorRow{Error::lease_exists, failed_precondition, "etcdserver: lease already exists"},
    ErrorRow{Error::member_id_exists, failed_precondition, "etcdserver: member ID already exist"},
    ErrorRow{Error::peer_urls_exist, failed_precondition, "etcdserver: Peer URLs already exists"},
    ErrorRow{Error::not_enough_started_members, failed_precondition,
             "etcdserver: re-configuration failed due to not enough started members"},
    ErrorRow{Error::member_not_learner, failed_precondition, "etcdserver: can only promote a learner member"},
    ErrorRow{Error::learner_not_ready, failed_precondition,
             "etcdserver: can only promote a learner member which is in sync with leader"},
    ErrorRow{Error::too_many_learners, failed_precondition, "etcdserver: too many learner members in cluster"},
    ErrorRow{Error::cluster_id_mismatch, failed_precondition, "etcdserver: cluster ID mismatch"},
    ErrorRow{Error::root_user_missing, failed_precondition, "etcdserver: root user does not exist"},
    ErrorRow{Error::root_role_missing, failed_precondition, "etcdserver: root user does not have root role"},
    ErrorRow{Error::user_exists, failed_precondition, "etcdserver: user name already exists"},
    ErrorRow{Error::user_not_found, failed_precondition, "etcdserver: user name not found"},
    ErrorRow{Error::role_exists, failed_precondition, "etcdserver: role name already exists"},
    ErrorRow{Error::role_not_found, failed_precondition, "etcdserver: role name not found"},
    ErrorRow{Error::role_not_granted, failed_precondition, "etcdserver: role is not granted to the user"},
    ErrorRow{Error::permission_not_granted, failed_precondition, "etcdserver: permission is not granted to the role"},
    ErrorRow{Error::auth_not_enabled, failed_precondition, "etcdserver: authentication is not enabled"},
    ErrorRow{Error::not_leader, failed_precondition, "etcdserver: not leader"},
    ErrorRow{Error::not_capable, failed_precondition, "etcdserver: not capable"},
    ErrorRow{Error::not_supported_for_learner, failed_precondition, "etcdserver: rpc not supported for learner"},
    ErrorRow{Error::bad_leader_transferee, failed_precondition, "etcdserver: bad leader transferee"},
    ErrorRow{Error::cluster_version_unavailable, failed_precondition,
             "etcdserver: cluster version not found during downgrade"},
    ErrorRow{Error::downgrade_in_progress, failed_precondition, "etcdserver: cluster has a downgrade job in progress"},
    ErrorRow{Error::no_inflight_downgrade, failed_precondition, "etcdserver: no inflight downgrade job"},

    ErrorRow{Error::permission_denied, permission_denied, "etcdserver: permission denied"},
    ErrorRow{Error::invalid_auth_token, unauthenticated, "etcdserver: invalid auth token"},

    ErrorRow{Error::no_leader, unavailable, "etcdserver: no leader"},
    ErrorRow{Error::leader_changed, unavailable, "etcdserver: leader changed"},
    ErrorRow{Error::stopped, unavailable, "etcdserver: server stopped"},
    ErrorRow{Error::timed_out, unavailable, "etcdserver: request timed out"},
    ErrorRow{Error::timed_out_leader_failure, unavailable,
             "etcdserver: request timed out, possibly due to previous leader failure"},
    ErrorRow{Error::timed_out_connection_lost, unavailable,
             "etcdserver: request timed out, possibly due to connection lost"},
    ErrorRow{Error::timed_out_apply, unavailable,
             "etcdserver: request timed out, waiting for the applied index took too long"},
    ErrorRow{Error::unhealthy_cluster, unavailable, "etcdserver: unhealthy cluster"},

    ErrorRow{Error::corrupt_cluster, data_loss, "etcdserver: corrupt cluster"},

    ErrorRow{Error::deadline_exceeded, deadline_exceeded, "context deadline exceeded"},
    ErrorRow{Error::canceled, canceled, "context canceled"},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (static_cast<std::size_t>(rows[i].error) != i) return false;
  }
  return static_cast<std::size_t>(Error::canceled) + 1 == rows.size();
}
static_assert(is_in_order());

struct CodeRow {
  std::string_view name;
  int http_status;
};
constexpr std::array<CodeRow, grpc_code_count> codes{{
    {"OK", 200},
    {"Canceled", 499},
    {"Unknown", 500},
    {"InvalidArgument", 400},
    {"DeadlineExceeded", 504},
    {"NotFound", 404},
    {"AlreadyExists", 409},
    {"PermissionDenied", 403},
    {"ResourceExhausted", 429},
    {"FailedPrecondition", 400},
    {"Aborted", 409},
    {"OutOfRange", 400},
    {"Unimplemented", 501},
    {"Internal", 500},
    {"Unavailable", 503},
    {"DataLoss", 500},
    {"Unauthenticated", 401},
}};

const CodeRow& code_row(GrpcCode code) {
  const auto number = static_cast<std::size_t>(code);
  WW_ASSERT(number < codes.size());
  return codes[number];
}

Status internal_error(boost::system::error_code error) { return {internal, "etcdserver: " + error.message()}; }

}  // namespace

int http_status(GrpcCode code) { return code_row(code).http_status; }
std::string_view describe(GrpcCode code) { return code_row(code).name; }

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Request Entity Too Large";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

std::span<const ErrorRow> error_table() { return rows; }

const ErrorRow& error_row(Error error) {
  const auto number = static_cast<std::size_t>(error);
  WW_ASSERT(number < rows.size());
  return rows[number];
}

Status to_status(Error error) {
  const ErrorRow& row = error_row(error);
  return {row.code, std::string(row.message)};
}

Status to_status(kv::ErrorCode error) {
  switch (error) {
    case kv::ErrorCode::key_not_provided:
      return to_status(Error::key_not_provided);
    case kv::ErrorCode::key_not_found:
      return to_status(Error::key_not_found);
    case kv::ErrorCode::value_provided:
      return to_status(Error::value_provided);
    case kv::ErrorCode::lease_provided:
      return to_status(Error::lease_provided);
    case kv::ErrorCode::too_many_operations:
      return to_status(Error::too_many_operations);
    case kv::ErrorCode::duplicate_key:
      return to_status(Error::duplicate_key);
    case kv::ErrorCode::invalid_sort_option:
      return to_status(Error::invalid_sort_option);
    case kv::ErrorCode::compacted:
      return to_status(Error::compacted);
    case kv::ErrorCode::future_revision:
      return to_status(Error::future_revision);
    case kv::ErrorCode::lease_not_found:
      return to_status(Error::lease_not_found);
    case kv::ErrorCode::malformed_command:
      return {internal, "etcdserver: command of an unknown version in the log"};
  }
  return {unknown, "etcdserver: unknown error"};
}

Status to_status(boost::system::error_code error) {
  using base::Errc;
  if (error.category() != base::error_category()) return {unknown, "etcdserver: " + error.message()};
  switch (static_cast<Errc>(error.value())) {
    case Errc::no_leader:
      return to_status(Error::no_leader);
    case Errc::not_leader:  // nothing was appended: as safe to retry as a cut read
    case Errc::leader_changed:
      return to_status(Error::leader_changed);
    case Errc::too_many_requests:
      return to_status(Error::too_many_requests);
    case Errc::request_too_large:
      return to_status(Error::request_too_large);
    case Errc::timed_out:
      return to_status(Error::timed_out);
    case Errc::dropped:
      return to_status(Error::timed_out_leader_failure);
    case Errc::stopped:
      return to_status(Error::stopped);
    case Errc::no_space:
      return to_status(Error::no_space);
    case Errc::cancelled:
      return to_status(Error::canceled);
    // The member that forwarded a request cannot know whether the leader got it.
    case Errc::connection_lost:
      return to_status(Error::timed_out_connection_lost);
    case Errc::wrong_cluster:
      return to_status(Error::cluster_id_mismatch);
    case Errc::member_not_found:
      return to_status(Error::member_not_found);
    case Errc::member_exists:
      return to_status(Error::member_id_exists);
    case Errc::learner_not_ready:
      return to_status(Error::learner_not_ready);
    case Errc::quorum_at_risk:
    case Errc::no_voters:
    case Errc::change_in_progress:
      return {unavailable, std::string(error_row(Error::unhealthy_cluster).message) + ": " + error.message()};
    // The rest concerns bytes between members; none of it is the client's doing.
    default:
      return internal_error(error);
  }
}

std::string encode_error(const Status& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("error").string(status.message);
  json.key("code").number(static_cast<std::uint64_t>(status.code));
  json.key("message").string(status.message);
  json.end_object();
  return out;
}

std::string encode_stream_error(const Status& status) {
  const int http = http_status(status.code);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("error").begin_object();
  json.key("grpc_code").number(static_cast<std::uint64_t>(status.code));
  json.key("http_code").number(static_cast<std::uint64_t>(http));
  json.key("message").string(status.message);
  json.key("http_status").string(http_reason(http));
  json.key("code").number(static_cast<std::uint64_t>(status.code));
  json.end_object();
  json.end_object();
  return out;
}

HttpAnswer to_answer(const Status& status) {
  HttpAnswer answer;
  answer.status = http_status(status.code);
  answer.content_type = content_type_json;
  answer.body = encode_error(status);
  if (status.code == unauthenticated) answer.headers.push_back({"WWW-Authenticate", status.message});
  return answer;
}

std::span<const HttpHeader> cors_headers() {
  static const std::array<HttpHeader, 3> headers{{
      {"Access-Control-Allow-Headers", "accept, content-type, authorization"},
      {"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
      {"Access-Control-Allow-Origin", "*"},
  }};
  return headers;
}

}  // namespace whitewater::api

// etcd's JSON gateway as two pure functions: parse_call turns an HTTP request into a request of the store (or an answer
// that needs none), encode_response turns the store's response into the body. Rules: etcd-v3-api §2.2 to §2.4. Called
// by the server's connection loops on the reactor's thread; no state, no I/O. Does not judge the meaning of a request:
// kv's check_request does that, then check_proposal_size here, then the proposal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/admin.hpp"
#include "api/errors.hpp"
#include "api/http_answer.hpp"
#include "api/response_header.hpp"
#include "kv/types.hpp"

namespace whitewater::api {

// Requests in protobuf form may have this size: etcd's default --max-request-bytes for a proposal, and that plus 512
// KiB for a gRPC message. The gateway answers as etcd does although no protobuf is involved, so the form is measured,
// not made.
inline constexpr std::size_t proposal_bytes_max = 1'572'864;
inline constexpr std::size_t message_bytes_max = proposal_bytes_max + 512 * 1024;
// Where the HTTP server stops reading a body: room for base64 (4/3) of the largest message, its names and some escapes.
// A longer one is answered by body_too_large() without being read.
inline constexpr std::size_t http_body_bytes_max = 4UL << 20;
// Levels of objects and arrays in a body. 128 nested transactions, more than any valid request, need 386.
inline constexpr std::size_t json_depth_max = 512;

using Call =
    std::variant<kv::RangeRequest, kv::PutRequest, kv::DeleteRangeRequest, kv::TxnRequest, kv::CompactionRequest,
                 MemberListRequest, MemberAddRequest, MemberRemoveRequest, MemberPromoteRequest, StatusRequest>;
using CallOrAnswer = std::variant<Call, HttpAnswer>;

// `target` is the request line's (origin or absolute form). Covers every path: what is not the gateway's is answered
// "404 page not found", OPTIONS 200, unclean paths 307, methods of etcd that are not served 501.
[[nodiscard]] CallOrAnswer parse_call(std::string_view method, std::string_view target, std::string_view body);

// "/etcdserverpb.KV/Put": the gRPC name of a call, for metrics and log lines.
[[nodiscard]] std::string_view rpc_name(const Call& call);

// A call that would be proposed but is over proposal_bytes_max as etcd counts it: "etcdserver: request is too large".
// Nothing for reads. After check_request, whose refusals come first, and before the proposal.
[[nodiscard]] std::optional<Status> check_proposal_size(const Call& call);

// 429 as for a gRPC message that is too large; `size_bytes` is what the client announced or sent so far.
[[nodiscard]] HttpAnswer body_too_large(std::size_t size_bytes);

// The body of a 200. The header's revision is the response's own header_revision.
[[nodiscard]] std::string encode_response(const ResponseHeader& header, const kv::RangeResponse& response);
[[nodiscard]] std::string encode_response(const ResponseHeader& header, const kv::PutResponse& response);
[[nodiscard]] std::string encode_response(const ResponseHeader& header, const kv::DeleteRangeResponse& response);
[[nodiscard]] std::string encode_response(const ResponseHeader& header, const kv::TxnResponse& response);
[[nodiscard]] std::string encode_response(const ResponseHeader& header, const kv::CompactionResponse& response);

// The whole answer to what the store said, its refusals included.
[[nodiscard]] HttpAnswer to_answer(const ResponseHeader& header, const kv::CommandResponse& response);
[[nodiscard]] HttpAnswer to_answer(const ResponseHeader& header, const kv::RangeResult& response);
// A 200 with this body, e.g. of encode_status.
[[nodiscard]] HttpAnswer to_answer(std::string body);

}  // namespace whitewater::api

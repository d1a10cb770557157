// Reads etcd's request messages from JSON (etcd-v3-api §1.2, §2.3, §2.4): both spellings of a name, every accepted form
// of a value, duplicates and second members of a oneof refused. Pure, any thread. Unknown fields are skipped, their
// syntax is not.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "api/json_gateway.hpp"

namespace whitewater::api {

struct JsonError {
  std::string message;
};
// The request, or what is wrong with the text. An empty text is an empty message; what follows the object is not looked
// at.
template <class Request>
[[nodiscard]] std::variant<Request, JsonError> read_request(std::string_view json);

extern template std::variant<kv::RangeRequest, JsonError> read_request(std::string_view json);
extern template std::variant<kv::PutRequest, JsonError> read_request(std::string_view json);
extern template std::variant<kv::DeleteRangeRequest, JsonError> read_request(std::string_view json);
extern template std::variant<kv::TxnRequest, JsonError> read_request(std::string_view json);
extern template std::variant<kv::CompactionRequest, JsonError> read_request(std::string_view json);
extern template std::variant<MemberListRequest, JsonError> read_request(std::string_view json);
extern template std::variant<MemberAddRequest, JsonError> read_request(std::string_view json);
extern template std::variant<MemberRemoveRequest, JsonError> read_request(std::string_view json);
extern template std::variant<MemberPromoteRequest, JsonError> read_request(std::string_view json);
extern template std::variant<StatusRequest, JsonError> read_request(std::string_view json);

}  // namespace whitewater::api

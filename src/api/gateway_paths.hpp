// The paths of etcd's gateway and the RPC behind each (etcd-v3-api §2.2), whether it is served yet or not. Pure table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace whitewater::api {

enum class Rpc : std::uint8_t {
  range,
  put,
  delete_range,
  txn,
  compact,
  member_list,
  member_add,
  member_remove,
  member_promote,
  status,
  not_served
};

struct GatewayPath {
  std::string_view path;
  std::string_view service;  // "etcdserverpb.KV"
  std::string_view method;   // "Range"
  Rpc rpc = Rpc::not_served;
};
[[nodiscard]] std::span<const GatewayPath> gateway_paths();
[[nodiscard]] const GatewayPath* find_gateway_path(std::string_view path);

}  // namespace whitewater::api

#include "api/message_size.hpp"

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

namespace whitewater::api {
namespace {

constexpr std::size_t tag_bytes = 1;       // of a field numbered up to 15
constexpr std::size_t long_tag_bytes = 2;  // of one numbered up to 2047

std::size_t varint_bytes(std::uint64_t value) { return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7; }

std::size_t integer_field(std::int64_t value) {
  return value == 0 ? 0 : tag_bytes + varint_bytes(static_cast<std::uint64_t>(value));
}
template <class Enum>
std::size_t enum_field(Enum value) {
  return integer_field(static_cast<std::int64_t>(value));  // a negative number is extended to ten bytes
}
std::size_t bool_field(bool value) { return value ? tag_bytes + 1 : 0; }

std::size_t delimited(std::size_t tag, std::size_t size_bytes) { return tag + varint_bytes(size_bytes) + size_bytes; }

std::size_t bytes_field(std::string_view value) { return value.empty() ? 0 : delimited(tag_bytes, value.size()); }

std::size_t compare_size_bytes(const kv::Compare& compare) {
  std::size_t size = enum_field(compare.result) + enum_field(compare.target) + bytes_field(compare.key);
  size += compare.target == kv::CompareTarget::value ? bytes_field(compare.value) : integer_field(compare.number);
  if (!compare.range_end.empty()) size += delimited(long_tag_bytes, compare.range_end.size());
  return size;
}

struct OperationSize {
  std::size_t operator()(std::monostate) const { return 0; }
  template <class Request>
  std::size_t operator()(const Request& request) const {
    return delimited(tag_bytes, message_size_bytes(request));
  }
};

std::size_t operations_size_bytes(const std::vector<kv::RequestOp>& operations) {
  std::size_t size = 0;
  for (const kv::RequestOp& operation : operations) {
    size += delimited(tag_bytes, std::visit(OperationSize{}, operation.op));
  }
  return size;
}

}  // namespace

std::size_t message_size_bytes(const kv::RangeRequest& request) {
  return bytes_field(request.key) + bytes_field(request.range_end) + integer_field(request.limit) +
         integer_field(request.revision) + enum_field(request.sort_order) + enum_field(request.sort_target) +
         bool_field(request.serializable) + bool_field(request.keys_only) + bool_field(request.count_only) +
         integer_field(request.min_mod_revision) + integer_field(request.max_mod_revision) +
         integer_field(request.min_create_revision) + integer_field(request.max_create_revision);
}

std::size_t message_size_bytes(const kv::PutRequest& request) {
  return bytes_field(request.key) + bytes_field(request.value) + integer_field(request.lease) +
         bool_field(request.prev_kv) + bool_field(request.ignore_value) + bool_field(request.ignore_lease);
}

std::size_t message_size_bytes(const kv::DeleteRangeRequest& request) {
  return bytes_field(request.key) + bytes_field(request.range_end) + bool_field(request.prev_kv);
}

std::size_t message_size_bytes(const kv::TxnRequest& request) {
  std::size_t size = 0;
  for (const kv::Compare& compare : request.compare) size += delimited(tag_bytes, compare_size_bytes(compare));
  return size + operations_size_bytes(request.success) + operations_size_bytes(request.failure);
}

std::size_t message_size_bytes(const kv::CompactionRequest& request) {
  return integer_field(request.revision) + bool_field(request.physical);
}

std::size_t proposal_size_bytes(std::size_t message_bytes) {
  constexpr std::size_t header_bytes = long_tag_bytes + 1 + tag_bytes + 10;
  return header_bytes + delimited(tag_bytes, message_bytes);
}

}  // namespace whitewater::api

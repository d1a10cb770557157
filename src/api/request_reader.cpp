#include "api/request_reader.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "api/base64.hpp"
#include "api/json_reader.hpp"

namespace whitewater::api {
namespace {

// A field as protobuf names it and as its JSON mapping does.
struct FieldName {
  std::string_view proto;
  std::string_view json;
};
using FieldNames = std::span<const FieldName>;

// Operations and compares of one request, at every level together. Far over any limit on transactions, and it bounds
// what a body full of empty operations can allocate.
constexpr std::size_t elements_max = 16'384;

struct Input : JsonReader {
  using JsonReader::JsonReader;
  std::size_t elements = 0;
};

constexpr std::size_t not_a_field = std::numeric_limits<std::size_t>::max();

std::size_t find_field(FieldNames fields, std::string_view name) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].proto == name || fields[i].json == name) return i;
  }
  return not_a_field;
}

bool fail_value(Input& in, std::string_view type, const FieldName& field) {
  return in.fail("invalid value for " + std::string(type) + " field " + std::string(field.json));
}

// Calls on_field(i) for every known field that is not null; it reads the value. `seen` is a bit per field.
template <class OnField>
bool read_message(Input& in, FieldNames fields, OnField on_field) {
  std::uint32_t seen = 0;
  std::string_view name;
  if (!in.begin_object()) return false;
  while (in.next_member(name)) {
    const std::size_t i = find_field(fields, name);
    if (i == not_a_field) {
      if (!in.skip_value()) return false;
      continue;
    }
    const std::uint32_t bit = std::uint32_t{1} << i;
    if ((seen & bit) != 0) return in.fail("duplicate field " + std::string(fields[i].json));
    seen |= bit;
    if (in.take_null()) continue;
    if (!on_field(i)) return false;
  }
  return !in.has_failed();
}

bool read_bytes(Input& in, const FieldName& field, std::string& value) {
  std::string_view text;
  if (in.peek() != JsonReader::Kind::string) return in.skip_value() && fail_value(in, "bytes", field);
  if (!in.read_string(text)) return false;
  return decode_base64(text, value) || fail_value(in, "bytes", field);
}

bool read_bool(Input& in, const FieldName& field, bool& value) {
  if (in.peek() != JsonReader::Kind::boolean) return in.skip_value() && fail_value(in, "bool", field);
  return in.read_boolean(value);
}

// Unicode's white space (the property White_Space), as Go's TrimSpace knows it.
bool ends_in_space(std::string_view text) {
  constexpr std::string_view ascii = " \t\n\v\f\r";
  if (ascii.find(text.back()) != std::string_view::npos) return true;
  for (const std::string_view space : {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                       "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"}) {
    if (text.ends_with(space)) return true;
  }
  // U+2000 to U+200A
  if (text.size() < 3 || text.substr(text.size() - 3, 2) != "\xe2\x80") return false;
  const auto last = static_cast<unsigned char>(text.back());
  return last >= 0x80 && last <= 0x8a;
}

// A number in a string may be followed by what cannot continue a number, as in "5,": Go's reader takes the first token.
// White space at either end is refused all the same.
std::optional<std::int64_t> integer_of_string(std::string_view text) {
  const auto continues_a_number = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.' || c == '_';
  };
  const std::size_t length = number_length(text);
  if (length == 0) return std::nullopt;
  if (length < text.size() && (ends_in_space(text) || continues_a_number(text[length]))) return std::nullopt;
  return integer_of_number(text.substr(0, length));
}

bool read_int64(Input& in, const FieldName& field, std::int64_t& value) {
  std::string_view text;
  std::optional<std::int64_t> integer;
  switch (in.peek()) {
    case JsonReader::Kind::number:
      if (!in.read_number(text)) return false;
      integer = integer_of_number(text);
      break;
    case JsonReader::Kind::string:
      if (!in.read_string(text)) return false;
      integer = integer_of_string(text);
      break;
    default:
      return in.skip_value() && fail_value(in, "int64", field);
  }
  if (!integer) return fail_value(in, "int64", field);
  value = *integer;
  return true;
}

// Ids use all 64 bits: plain digits, as a number or in a string.
bool read_uint64(Input& in, const FieldName& field, std::uint64_t& value) {
  std::string_view text;
  if (in.peek() == JsonReader::Kind::number) {
    if (!in.read_number(text)) return false;
  } else if (in.peek() == JsonReader::Kind::string) {
    if (!in.read_string(text)) return false;
  } else {
    return in.skip_value() && fail_value(in, "uint64", field);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return fail_value(in, "uint64", field);
  return true;
}

// An unknown name leaves the field unset; an undeclared number is kept, for the store to judge.
template <class Enum>
bool read_enum(Input& in, const FieldName& field, std::span<const std::string_view> names, Enum& value) {
  std::string_view text;
  switch (in.peek()) {
    case JsonReader::Kind::string:
      if (!in.read_string(text)) return false;
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == text) value = static_cast<Enum>(i);
      }
      return true;
    case JsonReader::Kind::number: {
      if (!in.read_number(text)) return false;
      const auto number = integer_of_number(text);
      if (!number || *number < std::numeric_limits<std::int32_t>::min() ||
          *number > std::numeric_limits<std::int32_t>::max()) {
        return fail_value(in, "enum", field);
      }
      value = static_cast<Enum>(static_cast<std::int32_t>(*number));
      return true;
    }
    default:
      return in.skip_value() && fail_value(in, "enum", field);
  }
}

template <class Element>
bool read_list(Input& in, std::vector<Element>& list);

constexpr std::array<std::string_view, 3> sort_order_names{"NONE", "ASCEND", "DESCEND"};
constexpr std::array<std::string_view, 5> sort_target_names{"KEY", "VERSION", "CREATE", "MOD", "VALUE"};
constexpr std::array<std::string_view, 4> compare_result_names{"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
constexpr std::array<std::string_view, 5> compare_target_names{"VERSION", "CREATE", "MOD", "VALUE", "LEASE"};

bool read_value(Input& in, kv::RangeRequest& request) {
  static constexpr std::array<FieldName, 13> fields{{{"key", "key"},
                                                     {"range_end", "rangeEnd"},
                                                     {"limit", "limit"},
                                                     {"revision", "revision"},
                                                     {"sort_order", "sortOrder"},
                                                     {"sort_target", "sortTarget"},
                                                     {"serializable", "serializable"},
                                                     {"keys_only", "keysOnly"},
                                                     {"count_only", "countOnly"},
                                                     {"min_mod_revision", "minModRevision"},
                                                     {"max_mod_revision", "maxModRevision"},
                                                     {"min_create_revision", "minCreateRevision"},
                                                     {"max_create_revision", "maxCreateRevision"}}};
  return read_message(in, fields, [&](std::size_t i) {
    switch (i) {
      case 0:
        return read_bytes(in, fields[i], request.key);
      case 1:
        return read_bytes(in, fields[i], request.range_end);
      case 2:
        return read_int64(in, fields[i], request.limit);
      case 3:
        return read_int64(in, fields[i], request.revision);
      case 4:
        return read_enum(in, fields[i], sort_order_names, request.sort_order);
      case 5:
        return read_enum(in, fields[i], sort_target_names, request.sort_target);
      case 6:
        return read_bool(in, fields[i], request.serializable);
      case 7:
        return read_bool(in, fields[i], request.keys_only);
      case 8:
        return read_bool(in, fields[i], request.count_only);
      case 9:
        return read_int64(in, fields[i], request.min_mod_revision);
      case 10:
        return read_int64(in, fields[i], request.max_mod_revision);
      case 11:
        return read_int64(in, fields[i], request.min_create_revision);
      default:
        return read_int64(in, fields[i], request.max_create_revision);
    }
  });
}

bool read_value(Input& in, kv::PutRequest& request) {
  static constexpr std::array<FieldName, 6> fields{{{"key", "key"},
                                                    {"value", "value"},
                                                    {"lease", "lease"},
                                                    {"prev_kv", "prevKv"},
                                                    {"ignore_value", "ignoreValue"},
                                                    {"ignore_lease", "ignoreLease"}}};
  return read_message(in, fields, [&](std::size_t i) {
    switch (i) {
      case 0:
        return read_bytes(in, fields[i], request.key);
      case 1:
        return read_bytes(in, fields[i], request.value);
      case 2:
        return read_int64(in, fields[i], request.lease);
      case 3:
        return read_bool(in, fields[i], request.prev_kv);
      case 4:
        return read_bool(in, fields[i], request.ignore_value);
      default:
        return read_bool(in, fields[i], request.ignore_lease);
    }
  });
}

bool read_value(Input& in, kv::DeleteRangeRequest& request) {
  static constexpr std::array<FieldName, 3> fields{{{"key", "key"}, {"range_end", "rangeEnd"}, {"prev_kv", "prevKv"}}};
  return read_message(in, fields, [&](std::size_t i) {
    switch (i) {
      case 0:
        return read_bytes(in, fields[i], request.key);
      case 1:
        return read_bytes(in, fields[i], request.range_end);
      default:
        return read_bool(in, fields[i], request.prev_kv);
    }
  });
}

// The member of the oneof is read apart from the target: it counts only when it is the one that the target names, and a
// compare without it compares with zero or the empty value.
bool read_value(Input& in, kv::Compare& compare) {
  static constexpr std::array<FieldName, 9> fields{{{"result", "result"},
                                                    {"target", "target"},
                                                    {"key", "key"},
                                                    {"range_end", "rangeEnd"},
                                                    {"version", "version"},
                                                    {"create_revision", "createRevision"},
                                                    {"mod_revision", "modRevision"},
                                                    {"value", "value"},
                                                    {"lease", "lease"}}};
  static constexpr std::size_t first_of_oneof = 4;
  static constexpr std::array<kv::CompareTarget, 5> targets{kv::CompareTarget::version, kv::CompareTarget::create,
                                                            kv::CompareTarget::mod, kv::CompareTarget::value,
                                                            kv::CompareTarget::lease};
  std::optional<kv::CompareTarget> given;
  const bool was_read = read_message(in, fields, [&](std::size_t i) {
    switch (i) {
      case 0:
        return read_enum(in, fields[i], compare_result_names, compare.result);
      case 1:
        return read_enum(in, fields[i], compare_target_names, compare.target);
      case 2:
        return read_bytes(in, fields[i], compare.key);
      case 3:
        return read_bytes(in, fields[i], compare.range_end);
      default:
        break;
    }
    if (given) return in.fail("a second member of the oneof target_union: " + std::string(fields[i].json));
    given = targets[i - first_of_oneof];
    if (given == kv::CompareTarget::value) return read_bytes(in, fields[i], compare.value);
    return read_int64(in, fields[i], compare.number);
  });
  if (given && *given != compare.target) {
    compare.number = 0;
    compare.value.clear();
  }
  return was_read;
}

bool read_value(Input& in, kv::TxnRequest& request);

bool read_value(Input& in, kv::RequestOp& operation) {
  static constexpr std::array<FieldName, 4> fields{{{"request_range", "requestRange"},
                                                    {"request_put", "requestPut"},
                                                    {"request_delete_range", "requestDeleteRange"},
                                                    {"request_txn", "requestTxn"}}};
  return read_message(in, fields, [&](std::size_t i) {
    if (!std::holds_alternative<std::monostate>(operation.op)) {
      return in.fail("a second member of the oneof request: " + std::string(fields[i].json));
    }
    switch (i) {
      case 0:
        return read_value(in, operation.op.emplace<kv::RangeRequest>());
      case 1:
        return read_value(in, operation.op.emplace<kv::PutRequest>());
      case 2:
        return read_value(in, operation.op.emplace<kv::DeleteRangeRequest>());
      default:
        return read_value(in, operation.op.emplace<kv::TxnRequest>());
    }
  });
}

bool read_value(Input& in, kv::TxnRequest& request) {
  static constexpr std::array<FieldName, 3> fields{
      {{"compare", "compare"}, {"success", "success"}, {"failure", "failure"}}};
  return read_message(in, fields, [&](std::size_t i) {
    switch (i) {
      case 0:
        return read_list(in, request.compare);
      case 1:
        return read_list(in, request.success);
      default:
        return read_list(in, request.failure);
    }
  });
}

bool read_value(Input& in, kv::CompactionRequest& request) {
  static constexpr std::array<FieldName, 2> fields{{{"revision", "revision"}, {"physical", "physical"}}};
  return read_message(in, fields, [&](std::size_t i) {
    return i == 0 ? read_int64(in, fields[i], request.revision) : read_bool(in, fields[i], request.physical);
  });
}

bool read_value(Input& in, MemberListRequest& request) {
  static constexpr std::array<FieldName, 1> fields{{{"linearizable", "linearizable"}}};
  return read_message(in, fields, [&](std::size_t i) { return read_bool(in, fields[i], request.linearizable); });
}

bool read_value(Input& in, std::string& text) {
  std::string_view view;
  if (in.peek() != JsonReader::Kind::string) return in.skip_value() && in.fail("a peer URL is no string");
  if (!in.read_string(view)) return false;
  text = view;
  return true;
}

bool read_value(Input& in, MemberAddRequest& request) {
  static constexpr std::array<FieldName, 2> fields{{{"peerURLs", "peerURLs"}, {"isLearner", "isLearner"}}};
  return read_message(in, fields, [&](std::size_t i) {
    return i == 0 ? read_list(in, request.peer_urls) : read_bool(in, fields[i], request.is_learner);
  });
}

template <class Request>
bool read_member_id(Input& in, Request& request) {
  static constexpr std::array<FieldName, 1> fields{{{"ID", "ID"}}};
  return read_message(in, fields, [&](std::size_t i) { return read_uint64(in, fields[i], request.id); });
}
bool read_value(Input& in, MemberRemoveRequest& request) { return read_member_id(in, request); }
bool read_value(Input& in, MemberPromoteRequest& request) { return read_member_id(in, request); }

bool read_value(Input& in, StatusRequest&) {
  return read_message(in, {}, [](std::size_t) { return true; });
}

template <class Element>
bool read_list(Input& in, std::vector<Element>& list) {
  if (!in.begin_array()) return false;
  while (in.next_element()) {
    if (++in.elements > elements_max) return in.fail("too many operations");
    if (!read_value(in, list.emplace_back())) return false;
  }
  return !in.has_failed();
}

}  // namespace

template <class Request>
std::variant<Request, JsonError> read_request(std::string_view json) {
  Input in(json, json_depth_max);
  Request request;
  if (in.peek() == JsonReader::Kind::end) return request;
  if (read_value(in, request)) return request;
  if (in.elements > elements_max) return JsonError{std::string(error_row(Error::too_many_operations).message)};
  return JsonError{in.error()};
}

template std::variant<kv::RangeRequest, JsonError> read_request(std::string_view json);
template std::variant<kv::PutRequest, JsonError> read_request(std::string_view json);
template std::variant<kv::DeleteRangeRequest, JsonError> read_request(std::string_view json);
template std::variant<kv::TxnRequest, JsonError> read_request(std::string_view json);
template std::variant<kv::CompactionRequest, JsonError> read_request(std::string_view json);
template std::variant<MemberListRequest, JsonError> read_request(std::string_view json);
template std::variant<MemberAddRequest, JsonError> read_request(std::string_view json);
template std::variant<MemberRemoveRequest, JsonError> read_request(std::string_view json);
template std::variant<MemberPromoteRequest, JsonError> read_request(std::string_view json);
template std::variant<StatusRequest, JsonError> read_request(std::string_view json);

}  // namespace whitewater::api

// The responses of json_gateway.hpp in etcd's JSON: fields in the order of the messages, zero values left out.
#include "api/json_gateway.hpp"
#include "api/json_writer.hpp"
#include "api/response_header_json.hpp"

namespace whitewater::api {
namespace {

// Room for names, quotes and numbers around one key-value pair, and around a whole response.
constexpr std::size_t pair_overhead_bytes = 160;
constexpr std::size_t response_overhead_bytes = 192;

std::size_t estimate_bytes(const kv::KeyValue& pair) {
  return pair_overhead_bytes + base64_size_bytes(pair.key.size()) + base64_size_bytes(pair.value.size());
}

std::size_t estimate_bytes(const std::vector<kv::KeyValue>& pairs) {
  std::size_t size = 0;
  for (const kv::KeyValue& pair : pairs) size += estimate_bytes(pair);
  return size;
}

void write_pair(JsonWriter& json, const kv::KeyValue& pair) {
  json.begin_object();
  json.bytes_field("key", pair.key);
  json.int64_field("create_revision", pair.create_revision);
  json.int64_field("mod_revision", pair.mod_revision);
  json.int64_field("version", pair.version);
  json.bytes_field("value", pair.value);
  json.int64_field("lease", pair.lease);
  json.end_object();
}

void write_pairs(JsonWriter& json, std::string_view name, const std::vector<kv::KeyValue>& pairs) {
  if (pairs.empty()) return;
  json.key(name).begin_array();
  for (const kv::KeyValue& pair : pairs) write_pair(json, pair);
  json.end_array();
}

void write_fields(JsonWriter& json, const kv::RangeResponse& response) {
  write_pairs(json, "kvs", response.kvs);
  json.bool_field("more", response.more);
  json.int64_field("count", response.count);
}

void write_fields(JsonWriter& json, const kv::PutResponse& response) {
  if (!response.prev_kv) return;
  json.key("prev_kv");
  write_pair(json, *response.prev_kv);
}

void write_fields(JsonWriter& json, const kv::DeleteRangeResponse& response) {
  json.int64_field("deleted", response.deleted);
  write_pairs(json, "prev_kvs", response.prev_kvs);
}

void write_fields(JsonWriter&, const kv::CompactionResponse&) {}

void write_fields(JsonWriter& json, const kv::TxnResponse& response);

// A response within a transaction: its header holds the revision alone, and is there even when that is 0.
template <class Response>
void write_nested(JsonWriter& json, std::string_view name, const Response& response) {
  json.key(name).begin_object();
  write_header(json, ResponseHeader{.revision = response.header_revision});
  write_fields(json, response);
  json.end_object();
}

struct NestedWriter {
  JsonWriter& json;
  void operator()(const kv::RangeResponse& response) const { write_nested(json, "response_range", response); }
  void operator()(const kv::PutResponse& response) const { write_nested(json, "response_put", response); }
  void operator()(const kv::DeleteRangeResponse& response) const {
    write_nested(json, "response_delete_range", response);
  }
  void operator()(const kv::TxnResponse& response) const { write_nested(json, "response_txn", response); }
};

void write_fields(JsonWriter& json, const kv::TxnResponse& response) {
  json.bool_field("succeeded", response.succeeded);
  if (response.responses.empty()) return;
  json.key("responses").begin_array();
  for (const kv::ResponseOp& operation : response.responses) {
    json.begin_object();
    std::visit(NestedWriter{json}, operation.op);
    json.end_object();
  }
  json.end_array();
}

template <class Response>
std::string encode(ResponseHeader header, const Response& response, std::size_t content_bytes) {
  header.revision = response.header_revision;
  std::string out;
  out.reserve(response_overhead_bytes + content_bytes);
  JsonWriter json(out);
  json.begin_object();
  write_header(json, header);
  write_fields(json, response);
  json.end_object();
  return out;
}

struct Answerer {
  const ResponseHeader& header;
  HttpAnswer operator()(kv::ErrorCode error) const { return to_answer(to_status(error)); }
  template <class Response>
  HttpAnswer operator()(const Response& response) const {
    return to_answer(encode_response(header, response));
  }
};

}  // namespace

void write_header(JsonWriter& json, const ResponseHeader& header) {
  json.key("header").begin_object();
  json.uint64_field("cluster_id", header.cluster_id);
  json.uint64_field("member_id", header.member_id);
  json.int64_field("revision", header.revision);
  json.uint64_field("raft_term", header.raft_term);
  json.end_object();
}

std::string encode_response(const ResponseHeader& header, const kv::RangeResponse& response) {
  return encode(header, response, estimate_bytes(response.kvs));
}
std::string encode_response(const ResponseHeader& header, const kv::PutResponse& response) {
  return encode(header, response, response.prev_kv ? estimate_bytes(*response.prev_kv) : 0);
}
std::string encode_response(const ResponseHeader& header, const kv::DeleteRangeResponse& response) {
  return encode(header, response, estimate_bytes(response.prev_kvs));
}
std::string encode_response(const ResponseHeader& header, const kv::TxnResponse& response) {
  return encode(header, response, 0);
}
std::string encode_response(const ResponseHeader& header, const kv::CompactionResponse& response) {
  return encode(header, response, 0);
}

HttpAnswer to_answer(const ResponseHeader& header, const kv::CommandResponse& response) {
  return std::visit(Answerer{header}, response);
}
HttpAnswer to_answer(const ResponseHeader& header, const kv::RangeResult& response) {
  return std::visit(Answerer{header}, response);
}

HttpAnswer to_answer(std::string body) {
  HttpAnswer answer;
  answer.content_type = content_type_json;
  answer.is_rpc = true;
  answer.body = std::move(body);
  return answer;
}

}  // namespace whitewater::api

#include "api/admin.hpp"

#include <algorithm>

#include "api/errors.hpp"
#include "api/response_header_json.hpp"
#include "base/ids.hpp"

namespace whitewater::api {
namespace {

void write_strings(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

void write_member(JsonWriter& json, const Member& member) {
  json.begin_object();
  json.uint64_field("ID", member.id);
  json.string_field("name", member.name);
  write_strings(json, "peerURLs", member.peer_urls);
  write_strings(json, "clientURLs", member.client_urls);
  json.bool_field("isLearner", member.is_learner);
  json.end_object();
}

std::vector<std::string> errors_of(const StatusResponse& status) {
  std::vector<std::string> errors = status.errors;
  const std::string no_leader(error_row(Error::no_leader).message);
  if (status.leader == 0 && std::find(errors.begin(), errors.end(), no_leader) == errors.end()) {
    errors.push_back(no_leader);
  }
  return errors;
}

}  // namespace

std::string encode_member_list(const ResponseHeader& header, std::span<const Member> members) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_header(json, {.cluster_id = header.cluster_id, .member_id = header.member_id, .raft_term = header.raft_term});
  if (!members.empty()) {
    json.key("members").begin_array();
    for (const Member& member : members) write_member(json, member);
    json.end_array();
  }
  json.end_object();
  return out;
}

std::string encode_member_added(const ResponseHeader& header, const Member& added, std::span<const Member> members) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_header(json, {.cluster_id = header.cluster_id, .member_id = header.member_id, .raft_term = header.raft_term});
  json.key("member");
  write_member(json, added);
  json.key("members").begin_array();
  for (const Member& member : members) write_member(json, member);
  json.end_array();
  json.end_object();
  return out;
}

std::string encode_status(const ResponseHeader& header, const StatusResponse& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_header(json, header);
  json.string_field("version", status.version);
  json.int64_field("dbSize", status.db_size_bytes);
  json.uint64_field("leader", status.leader);
  json.uint64_field("raftIndex", status.raft_index);
  json.uint64_field("raftTerm", status.raft_term);
  json.uint64_field("raftAppliedIndex", status.raft_applied_index);
  write_strings(json, "errors", errors_of(status));
  json.int64_field("dbSizeInUse", status.db_size_in_use_bytes);
  json.bool_field("isLearner", status.is_learner);
  json.string_field("storageVersion", status.storage_version);
  json.int64_field("dbSizeQuota", status.db_size_quota_bytes);
  json.key("downgradeInfo").begin_object().end_object();
  json.end_object();
  return out;
}

std::string encode_member_table(std::span<const MemberRow> rows) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const MemberRow& row : rows) {
    json.begin_object();
    json.key("name").string(row.name);
    json.key("id").string(base::to_hex(row.id));
    json.key("role").string(row.role);
    json.key("term").number(row.term);
    json.key("commit_index").number(row.commit_index);
    json.key("applied_index").number(row.applied_index);
    json.key("address").string(row.address);
    json.key("log_strategy").string(row.log_strategy);
    json.key("reactor").string(row.reactor);
    json.key("leader").string(row.leader == 0 ? std::string() : base::to_hex(row.leader));
    json.key("healthy").boolean(row.healthy);
    json.key("reason").string(row.reason);
    json.key("unix_ms").number(static_cast<std::uint64_t>(row.unix_ms));
    json.end_object();
  }
  json.end_array();
  out += '\n';
  return out;
}

}  // namespace whitewater::api

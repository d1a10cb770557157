#include "server/cli_protocol.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <iterator>
#include <limits>
#include <utility>

#include "api/base64.hpp"
#include "base/ids.hpp"

namespace whitewater::server {
namespace {

namespace json = boost::json;

std::optional<json::value> parse(std::string_view body) {
  boost::system::error_code code;
  json::value document = json::parse(body, code);
  if (code) return std::nullopt;
  return document;
}

// The API prints 64-bit numbers as decimal strings, our own endpoints as JSON numbers, and omits zeros.
std::int64_t number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64()) {
    return static_cast<std::int64_t>(
        std::min(value->get_uint64(), static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
  }
  std::int64_t number = 0;
  if (value->is_string()) {
    const auto& text = value->get_string();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

std::uint64_t id_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  std::uint64_t id = 0;
  if (value == nullptr || !value->is_string()) return id;
  const auto& text = value->get_string();
  std::from_chars(text.data(), text.data() + text.size(), id);
  return id;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

bool flag_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::string encode_base64(std::string_view bytes) {
  std::string text;
  api::append_base64(text, bytes);
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  if (!api::decode_base64(text, bytes)) return std::nullopt;
  return bytes;
}

CliRequest range_request(const CliCommand& command) {
  json::object body{{"key", encode_base64(command.key)}};
  if (command.prefix) body["range_end"] = encode_base64(prefix_range_end(command.key));
  if (command.revision != 0) body["revision"] = std::to_string(command.revision);
  if (command.limit != 0) body["limit"] = std::to_string(command.limit);
  if (command.keys_only) body["keys_only"] = true;
  if (command.count_only) body["count_only"] = true;
  if (command.serializable) body["serializable"] = true;
  return {"/v3/kv/range", json::serialize(body), false};
}

CliRequest delete_request(const CliCommand& command) {
  json::object body{{"key", encode_base64(command.key)}};
  if (command.prefix) body["range_end"] = encode_base64(prefix_range_end(command.key));
  return {"/v3/kv/deleterange", json::serialize(body), true};
}

std::string member_id_body(const CliCommand& command) {
  return json::serialize(json::object{{"ID", std::to_string(command.member_id)}});
}

std::string message_of(unsigned status, std::string_view body) {
  const auto document = parse(body);
  if (document && document->is_object()) {
    auto message = text_of(document->get_object(), "message");
    if (message.empty()) message = text_of(document->get_object(), "error");
    if (!message.empty()) return message;
  }
  constexpr std::size_t shown_bytes_max = 200;
  std::string text = "HTTP " + std::to_string(status);
  if (!body.empty()) text.append(": ").append(body.substr(0, shown_bytes_max));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::string prefix_range_end(std::string_view prefix) {
  std::string end(prefix);
  if (end == std::string_view("\0", 1)) return end;  // the whole store
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

CliRequest make_request(const CliCommand& command, std::string_view value) {
  switch (command.verb) {
    case CliVerb::put: {
      const json::object body{{"key", encode_base64(command.key)}, {"value", encode_base64(value)}};
      return {"/v3/kv/put", json::serialize(body), true};
    }
    case CliVerb::get:
      return range_request(command);
    case CliVerb::del:
      return delete_request(command);
    case CliVerb::members:
      return {"/whitewater/members", "", false};
    case CliVerb::status:
      return {"/v3/maintenance/status", "{}", false};
    case CliVerb::member_add:
      return {"/v3/cluster/member/add", json::serialize(json::object{{"peerURLs", json::array{command.member}}}), true};
    case CliVerb::member_remove:
    case CliVerb::scale:  // one of its steps
      return {"/v3/cluster/member/remove", member_id_body(command), true};
    case CliVerb::member_promote:
      return {"/v3/cluster/member/promote", member_id_body(command), true};
    case CliVerb::membership_history:
      return {"/whitewater/membership", "", false};
    case CliVerb::doctor:
      return {"/whitewater/doctor" +
                  (command.members_wanted == 0 ? std::string() : "?members=" + std::to_string(command.members_wanted)),
              "", false};
    case CliVerb::drain:
      return {"/whitewater/drain?timeout_ms=" + std::to_string(command.timeout.count()), "{}", true};
    case CliVerb::version:
      break;
  }
  return {"/version", "", false};
}

ServerAnswer judge_answer(bool is_write, unsigned status, std::string_view body) {
  if (status == 200) return {AnswerMeaning::success, ""};
  ServerAnswer answer{AnswerMeaning::refused, message_of(status, body)};
  // Said before anything is proposed; a member that sees the leader will serve the same request.
  static constexpr std::string_view refused_here_only[] = {"etcdserver: no leader", "etcdserver: not leader",
                                                           "etcdserver: too many requests"};
  if (std::find(std::begin(refused_here_only), std::end(refused_here_only), answer.message) !=
      std::end(refused_here_only)) {
    answer.meaning = AnswerMeaning::try_another;
  } else if (answer.message.starts_with("etcdserver: unhealthy cluster")) {
    answer.meaning = AnswerMeaning::refused;  // of a change of the members: nothing was appended
  } else if (status >= 500 && status != 501) {
    answer.meaning = is_write ? AnswerMeaning::outcome_unknown : AnswerMeaning::try_another;
  }
  return answer;
}

std::optional<CliRange> parse_range(std::string_view body) {
  const auto document = parse(body);
  if (!document || !document->is_object()) return std::nullopt;
  const json::object& object = document->get_object();
  CliRange range;
  range.count = number_of(object, "count");
  range.more = flag_of(object, "more");
  const json::value* kvs = object.if_contains("kvs");
  if (kvs == nullptr) return range;
  if (!kvs->is_array()) return std::nullopt;
  for (const auto& item : kvs->get_array()) {
    if (!item.is_object()) return std::nullopt;
    const json::object& kv = item.get_object();
    auto key = decode_base64(text_of(kv, "key"));
    auto value = decode_base64(text_of(kv, "value"));
    if (!key || !value) return std::nullopt;
    range.kvs.push_back({std::move(*key), std::move(*value), number_of(kv, "create_revision"),
                         number_of(kv, "mod_revision"), number_of(kv, "version")});
  }
  return range;
}

std::optional<std::int64_t> parse_deleted(std::string_view body) {
  const auto document = parse(body);
  if (!document || !document->is_object()) return std::nullopt;
  return number_of(document->get_object(), "deleted");
}

std::optional<std::vector<CliMember>> parse_members(std::string_view body) {
  const auto document = parse(body);
  if (!document || !document->is_array()) return std::nullopt;
  std::vector<CliMember> members;
  for (const auto& item : document->get_array()) {
    if (!item.is_object()) return std::nullopt;
    const json::object& row = item.get_object();
    CliMember member;
    member.name = text_of(row, "name");
    member.id = text_of(row, "id");
    member.role = text_of(row, "role");
    member.address = text_of(row, "address");
    member.log_strategy = text_of(row, "log_strategy");
    member.reactor = text_of(row, "reactor");
    member.leader = text_of(row, "leader");
    member.reason = text_of(row, "reason");
    member.term = number_of(row, "term");
    member.commit_index = number_of(row, "commit_index");
    member.applied_index = number_of(row, "applied_index");
    member.healthy = flag_of(row, "healthy");
    members.push_back(std::move(member));
  }
  return members;
}

std::optional<std::vector<CliMembershipEvent>> parse_history(std::string_view body) {
  const auto document = parse(body);
  if (!document || !document->is_array()) return std::nullopt;
  std::vector<CliMembershipEvent> events;
  for (const auto& item : document->get_array()) {
    if (!item.is_object()) return std::nullopt;
    const json::object& row = item.get_object();
    events.push_back({number_of(row, "index"), number_of(row, "time"), text_of(row, "kind"), text_of(row, "id"),
                      text_of(row, "name"), text_of(row, "reason")});
  }
  return events;
}

std::optional<CliStatus> parse_status(std::string_view body) {
  const auto document = parse(body);
  if (!document || !document->is_object()) return std::nullopt;
  const json::object& object = document->get_object();
  CliStatus status;
  if (const json::value* header = object.if_contains("header"); header != nullptr && header->is_object()) {
    status.member_id = base::to_hex(id_of(header->get_object(), "member_id"));
  }
  if (const std::uint64_t leader = id_of(object, "leader"); leader != 0) status.leader = base::to_hex(leader);
  status.version = text_of(object, "version");
  status.db_size_bytes = number_of(object, "dbSize");
  status.raft_term = number_of(object, "raftTerm");
  status.raft_index = number_of(object, "raftIndex");
  status.raft_applied_index = number_of(object, "raftAppliedIndex");
  if (const json::value* errors = object.if_contains("errors"); errors != nullptr && errors->is_array()) {
    for (const auto& error : errors->get_array()) {
      if (error.is_string()) status.errors.emplace_back(error.get_string());
    }
  }
  return status;
}

}  // namespace whitewater::server

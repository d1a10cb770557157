#include "api/json_gateway.hpp"

#include "api/gateway_paths.hpp"
#include "api/message_size.hpp"
#include "api/request_reader.hpp"
#include "api/target.hpp"
#include "base/assert.hpp"

namespace whitewater::api {
namespace {

HttpAnswer plain_text(int status, std::string body) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

HttpAnswer not_found_outside_gateway() {
  HttpAnswer answer = plain_text(404, "404 page not found\n");
  answer.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return answer;
}

HttpAnswer options_answer() {
  HttpAnswer answer;
  answer.content_type = {};
  return answer;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// As Go's router: browsers get a page to click on, everyone else the header alone.
HttpAnswer redirect(std::string_view method, std::string path, const Target& target) {
  if (target.has_query) {
    path += '?';
    path += target.query;
  }
  HttpAnswer answer;
  answer.status = 307;
  answer.content_type = {};
  if (method == "GET" || method == "HEAD") {
    answer.content_type = content_type_html;
    answer.body = "<a href=\"" + escape_html(path) + "\">Temporary Redirect</a>.\n\n";
  }
  answer.headers.push_back({"Location", std::move(path)});
  return answer;
}

HttpAnswer message_too_large(std::size_t size_bytes) {
  return to_answer(Status{GrpcCode::resource_exhausted, "grpc: received message larger than max (" +
                                                            std::to_string(size_bytes) + " vs. " +
                                                            std::to_string(message_bytes_max) + ")"});
}

std::size_t call_size_bytes(const MemberListRequest&) { return 2; }
std::size_t call_size_bytes(const MemberRemoveRequest&) { return 11; }
std::size_t call_size_bytes(const MemberPromoteRequest&) { return 11; }
std::size_t call_size_bytes(const MemberAddRequest& request) {
  std::size_t size_bytes = 2;
  for (const std::string& url : request.peer_urls) size_bytes += url.size() + 2;
  return size_bytes;
}
std::size_t call_size_bytes(const StatusRequest&) { return 0; }
template <class Request>
std::size_t call_size_bytes(const Request& request) {
  return message_size_bytes(request);
}

template <class Request>
CallOrAnswer read_call(std::string_view body) {
  auto request = read_request<Request>(body);
  if (const auto* error = std::get_if<JsonError>(&request)) {
    return to_answer(Status{GrpcCode::invalid_argument, error->message});
  }
  auto& call = std::get<Request>(request);
  // A message is never twice as long as its text, so a short text need not be measured.
  if (body.size() > message_bytes_max / 2) {
    const std::size_t size_bytes = call_size_bytes(call);
    if (size_bytes > message_bytes_max) return message_too_large(size_bytes);
  }
  return CallOrAnswer(std::in_place_type<Call>, std::in_place_type<Request>, std::move(call));
}

CallOrAnswer read_call(const GatewayPath& path, std::string_view body) {
  switch (path.rpc) {
    case Rpc::range:
      return read_call<kv::RangeRequest>(body);
    case Rpc::put:
      return read_call<kv::PutRequest>(body);
    case Rpc::delete_range:
      return read_call<kv::DeleteRangeRequest>(body);
    case Rpc::txn:
      return read_call<kv::TxnRequest>(body);
    case Rpc::compact:
      return read_call<kv::CompactionRequest>(body);
    case Rpc::member_list:
      return read_call<MemberListRequest>(body);
    case Rpc::member_add:
      return read_call<MemberAddRequest>(body);
    case Rpc::member_remove:
      return read_call<MemberRemoveRequest>(body);
    case Rpc::member_promote:
      return read_call<MemberPromoteRequest>(body);
    case Rpc::status:
      return read_call<StatusRequest>(body);
    case Rpc::not_served:
      break;
  }
  // A service of which some methods are served is known; of the others not even the name (§1.1, "Unknown method").
  std::string message = "unknown service " + std::string(path.service);
  for (const GatewayPath& row : gateway_paths()) {
    if (row.service == path.service && row.rpc != Rpc::not_served) {
      message = "unknown method " + std::string(path.method) + " for service " + std::string(path.service);
      break;
    }
  }
  return to_answer(Status{GrpcCode::unimplemented, std::move(message)});
}

bool writes(const kv::TxnRequest& request);

bool writes(const std::vector<kv::RequestOp>& operations) {
  for (const kv::RequestOp& operation : operations) {
    if (std::holds_alternative<kv::PutRequest>(operation.op)) return true;
    if (std::holds_alternative<kv::DeleteRangeRequest>(operation.op)) return true;
    const auto* nested = std::get_if<kv::TxnRequest>(&operation.op);
    if (nested != nullptr && writes(*nested)) return true;
  }
  return false;
}

bool writes(const kv::TxnRequest& request) { return writes(request.success) || writes(request.failure); }

// The size of what would be proposed; 0 for a call that is not.
struct ProposalSize {
  std::size_t operator()(const kv::RangeRequest&) const { return 0; }
  std::size_t operator()(const MemberListRequest&) const { return 0; }
  std::size_t operator()(const MemberAddRequest&) const { return 0; }
  std::size_t operator()(const MemberRemoveRequest&) const { return 0; }
  std::size_t operator()(const MemberPromoteRequest&) const { return 0; }
  std::size_t operator()(const StatusRequest&) const { return 0; }
  std::size_t operator()(const kv::TxnRequest& request) const {
    return writes(request) ? proposal_size_bytes(message_size_bytes(request)) : 0;
  }
  template <class Request>
  std::size_t operator()(const Request& request) const {
    return proposal_size_bytes(message_size_bytes(request));
  }
};

constexpr std::string_view gateway_prefix = "/v3/";
constexpr std::string_view beta_prefix = "/v3beta/";

}  // namespace

CallOrAnswer parse_call(std::string_view method, std::string_view target, std::string_view body) {
  // The paths of every healthy client, without taking the target apart.
  if (method == "POST") {
    if (const GatewayPath* path = find_gateway_path(target)) return read_call(*path, body);
  }
  if (method == "OPTIONS") return options_answer();
  auto parsed = parse_target(target);
  if (!parsed) return plain_text(400, "400 Bad Request");
  if (parsed->path.starts_with(beta_prefix)) {
    parsed->path.replace(0, beta_prefix.size(), gateway_prefix);
    if (parsed->raw_path.starts_with(beta_prefix)) parsed->raw_path.replace(0, beta_prefix.size(), gateway_prefix);
  }
  if (method != "CONNECT") {
    std::string clean = clean_path(parsed->raw_path);
    if (clean == "/v3") clean += '/';
    if (clean != parsed->raw_path) return redirect(method, std::move(clean), *parsed);
  }
  if (!parsed->path.starts_with(gateway_prefix)) return not_found_outside_gateway();
  const GatewayPath* path = find_gateway_path(parsed->path);
  if (path == nullptr) return to_answer(Status{GrpcCode::not_found, "Not Found"});
  if (method != "POST") return to_answer(Status{GrpcCode::unimplemented, "Method Not Allowed"});
  return read_call(*path, body);
}

std::string_view rpc_name(const Call& call) {
  struct Name {
    std::string_view operator()(const kv::RangeRequest&) const { return "/etcdserverpb.KV/Range"; }
    std::string_view operator()(const kv::PutRequest&) const { return "/etcdserverpb.KV/Put"; }
    std::string_view operator()(const kv::DeleteRangeRequest&) const { return "/etcdserverpb.KV/DeleteRange"; }
    std::string_view operator()(const kv::TxnRequest&) const { return "/etcdserverpb.KV/Txn"; }
    std::string_view operator()(const kv::CompactionRequest&) const { return "/etcdserverpb.KV/Compact"; }
    std::string_view operator()(const MemberListRequest&) const { return "/etcdserverpb.Cluster/MemberList"; }
    std::string_view operator()(const MemberAddRequest&) const { return "/etcdserverpb.Cluster/MemberAdd"; }
    std::string_view operator()(const MemberRemoveRequest&) const { return "/etcdserverpb.Cluster/MemberRemove"; }
    std::string_view operator()(const MemberPromoteRequest&) const { return "/etcdserverpb.Cluster/MemberPromote"; }
    std::string_view operator()(const StatusRequest&) const { return "/etcdserverpb.Maintenance/Status"; }
  };
  return std::visit(Name{}, call);
}

std::optional<Status> check_proposal_size(const Call& call) {
  if (std::visit(ProposalSize{}, call) <= proposal_bytes_max) return std::nullopt;
  return to_status(Error::request_too_large);
}

HttpAnswer body_too_large(std::size_t size_bytes) { return message_too_large(size_bytes); }

}  // namespace whitewater::api

#include "api_server.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "net/http_parser.hpp"
#include "net/socket_util.hpp"

namespace whitewater::discovery {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr base::Duration poll_interval = base::milliseconds(5);

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::strtoul(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string chunk(const std::string& text) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", text.size());
  return size.data() + text + "\r\n";
}

std::string label_of(const std::map<std::string, std::string>& values) {
  const auto it = values.find("labelSelector");
  return it == values.end() || !it->second.starts_with("app=") ? "" : it->second.substr(4);
}

std::string forbidden_json(const std::string& what) {
  return status_json(403, "Forbidden",
                     what + " is forbidden: User system:serviceaccount:default:whitewater cannot do it");
}

}  // namespace

AccountFolder::AccountFolder() {
  char folder[] = "/tmp/whitewater-account-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = folder;
}

AccountFolder::~AccountFolder() {
  for (const auto* name : {"token", "ca.crt", "namespace"}) remove(name);
  rmdir(path_.c_str());
}

void AccountFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ + "/" + name, std::ios::binary | std::ios::trunc) << text;
}

void AccountFolder::remove(const std::string& name) const { unlink((path_ + "/" + name).c_str()); }

ApiServer::ApiServer(net::Executor executor, const std::string& alternative_names, const std::string& address)
    : executor_(executor),
      tasks_(executor),
      authority_("test-authority"),
      acceptor_(executor),
      endpoint_(asio::ip::make_address(address), 0) {
  use_certificate(authority_, alternative_names);
  come_back();
  endpoint_ = acceptor_.local_endpoint();
}

ApiServer::~ApiServer() = default;

void ApiServer::use_certificate(const TestAuthority& authority, const std::string& alternative_names) {
  const auto issued = authority.issue(alternative_names);
  context_ = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  context_->use_certificate_chain(asio::buffer(issued.certificate_pem));
  context_->use_private_key(asio::buffer(issued.key_pem), asio::ssl::context::pem);
}

int ApiServer::count_asked(const std::string& verb) const {
  return static_cast<int>(
      std::count_if(asked.begin(), asked.end(), [&](const auto& line) { return line.starts_with(verb + " "); }));
}

void ApiServer::come_back() {
  acceptor_.open(endpoint_.protocol());
  acceptor_.set_option(asio::socket_base::reuse_address(true));
  acceptor_.bind(endpoint_);
  acceptor_.listen();
}

void ApiServer::go_away() {
  acceptor_.close();
  drop_connections();
}

void ApiServer::drop_connections() {
  ++drop_count_;
  for (auto* socket : open_) net::abort_connection(*socket);
}

net::Awaitable<void> ApiServer::run() {
  struct Spawner {
    static net::Awaitable<void> accept(ApiServer& server) {
      while (true) {
        if (!server.acceptor_.is_open()) {
          co_await net::sleep_for(poll_interval);
          continue;
        }
        auto [error, socket] = co_await server.acceptor_.async_accept(net::as_result);
        if (!error) server.tasks_.spawn(server.serve(std::move(socket)));
        if (error) co_await net::sleep_for(poll_interval);
      }
    }
  };
  tasks_.spawn(Spawner::accept(*this));
  co_await tasks_.join();
}

net::Awaitable<void> ApiServer::serve(net::TcpSocket socket) {
  ++connection_count_;
  const auto context = context_;
  Stream stream(std::move(socket), *context);
  struct Open {
    std::set<net::TcpSocket*>& set;
    net::TcpSocket* socket;
    ~Open() { set.erase(socket); }
  };
  open_.insert(&stream.next_layer());
  const Open open{open_, &stream.next_layer()};
  const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, net::as_result);
  if (error) co_return;
  std::string input;
  while (true) {
    net::HttpRequestParser parser(net::HttpLimits{1UL << 20, 64U << 10});
    parser.eager(true);
    while (!parser.is_done()) {
      net::error_code parse_error;
      if (!input.empty()) input.erase(0, parser.put(asio::buffer(input), parse_error));
      if (parser.is_done()) break;
      if (parse_error && parse_error != net::http::error::need_more) co_return;
      std::array<char, 4096> buffer{};
      const auto [read_error, size] = co_await stream.async_read_some(asio::buffer(buffer), net::as_result);
      if (read_error) co_return;
      input.append(buffer.data(), size);
    }
    net::HttpRequest request{.method = std::move(parser.method),
                             .target = std::move(parser.target),
                             .headers = std::move(parser.headers),
                             .body = std::move(parser.body),
                             .content_length = std::nullopt,
                             .received_at = net::now()};
    if (!co_await answer(stream, std::move(request))) co_return;
  }
}

ApiServer::Query ApiServer::parse_target(std::string_view target) {
  Query query;
  const auto mark = target.find('?');
  query.path = decoded(target.substr(0, mark));
  auto rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const auto pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos)
      query.values[decoded(pair.substr(0, equals))] = decoded(pair.substr(equals + 1));
  }
  return query;
}

net::Awaitable<bool> ApiServer::send(Stream& stream, unsigned status, std::string body) {
  if (knobs.delay > base::Duration(0)) co_await net::sleep_for(knobs.delay);
  auto head = "HTTP/1.1 " + std::to_string(status) + " " + std::string(net::reason_phrase(status)) +
              "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size());
  if (status == 429 || status == 503) head += "\r\nRetry-After: " + std::to_string(knobs.retry_after_seconds);
  const auto text = head + "\r\n\r\n" + body;
  const auto [error, size] = co_await asio::async_write(stream, asio::buffer(text), net::as_result);
  co_return !error && !knobs.closes_after_answer;
}

net::Awaitable<bool> ApiServer::answer(Stream& stream, net::HttpRequest request) {
  const auto query = parse_target(request.target);
  const bool is_pods = query.path == "/api/v1/namespaces/default/pods";
  const bool is_review = query.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  std::string verb = "get";
  if (is_pods) verb = query.values.contains("watch") ? "watch" : "list";
  if (is_review) verb = "review";
  if (request.method == "PATCH") verb = "patch";
  if (request.headers.get("Authorization") != "Bearer " + token) {
    ++refused_count;
    co_return co_await send(stream, 401, status_json(401, "Unauthorized", "Unauthorized"));
  }
  asked.push_back(verb + " " + request.target);
  std::string text = request.method;
  for (std::size_t i = 0; i < request.headers.count(); ++i) {
    text += "\n" + std::string(request.headers.at(i).first) + ": " + std::string(request.headers.at(i).second);
  }
  requests.push_back(text);
  if (const auto status = knobs.status_of.find(verb); status != knobs.status_of.end()) {
    co_return co_await send(stream, status->second, status_json(static_cast<int>(status->second), "Knob", "by a knob"));
  }
  if (knobs.sends_nothing.contains(verb)) co_return co_await send(stream, 200, "");
  if (is_pods && knobs.forbidden.contains(verb + " pods")) {
    co_return co_await send(stream, 403, forbidden_json("pods"));
  }
  if (verb == "watch") co_return co_await answer_watch(stream, query);
  if (verb == "patch") {
    auto [status, body] = patch(query, request);
    co_return co_await send(stream, status, std::move(body));
  }
  auto [status, body] = is_pods ? list(query) : is_review ? review(request.body) : stateful_set(query);
  co_return co_await send(stream, status, std::move(body));
}

std::pair<unsigned, std::string> ApiServer::list(const Query& query) const {
  const auto value = [&](const char* name) {
    const auto it = query.values.find(name);
    return it == query.values.end() ? std::string() : it->second;
  };
  auto limit = static_cast<std::size_t>(std::strtoul(value("limit").c_str(), nullptr, 10));
  if (knobs.page_pods_max != 0) limit = std::min(limit, knobs.page_pods_max);
  auto version = store.version();
  std::string after;
  const auto asked_version = value("resourceVersion");
  if (const auto token_text = value("continue"); !token_text.empty()) {
    const auto place = ApiStore::parse_token(token_text);
    if (!place || !asked_version.empty()) return {400, status_json(400, "BadRequest", "continue is not valid")};
    if (place->first < store.floor())
      return {410, status_json(410, "Expired", "The provided continue parameter is too old")};
    std::tie(version, after) = *place;
  } else if (std::strtoull(asked_version.c_str(), nullptr, 10) > version) {
    return {504, status_json(504, "Timeout", "Timeout: Too large resource version")};
  }
  return {200, store.list_page(version, after, limit, label_of(query.values))};
}

std::pair<unsigned, std::string> ApiServer::review(const std::string& body) const {
  const auto value = json::parse(body);
  const auto& attributes = value.at("spec").at("resourceAttributes").as_object();
  const auto text = [&](const char* key) {
    const auto* part = attributes.if_contains(key);
    return part == nullptr ? std::string() : std::string(part->as_string());
  };
  auto what = text("verb") + " " + text("resource");
  if (!text("group").empty()) what += "." + text("group");
  if (!text("name").empty()) what += " " + text("name");
  json::object answer = value.as_object();
  answer["status"] = knobs.forbidden.contains(what)
                         ? json::object{{"allowed", false}}
                         : json::object{{"allowed", true}, {"reason", "RBAC: allowed by RoleBinding"}};
  return {201, json::serialize(answer) + "\n"};
}

// A merge patch of a pod's role, as a real server takes it: its media type, and the uid as a precondition.
std::pair<unsigned, std::string> ApiServer::patch(const Query& query, const net::HttpRequest& request) {
  const std::string folder = "/api/v1/namespaces/default/pods/";
  const auto name = query.path.starts_with(folder) ? query.path.substr(folder.size()) : std::string();
  const auto pods = store.pods();
  const auto it = pods.find(name);
  if (knobs.forbidden.contains("patch pods " + name)) return {403, forbidden_json("pods")};
  if (it == pods.end()) return {404, status_json(404, "NotFound", "not found")};
  if (request.headers.get("Content-Type") != "application/merge-patch+json") {
    return {415, status_json(415, "UnsupportedMediaType", "the body of the request was in an unknown format")};
  }
  const auto metadata = json::parse(request.body).at("metadata").as_object();
  auto pod = it->second;
  if (const auto* uid = metadata.if_contains("uid"); uid != nullptr && uid->as_string() != pod.uid) {
    return {409, status_json(409, "Conflict", "the UID in the precondition does not match the UID in record")};
  }
  pod.role = std::string(metadata.at("labels").at("whitewater.io/role").as_string());
  store.put(pod);
  return {200, ApiStore::pod_json(pod, store.version())};
}

std::pair<unsigned, std::string> ApiServer::stateful_set(const Query& query) const {
  if (query.path != "/apis/apps/v1/namespaces/default/statefulsets/whitewater" || !replicas) {
    return {404, status_json(404, "NotFound", "not found")};
  }
  if (knobs.forbidden.contains("get statefulsets.apps whitewater")) return {403, forbidden_json("statefulsets.apps")};
  return {200, R"({"kind":"StatefulSet","apiVersion":"apps/v1","metadata":{"name":"whitewater"},"spec":{"replicas":)" +
                   std::to_string(*replicas) + "}}"};
}

net::Awaitable<bool> ApiServer::answer_watch(Stream& stream, const Query& query) {
  auto version = std::strtoull(query.values.at("resourceVersion").c_str(), nullptr, 10);
  const bool is_gone = version < store.floor();
  if (is_gone && knobs.gone_as_status) co_return co_await send(stream, 410, status_json(410, "Expired", "too old"));
  if (version > store.version()) {
    co_return co_await send(stream, 504, status_json(504, "Timeout", "Timeout: Too large resource version"));
  }
  if (knobs.delay > base::Duration(0)) co_await net::sleep_for(knobs.delay);
  struct Count {
    std::size_t& count;
    explicit Count(std::size_t& c) : count(++c) {}
    ~Count() { --count; }
  };
  const Count counted(watch_count_);
  std::string out = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  if (is_gone) out += chunk(ApiStore::expired_line() + "\n") + "0\r\n\r\n";
  if (std::exchange(knobs.sends_garbage, false)) out += chunk("{\"type\":\"ADDED\",\"object\":\"?\"}\n");
  const auto generation = watch_generation_;
  const auto drops = drop_count_;
  auto next_bookmark = net::now() + knobs.bookmark_every;
  while (true) {
    for (const auto& event : store.events_after(version, label_of(query.values))) {
      version = event.version;
      const auto line = chunk(event.line + "\n");
      if (std::exchange(knobs.cuts_next_event, false)) {
        out += line.substr(0, line.size() / 2);
        (void)co_await asio::async_write(stream, asio::buffer(out), net::as_result);
        net::abort_connection(stream.next_layer());
        co_return false;
      }
      out += line;
    }
    if (knobs.bookmark_every > base::Duration(0) && net::now() >= next_bookmark) {
      version = store.version();
      out += chunk(ApiStore::bookmark_line(version) + "\n");
      ++bookmark_count_;
      next_bookmark = net::now() + knobs.bookmark_every;
    }
    const bool has_ended = generation != watch_generation_;
    if (has_ended) out += "0\r\n\r\n";
    if (!out.empty()) {
      const auto [error, size] = co_await asio::async_write(stream, asio::buffer(out), net::as_result);
      if (error) co_return false;
    }
    if (has_ended || is_gone) co_return !knobs.closes_after_answer;
    out.clear();
    co_await net::sleep_for(poll_interval);
    if (drops != drop_count_) co_return false;
  }
}

}  // namespace whitewater::discovery

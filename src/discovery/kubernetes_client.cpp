#include "discovery/kubernetes_client.hpp"

#include <utility>

#include "discovery/candidate.hpp"
#include "discovery/kubernetes_objects.hpp"
#include "discovery/kubernetes_request.hpp"
#include "net/timeout.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

constexpr int attempts_max = 3;  // one more for a connection that the server had closed, one more for a 401

KubernetesClientOptions without_brackets(KubernetesClientOptions options) {
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  return options;
}

}  // namespace

KubernetesClient::KubernetesClient(net::Executor executor, KubernetesClientOptions options, ServiceAccount& account,
                                   Resolver& resolver)
    : executor_(executor),
      options_(without_brackets(std::move(options))),
      account_(account),
      resolver_(resolver),
      connection_(executor) {}

Result<std::string> KubernetesClient::request_text(const std::string& method, const std::string& target,
                                                   const std::string& body) {
  const auto token = account_.token(net::now());
  if (!token) {
    error_text_ = "no usable service account token in " + account_.folder() +
                  "; next step: let the pod mount one (automountServiceAccountToken)";
    return token.error();
  }
  auto text = method + " " + target + " HTTP/1.1\r\nHost: " + describe(HostPort{options_.host, options_.port}) +
              "\r\nUser-Agent: " + options_.user_agent + "\r\nAccept: application/json\r\nAuthorization: Bearer " +
              *token;
  if (!body.empty()) {
    const std::string type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
    text += "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size());
  }
  return text + "\r\n\r\n" + body;
}

net::Awaitable<Result<void>> KubernetesClient::connect() {
  auto ca_bundle = account_.ca_bundle();
  if (!ca_bundle) {
    error_text_ = "no usable CA bundle " + account_.folder() + "/ca.crt";
    co_return ca_bundle.error();
  }
  const auto connected = co_await net::with_timeout(connect_any(std::move(*ca_bundle)), options_.connect_timeout);
  if (!connected && connected.error() == Errc::timed_out) {
    connection_.close();
    error_text_ = "no connection to " + describe(HostPort{options_.host, options_.port}) + " in time";
  }
  co_return connected;
}

net::Awaitable<Result<void>> KubernetesClient::connect_any(std::string ca_bundle) {
  const auto endpoints = co_await resolver_.resolve(options_.host, options_.port);
  if (!endpoints) {
    error_text_ = options_.host.empty() ? "no address of an API server (KUBERNETES_SERVICE_HOST is not set)"
                                        : "the API server's name " + options_.host + " does not resolve";
    co_return Errc::not_found;
  }
  Result<void> connected = Errc::not_found;
  for (const auto& endpoint : *endpoints) {
    connected = co_await connection_.connect(endpoint, options_.host, ca_bundle);
    if (connected || net::is_cancelled(connected.error())) break;
    error_text_ = connection_.error_text();
  }
  co_return connected;
}

net::Awaitable<Result<KubernetesAnswer>> KubernetesClient::ask(std::string method, std::string target, std::string body,
                                                               bool is_stream) {
  bool was_refused = false;
  for (int i = 0; i < attempts_max; ++i) {
    const bool is_reused = connection_.is_connected();
    if (!is_reused) {
      if (const auto connected = co_await connect(); !connected) co_return connected.error();
    }
    auto request = request_text(method, target, body);
    if (!request) co_return request.error();
    const auto body_max = is_stream ? 2 * kubernetes_line_bytes_max : kubernetes_body_bytes_max;
    const auto done = co_await net::with_timeout(connection_.exchange(std::move(*request), body_max, !is_stream),
                                                 options_.request_timeout);
    if (!done) {
      connection_.close();
      error_text_ = done.error() == Errc::timed_out ? "no answer in time" : connection_.error_text();
      // Every request here asks, or says how something shall be, so it may be sent again.
      if (is_reused && !connection_.has_received() && done.error() == Errc::connection_lost) continue;
      co_return done.error();
    }
    KubernetesAnswer answer;
    answer.status = connection_.status();
    answer.retry_after = parse_retry_after(connection_.header("Retry-After"));
    if (is_stream && answer.status == 200) co_return answer;
    if (is_stream) {
      connection_.close();  // the status says enough; the rest of the answer may be slow
    } else {
      answer.body = connection_.take_body();
      if (!connection_.is_kept_alive()) connection_.close();
    }
    if (answer.status == 401 && !std::exchange(was_refused, true)) {
      account_.forget_token();
      continue;
    }
    co_return answer;
  }
  co_return Errc::connection_lost;
}

net::Awaitable<Result<KubernetesAnswer>> KubernetesClient::call(std::string method, std::string target,
                                                                std::string body) {
  return ask(std::move(method), std::move(target), std::move(body), false);
}

net::Awaitable<Result<KubernetesAnswer>> KubernetesClient::open_stream(std::string target) {
  connection_.close();  // the last stream was left somewhere in the middle
  return ask("GET", std::move(target), "", true);
}

net::Awaitable<Result<std::optional<std::string>>> KubernetesClient::next_line(base::Duration limit) {
  auto line = co_await net::with_timeout(connection_.read_line(), limit);
  if (!line) {
    connection_.close();
    error_text_ = line.error() == Errc::timed_out ? "the stream fell silent" : connection_.error_text();
  }
  co_return line;
}

}  // namespace whitewater::discovery

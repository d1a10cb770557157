// KubernetesClient: requests to the Kubernetes API with the service account's token, over one connection that is kept.
// The CA bundle is read at every connection, so a TLS failure after its rotation heals with the next attempt; the token
// is read again after a 401, and the request then repeated once. Owned by a coroutine of the KubernetesSource, reactor
// thread. Does not decide when to try again: KubernetesWatchFsm does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "discovery/kubernetes_connection.hpp"
#include "discovery/resolver.hpp"
#include "discovery/service_account.hpp"

namespace whitewater::discovery {

struct KubernetesClientOptions {
  std::string host;          // KUBERNETES_SERVICE_HOST: an address, with or without brackets, or a name
  std::uint16_t port = 443;  // KUBERNETES_SERVICE_PORT
  base::Duration connect_timeout = base::seconds(5);   // TCP and TLS together
  base::Duration request_timeout = base::seconds(15);  // from the first byte sent to the last received
  std::string user_agent = "whitewater";
};

struct KubernetesAnswer {
  unsigned status = 0;
  base::Duration retry_after{0};
  std::string body;  // of a stream: of a failure only
};

class KubernetesClient {
 public:
  // `account` and `resolver` outlive the client.
  KubernetesClient(net::Executor executor, KubernetesClientOptions options, ServiceAccount& account,
                   Resolver& resolver);

  // An answer of any status. Errors: timed_out, connection_lost, not_found (no token, no CA bundle, no address),
  // malformed, limit_exceeded; error_text() says it in words.
  net::Awaitable<base::Result<KubernetesAnswer>> call(std::string method, std::string target, std::string body = {});
  // The same for an answer that does not end: status 200 means that lines follow.
  net::Awaitable<base::Result<KubernetesAnswer>> open_stream(std::string target);
  // Nothing when the stream ended as it should. timed_out after `limit`; then the stream is closed.
  net::Awaitable<base::Result<std::optional<std::string>>> next_line(base::Duration limit);
  void close() { connection_.close(); }

  [[nodiscard]] const std::string& error_text() const { return error_text_; }

 private:
  net::Awaitable<base::Result<KubernetesAnswer>> ask(std::string method, std::string target, std::string body,
                                                     bool is_stream);
  net::Awaitable<base::Result<void>> connect();
  net::Awaitable<base::Result<void>> connect_any(std::string ca_bundle);
  [[nodiscard]] base::Result<std::string> request_text(const std::string& method, const std::string& target,
                                                       const std::string& body);

  net::Executor executor_;
  KubernetesClientOptions options_;
  ServiceAccount& account_;
  Resolver& resolver_;
  KubernetesConnection connection_;
  std::string error_text_;
};

}  // namespace whitewater::discovery

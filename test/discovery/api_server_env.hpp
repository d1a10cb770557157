// Runs a test's body beside an API server, with a service account's folder that fits it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api_server.hpp"
#include "discovery/kubernetes_source.hpp"
#include "reactor_env.hpp"

namespace whitewater::discovery {

// Keeps the lines that a source writes.
class LinesSink final : public base::LogSink {
 public:
  [[nodiscard]] bool is_enabled(base::LogLevel) const override { return true; }
  void write(base::LogLine line) override { lines.push_back(std::move(line.message)); }
  [[nodiscard]] bool has(const std::string& part) const {
    for (const auto& line : lines) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines;
};

struct ApiEnv {
  net::Executor executor;
  ApiServer& server;
  AccountFolder& folder;
  LinesSink& log;

  [[nodiscard]] KubernetesSourceOptions options() const {
    KubernetesSourceOptions options;
    options.api.host = "127.0.0.1";
    options.api.port = server.port();
    options.api.connect_timeout = base::milliseconds(1000);
    options.api.request_timeout = base::milliseconds(1000);
    options.service_account_folder = folder.path();
    options.label_selector = "app=whitewater";
    options.own_name = "whitewater-0";
    options.first_list_wait = base::milliseconds(1500);
    options.review_again_after = base::milliseconds(50);
    options.watch.backoff_min = base::milliseconds(5);
    options.watch.backoff_max = base::milliseconds(40);
    options.watch.healthy_after = base::milliseconds(20);
    return options;
  }
  void add(int ordinal, const std::string& uid = "") const {
    const auto number = std::to_string(ordinal);
    server.store.put({"whitewater-" + number, uid.empty() ? "uid-" + number : uid, "127.8.91." + number});
  }
};

// Polls, at most five seconds.
inline net::Awaitable<bool> eventually(std::function<bool()> condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) co_await net::sleep_for(base::milliseconds(5));
  co_return condition();
}

using ApiBody = net::Awaitable<void> (*)(ApiEnv);

inline net::Awaitable<void> run_api_body(ApiEnv env, ApiBody body) {
  struct Stop {
    ApiServer& server;
    ~Stop() { server.stop(); }
  };
  const Stop stop{env.server};
  co_await body(env);
}

inline net::Awaitable<void> with_api_server_task(net::Executor executor, ApiBody body, std::string address,
                                                 std::string alternative_names) {
  ApiServer server(executor, alternative_names, address);
  AccountFolder folder;
  LinesSink log;
  folder.write("token", "token-1\n");
  folder.write("namespace", "default");
  folder.write("ca.crt", server.authority().certificate_pem());
  net::TaskGroup tasks(executor);
  tasks.spawn(server.run());
  tasks.spawn(run_api_body({executor, server, folder, log}, body));
  co_await tasks.join();
}

inline void with_api_server(ApiBody body, const std::string& address = "127.0.0.1",
                            const std::string& alternative_names = "IP:127.0.0.1,DNS:kubernetes.default.svc") {
  run_on_reactor(
      [=](net::Executor executor) { return with_api_server_task(executor, body, address, alternative_names); });
}

// A source whose run() goes on until `stop` is called; joined by the test's body.
class RunningSource {
 public:
  RunningSource(const ApiEnv& env, KubernetesSourceOptions options)
      : source(env.executor, std::move(options), base::Rng(7), env.log), tasks_(env.executor) {
    tasks_.spawn(source.run());
  }
  net::Awaitable<void> stop() {
    tasks_.cancel();
    co_await tasks_.join();
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& peer : source.last_known().peers) names.push_back(peer.name);
    return names;
  }
  KubernetesSource source;

 private:
  net::TaskGroup tasks_;
};

}  // namespace whitewater::discovery

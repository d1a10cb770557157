// ww_test_api_server ADDRESS: the API server for tests as a process, for integration tests with real members. The first
// line that it prints is {"port":…,"ca":"PEM"}. Then it obeys its standard input: one JSON object a line, answered by
// one line, {"ok":true,…} or {"ok":false,"error":"…"}, in order; it ends when its input does. "do" says what:
//
//   put_pod           name, uid, ip; app ("whitewater"), phase ("Running"), ready, port (true), terminating (false)
//   remove_pod        name
//   replicas          count of the StatefulSet "whitewater", or null: there is none
//   token             accepted: the only one that is; every other is answered by 401
//   knobs             status_of {verb: status}, forbidden ["watch pods"], sends_nothing [verb], delay_ms,
//                     retry_after_seconds; replaces all knobs, those that are not named are off
//   end_watches       as their time-out does
//   drop_connections  all that are open, without a word
//   go_away           nobody listens on the port and every connection ends; come_back: the same port and pods again
//   status            watches that are open, requests refused for their token, lists, watches and reviews asked for
#include <unistd.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <string>

#include "api_server.hpp"
#include "reactor_env.hpp"

namespace whitewater::discovery {
namespace {

namespace json = boost::json;

constexpr std::size_t line_bytes_max = 64UL << 10;

void print(const json::object& answer) {
  std::printf("%s\n", json::serialize(answer).c_str());
  std::fflush(stdout);
}

std::string text_of(const json::object& command, const char* key, const char* otherwise = nullptr) {
  const auto* value = command.if_contains(key);
  if (value == nullptr && otherwise != nullptr) return otherwise;
  return std::string(command.at(key).as_string());
}

bool flag_of(const json::object& command, const char* key, bool otherwise) {
  const auto* value = command.if_contains(key);
  return value == nullptr ? otherwise : value->as_bool();
}

std::uint32_t number_of(const json::object& command, const char* key) {
  const auto* value = command.if_contains(key);
  return value == nullptr ? 0 : value->to_number<std::uint32_t>();
}

std::set<std::string> words_of(const json::object& command, const char* key) {
  std::set<std::string> words;
  const auto* value = command.if_contains(key);
  if (value == nullptr) return words;
  for (const auto& word : value->as_array()) words.emplace(word.as_string());
  return words;
}

StoredPod pod_of(const json::object& command) {
  StoredPod pod{text_of(command, "name"), text_of(command, "uid"), text_of(command, "ip"),
                text_of(command, "phase", "Running")};
  pod.label = text_of(command, "app", "whitewater");
  pod.is_ready = flag_of(command, "ready", true);
  pod.has_port = flag_of(command, "port", true);
  pod.is_terminating = flag_of(command, "terminating", false);
  return pod;
}

ApiServer::Knobs knobs_of(const json::object& command) {
  ApiServer::Knobs knobs;
  if (const auto* statuses = command.if_contains("status_of")) {
    for (const auto& [verb, status] : statuses->as_object()) knobs.status_of[verb] = status.to_number<unsigned>();
  }
  knobs.forbidden = words_of(command, "forbidden");
  knobs.sends_nothing = words_of(command, "sends_nothing");
  knobs.delay = base::milliseconds(number_of(command, "delay_ms"));
  knobs.retry_after_seconds = number_of(command, "retry_after_seconds");
  return knobs;
}

json::object status_of(const ApiServer& server) {
  json::object roles;
  for (const auto& [name, pod] : server.store.pods()) roles[name] = pod.role;
  return {{"ok", true},
          {"roles", std::move(roles)},
          {"watches", server.watch_count()},
          {"refused", server.refused_count},
          {"lists_asked", server.count_asked("list")},
          {"watches_asked", server.count_asked("watch")},
          {"reviews_asked", server.count_asked("review")}};
}

// Throws for what it does not understand.
json::object obey(ApiServer& server, const json::object& command) {
  const auto what = text_of(command, "do");
  if (what == "put_pod") {
    auto pod = pod_of(command);
    // The kubelet's news about a pod leave its labels alone.
    const auto before = server.store.pods().find(pod.name);
    if (before != server.store.pods().end() && before->second.uid == pod.uid) pod.role = before->second.role;
    server.store.put(pod);
  } else if (what == "remove_pod") {
    server.store.remove(text_of(command, "name"));
  } else if (what == "replicas") {
    server.replicas.reset();
    if (!command.at("count").is_null()) server.replicas = command.at("count").to_number<std::uint32_t>();
  } else if (what == "token") {
    server.token = text_of(command, "accepted");
  } else if (what == "knobs") {
    server.knobs = knobs_of(command);
  } else if (what == "end_watches") {
    server.end_watches();
  } else if (what == "drop_connections") {
    server.drop_connections();
  } else if (what == "go_away") {
    server.go_away();
  } else if (what == "come_back") {
    server.come_back();
  } else if (what == "status") {
    return status_of(server);
  } else {
    throw std::runtime_error("there is no \"" + what + "\"");
  }
  return {{"ok", true}};
}

json::object answer_to(ApiServer& server, const std::string& line) {
  try {
    return obey(server, json::parse(line).as_object());
  } catch (const std::exception& problem) {
    return {{"ok", false}, {"error", problem.what()}};
  }
}

net::Awaitable<void> obey_input(net::Executor executor, ApiServer& server) {
  boost::asio::posix::basic_stream_descriptor<net::Executor> input(executor, ::dup(STDIN_FILENO));
  std::string pending;
  std::array<char, 4096> buffer{};
  while (pending.size() <= line_bytes_max) {
    const auto end = pending.find('\n');
    if (end != std::string::npos) {
      print(answer_to(server, pending.substr(0, end)));
      pending.erase(0, end + 1);
      server.requests.clear();  // nobody here reads them
      continue;
    }
    const auto [error, size] = co_await input.async_read_some(boost::asio::buffer(buffer), net::as_result);
    if (error) break;
    pending.append(buffer.data(), size);
  }
  server.stop();
}

net::Awaitable<void> serve(net::Executor executor, std::string address) {
  ApiServer server(executor, "IP:" + address + ",DNS:kubernetes.default.svc", address);
  print({{"port", server.port()}, {"ca", server.authority().certificate_pem()}});
  net::TaskGroup tasks(executor);
  tasks.spawn(server.run());
  tasks.spawn(obey_input(executor, server));
  co_await tasks.join();
}

}  // namespace
}  // namespace whitewater::discovery

int main(int argc, char** argv) {
  using namespace whitewater;
  if (argc != 2) {
    std::fprintf(stderr, "usage: ww_test_api_server ADDRESS\n");
    return 2;
  }
  try {
    const std::string address = argv[1];
    discovery::run_on_reactor([&](net::Executor executor) { return discovery::serve(executor, address); });
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "ww_test_api_server: %s\n", failure.what());
    return 1;
  }
  return 0;
}

#include "server/cli.hpp"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace whitewater::server;

namespace {

// A server that gives each connection the next answer of a script: text to send, or nothing and a closed connection.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve() {
    for (const auto& answer : answers_) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      ++connections_;
      std::string request;
      char chunk[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(client, chunk, sizeof chunk, 0);
        if (got <= 0) break;
        request.append(chunk, static_cast<std::size_t>(got));
      }
      // In pieces, so that the client has to put them together.
      for (std::size_t i = 0; i < answer.size(); i += 7)
        ::send(client, answer.data() + i, std::min<std::size_t>(7, answer.size() - i), MSG_NOSIGNAL);
      ::shutdown(client, SHUT_WR);
      while (::recv(client, chunk, sizeof chunk, 0) > 0) {
      }
      ::close(client);
    }
  }
  std::vector<std::string> answers_;
  std::atomic<int> connections_ = 0;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A port on which nobody listens: bound, never listening, for as long as it lives.
class DeadPort {
 public:
  DeadPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~DeadPort() { ::close(fd_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  int fd_;
  std::string endpoint_;
};

struct Run {
  int exit = -1;
  std::string out;
};

// Runs the command with stdout in a file.
Run run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "whitewater");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  char path[] = "/tmp/whitewater_cli_test_XXXXXX";
  const int file = ::mkstemp(path);
  REQUIRE(file >= 0);
  std::fflush(stdout);
  const int saved = ::dup(STDOUT_FILENO);
  ::dup2(file, STDOUT_FILENO);
  const auto code = run_client_command(static_cast<int>(argv.size()), argv.data());
  std::fflush(stdout);
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  ::close(file);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  ::unlink(path);
  return {code.value_or(-1), text.str()};
}

const std::string found = R"({"header":{},"kvs":[{"key":"aw==","mod_revision":"2","value":"dg=="}],"count":"1"})";
const std::string no_leader = R"({"code":14,"message":"etcdserver: no leader"})";
const std::string timed_out = R"({"code":14,"message":"etcdserver: request timed out"})";

}  // namespace

TEST_CASE("serve is left to the caller, its help is not") {
  CHECK(run({"serve"}).exit == -1);
  CHECK(run({"serve", "--data-dir", "x"}).exit == -1);
  const auto help = run({"serve", "--help"});
  CHECK(help.exit == 0);
  CHECK(help.out.find("--data-dir") != std::string::npos);
}

TEST_CASE("get prints the pair, and an absent key has an exit code of its own") {
  ScriptedServer server(
      {answer(200, found), answer(200, R"({"header":{}})"), answer(200, found), answer(200, R"({"header":{}})")});
  const auto hit = run({"get", "k", "--endpoints", server.endpoint()});
  CHECK(hit.exit == 0);
  CHECK(hit.out == "k\nv\n");
  CHECK(run({"get", "k", "--endpoints", server.endpoint()}).exit == static_cast<int>(CliExit::not_found));
  CHECK(run({"get", "k", "--output", "json", "--endpoints", server.endpoint()}).out == found + "\n");
  const auto none = run({"get", "k", "--prefix", "--count-only", "--endpoints", server.endpoint()});
  CHECK(none.exit == 0);
  CHECK(none.out == "0\n");
}

TEST_CASE("get fails where the value is another than the expected one, and prints what there is") {
  ScriptedServer server({answer(200, found), answer(200, found), answer(200, R"({"header":{}})")});
  CHECK(run({"get", "k", "--expect", "v", "--endpoints", server.endpoint()}).exit == 0);
  const auto other = run({"get", "k", "--expect", "w", "--endpoints", server.endpoint()});
  CHECK(other.exit == static_cast<int>(CliExit::not_found));
  CHECK(other.out == "k\nv\n");
  CHECK(run({"get", "k", "--expect", "", "--endpoints", server.endpoint()}).exit ==
        static_cast<int>(CliExit::not_found));
}

TEST_CASE("put and del report what was done") {
  ScriptedServer server(
      {answer(200, R"({"header":{}})"), answer(200, R"({"header":{},"deleted":"2"})"), answer(200, "{}")});
  CHECK(run({"put", "k", "v", "--endpoints", server.endpoint()}).out == "OK\n");
  CHECK(run({"del", "k", "--prefix", "--endpoints", server.endpoint()}).out == "2\n");
  CHECK(run({"del", "k", "--endpoints", server.endpoint()}).exit == static_cast<int>(CliExit::not_found));
}

TEST_CASE("an answer in chunks without a length is understood") {
  ScriptedServer server(
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cou\r\n8\r\nnt\":\"7\"}\r\n0\r\n\r\n",
       "HTTP/1.1 200 OK\r\n\r\n{\"count\":\"8\"}"});
  CHECK(run({"get", "k", "--count-only", "--endpoints", server.endpoint()}).out == "7\n");
  CHECK(run({"get", "k", "--count-only", "--endpoints", server.endpoint()}).out == "8\n");
}

TEST_CASE("a connection that cannot be made moves on to the next endpoint, writes too") {
  const DeadPort dead;
  ScriptedServer server({answer(200, "{}"), answer(200, found)});
  CHECK(run({"put", "k", "v", "--endpoints", dead.endpoint() + "," + server.endpoint()}).exit == 0);
  CHECK(run({"get", "k", "--endpoints", dead.endpoint() + "," + server.endpoint()}).exit == 0);
  CHECK(run({"get", "k", "--endpoints", dead.endpoint()}).exit == static_cast<int>(CliExit::unreachable));
  CHECK(run({"put", "k", "v", "--endpoints", dead.endpoint()}).exit == static_cast<int>(CliExit::unreachable));
}

TEST_CASE("a read whose connection breaks moves on, a write stops and says that its outcome is unknown") {
  ScriptedServer broken({"", "", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"});
  ScriptedServer good({answer(200, found)});
  const std::string both = broken.endpoint() + "," + good.endpoint();
  CHECK(run({"get", "k", "--endpoints", both}).exit == 0);
  CHECK(run({"put", "k", "v", "--endpoints", both}).exit == static_cast<int>(CliExit::outcome_unknown));
  CHECK(run({"put", "k", "v", "--endpoints", both}).exit == static_cast<int>(CliExit::outcome_unknown));
  CHECK(good.connections() == 1);
}

TEST_CASE("no leader moves on, a refusal does not, a timed-out write has an unknown outcome") {
  ScriptedServer first({answer(503, no_leader), answer(503, timed_out), answer(503, timed_out),
                        answer(400, R"({"code":3,"message":"bad"})")});
  ScriptedServer second({answer(200, "{}"), answer(200, found)});
  const std::string both = first.endpoint() + "," + second.endpoint();
  CHECK(run({"put", "k", "v", "--endpoints", both}).exit == 0);
  CHECK(run({"put", "k", "v", "--endpoints", both}).exit == static_cast<int>(CliExit::outcome_unknown));
  CHECK(run({"get", "k", "--endpoints", both}).exit == 0);
  CHECK(run({"get", "k", "--endpoints", both}).exit == static_cast<int>(CliExit::refused));
  CHECK(second.connections() == 2);
}

TEST_CASE("a server that never answers ends at the time-out") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const std::string endpoint = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  CHECK(run({"get", "k", "--timeout", "50ms", "--endpoints", endpoint}).exit == static_cast<int>(CliExit::unreachable));
  CHECK(run({"put", "k", "v", "--timeout", "50ms", "--endpoints", endpoint}).exit ==
        static_cast<int>(CliExit::outcome_unknown));
  ::close(listener);
}

TEST_CASE("an answer that is no HTTP or no JSON is a failure, not a crash") {
  ScriptedServer server({"SSH-2.0-OpenSSH_9\r\n", answer(200, "<html>"), answer(200, "{}")});
  CHECK(run({"get", "k", "--endpoints", server.endpoint()}).exit == static_cast<int>(CliExit::unreachable));
  CHECK(run({"get", "k", "--endpoints", server.endpoint()}).exit == static_cast<int>(CliExit::failure));
  CHECK(run({"members", "--endpoints", server.endpoint()}).exit == static_cast<int>(CliExit::failure));
}

TEST_CASE("status asks every endpoint and fails if one is silent") {
  const DeadPort dead;
  ScriptedServer server(
      {answer(200, R"({"header":{"member_id":"171"},"version":"3.6.14","leader":"171"})"), answer(200, "{}")});
  const auto both = run({"status", "--endpoints", server.endpoint() + "," + dead.endpoint()});
  CHECK(both.exit == static_cast<int>(CliExit::unreachable));
  CHECK(both.out.find("00000000000000ab") != std::string::npos);
  CHECK(both.out.find("Connection refused") != std::string::npos);
  CHECK(run({"status", "--endpoints", server.endpoint()}).exit == 0);
}

TEST_CASE("wrong usage has its own exit code and version prints one line") {
  CHECK(run({"put", "k"}).exit == static_cast<int>(CliExit::usage));
  CHECK(run({}).exit == static_cast<int>(CliExit::usage));
  CHECK(run({"--help"}).exit == 0);
  CHECK(run({"config", "--output", "xml"}).exit == static_cast<int>(CliExit::usage));
  CHECK(run({"version"}).out.starts_with("whitewater "));
  CHECK(run({"--version"}).exit == 0);
}

TEST_CASE("the doctor's exit code tells a problem from a warning, from silence and from an answer that is no report") {
  const auto report = [](const std::string& severity) {
    return answer(200, R"({"name":"whitewater-0","address":"a:1","ready":true,"findings":[{"severity":")" + severity +
                           R"(","about":"disk","text":"slow","next_step":"look"}]})");
  };
  ScriptedServer server({report("warning"), report("problem"), report("problem"), answer(200, "[]"),
                         answer(404, R"({"code":5,"message":"Not Found"})")});
  const auto warned = run({"doctor", "--endpoints", server.endpoint()});
  CHECK(warned.exit == 0);
  CHECK(warned.out.find("warning   disk: slow\n          next: look\n") != std::string::npos);
  CHECK(run({"doctor", "--endpoints", server.endpoint()}).exit == 1);
  const DeadPort dead;
  const auto silent = run({"doctor", "--output", "json", "--endpoints", server.endpoint() + "," + dead.endpoint()});
  CHECK(silent.exit == 3);
  CHECK(silent.out.find("no member answers") != std::string::npos);
  CHECK(silent.out.find(R"("text":"slow")") != std::string::npos);
  CHECK(run({"doctor", "--endpoints", server.endpoint()}).exit == 6);
  CHECK(run({"doctor", "--endpoints", server.endpoint()}).exit == 4);
}

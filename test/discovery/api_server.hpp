// A Kubernetes API server for tests, on loopback in the test's own reactor: pods by list and watch over TLS, access
// reviews, one StatefulSet, with knobs for everything that goes wrong with a real one. What it sends is held to
// recorded facts of a real server in api_server_test.cpp.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api_store.hpp"
#include "net/http_message.hpp"
#include "net/reactor.hpp"
#include "net/task_group.hpp"
#include "test_certificates.hpp"

namespace whitewater::discovery {

// A service account's folder in the temporary folder, as the kubelet writes it.
class AccountFolder {
 public:
  AccountFolder();
  ~AccountFolder();
  AccountFolder(const AccountFolder&) = delete;
  AccountFolder& operator=(const AccountFolder&) = delete;
  void write(const std::string& name, const std::string& text) const;
  void remove(const std::string& name) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class ApiServer {
 public:
  struct Knobs {
    // Instead of an answer: by verb ("list", "watch", "review", "get"), this status, with Retry-After if it is not 0.
    std::map<std::string, unsigned> status_of;
    std::uint32_t retry_after_seconds = 0;
    std::set<std::string> sends_nothing;  // by verb: status 200 and an empty body
    std::set<std::string> forbidden;      // "watch pods", "get statefulsets.apps whitewater": 403, and reviews say so
    bool gone_as_status = false;          // a version that is too old: HTTP 410 instead of an event
    bool sends_garbage = false;           // in the next watch, a line that is no event
    base::Duration delay{0};              // before each answer
    base::Duration bookmark_every{0};     // 0: none
    std::size_t page_pods_max = 0;        // 0: as asked for
    bool cuts_next_event = false;         // half of the next event's line, then the end of the connection
    bool closes_after_answer = false;     // no keep-alive, without saying so before
  };

  // "IP:127.0.0.1" or what else the certificate shall prove.
  ApiServer(net::Executor executor, const std::string& alternative_names, const std::string& address = "127.0.0.1");
  ~ApiServer();

  Knobs knobs;
  ApiStore store;
  std::string token = "token-1";          // the one that is accepted
  std::optional<std::uint32_t> replicas;  // of the StatefulSet "whitewater"; nothing: 404
  std::vector<std::string> asked;         // "list /api/v1/...": verb and target, in order
  std::vector<std::string> requests;      // with a good token, method and fields, for what a client sends
  int refused_count = 0;                  // requests with another token

  net::Awaitable<void> run();
  void stop() { tasks_.cancel(); }
  // No connection is accepted any more, and those that are open end: the server is down. And up again.
  void go_away();
  void come_back();
  void drop_connections();                     // all that are open, without a word
  void end_watches() { ++watch_generation_; }  // as their time-out does
  // Another authority's certificate from the next connection on.
  void use_certificate(const TestAuthority& authority, const std::string& alternative_names);

  [[nodiscard]] std::uint16_t port() const { return endpoint_.port(); }
  [[nodiscard]] const TestAuthority& authority() const { return authority_; }
  [[nodiscard]] std::size_t watch_count() const { return watch_count_; }
  [[nodiscard]] std::size_t connection_count() const { return connection_count_; }  // ever accepted
  [[nodiscard]] std::size_t bookmark_count() const { return bookmark_count_; }
  [[nodiscard]] int count_asked(const std::string& verb) const;

 private:
  using Stream = boost::asio::ssl::stream<net::TcpSocket>;
  struct Query {
    std::string path;
    std::map<std::string, std::string> values;
  };
  net::Awaitable<void> serve(net::TcpSocket socket);
  net::Awaitable<bool> answer(Stream& stream, net::HttpRequest request);
  net::Awaitable<bool> answer_watch(Stream& stream, const Query& query);
  net::Awaitable<bool> send(Stream& stream, unsigned status, std::string body);
  std::pair<unsigned, std::string> list(const Query& query) const;
  std::pair<unsigned, std::string> review(const std::string& body) const;
  std::pair<unsigned, std::string> patch(const Query& query, const net::HttpRequest& request);
  std::pair<unsigned, std::string> stateful_set(const Query& query) const;
  static Query parse_target(std::string_view target);

  net::Executor executor_;
  net::TaskGroup tasks_;
  TestAuthority authority_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  net::TcpAcceptor acceptor_;
  net::Endpoint endpoint_;
  std::set<net::TcpSocket*> open_;
  std::size_t watch_count_ = 0;
  std::size_t connection_count_ = 0;
  std::size_t bookmark_count_ = 0;
  std::uint64_t watch_generation_ = 0;
  std::uint64_t drop_count_ = 0;
};

}  // namespace whitewater::discovery

// HttpClient: one keep-alive HTTP/1.1 connection to one server, for the command line, tests and benchmarks. One request
// at a time. Reconnects when the server closed the connection between requests. Does not resolve names and does not
// follow redirects.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/http_message.hpp"
#include "net/reactor.hpp"
#include "net/read_buffer.hpp"

namespace whitewater::net {

struct HttpClientOptions {
  base::Duration connect_timeout = base::seconds(2);
  base::Duration request_timeout = base::seconds(10);  // from the first byte sent to the last received
  std::size_t body_bytes_max = 64UL << 20;
  std::uint32_t header_bytes_max = 64U << 10;
};

struct HttpCall {
  std::string method = "POST";
  std::string target;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

struct HttpReply {
  unsigned status = 0;
  HttpHeaders headers;
  std::string body;
};

class HttpClient {
 public:
  // `host` goes into the Host field.
  HttpClient(Executor executor, Endpoint endpoint, std::string host, HttpClientOptions options = {});

  // timed_out (outcome unknown), connection_lost, malformed, limit_exceeded, or the socket's error. After any of them
  // the next call connects anew. A GET or HEAD on a kept connection that the server had closed is sent once more.
  Awaitable<base::Result<HttpReply>> call(HttpCall request);
  void close();
  [[nodiscard]] bool is_connected() const { return socket_.is_open(); }

 private:
  Awaitable<base::Result<HttpReply>> attempt(const HttpCall* request);
  Awaitable<base::Result<HttpReply>> read_reply(bool is_head);
  void write_request(const HttpCall& request);

  TcpSocket socket_;
  Endpoint endpoint_;
  std::string host_;
  HttpClientOptions options_;
  std::string out_;
  ReadBuffer buffer_;
  bool has_received_ = false;  // anything of the current reply
};

}  // namespace whitewater::net

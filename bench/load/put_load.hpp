// The load: puts over HTTP/JSON (etcd's /v3/kv/put) from one thread on epoll, a few microseconds of CPU each, so that
// it takes little of the machine from what it measures. Closed loop: each connection sends when the last answer has
// come. Open loop: put k is meant for the time k / rate, whatever the servers do, and its latency counts from then;
// without that a stall would delay the very requests that show it (coordinated omission; Gil Tene, and wrk2). Servers
// that go away do not end a load.
//
// A put ends as acknowledged, failed or unknown (outcome.hpp); nothing is sent twice. An error, a silence and a lost
// connection make the connection go to the next address after a pause of 10 to 100 ms. In a closed loop an attempt to
// connect is a put that fails when it is refused; in an open loop puts wait for a connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "load/statistics.hpp"

namespace whitewater::bench {

struct LoadOptions {
  std::vector<std::string> endpoints;  // "host:port"; connections go to all of their addresses in turn
  std::size_t connections = 16;
  double rate = 0;  // puts/s over all connections; 0: closed loop
  double seconds = 10;
  double warmup_seconds = 1;  // what is meant to begin in it is not counted
  std::size_t value_bytes = 256;
  std::uint64_t keys = 10'000;  // drawn at random
  std::string key_prefix = "load/";
  base::Duration timeout = base::seconds(3);  // of one request, from its sending
  std::uint64_t seed = 1;
  std::string record_path;  // every key is written once, and what is acknowledged is kept there
  // Sends "whitewater-timing: 1" and hands over the Server-Timing field of each measured answer.
  std::function<void(double latency_us, std::string_view server_timing)> on_timing;
  std::function<void(const Progress&)> on_second;
  const std::atomic<bool>* is_stopped = nullptr;  // ends the load early, with its result
};

// Throws std::runtime_error: bad endpoints, a record that cannot be written, no descriptors left.
[[nodiscard]] LoadResult run_puts(const LoadOptions& options);

}  // namespace whitewater::bench

// A closed-loop HTTP/1.1 load generator on plain sockets and epoll: each connection has one request under way. One
// thread, a few microseconds a request, so that it takes little of the machine from what it measures. Used by the
// comparison with etcd and by latency_profile; knows the JSON of a put and nothing else of any server.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace whitewater::bench {

struct LoadOptions {
  std::vector<std::string> endpoints;  // "host:port", IPv4; connections go to them in turn
  std::size_t connections = 1;
  double seconds = 3;
  double warmup_seconds = 0.5;  // requests that begin in it are not counted
  std::size_t value_bytes = 256;
  std::uint64_t keys = 10'000;  // drawn at random
  std::uint64_t seed = 1;
  bool ask_timing = false;  // sends "whitewater-timing: 1" and hands the Server-Timing field to `on_timing`
  std::function<void(double latency_us, std::string_view server_timing)> on_timing;
};

struct LoadResult {
  std::uint64_t completed = 0;
  std::uint64_t errors = 0;  // answers other than 200, and broken connections
  std::string first_error;
  double seconds = 0;                // the measured part
  std::vector<double> latencies_us;  // sorted
  [[nodiscard]] double per_second() const { return seconds > 0 ? static_cast<double>(completed) / seconds : 0; }
  [[nodiscard]] double quantile_us(double q) const;
};

// Puts until the time is over. Throws std::runtime_error when no connection can be made.
[[nodiscard]] LoadResult run_puts(const LoadOptions& options);

// Of sorted values, nearest rank; 0 when empty.
[[nodiscard]] double quantile(const std::vector<double>& sorted, double q);
// user + system time of a process so far.
[[nodiscard]] double cpu_seconds_of(int pid);

}  // namespace whitewater::bench

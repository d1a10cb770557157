// http_load: puts over HTTP/JSON from N connections for a few seconds; one JSON object on stdout.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "load/http_load.hpp"

int main(int argc, char** argv) {
  using namespace whitewater::bench;
  LoadOptions options;
  std::vector<int> pids;
  CLI::App app("Closed-loop puts over HTTP/JSON (etcd's /v3/kv/put); prints one JSON object");
  app.add_option("--endpoints", options.endpoints, "IPv4 host:port, comma separated; connections take turns")
      ->required()
      ->delimiter(',');
  app.add_option("--connections", options.connections, "Requests under way at a time")->check(CLI::Range(1, 10'000));
  app.add_option("--seconds", options.seconds, "Measured time")->check(CLI::Range(0.1, 600.0));
  app.add_option("--warmup", options.warmup_seconds, "Time before it, not counted");
  app.add_option("--value-bytes", options.value_bytes, "Size of each value")->check(CLI::Range(0, 1'000'000));
  app.add_option("--keys", options.keys, "Keys to draw from")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Of the random keys");
  app.add_option("--pids", pids, "Server processes whose CPU time is divided by the requests")->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  try {
    double cpu_before = 0;
    for (const int pid : pids) cpu_before += cpu_seconds_of(pid);
    const LoadResult result = run_puts(options);
    double cpu = -cpu_before;
    for (const int pid : pids) cpu += cpu_seconds_of(pid);
    // The processes also worked during the warm-up: the share of the measured part is an estimate by time.
    const double share = result.seconds / (result.seconds + options.warmup_seconds);
    const double cpu_us = result.completed == 0 ? 0 : cpu * share * 1e6 / static_cast<double>(result.completed);
    std::printf(
        "{\"connections\":%zu,\"completed\":%llu,\"errors\":%llu,\"per_second\":%.1f,\"p50_us\":%.1f,"
        "\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"cpu_us_per_put\":%.1f}\n",
        options.connections, static_cast<unsigned long long>(result.completed),
        static_cast<unsigned long long>(result.errors), result.per_second(), result.quantile_us(0.5),
        result.quantile_us(0.9), result.quantile_us(0.99), result.quantile_us(0.999), result.quantile_us(1), cpu_us);
    if (result.errors > 0) std::fprintf(stderr, "first error: %s\n", result.first_error.c_str());
    return result.completed > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "http_load: %s\n", error.what());
    return 1;
  }
}

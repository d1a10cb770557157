// latency_profile: where the time of a put goes. Sends puts that ask the server for its own stage times (Server-Timing)
// and prints p50, p99 and p99.9 of each stage beside what the client saw, as a table, and as JSON for
// tools/plot_latency.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>

#include "load/put_load.hpp"

namespace {

using namespace whitewater::bench;

struct Stage {
  const char* name;
  const char* meaning;
  std::vector<double> values_us;
};

// Of sorted values, nearest rank; 0 when empty.
double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::min(sorted.size() - 1, rank == 0 ? 0 : rank - 1)];
}

std::vector<Stage> make_stages() {
  return {
      {"client", "request sent to answer read, as the client sees it", {}},
      {"total", "inside the server: request read to answer ready", {}},
      {"accept", "request read to parsed", {}},
      {"queue", "parsed to handed to Raft", {}},
      {"log_write", "handed to Raft to durable in the own log", {}},
      {"replicate", "handed to Raft to acknowledged by a quorum's others", {}},
      {"commit", "handed to Raft to committed", {}},
      {"apply", "committed to applied", {}},
      {"reply", "applied to answer ready", {}},
  };
}

// "accept;dur=0.0123, queue;dur=...": milliseconds; a stage that this member did not see is negative.
void take_stages(std::string_view field, std::vector<Stage>& stages) {
  for (Stage& stage : stages) {
    const std::string mark = std::string(stage.name) + ";dur=";
    const std::size_t at = field.find(mark);
    if (at == std::string_view::npos) continue;
    double ms = -1;
    std::from_chars(field.data() + at + mark.size(), field.data() + field.size(), ms);
    if (ms >= 0) stage.values_us.push_back(ms * 1000);
  }
}

void print_table(const std::vector<Stage>& stages) {
  std::printf("%-10s %9s %9s %9s %9s   %s\n", "stage", "count", "p50 us", "p99 us", "p99.9 us", "meaning");
  for (const Stage& stage : stages) {
    std::printf("%-10s %9zu %9.1f %9.1f %9.1f   %s\n", stage.name, stage.values_us.size(),
                quantile(stage.values_us, 0.5), quantile(stage.values_us, 0.99), quantile(stage.values_us, 0.999),
                stage.meaning);
  }
}

void write_json(const std::string& path, const std::vector<Stage>& stages, const LoadOptions& options,
                const LoadResult& result) {
  std::ofstream out(path);
  out << "{\"connections\":" << options.connections << ",\"value_bytes\":" << options.value_bytes
      << ",\"per_second\":" << result.per_second() << ",\"errors\":" << result.failed + result.unknown
      << ",\"stages\":[";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& v = stages[i].values_us;
    out << (i == 0 ? "" : ",") << "{\"name\":\"" << stages[i].name << "\",\"count\":" << v.size()
        << ",\"quantiles_us\":[";
    bool is_first = true;
    for (const double q : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0}) {
      out << (is_first ? "" : ",") << "[" << q << "," << quantile(v, q) << "]";
      is_first = false;
    }
    out << "]}";
  }
  out << "]}\n";
  if (!out) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
  LoadOptions options;
  options.connections = 1;
  options.seconds = 3;
  options.warmup_seconds = 0.5;
  std::string json_path;
  CLI::App app("The latency of a put by stage: a table on stdout, JSON for tools/plot_latency");
  app.add_option("--endpoints", options.endpoints, "host:port; take the leader's alone to see every stage")
      ->required()
      ->delimiter(',');
  app.add_option("--connections", options.connections, "Requests under way at a time")->check(CLI::Range(1, 10'000));
  app.add_option("--seconds", options.seconds, "Measured time")->check(CLI::Range(0.1, 600.0));
  app.add_option("--value-bytes", options.value_bytes, "Size of each value")->check(CLI::Range(0, 1'000'000));
  app.add_option("--json", json_path, "Also write quantiles of each stage to this file");
  CLI11_PARSE(app, argc, argv);
  std::vector<Stage> stages = make_stages();
  options.on_timing = [&](double latency_us, std::string_view field) {
    stages[0].values_us.push_back(latency_us);
    take_stages(field, stages);
  };
  try {
    const LoadResult result = run_puts(options);
    for (Stage& stage : stages) std::sort(stage.values_us.begin(), stage.values_us.end());
    std::printf("%zu connection(s), %zu-byte values: %.0f puts/s, %llu errors\n", options.connections,
                options.value_bytes, result.per_second(),
                static_cast<unsigned long long>(result.failed + result.unknown));
    print_table(stages);
    if (!json_path.empty()) write_json(json_path, stages, options, result);
    if (!result.first_error.empty()) std::fprintf(stderr, "first error: %s\n", result.first_error.c_str());
    return result.completed > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "latency_profile: %s\n", error.what());
    return 1;
  }
}

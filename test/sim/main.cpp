// ww_sim: runs seeds of the simulator, one process each so that a broken assertion ends only its own seed, makes
// failing ones smaller and says how to run them again. The simulator itself is in cluster.hpp, a run's process in
// child_run.hpp; here are the clock and the output.
#include <fmt/format.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <utility>

#include "sim/child_run.hpp"
#include "sim/git_hash.hpp"
#include "sim/shrink.hpp"

namespace whitewater::sim {
namespace {

struct Arguments {
  std::optional<std::uint64_t> seed;
  std::uint64_t start = 1;
  std::uint64_t seeds = 1;
  std::uint64_t jobs = 1;
  std::uint64_t members = 0;
  std::uint64_t timeout_s = 120;
  std::uint64_t shrink_s = 60;
  std::vector<std::string> settings;
  bool verbose = false;
  bool shrink = false;
  bool stop_at_failure = false;
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Nothing: a setting that does not exist.
std::optional<SimOptions> options_for(const Arguments& arguments, std::uint64_t seed) {
  SimOptions options = draw_options(seed, arguments.members);
  for (const std::string& setting : arguments.settings) {
    const auto set = set_option(options, setting);
    if (set) continue;
    fmt::print(stderr, "ww_sim: --set {}: {}\n", setting, set.error().message());
    return std::nullopt;
  }
  return options;
}

std::string replay_command(const Arguments& arguments, std::uint64_t seed) {
  std::string command = fmt::format("ww_sim --seed {} --verbose", seed);
  if (arguments.members != 0) command += fmt::format(" --members {}", arguments.members);
  for (const std::string& setting : arguments.settings) command += " --set " + setting;
  return command;
}

std::string first_line(const SimOptions& options) { return fmt::format("git={} {}", git_hash, describe(options)); }

int run_one(const Arguments& arguments) {
  const auto options = options_for(arguments, *arguments.seed);
  if (!options) return static_cast<int>(ExitClass::usage);
  fmt::print("{}\n", first_line(*options));
  std::fflush(stdout);
  Trace trace;
  if (arguments.verbose) trace = [](std::string_view line) { fmt::print("{}\n", line); };
  const auto start = Clock::now();
  const SimResult result = run_seed(*options, trace);
  fmt::print("{}\n", describe(result));
  if (result.kind != ExitClass::ok) {
    const bool is_liveness = result.kind == ExitClass::liveness;
    fmt::print("{}: {}\n", is_liveness ? "LIVENESS" : "CORRECTNESS", result.message);
  }
  const double seconds = seconds_since(start);
  fmt::print("{:.2f} s, {:.0f} events/s\n", seconds, static_cast<double>(result.events) / seconds);
  return static_cast<int>(result.kind);
}

// Makes the failure smaller in children of its own, and prints the command of what is left.
void shrink_failure(const Arguments& arguments, const SimOptions& failing, ExitClass kind) {
  constexpr std::uint64_t runs_max = 400;
  fmt::print("shrinking seed {}, exit code {}: at most {} runs and {} s\n", failing.seed, static_cast<int>(kind),
             runs_max, arguments.shrink_s);
  std::fflush(stdout);
  const auto start = Clock::now();
  auto last_line = start;
  std::uint64_t runs = 0;
  const SimOptions smallest = shrink(failing, runs_max, [&](const SimOptions& smaller, const std::string& change) {
    const double seconds_left = static_cast<double>(arguments.shrink_s) - seconds_since(start);
    if (seconds_left < 1) return false;
    const auto timeout_s = std::min(arguments.timeout_s, static_cast<std::uint64_t>(seconds_left));
    const ChildReport report = run_child(smaller, timeout_s);
    const bool has_failed = report.kind == kind && !report.has_timed_out;
    ++runs;
    if (!has_failed && seconds_since(last_line) < 2) return false;
    last_line = Clock::now();
    fmt::print("  run {}, {:.1f} s, {}: {}\n", runs, seconds_since(start), has_failed ? "still fails" : "does not",
               change);
    std::fflush(stdout);
    return has_failed;
  });
  std::string command = fmt::format("ww_sim --seed {}", failing.seed);
  for (const std::string& setting : differences(draw_options(failing.seed), smallest)) command += " --set " + setting;
  fmt::print("shrunk: {} --verbose\n", command);
  std::fflush(stdout);
}

int run_one_and_shrink(const Arguments& arguments) {
  const auto options = options_for(arguments, *arguments.seed);
  if (!options) return static_cast<int>(ExitClass::usage);
  fmt::print("{}\n", first_line(*options));
  std::fflush(stdout);
  const ChildReport report = run_child(*options, arguments.timeout_s);
  if (report.kind == ExitClass::ok) {
    fmt::print("it does not fail\n");
  } else if (report.has_timed_out) {
    fmt::print("it takes longer than {} s\n", arguments.timeout_s);
  } else {
    shrink_failure(arguments, *options, report.kind);
  }
  return static_cast<int>(report.kind);
}

class Batch {
 public:
  explicit Batch(const Arguments& arguments) : arguments_(arguments), started_(Clock::now()) {}

  int run() {
    if (!options_for(arguments_, arguments_.start)) return static_cast<int>(ExitClass::usage);
    fmt::print("seeds={}..{} git={} jobs={}\n", arguments_.start, arguments_.start + arguments_.seeds - 1, git_hash,
               arguments_.jobs);
    std::fflush(stdout);
    std::uint64_t next = arguments_.start;
    const std::uint64_t end = arguments_.start + arguments_.seeds;
    while (next < end || !children_.empty()) {
      if (failed_ != 0 && arguments_.stop_at_failure) next = end;
      while (next < end && children_.size() < arguments_.jobs) start(next++);
      if (children_.empty()) break;
      wait_for_one();
    }
    print_progress();
    if (arguments_.shrink_s == 0) return worst_;
    for (const auto& [kind, seed] : first_failures_) shrink_failure(arguments_, *options_for(arguments_, seed), kind);
    return worst_;
  }

 private:
  void start(std::uint64_t seed) {
    const Child child = start_child(*options_for(arguments_, seed), arguments_.timeout_s, ChildOutput::kept);
    children_[child.pid] = {seed, child};
  }

  void wait_for_one() {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    const auto found = children_.find(pid);
    if (found == children_.end()) return;
    const auto [seed, child] = found->second;
    children_.erase(found);
    const ChildReport report = read_report(child, status);
    events_ += report.events;
    simulated_ms_ += report.simulated_ms;
    operations_ += report.operations;
    undecided_ += report.is_undecided ? 1 : 0;
    ++done_;
    if (report.kind != ExitClass::ok) on_failure(seed, report, status);
    if (seconds_since(last_progress_) > 5) print_progress();
  }

  void on_failure(std::uint64_t seed, const ChildReport& report, int status) {
    ++failed_;
    const int code = static_cast<int>(report.kind);
    worst_ = std::max(worst_, code);
    if (!report.has_timed_out) first_failures_.try_emplace(report.kind, seed);
    fmt::print("FAILED seed {} with exit code {}{}\n  {}\n  replay: {}\n", seed, code,
               WIFSIGNALED(status) ? fmt::format(" (signal {})", WTERMSIG(status)) : "",
               first_line(*options_for(arguments_, seed)), replay_command(arguments_, seed));
    std::fflush(stdout);
  }

  void print_progress() {
    last_progress_ = Clock::now();
    const double seconds = seconds_since(started_);
    fmt::print(
        "{} of {} seeds, {} failed, {} undecided, {} events, {} operations, {} s simulated, {:.1f} s, "
        "{:.0f} events/s\n",
        done_, arguments_.seeds, failed_, undecided_, events_, operations_, simulated_ms_ / 1000, seconds,
        static_cast<double>(events_) / seconds);
    std::fflush(stdout);
  }

  const Arguments& arguments_;
  Clock::time_point started_;
  Clock::time_point last_progress_ = Clock::now();
  std::map<pid_t, std::pair<std::uint64_t, Child>> children_;  // with their seeds
  std::map<ExitClass, std::uint64_t> first_failures_;          // which are worth shrinking
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t undecided_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t simulated_ms_ = 0;
  std::uint64_t operations_ = 0;
  int worst_ = 0;
};

}  // namespace
}  // namespace whitewater::sim

int main(int argc, char** argv) {
  using namespace whitewater::sim;
  Arguments arguments;
  CLI::App app(
      "Runs a cluster on simulated time, network and disk. Exit codes: 0 ok, 127 crash, 128 liveness, 129 "
      "correctness.");
  app.add_option("--seed", arguments.seed, "run this one in this process and print its options and result");
  app.add_option("--start", arguments.start, "first of the seeds");
  app.add_option("--seeds", arguments.seeds, "how many, each in a process of its own");
  app.add_option("--jobs", arguments.jobs, "processes at a time")->check(CLI::Range(1, 256));
  app.add_option("--members", arguments.members, "instead of drawing it")->check(CLI::Range(1, 9));
  app.add_option("--set", arguments.settings, "name=value instead of what the seed draws, any number of times");
  app.add_option("--timeout", arguments.timeout_s, "seconds of real time that one seed may take");
  app.add_flag("--shrink", arguments.shrink, "with --seed: make a failing run smaller");
  app.add_option("--shrink-seconds", arguments.shrink_s, "for the first failing seed of each exit code; 0: not at all");
  app.add_flag("--stop-at-failure", arguments.stop_at_failure, "start no more seeds after the first that fails");
  app.add_flag("--verbose", arguments.verbose, "print every event");
  CLI11_PARSE(app, argc, argv);
  if (!arguments.seed) return Batch(arguments).run();
  return arguments.shrink ? run_one_and_shrink(arguments) : run_one(arguments);
}

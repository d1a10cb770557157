// ww_sim: runs seeds of the simulator, one process each so that a broken assertion ends only its own seed, and says how
// to run a failing one again. The simulator itself is in cluster.hpp; here are the processes, the clock and the output.
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>

#include "sim/cluster.hpp"
#include "sim/git_hash.hpp"

namespace whitewater::sim {
namespace {

struct Arguments {
  std::optional<std::uint64_t> seed;
  std::uint64_t start = 1;
  std::uint64_t seeds = 1;
  std::uint64_t jobs = 1;
  std::uint64_t members = 0;
  std::uint64_t timeout_s = 120;
  std::vector<std::string> settings;
  bool verbose = false;
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

// What a child tells its parent; plain data through a pipe.
struct Report {
  ExitClass kind;
  std::uint64_t events;
  std::uint64_t simulated_ms;
  std::uint64_t operations;
  std::uint64_t is_undecided;
};

struct Child {
  std::uint64_t seed = 0;
  int report_fd = -1;
};

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
    return worst_;
  }

 private:
  void start(std::uint64_t seed) {
    int fds[2];
    if (::pipe(fds) != 0) throw std::runtime_error("pipe");
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork");
    if (pid == 0) {
      ::close(fds[0]);
      ::alarm(static_cast<unsigned>(arguments_.timeout_s));  // a seed that never ends is a crash of its own
      const SimResult result = run_seed(*options_for(arguments_, seed));
      if (result.kind != ExitClass::ok) {
        fmt::print(stderr, "seed {}: {}: {}\n", seed, result.kind == ExitClass::liveness ? "LIVENESS" : "CORRECTNESS",
                   result.message);
      }
      const Report report{result.kind, result.events, result.simulated_ms, result.operations,
                          result.is_undecided ? 1U : 0U};
      const bool is_written = ::write(fds[1], &report, sizeof report) == sizeof report;
      std::fflush(nullptr);
      ::_exit(is_written ? static_cast<int>(result.kind) : static_cast<int>(ExitClass::crash));
    }
    ::close(fds[1]);
    children_[pid] = {seed, fds[0]};
  }

  void wait_for_one() {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    const auto child = children_.find(pid);
    if (child == children_.end()) return;
    Report report{ExitClass::crash, 0, 0, 0, 0};
    const bool has_report = ::read(child->second.report_fd, &report, sizeof report) == sizeof report;
    ::close(child->second.report_fd);
    if (!has_report || !WIFEXITED(status)) report.kind = ExitClass::crash;
    events_ += report.events;
    simulated_ms_ += report.simulated_ms;
    operations_ += report.operations;
    undecided_ += report.is_undecided;
    ++done_;
    if (report.kind != ExitClass::ok) on_failure(child->second.seed, report.kind, status);
    children_.erase(child);
    if (seconds_since(last_progress_) > 5) print_progress();
  }

  void on_failure(std::uint64_t seed, ExitClass kind, int status) {
    ++failed_;
    if (worst_ == 0 || static_cast<int>(kind) > worst_) worst_ = static_cast<int>(kind);
    fmt::print("FAILED seed {} with exit code {}{}\n  {}\n  replay: {}\n", seed, static_cast<int>(kind),
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
  std::map<pid_t, Child> children_;
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
  app.add_flag("--stop-at-failure", arguments.stop_at_failure, "start no more seeds after the first that fails");
  app.add_flag("--verbose", arguments.verbose, "print every event");
  CLI11_PARSE(app, argc, argv);
  return arguments.seed ? run_one(arguments) : Batch(arguments).run();
}

#include "sim/child_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>

namespace whitewater::sim {
namespace {

void drop_output() {
  const int null = ::open("/dev/null", O_WRONLY);
  if (null < 0) return;
  ::dup2(null, STDOUT_FILENO);
  ::dup2(null, STDERR_FILENO);
}

[[noreturn]] void run_in_child(const SimOptions& options, int report_fd) {
  const SimResult result = run_seed(options);
  if (result.kind != ExitClass::ok) {
    fmt::print(stderr, "seed {}: {}: {}\n", options.seed,
               result.kind == ExitClass::liveness ? "LIVENESS" : "CORRECTNESS", result.message);
  }
  const ChildReport report{result.kind,       result.events,       result.simulated_ms,
                           result.operations, result.is_undecided, false};
  const bool is_written = ::write(report_fd, &report, sizeof report) == sizeof report;
  std::fflush(nullptr);
  ::_exit(is_written ? static_cast<int>(result.kind) : static_cast<int>(ExitClass::crash));
}

}  // namespace

Child start_child(const SimOptions& options, std::uint64_t timeout_s, ChildOutput output) {
  int fds[2];
  if (::pipe(fds) != 0) throw std::runtime_error("pipe");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    ::close(fds[0]);
    if (output == ChildOutput::dropped) drop_output();
    ::alarm(static_cast<unsigned>(timeout_s));  // a seed that never ends is a crash of its own
    run_in_child(options, fds[1]);
  }
  ::close(fds[1]);
  return {pid, fds[0]};
}

ChildReport read_report(const Child& child, int status) {
  ChildReport report;
  const bool has_report = ::read(child.report_fd, &report, sizeof report) == sizeof report;
  ::close(child.report_fd);
  if (!has_report || !WIFEXITED(status)) report.kind = ExitClass::crash;
  report.has_timed_out = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  return report;
}

ChildReport run_child(const SimOptions& options, std::uint64_t timeout_s) {
  const Child child = start_child(options, timeout_s, ChildOutput::dropped);
  int status = 0;
  if (::waitpid(child.pid, &status, 0) != child.pid) throw std::runtime_error("waitpid");
  return read_report(child, status);
}

}  // namespace whitewater::sim

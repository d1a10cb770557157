// One run of the simulator in a child process with a limit of real time: a broken assertion or an endless loop ends the
// child alone. Part of ww_sim, not of the simulator.
#pragma once

#include <sys/types.h>

#include "sim/cluster.hpp"

namespace whitewater::sim {

struct Child {
  pid_t pid = 0;
  int report_fd = -1;
};

// What a child tells its parent; plain data through a pipe. A child that ends without it has crashed.
struct ChildReport {
  ExitClass kind = ExitClass::crash;
  std::uint64_t events = 0;
  std::uint64_t simulated_ms = 0;
  std::uint64_t operations = 0;
  bool is_undecided = false;
  bool has_timed_out = false;
};

enum class ChildOutput : std::uint8_t { kept, dropped };

// Throws std::runtime_error when the system has no pipe or process left.
[[nodiscard]] Child start_child(const SimOptions& options, std::uint64_t timeout_s, ChildOutput output);
// Once, after waitpid has given `status`.
[[nodiscard]] ChildReport read_report(const Child& child, int status);
// Both, in silence.
[[nodiscard]] ChildReport run_child(const SimOptions& options, std::uint64_t timeout_s);

}  // namespace whitewater::sim

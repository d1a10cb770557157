// Can this process run Asio on io_uring? Asked once, by the launcher, before any reactor exists: it sets up a ring as
// Asio does, asks the kernel for the operations that Asio's sockets and timers need, runs one of them, and closes the
// ring. A refusal carries its cause, told apart by the errno, the sysctl and the process's seccomp mode, and a sentence
// for the log line. No Asio, no liburing functions. Does not choose the log's write strategy (that is log's own probe).
#pragma once

#include <string>
#include <string_view>

namespace whitewater::net {

enum class UringCause {
  ok,
  seccomp,  // EPERM or ENOSYS from a seccomp filter: the default profiles of containerd >= 2.0 and Docker >= 25
  sysctl,   // kernel.io_uring_disabled is 1 or 2
  kernel,   // no io_uring in this kernel, or too old
  opcode,   // io_uring is there, an operation that Asio needs is not
  memlock,  // RLIMIT_MEMLOCK, which all processes of a user share, has no room for the ring
  other,    // any other errno
};

// "ok", "seccomp", ...: the reason label of the metric.
[[nodiscard]] std::string_view to_string(UringCause cause);

struct UringProbe {
  UringCause cause = UringCause::ok;
  std::string text;  // one sentence for the log line: what is refused, by what, and the next step
  [[nodiscard]] bool ok() const { return cause == UringCause::ok; }
};

[[nodiscard]] UringProbe probe_uring();

// What a failed io_uring_setup means. `sysctl_value` is the content of /proc/sys/kernel/io_uring_disabled ("" when it
// does not exist), `seccomp_mode` the Seccomp field of /proc/self/status (0 none, 1 strict, 2 filter).
[[nodiscard]] UringProbe classify_uring_setup_error(int error_number, std::string_view sysctl_value, int seccomp_mode);

}  // namespace whitewater::net

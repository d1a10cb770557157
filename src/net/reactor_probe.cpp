#include "net/reactor_probe.hpp"

#include <linux/time_types.h>
// After the types that it uses.
#include <liburing/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace whitewater::net {
namespace {

// Asio's own ring size, so that a memlock limit that would refuse Asio refuses the probe.
constexpr unsigned asio_ring_entries = 16384;
constexpr unsigned probe_ops_max = 256;

constexpr std::array<unsigned, 8> needed_opcodes = {
    IORING_OP_NOP,     IORING_OP_SENDMSG,      IORING_OP_RECVMSG, IORING_OP_ACCEPT,
    IORING_OP_CONNECT, IORING_OP_ASYNC_CANCEL, IORING_OP_TIMEOUT, IORING_OP_POLL_ADD,
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string read_first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int read_seccomp_mode() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("Seccomp:")) continue;
    const auto digit = line.find_first_of("0123456789");
    return digit == std::string::npos ? 0 : line[digit] - '0';
  }
  return 0;
}

UringProbe refused(UringCause cause, std::string text) { return {.cause = cause, .text = std::move(text)}; }

// The kernel answers what it knows; an opcode that it does not know would fail only at run time.
UringProbe check_opcodes(int ring, std::string_view sysctl_value, int seccomp_mode) {
  std::vector<char> memory(sizeof(io_uring_probe) + probe_ops_max * sizeof(io_uring_probe_op));
  auto* probe = reinterpret_cast<io_uring_probe*>(memory.data());
  if (::syscall(__NR_io_uring_register, ring, IORING_REGISTER_PROBE, probe, probe_ops_max) < 0) {
    // A filter may let io_uring_setup pass and refuse this.
    if (errno != EINVAL) return classify_uring_setup_error(errno, sysctl_value, seccomp_mode);
    return refused(UringCause::kernel,
                   "the kernel's io_uring cannot be asked for its operations (before 5.6): using epoll; "
                   "a newer kernel enables io_uring");
  }
  for (const auto opcode : needed_opcodes) {
    const bool is_known = opcode <= probe->last_op && (probe->ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
    if (is_known) continue;
    return refused(UringCause::opcode, "the kernel's io_uring lacks operation " + std::to_string(opcode) +
                                           " that the reactor needs: using epoll; a newer kernel enables io_uring");
  }
  return {};
}

// Or refuse this.
UringProbe check_enter(int ring, std::string_view sysctl_value, int seccomp_mode) {
  if (::syscall(__NR_io_uring_enter, ring, 0U, 0U, 0U, nullptr, 0UL) < 0) {
    return classify_uring_setup_error(errno, sysctl_value, seccomp_mode);
  }
  return {};
}

}  // namespace

std::string_view to_string(UringCause cause) {
  switch (cause) {
    case UringCause::ok:
      return "ok";
    case UringCause::seccomp:
      return "seccomp";
    case UringCause::sysctl:
      return "sysctl";
    case UringCause::kernel:
      return "kernel";
    case UringCause::opcode:
      return "opcode";
    case UringCause::memlock:
      return "memlock";
    case UringCause::other:
      return "other";
  }
  return "other";
}

UringProbe classify_uring_setup_error(int error_number, std::string_view sysctl_value, int seccomp_mode) {
  const bool is_filtered = seccomp_mode != 0;
  const bool is_disabled = sysctl_value.starts_with('1') || sysctl_value.starts_with('2');
  const std::string error_text = std::strerror(error_number);
  if (error_number == ENOMEM) {
    return refused(
        UringCause::memlock,
        "io_uring was refused with ENOMEM, RLIMIT_MEMLOCK is too small for the ring: using epoll; raise it; all "
        "processes of this user on the machine share it");
  }
  if (error_number == EPERM || error_number == EACCES) {
    if (is_disabled) {
      return refused(UringCause::sysctl, "io_uring is disabled by the sysctl kernel.io_uring_disabled = " +
                                             std::string(sysctl_value.substr(0, 1)) +
                                             ": using epoll; set it to 0 on the node to enable io_uring");
    }
    return refused(
        UringCause::seccomp,
        "io_uring was refused with EPERM by a seccomp profile or another security module: using epoll; allow "
        "io_uring_setup, io_uring_enter and io_uring_register in the pod's seccomp profile to enable io_uring");
  }
  if (error_number == ENOSYS) {
    // Some runtimes answer a filtered call with ENOSYS. A kernel that has the sysctl has io_uring.
    if (is_filtered && !sysctl_value.empty()) {
      return refused(
          UringCause::seccomp,
          "io_uring was refused with ENOSYS although the kernel has it, so by a seccomp profile: using epoll; allow "
          "io_uring_setup, io_uring_enter and io_uring_register there to enable io_uring");
    }
    return refused(UringCause::kernel,
                   std::string("io_uring was refused with ENOSYS, the kernel is too old or built without it") +
                       (is_filtered ? ", or a seccomp profile hides it" : "") + ": using epoll");
  }
  return refused(UringCause::other, "io_uring was refused (" + error_text + "): using epoll");
}

UringProbe probe_uring() {
  const auto sysctl_value = read_first_line("/proc/sys/kernel/io_uring_disabled");
  const auto seccomp_mode = read_seccomp_mode();
  io_uring_params params{};
  const Descriptor ring(static_cast<int>(::syscall(__NR_io_uring_setup, asio_ring_entries, &params)));
  if (ring.get() < 0) return classify_uring_setup_error(errno, sysctl_value, seccomp_mode);
  if (auto opcodes = check_opcodes(ring.get(), sysctl_value, seccomp_mode); !opcodes.ok()) return opcodes;
  if (auto enter = check_enter(ring.get(), sysctl_value, seccomp_mode); !enter.ok()) return enter;
  return {.cause = UringCause::ok, .text = "io_uring is available"};
}

}  // namespace whitewater::net

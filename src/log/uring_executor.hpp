// The `uring` strategy: a ring of the log's own, with registered files and buffers where memory limits allow, and
// RWF_DSYNC on every write. Submitted to and reaped from one thread, the one that makes it.
#pragma once

#include <memory>

#include "log/executor.hpp"

namespace whitewater::log {

// An errno where the kernel refuses: EPERM (seccomp or sysctl), ENOSYS (kernel), ENOMEM (memory lock limit).
[[nodiscard]] base::Result<std::unique_ptr<LogExecutor>> make_uring_executor(const ExecutorSetup& setup);

// What to look at, for the reason that is exported.
[[nodiscard]] std::string describe_uring_refusal(int error);

}  // namespace whitewater::log

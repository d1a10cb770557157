// The choice of the reactor, made before any reactor exists: the executable for io_uring probes it and becomes
// `whitewater-epoll`, the same program on epoll, when io_uring is refused or the operator says so. The reason travels
// in an environment variable, so that the log, the metrics and the member table can name it.
#pragma once

#include <string>

#include "base/log_line.hpp"
#include "server/options.hpp"

namespace whitewater::server {

// Returns in the executable that is to serve; the text says why it is this one. Does not return when it becomes the
// other one. Throws FatalError(failure) when `uring` was demanded and is refused, or the other executable is missing.
std::string choose_reactor(const Options& options, char** argv);

}  // namespace whitewater::server

// The choice of the reactor, made before any reactor exists: the executable for io_uring probes it and becomes
// `whitewater-epoll`, the same program on epoll, when io_uring is refused or the operator says so. The reason travels
// in an environment variable, so that the log, the metrics and the member table can name it.
#pragma once

#include <memory>
#include <string>

#include "base/log_line.hpp"
#include "net/reactor.hpp"
#include "server/options.hpp"

namespace whitewater::server {

struct Reactor {
  std::unique_ptr<net::IoContext> context;
  std::string reason;  // why it is this one
};

// Returns in the executable that is to serve, with its reactor made: the probe's small ring may be allowed where the
// reactor's own is not, because rings count against the locked memory that all processes of one user share. Does not
// return when it becomes the other executable. Throws FatalError(failure) when `uring` was demanded and is refused, or
// the other executable is missing.
[[nodiscard]] Reactor choose_reactor(const Options& options, char** argv);

}  // namespace whitewater::server

#include "server/launcher.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/error.hpp"
#include "net/reactor.hpp"
#include "net/reactor_probe.hpp"

namespace whitewater::server {
namespace {

// Set only between the two executables; no option's prefix, so that nobody takes it for one.
constexpr const char* reason_variable = "_WHITEWATER_REACTOR_REASON";
constexpr const char* epoll_executable = "whitewater-epoll";

std::string own_directory() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (size <= 0) return ".";
  const std::string text(path, static_cast<std::size_t>(size));
  return text.substr(0, text.find_last_of('/'));
}

[[noreturn]] void become_epoll(char** argv, const std::string& reason) {
  const std::string executable = own_directory() + "/" + epoll_executable;
  ::setenv(reason_variable, reason.c_str(), 1);
  ::execv(executable.c_str(), argv);
  throw base::FatalError(base::ExitCode::failure, "io_uring cannot be used (" + reason + ") and " + executable +
                                                      " cannot be run: " + std::strerror(errno) +
                                                      "; install it beside this executable");
}

// Asio makes its ring with the first object that needs it.
std::string refusal_of_ring(net::IoContext& context) {
  try {
    const net::Timer first(context.get_executor());
    return {};
  } catch (const boost::system::system_error& error) {
    const bool is_memory = error.code() == boost::system::errc::not_enough_memory;
    return std::string("the ring of the event loop cannot be made: ") + error.code().message() +
           (is_memory ? " (the locked memory, ulimit -l, that all processes of this user on the machine share)" : "");
  }
}

}  // namespace

Reactor choose_reactor(const Options& options, char** argv) {
  if (net::reactor_name() == "epoll") {
    const char* reason = std::getenv(reason_variable);
    if (reason == nullptr && options.reactor == ReactorChoice::uring) {
      throw base::FatalError(base::ExitCode::failure,
                             "this executable is built for epoll; run `whitewater` for --reactor uring");
    }
    return {std::make_unique<net::IoContext>(1), reason != nullptr ? reason : "this executable is built for epoll"};
  }
  if (options.reactor == ReactorChoice::epoll) become_epoll(argv, "--reactor epoll");
  const net::UringProbe probe = net::probe_uring();
  std::string refusal = probe.ok() ? "" : probe.text;
  Reactor reactor{std::make_unique<net::IoContext>(1),
                  options.reactor == ReactorChoice::uring ? "--reactor uring" : "the start-up probe succeeded"};
  if (refusal.empty()) refusal = refusal_of_ring(*reactor.context);
  if (refusal.empty()) return reactor;
  if (options.reactor == ReactorChoice::uring) {
    throw base::FatalError(base::ExitCode::failure, "--reactor uring, but " + refusal);
  }
  become_epoll(argv, refusal);
}

}  // namespace whitewater::server

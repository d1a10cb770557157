// The command line of whitewater-load.
#pragma once

#include <atomic>
#include <iosfwd>
#include <string>
#include <vector>

namespace whitewater::bench {

// Exit codes besides 0. Of put: 1 when nothing was acknowledged or the load could not run. Of check: 1 when
// acknowledged writes are lost.
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_cannot_read = 3;

// `arguments` without the program's name. `is_stopped` ends a load early, with its result.
[[nodiscard]] int run_cli(std::vector<std::string> arguments, std::ostream& out, std::ostream& err,
                          const std::atomic<bool>& is_stopped);

}  // namespace whitewater::bench

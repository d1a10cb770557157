// What a client command leaves behind: text on stdout, one line on stderr, an exit code. Used on the calling thread.
#pragma once

#include <string>

#include "server/cli.hpp"

namespace whitewater::server {

[[nodiscard]] inline int exit_code(CliExit exit) { return static_cast<int>(exit); }
// To stdout, whole. False when it could not be written; a closed pipe is not a failure worth a message.
[[nodiscard]] bool print(const std::string& text);
// One line to stderr; returns the exit code.
int complain(CliExit exit, const std::string& text);

}  // namespace whitewater::server

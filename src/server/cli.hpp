// The client commands of the `whitewater` executable: put, get, del, members, status, doctor, config, version and
// --help. main() calls run_client_command first and starts a member only when it answers nullopt. Runs on the calling
// thread with blocking sockets; starts no reactor, so that it works where io_uring is refused.
#pragma once

#include <optional>

namespace whitewater::server {

// Exit codes of the client commands, part of the command line's contract (docs/cli.md).
enum class CliExit : int {
  ok = 0,
  not_found = 1,        // get or del of a key that does not exist, get --expect of another value; doctor: a problem
  usage = 2,            // bad flags or arguments; nothing was sent
  unreachable = 3,      // no endpoint could be connected to, or a read found none that answers
  refused = 4,          // the server answered with an error; nothing was changed
  outcome_unknown = 5,  // a write was sent and no clear answer came: it may or may not have been applied
  failure = 6,          // anything else: an answer that makes no sense, standard input or output failed
};

// The exit code of the process, or nullopt when the subcommand is `serve` (its --help is answered here).
[[nodiscard]] std::optional<int> run_client_command(int argc, char** argv);

}  // namespace whitewater::server

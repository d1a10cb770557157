// The client commands that change or explain the membership: member, membership, scale, drain. Blocking; the calling
// thread. The rules are the cluster's own: these commands ask and report.
#pragma once

#include "server/cli_arguments.hpp"

namespace whitewater::server {

[[nodiscard]] bool is_membership_verb(CliVerb verb);
// The exit code (CliExit).
[[nodiscard]] int run_membership_command(CliCommand command);

}  // namespace whitewater::server

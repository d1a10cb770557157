// `whitewater doctor`: asks each endpoint's member how it is, and prints findings with next steps; says what to look at
// where nobody answers. Blocking; the calling thread. Judges nothing: the members do (api/doctor.hpp).
#pragma once

#include "server/cli_arguments.hpp"

namespace whitewater::server {

// 0: no problem. 1: a problem. 3: an endpoint did not answer. Others as CliExit.
[[nodiscard]] int run_doctor_command(const CliCommand& command);

}  // namespace whitewater::server

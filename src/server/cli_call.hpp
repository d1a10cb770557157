// One request of a client command, to the endpoints in order for as long as that is safe. Blocking; the calling thread.
#pragma once

#include <string>

#include "server/cli.hpp"
#include "server/cli_http.hpp"
#include "server/cli_protocol.hpp"

namespace whitewater::server {

struct CallOutcome {
  CliExit exit = CliExit::ok;
  std::string body;     // when ok
  std::string problem;  // one line otherwise
};

// A read may always go to the next endpoint, a write only where the last one certainly did nothing with it.
[[nodiscard]] CallOutcome call_endpoints(const CliCommand& command, const CliRequest& request,
                                         CliClock::time_point deadline);

}  // namespace whitewater::server

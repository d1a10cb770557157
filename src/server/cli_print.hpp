// How the client commands show what the server answered: plain lines as etcdctl prints them, or aligned tables. Pure;
// the JSON form is the server's own body and needs no printer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli_protocol.hpp"

namespace whitewater::server {

// Columns as wide as their widest cell, two blanks between them; control characters are shown as \xNN. Widths count
// code points, which is right for everything but wide scripts.
[[nodiscard]] std::string format_table(const std::vector<std::string>& header,
                                       const std::vector<std::vector<std::string>>& rows);

// A key line and a value line for each pair, raw bytes; what is left out follows from the command.
[[nodiscard]] std::string format_range(const CliCommand& command, const CliRange& range);
[[nodiscard]] std::string format_members(CliOutput output, const std::vector<CliMember>& members);

struct EndpointStatus {
  std::string endpoint;
  std::optional<CliStatus> status;
  std::string problem;  // why there is none
};
[[nodiscard]] std::string format_statuses(CliOutput output, const std::vector<EndpointStatus>& statuses);

}  // namespace whitewater::server

// `whitewater discover`: what each way of finding peers sees now, and an init container's job done right. Runs on a
// reactor of its own, without a member; main() calls it first. docs/cli.md holds its contract.
#pragma once

#include <optional>
#include <string>

namespace whitewater::server {

// The exit code of the process, or nullopt when the subcommand is another one. May become the executable for epoll.
[[nodiscard]] std::optional<int> run_discover_command(int argc, char** argv);

// Writes `text` under `path` so that a reader sees the old file or the whole new one: a temporary file in the same
// folder, fsync, rename, fsync of the folder. Empty, or what went wrong; then the old file is untouched.
[[nodiscard]] std::string write_whole_file(const std::string& path, const std::string& text);

}  // namespace whitewater::server

// From the process to Options and back to the user: gathers arguments, environment, host name and file for
// load_options, and prints what `whitewater config` shows. Runs once at start, before the reactor exists. Holds no rule
// about an option.
#pragma once

#include <string>
#include <vector>

#include "server/options.hpp"

namespace whitewater::server {

// `arguments` are those after the subcommand.
[[nodiscard]] OptionInputs gather_option_inputs(std::vector<std::string> arguments);

// load_options(gather_option_inputs(argv after "serve")).
[[nodiscard]] LoadedOptions load_process_options(int argc, char** argv);

// Every option with its effective value and where it came from: aligned text, or a JSON object of {value, source} by
// name. The bootstrap token is shown as set or not set, never its text.
[[nodiscard]] std::string config_as_text(const LoadedOptions& loaded);
[[nodiscard]] std::string config_as_json(const LoadedOptions& loaded);

// `whitewater config [--output text|json] [options of serve]`: prints, returns the exit code.
int run_config_command(std::vector<std::string> arguments);

}  // namespace whitewater::server

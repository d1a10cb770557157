// The second half of loading options: defaults that depend on other options or on the machine, and the rules that span
// several options. Called by load_options once every single value is in range; pure.
#pragma once

#include "server/options.hpp"

namespace whitewater::server {

// Fills name, listen, bootstrap_expect and log_format where nobody gave them, and marks them as derived.
void derive_defaults(const OptionInputs& inputs, LoadedOptions& loaded);

// Appends one sentence to `loaded.errors` for each broken rule, and to `loaded.warnings` for each doubtful choice.
void check_options(LoadedOptions& loaded);

// The method that `discovery = auto` stands for; `automatic` when nothing says how to find peers.
[[nodiscard]] DiscoveryMethod effective_discovery(const Options& options);
// What `options` hold enough for, in the order in which auto chooses.
[[nodiscard]] std::vector<DiscoveryMethod> usable_methods(const Options& options);
// Why effective_discovery is what it is, and which usable methods it passes over: "PEERS_FILE is set; not used: dns
// (--discovery dns takes it)".
[[nodiscard]] std::string reason_of_method(const Options& options);

}  // namespace whitewater::server

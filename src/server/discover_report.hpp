// `whitewater discover` without its I/O: the command line taken apart, and what is printed. Pure; discover.cpp asks the
// sources and writes the file.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "discovery/candidate.hpp"
#include "server/cli_arguments.hpp"
#include "server/options.hpp"

namespace whitewater::server {

struct DiscoverCommand {
  std::optional<DiscoveryMethod> method;  // --method; nothing: what the environment says
  std::optional<std::uint64_t> min;       // --min
  std::optional<std::chrono::milliseconds> timeout;
  std::string output;                  // --output; empty: print only
  std::vector<std::string> arguments;  // the options of serve

  // Peers that must be found before the command succeeds, and the longest time to wait for them. Without --min,
  // --timeout and --output each method is asked once.
  [[nodiscard]] std::uint64_t wanted() const { return min.value_or(1); }
  [[nodiscard]] bool is_waiting() const { return min || timeout || !output.empty(); }
  [[nodiscard]] std::chrono::milliseconds longest_wait() const;
};
// `arguments` without the program's name and "discover".
[[nodiscard]] std::variant<DiscoverCommand, CliText> parse_discover(const std::vector<std::string>& arguments);
[[nodiscard]] std::string discover_help();

// What one method saw.
struct DiscoverView {
  DiscoveryMethod method = DiscoveryMethod::automatic;
  bool is_chosen = false;  // the one that a member would use
  std::string reason;      // why it is chosen, or not
  std::string place;       // where it looked
  discovery::PeerSet set;
  boost::system::error_code error;  // of the newest attempt when nothing is known
  std::vector<std::string> notes;   // what the source reported while it looked
};

// Peers that an answer named and that are not about to end: what counts for --min and is written.
[[nodiscard]] std::vector<discovery::Candidate> counted_peers(const discovery::PeerSet& set);
[[nodiscard]] std::string format_view(const DiscoverView& view);
// What to do about a method that sees nobody; empty when there is nothing to say.
[[nodiscard]] std::string next_step(DiscoveryMethod method, boost::system::error_code error);
// "sees 2 of 3 peers: whitewater-0, whitewater-1; <problem>": one line while waiting.
[[nodiscard]] std::string format_progress(const DiscoverView& view, std::uint64_t wanted);

}  // namespace whitewater::server

#include "server/discover_report.hpp"

#include <algorithm>

#include "server/cli_print.hpp"
#include "server/options_enum.hpp"

namespace whitewater::server {
namespace {

constexpr std::chrono::milliseconds timeout_default{60'000};
constexpr std::uint64_t timeout_ms_max = 3'600'000;

CliText wrong(const std::string& problem) {
  return {true, "whitewater discover: " + problem + "\nTry: whitewater discover --help\n"};
}

// Takes "--name value" or "--name=value" out of the line. `problem` is set when the value is missing.
std::optional<std::string> take_flag(std::vector<std::string>& arguments, const std::string& name,
                                     std::string& problem) {
  std::optional<std::string> value;
  for (auto argument = arguments.begin(); argument != arguments.end();) {
    if (argument->starts_with(name + "=")) {
      value = argument->substr(name.size() + 1);
      argument = arguments.erase(argument);
    } else if (*argument == name) {
      argument = arguments.erase(argument);
      if (argument == arguments.end()) {
        problem = name + ": needs a value";
        return std::nullopt;
      }
      value = std::move(*argument);
      argument = arguments.erase(argument);
    } else {
      ++argument;
    }
  }
  if (value && value->empty()) problem = name + ": needs a value";
  return value;
}

}  // namespace

std::chrono::milliseconds DiscoverCommand::longest_wait() const {
  if (!is_waiting()) return std::chrono::milliseconds(0);
  return timeout.value_or(timeout_default);
}

std::variant<DiscoverCommand, CliText> parse_discover(const std::vector<std::string>& arguments) {
  DiscoverCommand command;
  command.arguments = arguments;
  for (const auto& argument : arguments) {
    if (argument == "--help" || argument == "-h") return CliText{false, discover_help()};
  }
  std::string problem;
  const auto method = take_flag(command.arguments, "--method", problem);
  const auto min = take_flag(command.arguments, "--min", problem);
  const auto timeout = take_flag(command.arguments, "--timeout", problem);
  command.output = take_flag(command.arguments, "--output", problem).value_or("");
  if (!problem.empty()) return wrong(problem);
  if (method) {
    command.method = choice_of<DiscoveryMethod>(*method);
    if (!command.method) return wrong("--method: \"" + *method + "\" is not auto|static|file|kubernetes|dns");
    if (*command.method == DiscoveryMethod::automatic) command.method.reset();
  }
  if (min) {
    command.min = parse_count(*min);
    if (!command.min || *command.min == 0 || *command.min > discovery::candidates_max) {
      return wrong("--min: \"" + *min + "\" is not a number from 1 to 256");
    }
  }
  if (timeout) {
    const auto ms = parse_milliseconds(*timeout);
    if (!ms || *ms == 0 || *ms > timeout_ms_max) {
      return wrong("--timeout: \"" + *timeout + "\" is not a time from 1ms to 1h, such as 500ms or 60s");
    }
    command.timeout = std::chrono::milliseconds(*ms);
  }
  return command;
}

std::vector<discovery::Candidate> counted_peers(const discovery::PeerSet& set) {
  std::vector<discovery::Candidate> peers;
  std::copy_if(set.peers.begin(), set.peers.end(), std::back_inserter(peers),
               [](const discovery::Candidate& peer) { return !peer.is_guess && !peer.is_terminating; });
  return peers;
}

std::string next_step(DiscoveryMethod method, boost::system::error_code error) {
  switch (method) {
    case DiscoveryMethod::dns:
      if (error == base::Errc::not_found) {
        return "does the headless service exist, is its port named so, and do its labels select these pods? `kubectl "
               "get "
               "endpoints SERVICE` shows it. A record appears about a second after its pod runs; a name that was asked "
               "before may be denied for 30 s more";
      }
      if (error == base::Errc::timed_out || error == base::Errc::connection_lost) {
        return "is the DNS server of /etc/resolv.conf (or --dns-servers) reachable from here? A network policy must "
               "allow "
               "port 53, UDP and TCP";
      }
      return "check SERVICE_NAME, SERVICE_PORT_NAME and NAMESPACE";
    case DiscoveryMethod::kubernetes:
      return "may this service account list pods? `kubectl auth can-i list pods "
             "--as=system:serviceaccount:NAMESPACE:NAME`; "
             "do pods carry the labels? `kubectl get pods -l SELECTOR`";
    case DiscoveryMethod::file:
      return "who writes the file? `kubectl logs POD -c CONTAINER` shows what an init container saw; `whitewater "
             "discover "
             "--method dns --output FILE` does its job and never writes an empty list";
    case DiscoveryMethod::static_list:
    case DiscoveryMethod::automatic:
      break;
  }
  return {};
}

std::string format_view(const DiscoverView& view) {
  std::string text(choice_name(view.method));
  text.append(view.is_chosen ? " (what a member uses: " : " (").append(view.reason).append(")\n");
  text.append("  looks in: ").append(view.place).append("\n");
  const auto& set = view.set;
  const auto found = counted_peers(set).size();
  text.append("  sees: ").append(std::to_string(found)).append(found == 1 ? " peer" : " peers");
  text.append(set.is_stale && set.is_known ? ", partly or all from an older answer\n" : "\n");
  if (!set.peers.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& peer : set.peers) {
      std::string addresses;
      for (const auto& address : peer.addresses) addresses.append(addresses.empty() ? "" : ",").append(address);
      rows.push_back({peer.name, peer.ordinal ? std::to_string(*peer.ordinal) : "-", describe(peer.address),
                      addresses.empty() ? "-" : addresses,
                      peer.is_guess         ? "guessed from the own name"
                      : peer.is_terminating ? "is being deleted"
                                            : ""});
    }
    std::string table = format_table({"NAME", "ORDINAL", "HOST:PORT", "ADDRESSES", "NOTE"}, rows);
    for (std::size_t at = 0; at < table.size();) {
      const auto end = table.find('\n', at);
      text.append("    ").append(table, at, end - at + 1);
      at = end + 1;
    }
  }
  if (set.expect != 0) text.append("  states: ").append(std::to_string(set.expect)).append(" founders\n");
  for (const auto& note : view.notes) text.append("  note: ").append(note).append("\n");
  if (!set.last_error.empty()) text.append("  problem: ").append(set.last_error).append("\n");
  if (found == 0) {
    const auto step = next_step(view.method, view.error);
    if (!step.empty()) text.append("  next: ").append(step).append("\n");
  }
  return text;
}

std::string format_progress(const DiscoverView& view, std::uint64_t wanted) {
  const auto peers = counted_peers(view.set);
  std::string text(choice_name(view.method));
  text.append(" sees ").append(std::to_string(peers.size())).append(" of ").append(std::to_string(wanted));
  text.append(" peers");
  for (std::size_t i = 0; i < peers.size(); ++i) text.append(i == 0 ? ": " : ", ").append(peers[i].name);
  if (!view.set.last_error.empty()) text.append("; ").append(view.set.last_error);
  return text;
}

std::string discover_help() {
  return R"(Usage: whitewater discover [--method METHOD] [--min N] [--timeout TIME] [--output FILE] [options of serve]

Shows which peers each way of finding them sees now: every one for which the environment holds enough, or the one of
--method. Needs no running member. With --min, --timeout or --output it waits.

  --method METHOD   dns, kubernetes, file or static (default: what a member would use is waited for, all are shown)
  --min N           wait until that many peers are seen (default 1)
  --timeout TIME    longest wait (default 60s)
  --output FILE     write {"peers":["host:port",...]} for PEERS_FILE: at once and whole, never fewer than --min peers

Examples
  whitewater discover
  whitewater discover --method dns --min 3 --timeout 2m --output /config/peers.json        (an init container)

Exit codes
  0 done    1 fewer than --min peers were seen, and no file was written    2 wrong usage
  6 the file cannot be written, or the event loop cannot be started
)";
}

}  // namespace whitewater::server

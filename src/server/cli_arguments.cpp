#include "server/cli_arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace whitewater::server {
namespace {

constexpr std::string_view timeout_default = "10s";
constexpr std::uint64_t timeout_ms_max = 3'600'000;
constexpr std::uint64_t members_max = 64;
constexpr std::string_view whole_store = std::string_view("\0", 1);

std::string try_help(const std::string& problem, const std::string& command) {
  return "whitewater: " + problem + "\nTry: whitewater " + command + (command.empty() ? "" : " ") + "--help\n";
}

// What CLI11 fills; turned into a CliCommand once the line as a whole is known to be well-formed.
struct RawLine {
  std::vector<std::string> endpoints;
  std::string output;
  std::string timeout{timeout_default};
  std::string revision = "0";
  std::string limit = "0";
  std::string scale_to;
  std::string members_wanted;
  std::optional<std::string> key;
  CliCommand command;
};

struct Verbs {
  CLI::App* put;
  CLI::App* get;
  CLI::App* del;
  CLI::App* members;
  CLI::App* member;
  CLI::App* member_add;
  CLI::App* member_remove;
  CLI::App* member_promote;
  CLI::App* membership;
  CLI::App* scale;
  CLI::App* drain;
  CLI::App* status;
  CLI::App* doctor;
  CLI::App* version;
};

void add_common_flags(CLI::App& app, RawLine& raw) {
  app.add_option("--endpoints", raw.endpoints, "host:port list of members to talk to (env: WHITEWATER_ENDPOINTS)")
      ->allow_extra_args(false)
      ->type_name("HOST:PORT,...");
  app.add_option("--output", raw.output, "simple, table or json (env: WHITEWATER_OUTPUT)")->type_name("FORM");
  app.add_option("--timeout", raw.timeout, "longest time for the whole command")
      ->capture_default_str()
      ->type_name("TIME");
}

Verbs add_verbs(CLI::App& app, RawLine& raw) {
  Verbs verbs{};
  CliCommand& command = raw.command;
  const auto verb = [&](const char* name, const char* text, const char* examples) {
    CLI::App* sub = app.add_subcommand(name, text);
    sub->footer(examples);
    add_common_flags(*sub, raw);
    return sub;
  };
  verbs.put = verb("put", "Writes a value under a key. VALUE \"-\" reads it from standard input.",
                   "Examples:\n  whitewater put greeting hello\n  whitewater put config - <config.json\n"
                   "  whitewater put delta -- -5        (a value that starts with a dash)\n"
                   "Exit code 5 means: sent, no clear answer; read the key to see whether it was applied.");
  verbs.put->add_option("KEY", raw.key, "key to write")->required();
  verbs.put->add_option("VALUE", command.value, "value, or - for standard input")->required();

  verbs.get =
      verb("get", "Reads a key, or all keys that start with a prefix: a line with the key, a line with the value.",
           "Examples:\n  whitewater get greeting\n  whitewater get --prefix /users/ --limit 10\n"
           "  whitewater get --prefix '' --count-only       (how many keys there are)\n"
           "  whitewater get greeting --rev 7 --output json\n"
           "  whitewater get greeting --expect hello        (for scripts)\n"
           "Exit code 1: no such key, or another value than --expect.");
  verbs.get->add_option("KEY", raw.key, "key, or the prefix with --prefix")->required();
  verbs.get->add_flag("--prefix", command.prefix, "every key that starts with KEY");
  verbs.get->add_option("--rev", raw.revision, "as of this revision; 0: now")->type_name("N");
  verbs.get->add_option("--limit", raw.limit, "at most this many keys; 0: all")->type_name("N");
  verbs.get->add_flag("--keys-only", command.keys_only, "keys without values");
  verbs.get->add_flag("--value-only", command.values_only, "values without keys");
  verbs.get->add_flag("--count-only", command.count_only, "only the number of keys");
  verbs.get->add_option("--expect", command.value_expected, "exit code 1 unless the key holds exactly this value")
      ->type_name("VALUE");
  verbs.get->add_flag("--serializable", command.serializable,
                      "the member's own state: works without a leader, may be old");

  verbs.del =
      verb("del", "Deletes a key, or all keys that start with a prefix; prints how many were deleted.",
           "Examples:\n  whitewater del greeting\n  whitewater del --prefix /users/\nExit code 1: nothing to delete.");
  verbs.del->add_option("KEY", raw.key, "key, or the prefix with --prefix")->required();
  verbs.del->add_flag("--prefix", command.prefix, "every key that starts with KEY");

  verbs.members = verb("members", "Shows the members of the cluster, as the first endpoint that answers sees them.",
                       "Examples:\n  whitewater members\n  whitewater members --output json");
  verbs.member = app.add_subcommand("member", "Changes who is a member.");
  verbs.member->require_subcommand(1);
  const auto change = [&](const char* name, const char* text, const char* what, const char* examples) {
    CLI::App* sub = verbs.member->add_subcommand(name, text);
    sub->footer(examples);
    add_common_flags(*sub, raw);
    sub->add_option(what, command.member)->required();
    return sub;
  };
  verbs.member_add = change(
      "add", "Asks the process at an address to join. It is a learner until it has caught up, then it votes.",
      "ADDRESS",
      "Members that find each other by discovery join without this.\nExample:\n  whitewater member add 10.0.0.9:8090");
  verbs.member_remove = change("remove", "Removes a member, by name or id. Its process ends.", "MEMBER",
                               "Refused when the members that answer would be no majority afterwards.\n"
                               "Examples:\n  whitewater member remove whitewater-4\n"
                               "  whitewater member remove 8f3a00c1d2e4b596");
  verbs.member_promote = change("promote", "Gives a learner a vote now, by name or id.", "MEMBER",
                                "Learners that keep up get theirs by themselves.\n"
                                "Example:\n  whitewater member promote whitewater-3");
  verbs.membership = app.add_subcommand("membership", "What changed in the membership.");
  verbs.membership->require_subcommand(1);
  CLI::App* history = verbs.membership->add_subcommand(
      "history",
      "Who joined, was promoted, demoted or removed, when and why, as the first endpoint that answers saw it.");
  add_common_flags(*history, raw);
  verbs.scale = verb("scale", "Takes members out, highest ordinal first, one at a time, before their pods are removed.",
                     "Examples:\n  whitewater scale --to 3 && kubectl scale statefulset whitewater --replicas=3\n"
                     "To grow, start more members: they join by themselves. --timeout is for each step.");
  verbs.scale->add_option("--to", raw.scale_to, "members that stay: the ordinals 0 to N-1")->type_name("N")->required();
  verbs.drain = verb("drain", "Prepares the member for its stop: not ready any more, leadership handed over.",
                     "For a preStop hook; a restart ends it.\nExample:\n  whitewater drain --timeout 30s");
  verbs.status = verb("status", "Asks every endpoint for its own state.",
                      "Examples:\n  whitewater status --endpoints 10.0.0.1:8090,10.0.0.2:8090\n"
                      "Exit code 3: an endpoint did not answer.");
  verbs.doctor = verb("doctor", "Explains why a member is not ready, and what would hurt later: cause and next step.",
                      "Examples:\n  whitewater doctor\n  kubectl exec whitewater-2 -- whitewater doctor\n"
                      "  whitewater doctor --members 3        (a problem unless there are exactly three)\n"
                      "Exit code 1: there is a problem. 3: an endpoint did not answer; what can be said without it "
                      "is printed.");
  verbs.doctor
      ->add_option("--members", raw.members_wanted, "a problem unless there are exactly N, all voting, with one leader")
      ->type_name("N");
  verbs.version = verb("version", "Prints the version of this executable.", "");
  return verbs;
}

CliVerb verb_of(const Verbs& verbs, const CLI::App& chosen) {
  if (&chosen == verbs.member) {
    if (verbs.member->got_subcommand(verbs.member_add)) return CliVerb::member_add;
    return verbs.member->got_subcommand(verbs.member_remove) ? CliVerb::member_remove : CliVerb::member_promote;
  }
  const std::pair<const CLI::App*, CliVerb> table[] = {
      {verbs.put, CliVerb::put},      {verbs.get, CliVerb::get},
      {verbs.del, CliVerb::del},      {verbs.members, CliVerb::members},
      {verbs.scale, CliVerb::scale},  {verbs.membership, CliVerb::membership_history},
      {verbs.drain, CliVerb::drain},  {verbs.status, CliVerb::status},
      {verbs.doctor, CliVerb::doctor}};
  for (const auto& [app, verb] : table) {
    if (app == &chosen) return verb;
  }
  return CliVerb::version;
}

std::optional<std::string> read_endpoints(const RawLine& raw, const std::map<std::string, std::string>& environment,
                                          CliCommand& command) {
  std::string source = "--endpoints";
  std::string joined;
  for (const auto& part : raw.endpoints) joined.append(joined.empty() ? "" : ",").append(part);
  if (raw.endpoints.empty()) {
    const auto variable = environment.find(std::string(cli_endpoints_variable));
    const bool is_set = variable != environment.end() && !variable->second.empty();
    source = is_set ? std::string(cli_endpoints_variable) : "";
    joined = is_set ? variable->second : std::string(cli_endpoint_default);
  }
  for (std::string endpoint : split_list(joined)) {
    if (endpoint.starts_with("http://")) endpoint.erase(0, 7);
    while (endpoint.ends_with('/')) endpoint.pop_back();
    const auto address = parse_host_port(endpoint, 8090);
    if (!address) return source + ": \"" + endpoint + "\" is not host:port";
    command.endpoints.push_back(*address);
  }
  if (command.endpoints.empty()) return source + ": names no endpoint";
  if (command.endpoints.size() > cli_endpoints_max) return source + ": more than 64 endpoints";
  return std::nullopt;
}

std::optional<std::string> read_output(const RawLine& raw, const std::map<std::string, std::string>& environment,
                                       CliCommand& command) {
  const bool is_table = command.verb == CliVerb::members || command.verb == CliVerb::status ||
                        command.verb == CliVerb::membership_history;
  command.output = is_table ? CliOutput::table : CliOutput::simple;
  std::string form = raw.output;
  if (form.empty()) {
    const auto variable = environment.find(std::string(cli_output_variable));
    if (variable == environment.end() || variable->second.empty()) return std::nullopt;
    form = variable->second;
  }
  if (form == "simple")
    command.output = CliOutput::simple;
  else if (form == "table")
    command.output = CliOutput::table;
  else if (form == "json")
    command.output = CliOutput::json;
  else
    return "--output: \"" + form + "\" is not simple|table|json";
  return std::nullopt;
}

std::optional<std::string> read_numbers(const RawLine& raw, CliCommand& command) {
  const auto timeout = parse_milliseconds(raw.timeout);
  if (!timeout || *timeout == 0 || *timeout > timeout_ms_max) {
    return "--timeout: \"" + raw.timeout + "\" is not a time from 1ms to 1h, such as 500ms or 5s";
  }
  command.timeout = std::chrono::milliseconds(*timeout);
  constexpr auto int64_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto revision = parse_count(raw.revision);
  if (!revision || *revision > int64_max) return "--rev: \"" + raw.revision + "\" is not a revision";
  command.revision = static_cast<std::int64_t>(*revision);
  const auto limit = parse_count(raw.limit);
  if (!limit || *limit > int64_max) return "--limit: \"" + raw.limit + "\" is not a number";
  command.limit = static_cast<std::int64_t>(*limit);
  if (command.verb == CliVerb::scale) {
    const auto members = parse_count(raw.scale_to);
    if (!members || *members == 0 || *members > members_max) {
      return "--to: \"" + raw.scale_to + "\" is not a number from 1 to 64";
    }
    command.scale_to = static_cast<std::uint32_t>(*members);
  }
  if (!raw.members_wanted.empty()) {
    const auto members = parse_count(raw.members_wanted);
    if (!members || *members == 0 || *members > members_max) {
      return "--members: \"" + raw.members_wanted + "\" is not a number from 1 to 64";
    }
    command.members_wanted = static_cast<std::uint32_t>(*members);
  }
  return std::nullopt;
}

std::optional<std::string> read_key(const RawLine& raw, CliCommand& command) {
  if (!raw.key) return std::nullopt;
  command.key = *raw.key;
  // etcdctl's convention: the empty prefix is everything. The API itself refuses an empty key.
  if (command.key.empty() && command.prefix) command.key = whole_store;
  if (command.key.empty()) return "the key must not be empty";
  if (command.keys_only && command.values_only) return "--keys-only and --value-only contradict each other";
  if (command.value_expected && (command.prefix || command.keys_only || command.count_only)) {
    return "--expect: is for the value of one key; leave --prefix, --keys-only and --count-only out";
  }
  return std::nullopt;
}

// The word that was meant as a command, when CLI11 could make nothing of the line.
std::optional<std::string> unknown_command(const std::vector<std::string>& arguments) {
  static const std::vector<std::string> commands{"serve",  "put",        "get",    "del",    "members",
                                                 "member", "membership", "scale",  "drain",  "status",
                                                 "config", "discover",   "doctor", "version"};
  const auto word = std::find_if(arguments.begin(), arguments.end(), [](const auto& a) { return !a.starts_with('-'); });
  if (word == arguments.end() || std::find(commands.begin(), commands.end(), *word) != commands.end())
    return std::nullopt;
  const auto nearest = nearest_name(*word, commands);
  return "unknown command \"" + *word + "\"" + (nearest ? "; did you mean " + *nearest + "?" : "");
}

}  // namespace

std::variant<CliCommand, CliText> parse_cli(const std::vector<std::string>& arguments,
                                            const std::map<std::string, std::string>& environment) {
  RawLine raw;
  CLI::App app("", "whitewater");
  const Verbs verbs = add_verbs(app, raw);
  app.set_help_flag();
  bool help_wanted = false;
  app.add_flag("-h,--help", help_wanted);
  add_common_flags(app, raw);
  app.require_subcommand(0, 1);
  CLI::App* chosen = nullptr;
  const auto chosen_verb = [&] { return app.get_subcommands().empty() ? nullptr : app.get_subcommands().front(); };
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the back
    app.parse(reversed);
    chosen = chosen_verb();
  } catch (const CLI::CallForHelp&) {
    return CliText{false, chosen_verb() != nullptr ? chosen_verb()->help("whitewater") : cli_help()};
  } catch (const CLI::ParseError& problem) {
    const auto unknown = chosen_verb() == nullptr ? unknown_command(arguments) : std::nullopt;
    return CliText{true, try_help(unknown.value_or(problem.what()), chosen_verb() ? chosen_verb()->get_name() : "")};
  }
  if (chosen == nullptr) return CliText{!help_wanted, cli_help()};

  CliCommand& command = raw.command;
  command.verb = verb_of(verbs, *chosen);
  for (const auto& problem : {read_endpoints(raw, environment, command), read_output(raw, environment, command),
                              read_numbers(raw, command), read_key(raw, command)}) {
    if (problem) return CliText{true, try_help(*problem, chosen->get_name())};
  }
  return command;
}

std::string cli_help() {
  return R"(whitewater: a replicated, linearizable key-value store that forms its own cluster

Usage: whitewater COMMAND [flags]

Data
  put KEY VALUE       write a value ("-": from standard input)
  get KEY             read a key; --prefix, --rev N, --limit N, --keys-only, --value-only, --count-only, --serializable,
                      --expect VALUE (exit code 1 unless it is that)
  del KEY             delete a key; --prefix

Cluster
  members             the members: name, id, role, term, commit index, address, log strategy, reactor
  member add ADDRESS  ask a process to join; member remove NAME, member promote NAME
  membership history  who joined, was promoted or removed, when and why
  scale --to N        take the members with ordinals from N on out, before their pods are removed
  drain               prepare a member for its stop: not ready any more, leadership handed over
  status              each endpoint's own state
  doctor              why a member is not ready, and the next step; exit code 1: there is a problem; --members N

Member
  serve               run a member (whitewater serve --help lists its options)
  config              the options in force, and where each came from
  discover            what each way of finding peers sees now; --method, --min N, --timeout T, --output FILE

  version             version of this executable
  --help              this text; COMMAND --help tells more

Flags of the client commands
  --endpoints LIST    host:port,... to talk to (default WHITEWATER_ENDPOINTS, else 127.0.0.1:8090); the next one is tried
                      when that is safe: for reads always, for writes only if nothing can have been changed
  --output FORM       simple, table or json (default WHITEWATER_OUTPUT; json is the API's own answer)
  --timeout TIME      longest time for the whole command (default 10s)

Examples
  whitewater put greeting hello
  whitewater get greeting
  whitewater get --prefix /users/ --keys-only
  whitewater members --endpoints 127.8.90.1:8090,127.8.90.2:8090
  curl -s 127.8.90.1:8090/v3/kv/range -d '{"key":"Z3JlZXRpbmc="}'        (the same over HTTP; keys are base64)

Exit codes
  0 done    1 no such key, not the value; doctor: a problem    2 wrong usage    3 no endpoint reachable
  4 refused by the server, nothing changed
  5 a write was sent and its outcome is unknown    6 other failure
)";
}

}  // namespace whitewater::server

// The client commands' line taken apart into one plain value, with the help texts. Pure: arguments and environment come
// in, nothing is read or printed. The commands themselves are in cli.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/options_value.hpp"

namespace whitewater::server {

enum class CliVerb : std::uint8_t {
  put,
  get,
  del,
  members,
  member_add,
  member_remove,
  member_promote,
  membership_history,
  scale,
  drain,
  status,
  doctor,
  version,
};
enum class CliOutput : std::uint8_t { simple, table, json };

inline constexpr std::size_t cli_endpoints_max = 64;
inline constexpr std::string_view cli_endpoints_variable = "WHITEWATER_ENDPOINTS";
inline constexpr std::string_view cli_output_variable = "WHITEWATER_OUTPUT";
inline constexpr std::string_view cli_endpoint_default = "127.0.0.1:8090";

struct CliCommand {
  CliVerb verb = CliVerb::version;
  std::vector<HostPort> endpoints;
  CliOutput output = CliOutput::simple;
  std::chrono::milliseconds timeout{0};

  std::string key;
  std::string value;  // put: "-" stands for standard input
  bool prefix = false;
  bool keys_only = false;
  bool values_only = false;
  bool count_only = false;
  bool serializable = false;
  std::int64_t revision = 0;
  std::int64_t limit = 0;

  std::string member;           // member_*: an address, a name or an id, as it was given
  std::uint64_t member_id = 0;  // what it means, once that was asked for
  std::uint32_t scale_to = 0;
  std::uint32_t members_wanted = 0;           // doctor; 0: any number is fine
  std::optional<std::string> value_expected;  // get
};

// Answered without a command: help was asked for (exit 0), or the line is wrong (exit 2).
struct CliText {
  bool is_error = false;
  std::string text;
};

// `arguments` without the program's name. The subcommands `serve` and `config` are not known here.
[[nodiscard]] std::variant<CliCommand, CliText> parse_cli(const std::vector<std::string>& arguments,
                                                          const std::map<std::string, std::string>& environment);
// The text of `whitewater --help`.
[[nodiscard]] std::string cli_help();

}  // namespace whitewater::server

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"
#include "server/options.hpp"
#include "server/options_check.hpp"
#include "server/options_enum.hpp"
#include "server/options_value.hpp"

namespace whitewater::server {
namespace {

constexpr std::string_view environment_prefix = "WHITEWATER_";
constexpr std::string_view config_variable = "WHITEWATER_CONFIG";
// Read by the client commands, and so no mistake when a member sees them.
constexpr std::string_view other_variables[] = {config_variable, "WHITEWATER_ENDPOINTS", "WHITEWATER_OUTPUT"};

// Sets one value from its text; the answer is empty or says what is wrong with it.
std::string set_value(const OptionRow& row, Options& options, std::string_view text) {
  if (text.size() > option_value_bytes_max) return "value is longer than 64KiB";
  const auto wrong = [&] { return "\"" + std::string(text) + "\" is not " + describe_type(row); };
  return std::visit(
      [&](auto member) -> std::string {
        auto& value = options.*member;
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) {
          value = text;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          value = split_list(text);
        } else if constexpr (std::is_same_v<T, std::uint64_t>) {
          const auto number = row.unit == OptionUnit::bytes          ? parse_bytes(text)
                              : row.unit == OptionUnit::milliseconds ? parse_milliseconds(text)
                                                                     : parse_count(text);
          if (!number) return "\"" + std::string(text) + "\" is not a number; it takes " + describe_type(row);
          if (*number < row.minimum || *number > row.maximum)
            return "\"" + std::string(text) + "\" is outside " + describe_type(row);
          value = *number;
        } else if constexpr (std::is_same_v<T, bool>) {
          const auto flag = parse_bool(text);
          if (!flag) return wrong();
          value = *flag;
        } else {
          const auto choice = choice_of<T>(text);
          if (!choice) return wrong();
          value = *choice;
        }
        return {};
      },
      row.field);
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const auto nearest = nearest_name(name, candidates);
  return nearest ? "; did you mean " + *nearest + "?" : std::string{};
}

std::vector<std::string> names_of(std::string (*name_of)(const OptionRow&)) {
  std::vector<std::string> names;
  for (const OptionRow& row : option_table()) names.push_back(name_of(row));
  return names;
}

bool is_list(const OptionRow& row) { return std::holds_alternative<std::vector<std::string> Options::*>(row.field); }
bool is_switch(const OptionRow& row) { return std::holds_alternative<bool Options::*>(row.field); }

// The flags as texts by option name. CLI11 takes the line apart; what it does not know comes back for a suggestion.
struct FlagTexts {
  std::map<std::string_view, std::string> by_name;
  std::string config_path;
};

void report_extras(const std::vector<std::string>& extras, std::vector<std::string>& errors) {
  auto flags = names_of(flag_of);
  flags.insert(flags.end(), {"--config", "--help"});
  bool after_unknown_flag = false;
  for (const std::string& extra : extras) {
    if (extra.starts_with('-') && extra.size() > 1) {
      const std::string flag = extra.substr(0, extra.find('='));
      errors.push_back(flag + ": unknown flag" + suggestion(flag, flags));
      after_unknown_flag = extra.find('=') == std::string::npos;
    } else if (std::exchange(after_unknown_flag, false)) {
      continue;  // most likely that flag's value: one mistake, one message
    } else {
      errors.push_back("\"" + extra + "\": unexpected argument; every option is written --name value");
    }
  }
}

FlagTexts parse_flags(const OptionInputs& inputs, LoadedOptions& loaded) {
  FlagTexts flags;
  std::map<std::string_view, std::string> single;
  std::map<std::string_view, std::vector<std::string>> many;
  std::map<std::string_view, CLI::Option*> handles;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", loaded.help_wanted);
  CLI::Option* config = app.add_option("--config", flags.config_path);
  for (const OptionRow& row : option_table()) {
    if (is_switch(row)) {
      handles[row.name] = app.add_flag(flag_of(row), single[row.name]);
    } else if (is_list(row)) {
      handles[row.name] = app.add_option(flag_of(row), many[row.name])->allow_extra_args(false);
    } else {
      handles[row.name] = app.add_option(flag_of(row), single[row.name]);
    }
  }
  try {
    std::vector<std::string> reversed(inputs.arguments.rbegin(),
                                      inputs.arguments.rend());  // CLI11 takes them from the back
    app.parse(reversed);
  } catch (const CLI::ParseError& problem) {
    loaded.errors.emplace_back(problem.what());
    return flags;
  }
  report_extras(app.remaining(), loaded.errors);
  for (const auto& [name, handle] : handles) {
    if (handle->count() == 0) continue;
    std::string& text = flags.by_name[name];
    if (const auto list = many.find(name); list != many.end()) {
      for (const auto& part : list->second) text.append(text.empty() ? "" : ",").append(part);
    } else {
      text = single[name];
    }
  }
  if (config->count() > 0 && flags.config_path.empty()) loaded.errors.emplace_back("--config: needs a file name");
  return flags;
}

// The text form of a JSON value, so that one parser serves the file, the environment and the flags.
std::optional<std::string> text_of(const OptionRow& row, const boost::json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return std::string(value.get_bool() ? "true" : "false");
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (!value.is_array() || !is_list(row)) return std::nullopt;
  std::string joined;
  for (const auto& part : value.get_array()) {
    if (!part.is_string()) return std::nullopt;
    joined.append(joined.empty() ? "" : ",").append(part.get_string().data(), part.get_string().size());
  }
  return joined;
}

void apply_file(const std::string& text, LoadedOptions& loaded) {
  const std::string& path = loaded.config_path;
  if (text.size() > option_file_bytes_max) {
    loaded.errors.push_back(path + ": larger than 1MiB");
    return;
  }
  boost::system::error_code code;
  boost::json::parse_options parsing;
  parsing.max_depth = 4;  // an object of values and lists
  const boost::json::value document = boost::json::parse(text, code, {}, parsing);
  if (code) {
    loaded.errors.push_back(path + ": not valid JSON (" + code.message() + ")");
    return;
  }
  if (!document.is_object()) {
    loaded.errors.push_back(path + ": must hold one JSON object, {\"option_name\": value, ...}");
    return;
  }
  const auto names = names_of([](const OptionRow& row) { return std::string(row.name); });
  for (const auto& [key, value] : document.get_object()) {
    const auto& table = option_table();
    const auto row =
        std::find_if(table.begin(), table.end(), [&](const OptionRow& r) { return r.name == std::string_view(key); });
    if (row == table.end()) {
      loaded.errors.push_back(path + ": unknown key \"" + std::string(key) + "\"" + suggestion(key, names));
      continue;
    }
    const auto value_as_text = text_of(*row, value);
    const std::string problem =
        value_as_text ? set_value(*row, loaded.options, *value_as_text) : "takes " + describe_type(*row);
    if (!problem.empty()) {
      loaded.errors.push_back(path + ": " + std::string(key) + ": " + problem);
      continue;
    }
    loaded.sources[row->name] = OptionSource::file;
  }
}

void apply_environment(const OptionInputs& inputs, LoadedOptions& loaded) {
  for (const OptionRow& row : option_table()) {
    const auto variable = inputs.environment.find(std::string(row.environment));
    // An empty variable is what a manifest with `value: ""` gives: not set.
    if (variable == inputs.environment.end() || variable->second.empty()) continue;
    const std::string problem = set_value(row, loaded.options, variable->second);
    if (!problem.empty()) {
      loaded.errors.push_back(std::string(row.environment) + ": " + problem);
      continue;
    }
    loaded.sources[row.name] = OptionSource::environment;
  }
}

void warn_of_unknown_variables(const OptionInputs& inputs, LoadedOptions& loaded) {
  const auto known = names_of([](const OptionRow& row) { return std::string(row.environment); });
  auto candidates = known;
  candidates.emplace_back(config_variable);
  for (const auto& [name, value] : inputs.environment) {
    if (!name.starts_with(environment_prefix)) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (std::find(std::begin(other_variables), std::end(other_variables), name) != std::end(other_variables)) continue;
    if (is_service_link_variable(name)) continue;
    loaded.warnings.push_back(name + ": unknown variable, ignored" + suggestion(name, candidates));
  }
}

void apply_flags(const FlagTexts& flags, LoadedOptions& loaded) {
  for (const OptionRow& row : option_table()) {
    const auto text = flags.by_name.find(row.name);
    if (text == flags.by_name.end()) continue;
    const std::string problem = set_value(row, loaded.options, text->second);
    if (!problem.empty()) {
      loaded.errors.push_back(flag_of(row) + ": " + problem);
      continue;
    }
    loaded.sources[row.name] = OptionSource::flag;
  }
}

void apply_defaults(LoadedOptions& loaded) {
  for (const OptionRow& row : option_table()) {
    loaded.sources[row.name] = OptionSource::builtin;
    const std::string problem = set_value(row, loaded.options, row.default_text);
    WW_ASSERT_MSG(problem.empty(), "a default in the option table does not satisfy its own row");
  }
}

}  // namespace

LoadedOptions load_options(const OptionInputs& inputs) {
  LoadedOptions loaded;
  apply_defaults(loaded);
  const FlagTexts flags = parse_flags(inputs, loaded);
  loaded.config_path = flags.config_path;
  if (loaded.config_path.empty()) {
    const auto variable = inputs.environment.find(std::string(config_variable));
    if (variable != inputs.environment.end()) loaded.config_path = variable->second;
  }
  if (!loaded.config_path.empty() && inputs.read_file) {
    const auto file = inputs.read_file(loaded.config_path);
    if (file.problem.empty()) {
      apply_file(file.text, loaded);
    } else {
      loaded.errors.push_back(loaded.config_path + ": " + file.problem);
    }
  }
  apply_environment(inputs, loaded);
  apply_flags(flags, loaded);
  warn_of_unknown_variables(inputs, loaded);
  derive_defaults(inputs, loaded);
  // The rules that span options would only repeat what is wrong with a single value.
  if (loaded.errors.empty()) check_options(loaded);
  return loaded;
}

bool is_service_link_variable(std::string_view name) {
  const auto holds = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  return name.ends_with("_PORT") || name.ends_with("_HOST") || holds("_SERVICE_") || holds("_TCP") || holds("_UDP") ||
         holds("_SCTP");
}

std::string options_help() {
  std::string text =
      "Usage: whitewater serve [--option value]...\n\n"
      "Runs a member of a cluster. Each option can be given as a flag, as an environment variable or as a key of the\n"
      "JSON file that --config FILE (or WHITEWATER_CONFIG) names; a flag beats the environment, which beats the file.\n"
      "`whitewater config` takes the same options and prints what is in force and where each value came from.\n"
      "Sizes take a unit (64MiB), times too (500ms, 2s).\n";
  std::string_view group;
  for (const OptionRow& row : option_table()) {
    if (row.group != group) {
      group = row.group;
      text.append("\n").append(group).append(":\n");
    }
    text.append("  ").append(flag_of(row)).append(" ").append(describe_type(row)).append("\n");
    text.append("      ").append(row.help).append("\n      ").append(row.environment).append(" · ");
    text.append(row.name);
    if (!row.default_text.empty()) text.append(" · default ").append(row.default_text);
    text.append("\n");
  }
  text.append(
      "\nExamples:\n"
      "  whitewater serve --bootstrap-single --data-dir /tmp/ww        a cluster of one, to try things out\n"
      "  whitewater serve --name a --listen 10.0.0.1:8090 --peers a=10.0.0.1:8090,b=10.0.0.2:8090,c=10.0.0.3:8090\n"
      "  SERVICE_NAME=whitewater-headless POD_NAME=whitewater-0 POD_IP=10.0.0.1 WHITEWATER_BOOTSTRAP_EXPECT=3 "
      "whitewater serve\n"
      "\nExit codes: 0 clean stop, 1 failure, 2 usage, 3 data directory, 4 corrupt data, 5 newer format, 6 disk "
      "error,\n"
      "7 network, 8 superseded by a newer incarnation or removed.\n");
  return text;
}

}  // namespace whitewater::server

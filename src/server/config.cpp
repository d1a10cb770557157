#include "server/config.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.hpp"

extern char** environ;

namespace whitewater::server {
namespace {

constexpr std::string_view secret_option = "bootstrap_token";

OptionInputs::FileText read_option_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return {"", std::string("cannot be opened: ") + std::strerror(errno)};
  std::string text(option_file_bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return {"", std::string("cannot be read: ") + std::strerror(errno)};
  return {std::move(text), ""};
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string shown_value(const OptionRow& row, const Options& options) {
  std::string text = value_text(row, options);
  if (row.name == secret_option && !text.empty()) return "(set)";
  return text;
}

std::string origin_text(const OptionRow& row, const LoadedOptions& loaded) {
  const OptionSource source = loaded.sources.at(row.name);
  std::string text(describe(source));
  if (source == OptionSource::environment) text.append(" ").append(row.environment);
  if (source == OptionSource::flag) text.append(" ").append(flag_of(row));
  if (source == OptionSource::file) text.append(" ").append(loaded.config_path);
  return text;
}

}  // namespace

OptionInputs gather_option_inputs(std::vector<std::string> arguments) {
  OptionInputs inputs;
  inputs.arguments = std::move(arguments);
  inputs.environment = process_environment();
  inputs.read_file = read_option_file;
  std::array<char, HOST_NAME_MAX + 1> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) inputs.host_name = host.data();
  inputs.stderr_is_terminal = ::isatty(STDERR_FILENO) == 1;
  return inputs;
}

LoadedOptions load_process_options(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 2), argv + argc);
  return load_options(gather_option_inputs(std::move(arguments)));
}

std::string config_as_text(const LoadedOptions& loaded) {
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  for (const OptionRow& row : option_table()) {
    name_width = std::max(name_width, row.name.size());
    value_width = std::max(value_width, std::min<std::size_t>(shown_value(row, loaded.options).size(), 40));
  }
  std::string text;
  for (const OptionRow& row : option_table()) {
    std::string name(row.name);
    name.resize(name_width, ' ');
    std::string value = shown_value(row, loaded.options);
    if (value.empty()) value = "-";
    value.resize(std::max(value.size(), value_width), ' ');
    text.append(name).append("  ").append(value).append("  ").append(origin_text(row, loaded)).append("\n");
  }
  return text;
}

std::string config_as_json(const LoadedOptions& loaded) {
  boost::json::object document;
  for (const OptionRow& row : option_table()) {
    boost::json::value value = shown_value(row, loaded.options).c_str();
    if (const auto* number = std::get_if<std::uint64_t Options::*>(&row.field)) value = loaded.options.*(*number);
    if (const auto* flag = std::get_if<bool Options::*>(&row.field)) value = loaded.options.*(*flag);
    if (const auto* list = std::get_if<std::vector<std::string> Options::*>(&row.field)) {
      boost::json::array parts;
      for (const auto& part : loaded.options.*(*list)) parts.emplace_back(part);
      value = std::move(parts);
    }
    document[row.name] = boost::json::object{{"value", std::move(value)}, {"source", origin_text(row, loaded)}};
  }
  return boost::json::serialize(document) + "\n";
}

int run_config_command(std::vector<std::string> arguments) {
  bool as_json = false;
  for (auto argument = arguments.begin(); argument != arguments.end();) {
    if (*argument == "--output" && argument + 1 != arguments.end()) {
      argument = arguments.erase(argument, argument + 1);
      *argument = "--output=" + *argument;
    }
    if (!argument->starts_with("--output=")) {
      ++argument;
      continue;
    }
    const std::string form = argument->substr(argument->find('=') + 1);
    if (form != "json" && form != "text" && form != "table") {
      std::fprintf(stderr, "whitewater config: --output: \"%s\" is not text|json\n", form.c_str());
      return static_cast<int>(base::ExitCode::usage);
    }
    as_json = form == "json";
    argument = arguments.erase(argument);
  }
  const LoadedOptions loaded = load_options(gather_option_inputs(std::move(arguments)));
  if (loaded.help_wanted) {
    std::fputs(
        "Usage: whitewater config [--output text|json] [options of serve]\n\n"
        "Prints every option with the value in force and where it came from. Starts nothing.\n\n",
        stdout);
    std::fputs(options_help().c_str(), stdout);
    return 0;
  }
  std::fputs((as_json ? config_as_json(loaded) : config_as_text(loaded)).c_str(), stdout);
  for (const auto& warning : loaded.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const auto& error : loaded.errors) std::fprintf(stderr, "error: %s\n", error.c_str());
  return static_cast<int>(loaded.errors.empty() ? base::ExitCode::ok : base::ExitCode::usage);
}

}  // namespace whitewater::server

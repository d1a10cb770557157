// Option inputs written by hand, for the tests of loading.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/options.hpp"

namespace whitewater::server::test {

inline bool mentions(const std::vector<std::string>& lines, const std::string& part) {
  for (const auto& line : lines) {
    if (line.find(part) != std::string::npos) return true;
  }
  return false;
}

// A member that has a way to find peers, so that a test's own mistake is the only one.
struct Setting {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment{{"SERVICE_NAME", "whitewater-headless"}, {"POD_NAME", "whitewater-0"}};
  std::string file;
  bool terminal = false;

  [[nodiscard]] LoadedOptions load() const {
    OptionInputs inputs;
    inputs.arguments = arguments;
    inputs.environment = environment;
    inputs.host_name = "machine.example.org";
    inputs.stderr_is_terminal = terminal;
    inputs.read_file = [this](const std::string& path) -> OptionInputs::FileText {
      if (path == "missing.json") return {"", "cannot be opened: No such file or directory"};
      return {file, ""};
    };
    return load_options(inputs);
  }
};

}  // namespace whitewater::server::test

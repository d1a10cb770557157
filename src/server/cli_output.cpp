#include "server/cli_output.hpp"

#include <cstdio>

namespace whitewater::server {

bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

int complain(CliExit exit, const std::string& text) {
  std::fprintf(stderr, "whitewater: %s\n", text.c_str());
  return exit_code(exit);
}

}  // namespace whitewater::server

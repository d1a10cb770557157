#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace whitewater::base {

void assertion_failed(const char* expression, const char* message, std::source_location where) {
  std::fprintf(stderr, "whitewater: assertion failed: %s%s%s at %s:%u in %s\n", expression, message ? ": " : "",
               message ? message : "", where.file_name(), where.line(), where.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace whitewater::base

#include "log/executor.hpp"

namespace whitewater::log {

std::string_view describe(Strategy strategy) {
  switch (strategy) {
    case Strategy::automatic:
      return "auto";
    case Strategy::uring:
      return "uring";
    case Strategy::thread:
      return "thread";
    case Strategy::buffered:
      return "buffered";
  }
  return "unknown";
}

base::Result<Strategy> parse_strategy(std::string_view text) {
  for (const auto strategy : {Strategy::automatic, Strategy::uring, Strategy::thread, Strategy::buffered}) {
    if (text == describe(strategy)) return strategy;
  }
  return base::Errc::malformed;
}

}  // namespace whitewater::log

// The results as text: JSON for machines, lines for people. Pure.
#pragma once

#include <string>

#include "load/check.hpp"
#include "load/put_load.hpp"
#include "load/statistics.hpp"

namespace whitewater::bench {

[[nodiscard]] std::string to_json(const LoadOptions& options, const LoadResult& result);
[[nodiscard]] std::string to_json(const CheckResult& result);
[[nodiscard]] std::string to_text(const LoadResult& result);
[[nodiscard]] std::string to_line(const Progress& progress);

}  // namespace whitewater::bench

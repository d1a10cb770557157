// The one place that knows which Catch2 is installed: v2 on Debian 12, v3 on Debian 13.
#pragma once

#include <string>

#ifdef WHITEWATER_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto contains_text(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
#else
#include <catch2/catch.hpp>
inline auto contains_text(const std::string& part) { return Catch::Matchers::Contains(part); }
#endif

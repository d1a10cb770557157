// The one place that knows which Catch2 is installed: v2 on Debian 12, v3 on Debian 13.
#pragma once

#ifdef WHITEWATER_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

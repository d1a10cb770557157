// Time as a value. Pure code never asks for the time: the loop around it passes an Instant in.
#pragma once

#include <chrono>
#include <compare>

namespace whitewater::base {

using Duration = std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A point on one member's monotonic clock (CLOCK_BOOTTIME in the server, the simulator's clock in tests). Instants of
// two members are not comparable.
struct Instant {
  Duration since_start{0};

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const { return {since_start + d}; }
  constexpr Instant operator-(Duration d) const { return {since_start - d}; }
  constexpr Duration operator-(Instant other) const { return since_start - other.since_start; }
};

}  // namespace whitewater::base

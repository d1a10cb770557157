// Rng: a small deterministic random generator, passed by value into pure code. Same seed, same sequence, on every
// platform. Source: Sebastiano Vigna, SplitMix64. Not for secrets or identities (the server draws those from
// getrandom).
#pragma once

#include <cstdint>

#include "base/assert.hpp"

namespace whitewater::base {

class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [low, high]; both ends included.
  std::uint64_t in_range(std::uint64_t low, std::uint64_t high) {
    WW_ASSERT(low <= high);
    const std::uint64_t span = high - low + 1;
    return span == 0 ? next() : low + next() % span;
  }
  // True with the chance `numerator` / `denominator`.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) { return in_range(1, denominator) <= numerator; }

 private:
  std::uint64_t state_;
};

}  // namespace whitewater::base

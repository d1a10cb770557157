// Backoff: exponential waiting with jitter between attempts. Pure: the random generator is the caller's seed.
#pragma once

#include <algorithm>

#include "base/rng.hpp"
#include "base/time.hpp"

namespace whitewater::net {

class Backoff {
 public:
  Backoff(base::Duration shortest, base::Duration longest, base::Rng rng)
      : shortest_(shortest), longest_(longest), next_(shortest), rng_(rng) {}

  // The next wait: uniform in [half, whole] of a bound that doubles up to the longest.
  base::Duration take_wait() {
    const auto bound = next_;
    next_ = std::min(next_ * 2, longest_);
    const auto low = static_cast<std::uint64_t>(bound.count() / 2);
    return base::Duration(
        static_cast<base::Duration::rep>(rng_.in_range(low, static_cast<std::uint64_t>(bound.count()))));
  }
  void reset() { next_ = shortest_; }

 private:
  base::Duration shortest_;
  base::Duration longest_;
  base::Duration next_;
  base::Rng rng_;
};

}  // namespace whitewater::net

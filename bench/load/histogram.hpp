// Histogram: counts of durations in buckets whose width grows with the value, as in HdrHistogram (Gil Tene;
// https://hdrhistogram.github.io/HdrHistogram/): each power of two is cut into 256 equal buckets, so that any quantile
// is at most 0.4 % above the true value. Debian 12 packages no C or C++ library of it. Fixed memory, no allocation
// after construction. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace whitewater::bench {

class Histogram {
 public:
  // Longer ones are counted as this: about 73 minutes.
  static constexpr base::Duration longest{(std::int64_t{1} << 42) - 1};

  Histogram();

  void add(base::Duration value);
  void clear();

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // The upper end of the bucket that holds the value of rank ceil(q × count), but never over the largest value; 0 when
  // empty. q in (0, 1].
  [[nodiscard]] base::Duration quantile(double q) const;
  [[nodiscard]] base::Duration max() const { return max_; }
  [[nodiscard]] base::Duration mean() const;

  struct Bucket {
    base::Duration upper;  // included
    std::uint64_t count = 0;
  };
  [[nodiscard]] std::vector<Bucket> buckets() const;  // those that are not empty, ascending

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  base::Duration max_{0};
  base::Duration sum_{0};
};

}  // namespace whitewater::bench

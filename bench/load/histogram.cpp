#include "load/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace whitewater::bench {
namespace {

constexpr unsigned bits = 8;  // 2^8 buckets to a power of two
constexpr std::size_t per_power = 1U << bits;
constexpr unsigned value_bits = 42;

// Values below 2 × per_power have a bucket each; above, the highest nine bits name the bucket.
constexpr std::size_t index_of(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = width > bits + 1 ? width - bits - 1 : 0;
  return shift * per_power + (value >> shift);
}
constexpr std::uint64_t upper_of(std::size_t index) {
  const std::size_t shift = index < 2 * per_power ? 0 : index / per_power - 1;
  const std::uint64_t head = index - shift * per_power;
  return ((head + 1) << shift) - 1;
}
constexpr std::size_t size = index_of((std::uint64_t{1} << value_bits) - 1) + 1;
static_assert(upper_of(size - 1) == static_cast<std::uint64_t>(Histogram::longest.count()));
static_assert(index_of(upper_of(1000)) == 1000 && index_of(upper_of(1000) + 1) == 1001);

}  // namespace

Histogram::Histogram() : counts_(size) {}

void Histogram::add(base::Duration value) {
  value = std::clamp(value, base::Duration{0}, longest);
  ++counts_[index_of(static_cast<std::uint64_t>(value.count()))];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += value;
}

void Histogram::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  max_ = sum_ = base::Duration{0};
}

base::Duration Histogram::quantile(double q) const {
  if (count_ == 0) return base::Duration{0};
  const auto rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(max_, base::Duration(static_cast<std::int64_t>(upper_of(i))));
  }
  return max_;
}

base::Duration Histogram::mean() const {
  return count_ == 0 ? base::Duration{0} : sum_ / static_cast<std::int64_t>(count_);
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> filled;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) filled.push_back({base::Duration(static_cast<std::int64_t>(upper_of(i))), counts_[i]});
  }
  return filled;
}

}  // namespace whitewater::bench

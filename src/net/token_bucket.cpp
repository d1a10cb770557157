#include "net/token_bucket.hpp"

#include "base/assert.hpp"

namespace whitewater::net {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;
constexpr std::uint64_t rate_max = 1'000'000'000'000;
constexpr std::size_t take_bytes_max = 1UL << 30;  // times ns_per_s it still fits 64 bits

}  // namespace

TokenBucket::TokenBucket(std::uint64_t rate_bytes_per_s, std::size_t burst_bytes)
    : rate_bytes_per_s_(rate_bytes_per_s), burst_(0) {
  WW_ASSERT(rate_bytes_per_s > 0);
  WW_ASSERT(rate_bytes_per_s <= rate_max);
  burst_ = cost(burst_bytes);
}

base::Duration TokenBucket::cost(std::size_t size_bytes) const {
  WW_ASSERT(size_bytes <= take_bytes_max);
  // Rounded up: a long run of small pieces is not faster than the rate.
  return base::Duration((size_bytes * ns_per_s + rate_bytes_per_s_ - 1) / rate_bytes_per_s_);
}

base::Duration TokenBucket::take(std::size_t size_bytes, base::Instant now) {
  const auto earliest = now - burst_;
  if (!is_started_ || paid_until_ < earliest) paid_until_ = earliest;
  is_started_ = true;
  paid_until_ = paid_until_ + cost(size_bytes);
  return paid_until_ > now ? paid_until_ - now : base::Duration(0);
}

}  // namespace whitewater::net

// TokenBucket: a rate limit in bytes per second with a bounded burst. Pure: the time comes in. It keeps the instant up
// to which everything taken is paid for instead of a level, so that nothing is rounded away by frequent calls.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace whitewater::net {

class TokenBucket {
 public:
  // 1 B/s to 1 TB/s; a burst of at most 1 GiB.
  TokenBucket(std::uint64_t rate_bytes_per_s, std::size_t burst_bytes);

  // How long to wait from `now` before these bytes may go; zero within the burst. At most 1 GiB at once. A caller whose
  // clock steps back waits for longer, never less.
  [[nodiscard]] base::Duration take(std::size_t size_bytes, base::Instant now);

 private:
  [[nodiscard]] base::Duration cost(std::size_t size_bytes) const;

  std::uint64_t rate_bytes_per_s_;
  base::Duration burst_;
  base::Instant paid_until_;
  bool is_started_ = false;
};

}  // namespace whitewater::net

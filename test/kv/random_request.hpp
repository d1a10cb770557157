// Random requests over a small set of keys, such that they meet: ranges of every form, revisions around the present,
// nested transactions, ignore flags, unknown leases. Some fail check_request; the caller leaves those out.
#pragma once

#include "base/rng.hpp"
#include "kv/types.hpp"

namespace whitewater::kv::test {

struct RandomShape {
  std::uint64_t keys = 12;
  Revision current = 1;  // revisions are drawn around here
};

[[nodiscard]] RangeRequest random_range(base::Rng& rng, const RandomShape& shape);
[[nodiscard]] TxnRequest random_read_txn(base::Rng& rng, const RandomShape& shape);
[[nodiscard]] Command random_command(base::Rng& rng, const RandomShape& shape);

}  // namespace whitewater::kv::test

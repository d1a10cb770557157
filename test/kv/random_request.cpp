#include "random_request.hpp"

#include <algorithm>

namespace whitewater::kv::test {
namespace {

std::string random_key(base::Rng& rng, const RandomShape& shape) {
  const auto number = rng.in_range(0, shape.keys - 1);
  return "k" + std::string(number < 10 ? "0" : "") + std::to_string(number);
}
std::string random_end(base::Rng& rng, const RandomShape& shape) {
  switch (rng.in_range(0, 3)) {
    case 0:
      return "";
    case 1:
      return std::string("\0", 1);
    default:
      return random_key(rng, shape);
  }
}
// Mostly the recent past, sometimes the future or before any compaction.
Revision near(base::Rng& rng, const RandomShape& shape) {
  const auto back = static_cast<Revision>(rng.in_range(0, rng.chance(1, 4) ? 200 : 20));
  return std::max<Revision>(1, shape.current + 2 - back);
}
std::string random_value(base::Rng& rng) { return std::to_string(rng.in_range(0, 5)); }

PutRequest random_put(base::Rng& rng, const RandomShape& shape) {
  PutRequest put;
  put.key = random_key(rng, shape);
  put.prev_kv = rng.chance(1, 3);
  put.ignore_value = rng.chance(1, 10);
  if (!put.ignore_value) put.value = random_value(rng);
  put.ignore_lease = rng.chance(1, 15);
  if (!put.ignore_lease && rng.chance(1, 40)) put.lease = 1;
  return put;
}
DeleteRangeRequest random_delete(base::Rng& rng, const RandomShape& shape) {
  DeleteRangeRequest request;
  request.key = random_key(rng, shape);
  if (rng.chance(1, 2)) request.range_end = random_end(rng, shape);
  request.prev_kv = rng.chance(1, 2);
  return request;
}
Compare random_compare(base::Rng& rng, const RandomShape& shape) {
  Compare compare;
  compare.key = random_key(rng, shape);
  if (rng.chance(1, 4)) compare.range_end = random_end(rng, shape);
  compare.target = static_cast<CompareTarget>(rng.in_range(0, 4));
  compare.result = static_cast<CompareResult>(rng.in_range(0, 3));
  if (compare.target == CompareTarget::value) {
    compare.value = random_value(rng);
  } else if (compare.target == CompareTarget::version || compare.target == CompareTarget::lease) {
    compare.number = static_cast<std::int64_t>(rng.in_range(0, 3));
  } else {
    compare.number = rng.chance(1, 3) ? 0 : near(rng, shape);
  }
  return compare;
}

TxnRequest random_txn(base::Rng& rng, const RandomShape& shape, bool writes, int depth);

std::vector<RequestOp> random_operations(base::Rng& rng, const RandomShape& shape, bool writes, int depth) {
  std::vector<RequestOp> out;
  for (auto n = rng.in_range(0, 4); n > 0; --n) {
    const auto kind = rng.in_range(0, 9);
    if (kind < 3) {
      auto range = random_range(rng, shape);
      if (rng.chance(2, 3)) range.revision = 0;
      out.push_back({range});
    } else if (kind < 5 && depth < 3) {
      out.push_back({random_txn(rng, shape, writes, depth + 1)});
    } else if (writes) {
      if (rng.chance(2, 3)) {
        out.push_back({random_put(rng, shape)});
      } else {
        out.push_back({random_delete(rng, shape)});
      }
    }
  }
  return out;
}

TxnRequest random_txn(base::Rng& rng, const RandomShape& shape, bool writes, int depth) {
  TxnRequest txn;
  for (auto n = rng.in_range(0, 2); n > 0; --n) txn.compare.push_back(random_compare(rng, shape));
  txn.success = random_operations(rng, shape, writes, depth);
  txn.failure = random_operations(rng, shape, writes, depth);
  return txn;
}

}  // namespace

RangeRequest random_range(base::Rng& rng, const RandomShape& shape) {
  RangeRequest range;
  range.key = random_key(rng, shape);
  range.range_end = random_end(rng, shape);
  if (rng.chance(1, 3)) range.limit = static_cast<std::int64_t>(rng.in_range(0, 6));
  if (rng.chance(1, 2)) range.revision = rng.chance(1, 20) ? -1 : near(rng, shape);
  range.sort_order = static_cast<SortOrder>(rng.in_range(0, 2));
  range.sort_target = static_cast<SortTarget>(rng.in_range(0, 4));
  range.keys_only = rng.chance(1, 5);
  range.count_only = rng.chance(1, 5);
  if (rng.chance(1, 6)) range.min_mod_revision = near(rng, shape);
  if (rng.chance(1, 6)) range.max_mod_revision = near(rng, shape);
  if (rng.chance(1, 6)) range.min_create_revision = near(rng, shape);
  if (rng.chance(1, 6)) range.max_create_revision = near(rng, shape);
  return range;
}

TxnRequest random_read_txn(base::Rng& rng, const RandomShape& shape) { return random_txn(rng, shape, false, 1); }

Command random_command(base::Rng& rng, const RandomShape& shape) {
  const auto kind = rng.in_range(0, 99);
  if (kind < 45) return random_put(rng, shape);
  if (kind < 58) return random_delete(rng, shape);
  if (kind < 97) return random_txn(rng, shape, true, 1);
  return CompactionRequest{.revision = shape.current + 1 - static_cast<Revision>(rng.in_range(0, 60)),
                           .physical = false};
}

}  // namespace whitewater::kv::test

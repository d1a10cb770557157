#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

// a..e with values 5..1 (revisions 2 to 6), then c is put again (revision 7).
StoreHarness five_keys() {
  StoreHarness h;
  h.put("a", "5");
  h.put("b", "4");
  h.put("c", "3");
  h.put("d", "2");
  h.put("e", "1");
  h.put("c", "3");
  return h;
}

}  // namespace

TEST_CASE("range_end means one key, a half-open range, everything from a key on, or nothing") {
  auto h = five_keys();
  CHECK(h.show(range_of("b")) == "b=4");
  CHECK(h.show(range_of("b", "d")) == "b=4 c=3");
  CHECK(h.show(range_of("bb", "d")) == "c=3");
  CHECK(h.show(range_of("d", from_key_end)) == "d=2 e=1");
  CHECK(h.show(everything()) == "a=5 b=4 c=3 d=2 e=1");
  CHECK(h.show(range_of("d", "b")).empty());
  CHECK(h.show(range_of("b", "b")).empty());
  CHECK(h.show(range_of("x")).empty());
}

TEST_CASE("a revision reads the past, and not before the compaction or in the future") {
  auto h = five_keys();
  h.erase("a");
  auto range = everything();
  range.revision = 3;
  CHECK(h.show(range) == "a=5 b=4");
  CHECK(h.range(range).count == 2);
  CHECK(h.range(range).header_revision == 8);
  range.revision = -4;
  CHECK(h.range(range).count == 4);
  range.revision = 9;
  CHECK(h.range_error(range) == ErrorCode::future_revision);
  h.compact(5);
  range.revision = 5;
  CHECK(h.show(range) == "a=5 b=4 c=3 d=2");
  range.revision = 4;
  CHECK(h.range_error(range) == ErrorCode::compacted);
}

TEST_CASE("limit cuts, more says so, and count does not care") {
  auto h = five_keys();
  auto range = everything();
  range.limit = 2;
  CHECK(h.show(range) == "a=5 b=4");
  CHECK(h.range(range).more);
  CHECK(h.range(range).count == 5);
  range.limit = 5;
  CHECK_FALSE(h.range(range).more);
  CHECK(h.range(range).kvs.size() == 5);
  range.limit = 4;
  CHECK(h.range(range).more);
  range.limit = -1;
  CHECK(h.range(range).kvs.size() == 5);
  range.limit = std::numeric_limits<std::int64_t>::max();
  CHECK(h.range(range).kvs.size() == 5);
  range.limit = 1;
  range.revision = 4;
  CHECK(h.range(range).count == 3);
  CHECK(h.range(range).more);
}

TEST_CASE("keys_only drops values and count_only everything but the count") {
  auto h = five_keys();
  auto range = everything();
  range.keys_only = true;
  CHECK(h.range(range).kvs[2] == KeyValue{"c", 4, 7, 2, "", 0});
  range.keys_only = false;
  range.count_only = true;
  range.limit = 1;
  const auto counted = h.range(range);
  CHECK(counted.count == 5);
  CHECK(counted.kvs.empty());
  CHECK_FALSE(counted.more);
  range.revision = 100;
  CHECK(h.range_error(range) == ErrorCode::future_revision);
}

TEST_CASE("sorting by each target, both ways, with the limit applied afterwards") {
  auto h = five_keys();
  const auto sorted = [&](SortTarget target, SortOrder order, std::int64_t limit = 0) {
    auto range = everything();
    range.sort_target = target;
    range.sort_order = order;
    range.limit = limit;
    std::string keys;
    for (const auto& kv : h.range(range).kvs) keys += kv.key;
    return keys;
  };
  CHECK(sorted(SortTarget::key, SortOrder::ascend) == "abcde");
  CHECK(sorted(SortTarget::key, SortOrder::descend) == "edcba");
  CHECK(sorted(SortTarget::key, SortOrder::descend, 2) == "ed");
  CHECK(sorted(SortTarget::value, SortOrder::ascend) == "edcba");
  CHECK(sorted(SortTarget::value, SortOrder::ascend, 2) == "ed");
  CHECK(sorted(SortTarget::value, SortOrder::descend) == "abcde");
  CHECK(sorted(SortTarget::mod, SortOrder::ascend) == "abdec");
  CHECK(sorted(SortTarget::mod, SortOrder::descend, 1) == "c");
  CHECK(sorted(SortTarget::create, SortOrder::descend) == "edcba");
  CHECK(sorted(SortTarget::version, SortOrder::descend, 2) == "ca");
  CHECK(sorted(SortTarget::version, SortOrder::ascend) == "abdec");
  // Without an order a target sorts upwards, but, as in etcd, what was cut in key order (limit + 1 keys) before.
  CHECK(sorted(SortTarget::value, SortOrder::none) == "edcba");
  CHECK(sorted(SortTarget::value, SortOrder::none, 2) == "cb");
}

TEST_CASE("values sort even when only keys are asked for") {
  auto h = five_keys();
  auto range = everything();
  range.sort_target = SortTarget::value;
  range.sort_order = SortOrder::ascend;
  range.keys_only = true;
  const auto response = h.range(range);
  CHECK(response.kvs.front().key == "e");
  CHECK(response.kvs.front().value.empty());
}

TEST_CASE("minimum and maximum revisions filter before the limit and leave the count") {
  auto h = five_keys();
  const auto filtered = [&](Revision min_mod, Revision max_mod, Revision min_create, Revision max_create,
                            std::int64_t limit = 0) {
    auto range = everything();
    range.min_mod_revision = min_mod;
    range.max_mod_revision = max_mod;
    range.min_create_revision = min_create;
    range.max_create_revision = max_create;
    range.limit = limit;
    const auto response = h.range(range);
    CHECK(response.count == 5);
    std::string keys;
    for (const auto& kv : response.kvs) keys += kv.key;
    return keys + (response.more ? "+" : "");
  };
  CHECK(filtered(5, 0, 0, 0) == "cde");
  CHECK(filtered(0, 5, 0, 0) == "abd");
  CHECK(filtered(0, 0, 4, 0) == "cde");
  CHECK(filtered(0, 0, 0, 4) == "abc");
  CHECK(filtered(6, 0, 0, 4) == "c");
  CHECK(filtered(3, 0, 0, 0, 2) == "bc+");
  CHECK(filtered(5, 0, 0, 0, 3) == "cde");
  CHECK(filtered(100, 0, 0, 0).empty());
}

TEST_CASE("count at an earlier revision takes creations and deletions since into account") {
  StoreHarness h;
  for (int i = 0; i < 50; ++i) h.put("k" + std::to_string(100 + i), "v");
  h.erase("k110", "k120");
  h.put("k115", "v");
  for (int i = 0; i < 100; ++i) h.put("other" + std::to_string(i), "v");
  auto range = range_of("k", "l");
  range.count_only = true;
  CHECK(h.range(range).count == 41);
  range.revision = 52;
  CHECK(h.range(range).count == 40);
  range.revision = 51;
  CHECK(h.range(range).count == 50);
  range.revision = 11;
  CHECK(h.range(range).count == 10);
  range.revision = 1;
  CHECK(h.range(range).count == 0);
}

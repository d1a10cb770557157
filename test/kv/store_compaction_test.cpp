#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

CompactionRequest compaction(Revision revision) { return {.revision = revision, .physical = false}; }

}  // namespace

TEST_CASE("a compaction is refused at or below the last one and above the present") {
  StoreHarness h;
  CHECK(h.error(compaction(-1)) == ErrorCode::compacted);
  CHECK(h.error(compaction(2)) == ErrorCode::future_revision);
  h.put("a", "1");
  h.put("a", "2");
  CHECK(h.ok<CompactionResponse>(compaction(3)).header_revision == 3);
  CHECK(h.store().compact_revision() == 3);
  CHECK(h.error(compaction(3)) == ErrorCode::compacted);
  CHECK(h.error(compaction(2)) == ErrorCode::compacted);
  CHECK(h.store().current_revision() == 3);
  CHECK(h.get("a").version == 2);
}

TEST_CASE("physical compaction removes what no read can reach, in bounded steps") {
  auto disk = std::make_shared<MemoryDisk>();
  StoreHarness h(std::make_unique<MemoryBackend>(disk));
  for (int round = 0; round < 20; ++round) {
    for (int key = 0; key < 10; ++key) h.put("k" + std::to_string(key), std::to_string(round));
  }
  h.erase("k3");
  h.put("live", "1");
  h.compact(h.store().current_revision());
  const auto hash = h.store().hash();
  CHECK_FALSE(h.store().compact_step(7));  // nothing of it is persisted
  CHECK(h.store().physically_compacted_revision() == -1);
  h.store().persist_upto(h.store().applied_index());
  int steps = 0;
  while (h.store().compact_step(7)) ++steps;
  CHECK(steps >= 190 / 7);
  CHECK(h.store().physically_compacted_revision() == h.store().current_revision());
  CHECK(h.store().hash() == hash);
  h.store().flush();
  CHECK(disk->records.size() == 10);  // nine keys and "live": the tombstone of k3 is below the compaction
  CHECK_FALSE(h.store().compact_step(7));
  h.store().check_invariants();
}

TEST_CASE("writes and reads go on between the steps of a compaction") {
  StoreHarness h;
  for (int i = 0; i < 300; ++i) h.put("k" + std::to_string(i % 30), std::to_string(i));
  const Revision compacted = h.store().current_revision();
  h.compact(compacted);
  h.store().persist_upto(h.store().applied_index());
  for (int i = 0; h.store().compact_step(5); ++i) {
    h.put("k" + std::to_string(i % 30), "during");
    if (i % 7 == 0) h.erase("k" + std::to_string((i + 3) % 30));
    h.store().persist_upto(h.store().applied_index());
    auto past = everything();
    past.revision = compacted;
    const auto response = h.range(past);
    REQUIRE(response.count == 30);
    REQUIRE(response.kvs.size() == 30);
  }
  h.store().check_invariants();
}

TEST_CASE("a compaction that overtakes a running one is carried out after it") {
  StoreHarness h;
  for (int i = 0; i < 100; ++i) h.put("k" + std::to_string(i % 10), std::to_string(i));
  h.compact(50);
  h.store().persist_upto(h.store().applied_index());
  REQUIRE(h.store().compact_step(3));
  h.compact(100);
  h.compact_physically();
  CHECK(h.store().physically_compacted_revision() == 100);
  CHECK(h.range(everything()).count == 10);
}

TEST_CASE("a backend that refuses leaves the compaction where it was") {
  auto backend = std::make_unique<MemoryBackend>();
  auto* memory = backend.get();
  StoreHarness h(std::move(backend));
  for (int i = 0; i < 50; ++i) h.put("k", std::to_string(i));
  h.compact(40);
  h.store().persist_upto(h.store().applied_index());
  memory->set_busy(true);
  for (int i = 0; i < 3; ++i) CHECK(h.store().compact_step(10));
  CHECK(h.store().physically_compacted_revision() == -1);
  memory->set_busy(false);
  h.compact_physically();
  CHECK(h.store().physically_compacted_revision() == 40);
  CHECK(h.get("k").version == 50);
}

TEST_CASE("the hash is that of the content, whatever the progress of compaction and persistence (S58)") {
  StoreHarness fast;
  StoreHarness slow;
  for (int i = 0; i < 200; ++i) {
    for (auto* h : {&fast, &slow}) {
      h->put("k" + std::to_string(i % 17), std::to_string(i));
      if (i % 5 == 0) h->erase("k" + std::to_string(i % 11));
      if (i % 40 == 39) h->compact(h->store().current_revision() - 7);
      if (i % 70 == 69) h->compact(h->store().current_revision());
    }
    if (i % 3 == 0) fast.compact_physically();
    REQUIRE(fast.store().hash() == slow.store().hash());
  }
  const auto before = fast.store().hash();
  fast.put("k1", "other");
  CHECK(fast.store().hash() != before);
}

TEST_CASE("stores that differ in one value, one revision or one compaction differ in hash") {
  const auto hash_of = [](const char* value, bool extra_revision, bool compacts) {
    StoreHarness h;
    h.put("a", value);
    h.put("b", "1");
    if (extra_revision) h.put("b", "1");
    if (compacts) h.compact(2);
    return h.store().hash();
  };
  CHECK(hash_of("x", false, false) == hash_of("x", false, false));
  CHECK(hash_of("x", false, false) != hash_of("y", false, false));
  CHECK(hash_of("x", false, false) != hash_of("x", true, false));
  CHECK(hash_of("x", false, false) != hash_of("x", false, true));
}

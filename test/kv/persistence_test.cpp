#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

struct CrashableStore {
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  MemoryBackend* backend = nullptr;
  std::unique_ptr<StoreHarness> h;

  CrashableStore() { restart(); }
  // What was not flushed is gone.
  void restart() {
    h.reset();
    auto fresh = std::make_unique<MemoryBackend>(disk);
    backend = fresh.get();
    h = std::make_unique<StoreHarness>(std::move(fresh));
  }
};

}  // namespace

TEST_CASE("the store is never persistent past the member's own durable log (S12)") {
  CrashableStore c;
  for (int i = 1; i <= 10; ++i) c.h->put("k" + std::to_string(i), "v");
  Store& store = c.h->store();
  CHECK(store.persisted_index() == Index(0));
  store.persist_upto(Index(4));
  CHECK(store.persisted_index() == Index(4));
  CHECK(store.applied_index() == Index(10));
  CHECK(c.h->range(everything()).count == 10);
  CHECK(c.h->range(everything()).kvs.size() == 10);
  CHECK(store.durable_applied_index() == Index(0));
  store.flush_async();
  CHECK(store.durable_applied_index() == Index(4));

  c.restart();
  CHECK(c.h->store().applied_index() == Index(4));
  CHECK(c.h->store().current_revision() == 5);
  CHECK(c.h->range(everything()).count == 4);
  CHECK(c.h->put("next", "v").header_revision == 6);
}

TEST_CASE("persisting past what is applied persists what is applied") {
  CrashableStore c;
  c.h->put("a", "1");
  c.h->store().advance(Index(2));
  c.h->store().persist_upto(Index(100));
  CHECK(c.h->store().persisted_index() == Index(2));
  CHECK(c.h->store().size().overlay_bytes == 0);
}

TEST_CASE("data and applied index survive a crash together, at every point (S55)") {
  CrashableStore reference;
  std::vector<std::uint64_t> hash_at{reference.h->store().hash()};
  const auto run = [](StoreHarness& h, int i) {
    if (i % 7 == 3) {
      h.erase("k" + std::to_string(i % 5), "k" + std::to_string(i % 5 + 2));
    } else if (i % 11 == 5) {
      h.compact(h.store().current_revision() - 2);
    } else {
      h.put("k" + std::to_string(i % 9), std::to_string(i));
    }
  };
  for (int i = 1; i <= 60; ++i) {
    run(*reference.h, i + 20);
    hash_at.push_back(reference.h->store().hash());
  }
  for (std::uint64_t flushed = 0; flushed <= 60; flushed += 3) {
    CrashableStore c;
    for (int i = 1; i <= 60; ++i) {
      run(*c.h, i + 20);
      const Index applied = c.h->store().applied_index();
      if (applied <= Index(flushed)) c.h->store().persist_upto(applied);
      c.h->store().compact_step(3);
      if (applied == Index(flushed)) c.h->store().flush();
    }
    c.restart();
    REQUIRE(c.h->store().applied_index() == Index(flushed));
    REQUIRE(c.h->store().hash() == hash_at[flushed]);
    c.h->store().check_invariants();
    // The log is applied again from there and leads to the same place.
    for (int i = static_cast<int>(flushed) + 1; i <= 60; ++i) run(*c.h, i + 20);
    REQUIRE(c.h->store().hash() == hash_at[60]);
    c.h->compact_physically();
    REQUIRE(c.h->store().hash() == hash_at[60]);
  }
}

TEST_CASE("a compaction that was cut off by a crash goes on after the restart") {
  CrashableStore c;
  for (int i = 0; i < 100; ++i) c.h->put("k" + std::to_string(i % 10), std::to_string(i));
  c.h->compact(90);
  c.h->store().persist_upto(c.h->store().applied_index());
  REQUIRE(c.h->store().compact_step(10));
  c.h->store().flush();
  REQUIRE(c.h->store().compact_step(10));  // lost
  const auto hash = c.h->store().hash();
  c.restart();
  CHECK(c.h->store().hash() == hash);
  CHECK(c.h->store().physically_compacted_revision() == -1);
  c.h->compact_physically();
  CHECK(c.h->store().physically_compacted_revision() == 90);
  CHECK(c.h->store().hash() == hash);
  c.h->store().flush();
  c.restart();
  CHECK(c.h->store().hash() == hash);
  CHECK(c.h->store().compact_revision() == 90);
  CHECK(c.disk->records.size() == 10 + 11);
}

TEST_CASE("a compaction does not remove anything before the log holds it durably") {
  CrashableStore c;
  c.h->put("a", "1");
  c.h->store().persist_upto(Index(1));
  c.h->put("a", "2");
  c.h->compact(3);
  c.h->store().persist_upto(Index(2));
  CHECK_FALSE(c.h->store().compact_step(100));
  c.h->store().flush();
  CHECK(c.disk->records.size() == 2);
  c.h->store().persist_upto(Index(3));
  CHECK_FALSE(c.h->store().compact_step(100));
  c.h->store().flush();
  CHECK(c.disk->records.size() == 1);
}

TEST_CASE("a busy backend keeps records in memory until it takes them") {
  CrashableStore c;
  c.backend->set_busy(true);
  for (int i = 1; i <= 5; ++i) c.h->put("k", std::to_string(i));
  c.h->store().persist_upto(Index(5));
  CHECK(c.h->store().persisted_index() == Index(0));
  CHECK(c.h->store().size().overlay_bytes > 0);
  CHECK(c.h->get("k").value == "5");
  c.backend->set_busy(false);
  c.h->store().persist_upto(Index(5));
  CHECK(c.h->store().persisted_index() == Index(5));
  CHECK(c.h->get("k").value == "5");
}

TEST_CASE("over its limit the overlay insists on being written, in groups") {
  CrashableStore c;
  c.backend->set_busy(true);
  const std::string large(1UL << 20, 'x');
  const std::size_t puts = overlay_bytes_max / large.size() + 1;
  for (std::size_t i = 0; i < puts; ++i) c.h->put("k" + std::to_string(i), large);
  c.h->store().persist_upto(c.h->store().applied_index());
  CHECK(c.h->store().persisted_index() == c.h->store().applied_index());
  CHECK(c.h->store().size().overlay_bytes == 0);
}

TEST_CASE("a configuration is kept with the records and its index") {
  CrashableStore c;
  c.h->store().set_configuration(Index(1), "first");
  c.h->put("a", "1");
  c.h->store().persist_upto(Index(2));
  c.h->store().set_configuration(Index(3), "second");
  CHECK(c.h->store().configuration() == "second");
  c.h->store().flush();
  c.restart();
  CHECK(c.h->store().applied_index() == Index(2));
  CHECK(c.h->store().configuration() == "first");
}

TEST_CASE("a store whose records do not make sense refuses to open") {
  const auto opens = [](const MemoryDisk& disk) {
    try {
      Store store(std::make_unique<MemoryBackend>(std::make_shared<MemoryDisk>(disk)));
      return true;
    } catch (const base::FatalError& error) {
      CHECK(error.code() == base::ExitCode::corrupt);
      return false;
    }
  };
  RecordView put;
  put.key = "k";
  put.create_revision = 2;
  put.version = 1;
  MemoryDisk disk;
  disk.meta.applied = Index(1);
  disk.meta.current = 2;
  disk.records[{2, 0}] = encode_record(put);
  CHECK(opens(disk));
  auto damaged = disk;
  damaged.records[{2, 0}] = "rubbish";
  CHECK_FALSE(opens(damaged));
  auto ahead = disk;
  ahead.records[{3, 0}] = encode_record(put);
  CHECK_FALSE(opens(ahead));
  put.create_revision = 3;
  auto early = disk;
  early.records[{2, 0}] = encode_record(put);
  CHECK_FALSE(opens(early));
}

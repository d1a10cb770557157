#include <functional>
#include <iostream>

#include "kv/check.hpp"
#include "kv/rocksdb_backend.hpp"
#include "kv/snapshot.hpp"
#include "naive_model.hpp"
#include "random_request.hpp"
#include "store_harness.hpp"
#include "temporary_folder.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

// One store beside the model, with the log that both applied, so that a restarted store can catch up from it.
class Differential {
 public:
  Differential(std::uint64_t seed, std::uint64_t keys, MakeBackend make_backend)
      : rng_(seed), shape_{keys, 1}, make_backend_(std::move(make_backend)) {
    harness_ = std::make_unique<StoreHarness>(make_backend_());
  }

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      shape_.current = model_.current();
      write();
      read();
      upkeep();
      copy();
      if (round % 500 == 250) restart();
      if (round % 500 == 0) store().check_invariants();
    }
    restart();
    REQUIRE(writes_refused_ > rounds / 50);
    REQUIRE(copies_ > rounds / 300);
  }

 private:
  Store& store() { return harness_->store(); }

  void write() {
    const auto command = random_command(rng_, shape_);
    if (check_request(command)) return;
    log_.push_back(encode_command(command));
    const auto expected = model_.apply(command);
    if (std::holds_alternative<ErrorCode>(expected)) ++writes_refused_;
    responses_.push_back(to_text(expected));
    REQUIRE(to_text(store().apply(Index(log_.size()), log_.back())) == responses_.back());
    REQUIRE(store().current_revision() == model_.current());
    REQUIRE(store().compact_revision() == model_.compacted());
  }

  void read() {
    shape_.current = model_.current();
    for (int i = 0; i < 3; ++i) {
      const auto range = random_range(rng_, shape_);
      REQUIRE(to_text(store().range(range)) == to_text(model_.range(range)));
    }
    const auto txn = random_read_txn(rng_, shape_);
    if (!check_request(txn)) REQUIRE(to_text(store().read_txn(txn)) == to_text(model_.read_txn(txn)));
  }

  void upkeep() {
    const auto applied = store().applied_index().value;
    if (rng_.chance(1, 3))
      store().persist_upto(Index(rng_.in_range(applied - std::min<std::uint64_t>(applied, 20), applied)));
    if (rng_.chance(1, 3)) store().compact_step(rng_.in_range(1, 10));
    if (rng_.chance(1, 100)) store().flush_async();
    if (rng_.chance(1, 200)) store().flush();
  }

  // A chunk of a snapshot a round, while the store goes on. The copy then catches up from the log.
  void copy() {
    if (!reader_) {
      if (!rng_.chance(1, 30)) return;
      reader_ = store().open_snapshot();
      writer_ = std::make_unique<SnapshotWriter>(std::make_unique<MemoryBackend>(), reader_->header());
    }
    if (const auto chunk = reader_->next_chunk(rng_.in_range(1, 2000))) {
      REQUIRE(writer_->add_chunk(chunk->bytes).has_value());
      if (!chunk->is_last) return;
    }
    REQUIRE(writer_->begin_finish(*reader_->total()).has_value());
    REQUIRE(writer_->is_durable());
    check_copy(*writer_->take_store());
    reader_.reset();
    writer_.reset();
    ++copies_;
  }

  void check_copy(Store& copied) {
    copied.check_invariants();
    catch_up(copied);
    REQUIRE(copied.hash() == store().hash());
    shape_.current = model_.current();
    for (int i = 0; i < 10; ++i) {
      const auto range = random_range(rng_, shape_);
      REQUIRE(to_text(copied.range(range)) == to_text(model_.range(range)));
    }
    copied.persist_upto(copied.applied_index());
    while (copied.compact_step(10)) {
    }
    copied.check_invariants();
    REQUIRE(copied.hash() == store().hash());
  }

  void catch_up(Store& lagging) {
    for (std::uint64_t i = lagging.applied_index().value; i < log_.size(); ++i) {
      REQUIRE(to_text(lagging.apply(Index(i + 1), log_[i])) == responses_[i]);
    }
  }

  // Back to what the backend kept, then the same answers from the same log.
  void restart() {
    const auto hash = store().hash();
    const auto persisted = store().persisted_index();
    const auto durable = store().durable_applied_index();
    reader_.reset();
    writer_.reset();
    harness_.reset();
    harness_ = std::make_unique<StoreHarness>(make_backend_());
    const auto applied = store().applied_index();
    REQUIRE(applied >= durable);
    REQUIRE(applied <= persisted);
    store().check_invariants();
    catch_up(store());
    REQUIRE(store().hash() == hash);
  }

  base::Rng rng_;
  RandomShape shape_;
  MakeBackend make_backend_;
  std::unique_ptr<StoreHarness> harness_;
  std::unique_ptr<SnapshotReader> reader_;  // of the store that harness_ holds
  std::unique_ptr<SnapshotWriter> writer_;
  NaiveModel model_;
  std::vector<std::string> log_;
  std::vector<std::string> responses_;
  int writes_refused_ = 0;
  int copies_ = 0;
};

}  // namespace

TEST_CASE("the store on memory answers like the naive model through crashes and compactions") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    auto disk = std::make_shared<MemoryDisk>();
    Differential(seed, seed % 2 == 0 ? 40 : 8, [&] { return std::make_unique<MemoryBackend>(disk); }).run(3000);
  }
}

TEST_CASE("the store on RocksDB answers like the naive model through restarts and compactions") {
  for (std::uint64_t seed = 101; seed <= 103; ++seed) {
    INFO("seed " << seed);
    TemporaryFolder folder;
    RocksdbOptions options;
    options.directory = folder / "store";
    options.write_buffer_bytes = 64UL << 10;  // several flushes of RocksDB's own in one run
    Differential(seed, seed % 2 == 0 ? 40 : 8, [&] { return std::make_unique<RocksdbBackend>(options); }).run(3000);
  }
}

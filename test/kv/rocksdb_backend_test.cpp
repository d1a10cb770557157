#include "kv/rocksdb_backend.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/rng.hpp"
#include "store_harness.hpp"
#include "temporary_folder.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

RocksdbOptions options_in(const std::string& directory) {
  RocksdbOptions options;
  options.directory = directory;
  return options;
}
std::unique_ptr<StoreHarness> open(const RocksdbOptions& options) {
  return std::make_unique<StoreHarness>(std::make_unique<RocksdbBackend>(options));
}
void persist(StoreHarness& h) { h.store().persist_upto(h.store().applied_index()); }

base::ExitCode open_error(const RocksdbOptions& options) {
  try {
    RocksdbBackend backend(options);
  } catch (const base::FatalError& error) {
    return error.code();
  }
  return base::ExitCode::ok;
}

// The same command for the same index, in every process.
Command command_at(std::uint64_t index) {
  base::Rng rng(index * 7919);
  const auto key = "key" + std::to_string(rng.in_range(0, 199));
  const auto kind = rng.in_range(0, 99);
  if (kind < 80) return put_of(key, std::string(rng.in_range(0, 600), static_cast<char>('a' + index % 26)));
  if (kind < 90) return delete_of(key, key + "5");
  if (kind < 92) return CompactionRequest{.revision = static_cast<Revision>(index / 2), .physical = false};
  TxnRequest txn;
  txn.success = {{put_of(key, "txn")}, {put_of("other", "txn")}};
  return txn;
}

constexpr const char* child_directory = "WW_KV_CRASH_DIRECTORY";

// Runs this executable again as the process that is to be killed. Its standard output is the returned pipe.
struct Child {
  pid_t pid = -1;
  FILE* output = nullptr;

  explicit Child(const std::string& directory) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const std::string assignment = std::string(child_directory) + "=" + directory;
    std::string program = "test_kv_rocksdb";
    std::string filter = "[crash-child]";
    char* arguments[] = {program.data(), filter.data(), nullptr};
    std::string environment_entry = assignment;
    char* environment[] = {environment_entry.data(), nullptr};
    REQUIRE(::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments, environment) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output = ::fdopen(ends[0], "r");
    REQUIRE(output != nullptr);
  }
  void kill() {
    ::kill(pid, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
  }
  ~Child() { ::fclose(output); }
};

}  // namespace

// Not a test of its own: the process that "a killed process..." kills. Applies, persists, flushes and compacts without
// end and says what is durable.
TEST_CASE("crash child", "[.][crash-child]") {
  const char* directory = std::getenv(child_directory);
  REQUIRE(directory != nullptr);
  auto options = options_in(directory);
  options.write_buffer_bytes = 64UL << 10;
  auto h = open(options);
  base::Rng rng(static_cast<std::uint64_t>(::getpid()));
  Index told;
  for (;;) {
    h->apply(command_at(h->store().applied_index().next().value));
    if (rng.chance(1, 5)) persist(*h);
    if (rng.chance(1, 5)) h->store().compact_step(20);
    if (rng.chance(1, 300)) h->store().flush_async();
    if (h->store().durable_applied_index() > told) {
      told = h->store().durable_applied_index();
      std::printf("durable %llu\n", static_cast<unsigned long long>(told.value));
      std::fflush(stdout);
    }
  }
}

TEST_CASE("a killed process leaves data and applied index of one moment, at least what was durable (S55)") {
  TemporaryFolder folder;
  const auto directory = folder / "store";
  // What the log leads to, entry by entry.
  StoreHarness reference;
  std::uint64_t durable = 0;
  for (int round = 0; round < 6; ++round) {
    Child child(directory);
    for (int lines = 0; lines < 3 + round * 2; ++lines) {
      char line[128];
      REQUIRE(std::fgets(line, sizeof line, child.output) != nullptr);
      if (std::sscanf(line, "durable %lu", &durable) != 1) --lines;  // Catch's own header
    }
    child.kill();
    auto h = open(options_in(directory));
    const auto applied = h->store().applied_index();
    INFO("round " << round << ", durable " << durable << ", found " << applied.value);
    REQUIRE(applied.value >= durable);
    while (reference.store().applied_index() < applied) {
      reference.apply(command_at(reference.store().applied_index().next().value));
    }
    REQUIRE(reference.store().applied_index() == applied);
    REQUIRE(h->store().hash() == reference.store().hash());
    REQUIRE(h->store().current_revision() == reference.store().current_revision());
    h->store().check_invariants();
  }
  CHECK(durable > 100);
}

TEST_CASE("a closed store opens where it was") {
  TemporaryFolder folder;
  const auto options = options_in(folder / "store");
  {
    auto h = open(options);
    CHECK(h->store().applied_index() == Index(0));
    h->put("a", "1");
    h->put("b", "2");
    h->erase("a");
    h->store().set_configuration(Index(4), "members");
    persist(*h);
  }
  auto h = open(options);
  CHECK(h->store().applied_index() == Index(4));
  CHECK(h->store().durable_applied_index() == Index(4));
  CHECK(h->store().current_revision() == 4);
  CHECK(h->store().configuration() == "members");
  CHECK(h->show(everything()) == "b=2");
  auto past = everything();
  past.revision = 2;
  CHECK(h->show(past) == "a=1");
}

TEST_CASE("closing does not persist what the log may not hold (S12)") {
  TemporaryFolder folder;
  const auto options = options_in(folder / "store");
  {
    auto h = open(options);
    for (int i = 0; i < 10; ++i) h->put("k" + std::to_string(i), "v");
    h->store().persist_upto(Index(6));
  }
  auto h = open(options);
  CHECK(h->store().applied_index() == Index(6));
  CHECK(h->range(everything()).count == 6);
}

TEST_CASE("a flush that was asked for ends with everything persisted being durable") {
  TemporaryFolder folder;
  auto h = open(options_in(folder / "store"));
  for (int i = 0; i < 1000; ++i) h->put("k" + std::to_string(i), std::string(100, 'v'));
  h->store().persist_upto(Index(999));
  CHECK(h->store().durable_applied_index() == Index(0));
  h->store().flush_async();
  for (int i = 0; i < 500 && h->store().durable_applied_index() < Index(999); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(h->store().durable_applied_index() == Index(999));
  h->store().flush_async();  // nothing to do
  CHECK(h->store().durable_applied_index() == Index(999));
  persist(*h);
  h->store().flush();
  CHECK(h->store().durable_applied_index() == Index(1000));
}

TEST_CASE("a flush of RocksDB's own raises the durable index, not beyond what was written") {
  TemporaryFolder folder;
  auto options = options_in(folder / "store");
  options.write_buffer_bytes = 64UL << 10;
  auto h = open(options);
  for (int i = 0; i < 3000; ++i) {
    h->put("k" + std::to_string(i), std::string(200, 'v'));
    persist(*h);
    REQUIRE(h->store().durable_applied_index() <= h->store().persisted_index());
  }
  for (int i = 0; i < 500 && h->store().durable_applied_index() < Index(1000); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(h->store().durable_applied_index() >= Index(1000));
}

TEST_CASE("ranges over many records read them all, in memory and in files") {
  TemporaryFolder folder;
  auto h = open(options_in(folder / "store"));
  for (int i = 0; i < 500; ++i) h->put("k" + std::to_string(1000 + i), std::to_string(i));
  h->store().persist_upto(Index(300));
  h->store().flush();
  h->store().persist_upto(Index(400));
  const auto response = h->range(everything());
  REQUIRE(response.kvs.size() == 500);
  for (int i = 0; i < 500; ++i) REQUIRE(response.kvs[static_cast<std::size_t>(i)].value == std::to_string(i));
}

TEST_CASE("physical compaction gives space back") {
  TemporaryFolder folder;
  auto h = open(options_in(folder / "store"));
  for (int i = 0; i < 5000; ++i)
    h->put("k" + std::to_string(i % 10), std::string(1000, static_cast<char>('a' + i % 26)));
  persist(*h);
  h->store().flush();
  CHECK(h->store().size().backend.total_bytes > 4'000'000);
  h->compact(h->store().current_revision());
  h->compact_physically();
  h->store().flush();
  CHECK(h->store().size().backend.in_use_bytes < 4'000'000);
  CHECK(h->store().size().keys == 10);
  CHECK(h->range(everything()).kvs.size() == 10);
}

TEST_CASE("a store that cannot be opened says why") {
  TemporaryFolder folder;
  auto options = options_in(folder / "store");
  {
    auto h = open(options);
    CHECK(open_error(options) == base::ExitCode::data_directory);  // locked
    h->put("a", std::string(2000, 'x'));
    persist(*h);
    h->store().flush();
  }
  CHECK(open_error(options) == base::ExitCode::ok);
  CHECK(open_error(options_in("/proc/nowhere/store")) == base::ExitCode::data_directory);
  for (const auto& file : std::filesystem::directory_iterator(options.directory)) {
    if (file.path().filename() == "CURRENT") {
      FILE* current = std::fopen(file.path().c_str(), "w");
      REQUIRE(current != nullptr);
      std::fputs("rubbish", current);
      std::fclose(current);
    }
  }
  CHECK(open_error(options) == base::ExitCode::corrupt);
}

TEST_CASE("bit rot in a record's file is found, not served") {
  TemporaryFolder folder;
  const auto options = options_in(folder / "store");
  {
    auto h = open(options);
    for (int i = 0; i < 100; ++i) h->put("k" + std::to_string(i), std::string(1000, 'x'));
    persist(*h);
  }
  for (const auto& file : std::filesystem::directory_iterator(options.directory)) {
    if (file.path().extension() != ".sst") continue;
    FILE* table = std::fopen(file.path().c_str(), "r+");
    REQUIRE(table != nullptr);
    std::fseek(table, 5000, SEEK_SET);
    std::fputs("damage", table);
    std::fclose(table);
  }
  try {
    auto h = open(options);
    FAIL("the damaged store opened");
  } catch (const base::FatalError& error) {
    CHECK(error.code() == base::ExitCode::corrupt);
  }
}

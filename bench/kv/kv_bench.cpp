// The store's hot paths: apply of a put with persistence in groups, single-key and page reads, counts over a million
// keys, index insertion, the command codec. Data under a mkdtemp folder.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/rng.hpp"
#include "kv/command_codec.hpp"
#include "kv/index.hpp"
#include "kv/memory_backend.hpp"
#include "kv/rocksdb_backend.hpp"
#include "kv/store.hpp"

namespace {

using namespace whitewater;
using namespace whitewater::kv;

constexpr std::size_t value_bytes = 256;

class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "ww_bench_XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string store() const { return path_ + "/store"; }

 private:
  std::string path_;
};

std::unique_ptr<Backend> rocksdb_in(const Folder& folder) {
  RocksdbOptions options;
  options.directory = folder.store();
  return std::make_unique<RocksdbBackend>(options);
}

std::string key_at(std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "/bench/keys/%010llu", static_cast<unsigned long long>(number));
  return text;
}

std::string put_bytes(std::uint64_t key) {
  PutRequest put;
  put.key = key_at(key);
  put.value = std::string(value_bytes, 'v');
  return encode_command(put);
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1UL << 20);
}

void fill(Store& store, std::uint64_t keys) {
  for (std::uint64_t i = 0; i < keys; ++i) {
    benchmark::DoNotOptimize(store.apply(store.applied_index().next(), put_bytes(i)));
    if (i % 64 == 63) store.persist_upto(store.applied_index());
  }
  store.persist_upto(store.applied_index());
}

// Opening a store of range(0) keys; the resident memory beside it is that of the whole
// process with the store open, which is why this runs first.
void open_store(benchmark::State& state) {
  Folder folder;
  {
    Store store(rocksdb_in(folder));
    fill(store, static_cast<std::uint64_t>(state.range(0)));
  }
  double resident = 0;
  for (auto _ : state) {
    Store store(rocksdb_in(folder));
    benchmark::DoNotOptimize(store.current_revision());
    state.PauseTiming();
    resident = resident_mib();
    state.ResumeTiming();
  }
  state.counters["resident_mib"] = resident;
}
BENCHMARK(open_store)->ArgName("keys")->Arg(0)->Arg(100000)->Unit(benchmark::kMillisecond)->Iterations(3);

// state.range(0): puts between two calls of persist_upto; range(1): distinct keys, drawn at random; 0: always new ones.
void apply_put(benchmark::State& state, std::unique_ptr<Backend> backend) {
  Store store(std::move(backend));
  const auto group = static_cast<std::uint64_t>(state.range(0));
  const auto keys = static_cast<std::uint64_t>(state.range(1));
  base::Rng rng(1);
  // Commands are encoded beforehand: the proposer pays for that.
  constexpr std::uint64_t prepared = 1 << 16;
  std::vector<std::string> commands;
  if (keys != 0) {
    for (std::uint64_t i = 0; i < prepared; ++i) commands.push_back(put_bytes(rng.in_range(0, keys - 1)));
  }
  std::uint64_t puts = 0;
  for (auto _ : state) {
    if (keys == 0) {
      benchmark::DoNotOptimize(store.apply(store.applied_index().next(), put_bytes(puts)));
    } else {
      benchmark::DoNotOptimize(store.apply(store.applied_index().next(), commands[puts % prepared]));
    }
    if (++puts % group == 0) store.persist_upto(store.applied_index());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(puts));
}

void apply_put_rocksdb(benchmark::State& state) {
  Folder folder;
  apply_put(state, rocksdb_in(folder));
}
BENCHMARK(apply_put_rocksdb)
    ->ArgNames({"group", "keys"})
    ->Args({1, 100000})
    ->Args({16, 100000})
    ->Args({64, 100000})
    ->Args({64, 0});

void apply_put_memory(benchmark::State& state) { apply_put(state, std::make_unique<MemoryBackend>()); }
BENCHMARK(apply_put_memory)->ArgNames({"group", "keys"})->Args({64, 100000});

// range(0): keys in the store; range(1): 1 when they were flushed to files before.
void range_single_key(benchmark::State& state) {
  Folder folder;
  Store store(rocksdb_in(folder));
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  fill(store, keys);
  if (state.range(1) == 1) store.flush();
  base::Rng rng(2);
  RangeRequest request;
  for (auto _ : state) {
    request.key = key_at(rng.in_range(0, keys - 1));
    benchmark::DoNotOptimize(store.range(request));
  }
}
BENCHMARK(range_single_key)->ArgNames({"keys", "flushed"})->Args({10000, 0})->Args({10000, 1})->Args({100000, 1});

void range_page_of_500(benchmark::State& state) {
  Folder folder;
  Store store(rocksdb_in(folder));
  constexpr std::uint64_t keys = 100000;
  fill(store, keys);
  base::Rng rng(3);
  RangeRequest request;
  request.range_end = std::string("\0", 1);
  request.limit = 500;
  for (auto _ : state) {
    request.key = key_at(rng.in_range(0, keys - 1000));
    benchmark::DoNotOptimize(store.range(request));
  }
  state.SetItemsProcessed(state.iterations() * 500);
}
BENCHMARK(range_page_of_500);

constexpr std::uint64_t million = 1000000;

KeyIndex& million_keys() {
  static auto* index = [] {
    auto* made = new KeyIndex;
    for (std::uint64_t i = 0; i < million; ++i) {
      made->put(key_at(i * 7919 % million), {static_cast<Revision>(i + 2), 0});
    }
    return made;
  }();
  return *index;
}

// range(0): revisions back from now at which the count is asked for.
void count_in_million_keys(benchmark::State& state) {
  const KeyIndex& index = million_keys();
  const Revision at = static_cast<Revision>(million + 1) - state.range(0);
  base::Rng rng(4);
  for (auto _ : state) {
    const auto begin = key_at(rng.in_range(0, million / 2));
    const auto end = key_at(rng.in_range(million / 2, million - 1));
    benchmark::DoNotOptimize(index.count(KeyRange(begin, end), at));
  }
}
BENCHMARK(count_in_million_keys)->ArgName("revisions_back")->Arg(0)->Arg(100)->Arg(10000);

// range(0): 1 for ascending keys, 0 for a random order. Iterations are insertions into a growing index.
void index_insert(benchmark::State& state) {
  const double before = resident_mib();
  auto index = std::make_unique<KeyIndex>();
  std::uint64_t inserted = 0;
  for (auto _ : state) {
    const auto number = state.range(0) == 1 ? inserted : inserted * 2654435761ULL % 4294967296ULL;
    index->put(key_at(number), {static_cast<Revision>(inserted + 2), 0});
    ++inserted;
  }
  // Only the first run takes its memory from the system.
  if (state.range(0) == 1)
    state.counters["bytes_per_key"] = (resident_mib() - before) * (1UL << 20) / static_cast<double>(inserted);
}
BENCHMARK(index_insert)->ArgName("ascending")->Arg(1)->Arg(0)->Iterations(million);

void index_find(benchmark::State& state) {
  const KeyIndex& index = million_keys();
  base::Rng rng(5);
  for (auto _ : state) {
    const auto key = key_at(rng.in_range(0, million - 1));
    benchmark::DoNotOptimize(index.find_alive(key));
  }
}
BENCHMARK(index_find);

void decode_put(benchmark::State& state) {
  const auto bytes = put_bytes(1);
  for (auto _ : state) benchmark::DoNotOptimize(decode_command(bytes));
}
BENCHMARK(decode_put);

}  // namespace

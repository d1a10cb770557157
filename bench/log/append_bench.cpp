// What one durable append costs on a real device, by strategy, beside the bare system calls in the same run: a blocking
// DSYNC write into zero-filled blocks (the floor) and a buffered write with fdatasync (what most logs do). Runs in the
// folder WW_BENCH_DIR, or the current one. For the ratios interleave: --benchmark_enable_random_interleaving=true.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "log/raft_log.hpp"

using namespace whitewater;
using namespace whitewater::log;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint32_t file_bytes = 16U << 20;
constexpr int iterations = 300;  // of one repetition; repetitions interleave

class Folder {
 public:
  Folder() {
    const char* parent = std::getenv("WW_BENCH_DIR");
    path_ = std::string(parent != nullptr ? parent : ".") + "/ww-bench-log-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot make " + path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void report(benchmark::State& state, std::vector<double> micros) {
  if (micros.empty()) return;
  std::sort(micros.begin(), micros.end());
  const auto at = [&](double q) {
    return micros[static_cast<std::size_t>(q * static_cast<double>(micros.size() - 1))];
  };
  state.counters["p50_us"] = at(0.5);
  state.counters["p90_us"] = at(0.9);
  state.counters["p99_us"] = at(0.99);
}
double micros_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// One 256-byte entry at a time, each waited for through the eventfd, as the server's loop does.
void log_append(benchmark::State& state, Strategy strategy) {
  const Folder folder;
  base::NullLogSink sink;
  LogOptions options;
  options.dir = folder.path() + "/log";
  options.node = NodeId(1);
  options.budget_bytes = 2ULL * options.segment_bytes;
  options.strategy = strategy;
  options.direct_io = strategy != Strategy::buffered;
  OpenedLog opened;
  try {
    opened = RaftLog::open(options, sink);
  } catch (const base::FatalError& error) {
    state.SkipWithError(error.what());
    return;
  }
  auto& log = *opened.log;
  LogEvents events;
  std::uint64_t token = 0;
  std::vector<double> micros;
  const core::SharedBytes payload(std::string(256, 'p'));
  for (auto _ : state) {
    const auto start = Clock::now();
    LogAppend append;
    append.token = ++token;
    core::Entry entry;
    entry.index = Index(token);
    entry.term = Term(1);
    entry.type = core::EntryType::command;
    entry.payload = payload;
    append.entries.push_back(std::move(entry));
    log.append(std::move(append));
    while (log.planner().durable_token() < token) {
      pollfd waiting{log.completion_fd(), POLLIN, 0};
      (void)::poll(&waiting, 1, -1);
      log.poll(events);
    }
    micros.push_back(micros_since(start));
  }
  report(state, std::move(micros));
  state.SetLabel(std::string(describe(log.stats().strategy)));
}

// Zero-filled file; 4 KiB at consecutive places.
void bare_write(benchmark::State& state, bool is_direct) {
  const Folder folder;
  auto made = make_segment({folder.path(), 0, file_bytes, true, 0, nullptr});
  if (made.has_error()) {
    state.SkipWithError("cannot make the file");
    return;
  }
  const std::string path = folder.path() + "/segment-000000.wwlog";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | (is_direct ? O_DIRECT : 0)));
  const AlignedBytes block = allocate_aligned(block_bytes);
  std::memset(block.get(), 1, block_bytes);
  std::vector<double> micros;
  std::uint32_t offset = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    const iovec part{block.get(), block_bytes};
    bool is_done = ::pwritev2(file.get(), &part, 1, offset, is_direct ? RWF_DSYNC : 0) == block_bytes;
    if (!is_direct) is_done = ::fdatasync(file.get()) == 0 && is_done;
    if (!is_done) state.SkipWithError("the write failed");
    offset = (offset + block_bytes) % file_bytes;
    micros.push_back(micros_since(start));
  }
  report(state, std::move(micros));
}

// The same into a file that was only allocated, as etcd's is.
void allocated_write(benchmark::State& state) {
  const Folder folder;
  const std::string path = folder.path() + "/allocated";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (::posix_fallocate(file.get(), 0, file_bytes) != 0) {
    state.SkipWithError("cannot allocate the file");
    return;
  }
  const std::string block(block_bytes, 'b');
  std::vector<double> micros;
  std::uint32_t offset = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    const bool is_done = ::pwrite(file.get(), block.data(), block.size(), offset) == block_bytes;
    if (!is_done || ::fdatasync(file.get()) != 0) state.SkipWithError("the write failed");
    offset = (offset + block_bytes) % file_bytes;
    micros.push_back(micros_since(start));
  }
  report(state, std::move(micros));
}

BENCHMARK_CAPTURE(bare_write, blocking_dsync, true)->Iterations(iterations)->UseRealTime();
BENCHMARK_CAPTURE(log_append, uring, Strategy::uring)->Iterations(iterations)->UseRealTime();
BENCHMARK_CAPTURE(log_append, thread, Strategy::thread)->Iterations(iterations)->UseRealTime();
BENCHMARK_CAPTURE(log_append, buffered, Strategy::buffered)->Iterations(iterations)->UseRealTime();
BENCHMARK_CAPTURE(bare_write, buffered_fdatasync, false)->Iterations(iterations)->UseRealTime();
BENCHMARK(allocated_write)->Iterations(iterations)->UseRealTime();

}  // namespace

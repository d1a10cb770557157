// RaftLog and its executors on real files.
#include "log/raft_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "catch.hpp"
#include "log/crash_disk.hpp"
#include "log/temp_dir.hpp"
#include "log/thread_executor.hpp"
#include "log/uring_executor.hpp"

using namespace whitewater;
using namespace whitewater::log;
using base::ExitCode;
using base::FatalError;

namespace {

base::NullLogSink no_sink;

core::Entry entry(std::uint64_t index, std::uint64_t term, std::string payload) {
  core::Entry e;
  e.index = Index(index);
  e.term = Term(term);
  e.type = core::EntryType::command;
  e.payload = core::SharedBytes(std::move(payload));
  return e;
}
LogOptions options_in(const std::string& dir, Strategy strategy) {
  LogOptions options;
  options.dir = dir + "/log";
  options.segment_bytes = log_segment_bytes_min;
  options.budget_bytes = 3ULL * log_segment_bytes_min;
  options.strategy = strategy;
  options.direct_io = strategy != Strategy::buffered;
  options.node = NodeId(42);
  options.incarnation = Incarnation(1);
  return options;
}
bool wait_readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 5000) == 1;
}
// Polls until `token` is durable.
void wait_durable(RaftLog& log, std::uint64_t token) {
  LogEvents events;
  for (int i = 0; i < 10000 && log.planner().durable_token() < token; ++i) {
    REQUIRE(wait_readable(log.completion_fd()));
    log.poll(events);
    REQUIRE(events.durable_token == log.planner().durable_token());
  }
  REQUIRE(log.planner().durable_token() >= token);
}
FinishedRead wait_read(RaftLog& log) {
  LogEvents events;
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(wait_readable(log.completion_fd()));
    log.poll(events);
    if (!events.reads.empty()) return std::move(events.reads.front());
  }
  FAIL("no read finished");
  return {};
}
template <class F>
ExitCode exit_code_of(F function) {
  try {
    function();
  } catch (const FatalError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).size() > 20);
    return error.code();
  }
  return ExitCode::ok;
}
bool has_uring() {
  const UniqueFd fd(::eventfd(0, EFD_NONBLOCK));
  ExecutorSetup setup;
  setup.completion_fd = fd.get();
  setup.files_max = 4;
  return make_uring_executor(setup).has_value();
}

void write_read_and_reopen(const std::string& dir, Strategy strategy) {
  auto options = options_in(dir, strategy);
  {
    auto opened = RaftLog::open(options, no_sink);
    CHECK(opened.recovered.is_fresh);
    CHECK(opened.log->stats().strategy == strategy);
    std::uint64_t latencies = 0;
    opened.log->on_write_latency([&](base::Duration d) { latencies += d.count() > 0 ? 1 : 0; });
    std::uint64_t token = 0;
    for (std::uint64_t i = 1; i <= 300; ++i) {
      LogAppend append;
      append.token = ++token;
      if (i % 50 == 1) append.hard_state = core::HardState{Term(1 + i / 50), NodeId(7)};
      append.entries.push_back(entry(i, 1 + i / 50, std::string(i * 7, static_cast<char>('a' + i % 26))));
      opened.log->append(std::move(append));
      if (i % 3 == 0) wait_durable(*opened.log, token);
    }
    wait_durable(*opened.log, token);
    CHECK(latencies > 0);
    CHECK(opened.log->stats().written_bytes > 300 * 1000);
    opened.log->read(Index(1), 4000, 9);
    const auto read = wait_read(*opened.log);
    CHECK(read.request_id == 9);
    REQUIRE(read.entries.size() > 5);
    CHECK(read.entries[4].payload.view() == std::string(35, static_cast<char>('a' + 5)));
    opened.log->read(Index(301), 4000, 10);
    CHECK(wait_read(*opened.log).is_missing);
    opened.log->read(Index(250), 1, 11);
    CHECK(wait_read(*opened.log).entries.size() == 1);
  }
  options.incarnation = Incarnation(2);
  options.must_exist = true;
  auto again = RaftLog::open(options, no_sink);
  CHECK(again.recovered.last_index == Index(300));
  CHECK(again.recovered.hard_state == core::HardState{Term(6), NodeId(7)});
  CHECK(again.recovered.entries.size() == 300);
  LogAppend append;
  append.token = 1;
  append.entries.push_back(entry(200, 9, "superseding"));
  again.log->append(std::move(append));
  wait_durable(*again.log, 1);
  again.log->read(Index(199), 1 << 20, 1);
  const auto read = wait_read(*again.log);
  CHECK(read.entries.size() == 2);
  CHECK(read.entries.back().payload.view() == "superseding");
}

}  // namespace

TEST_CASE("the thread strategy writes, reads, reopens and supersedes on a real disk") {
  // Intent: the whole way with O_DIRECT and RWF_DSYNC in threads.
  const TempDir dir;
  write_read_and_reopen(dir.path(), Strategy::thread);
}
TEST_CASE("the uring strategy writes, reads, reopens and supersedes on a real disk") {
  // Intent: the same through io_uring.
  if (!has_uring()) {
    WARN("skipped: io_uring is refused here");
    return;
  }
  const TempDir dir;
  write_read_and_reopen(dir.path(), Strategy::uring);
}
TEST_CASE("the buffered strategy works where there is no O_DIRECT") {
  // Intent: the same through the page cache, in memory.
  const TempDir dir("/dev/shm");
  write_read_and_reopen(dir.path(), Strategy::buffered);
}

TEST_CASE("the probe chooses a strategy, says why, and is quick; a first start takes under 200 ms") {
  // Intent: the start of an empty member.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::automatic);
  options.segment_bytes = 16U << 20;
  options.budget_bytes = 2 * (16ULL << 20);
  const auto started = std::chrono::steady_clock::now();
  auto opened = RaftLog::open(options, no_sink);
  const auto took = std::chrono::steady_clock::now() - started;
  CHECK_FALSE(opened.log->stats().reason.empty());
  WARN("first start " << std::chrono::duration_cast<base::milliseconds>(took).count() << " ms, "
                      << describe(opened.log->stats().strategy) << ": " << opened.log->stats().reason);
  CHECK(took < base::seconds(2));  // the real bound is on a quiet machine; this one catches a hang
}

TEST_CASE("S7 starts whose probe finds only a released segment leave what a later recovery reads through") {
  const TempDir dir;
  LogOptions options = options_in(dir.path(), Strategy::automatic);
  options.initial_segments = 2;
  options.budget_bytes = 2ULL * log_segment_bytes_min;
  constexpr std::uint64_t count = 30;  // of 200 KiB: one and a half segments
  {
    auto opened = RaftLog::open(options, no_sink);
    for (std::uint64_t i = 1; i <= count; ++i) {
      opened.log->append({i, {}, {entry(i, 1, std::string(200 << 10, 'x'))}, {}});
    }
    wait_durable(*opened.log, count);
    opened.log->release(Index(count - 2));
    opened.log->append({count + 1, {}, {entry(count + 1, 1, "last")}, {}});
    wait_durable(*opened.log, count + 1);
  }
  for (std::uint64_t start = 2; start < 6; ++start) {
    options.incarnation = Incarnation(start);
    auto opened = RaftLog::open(options, no_sink);
    CHECK(opened.log->stats().reason.find("probe: uring") == 0);
    CHECK(opened.recovered.last_index == Index(count + 1));
  }
}

TEST_CASE("a log that was torn at the end opens and says how many bytes it dropped") {
  // Intent: S5 on real files; the header of the batch is whole, its payload is not.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::thread);
  {
    auto opened = RaftLog::open(options, no_sink);
    for (std::uint64_t i = 1; i <= 3; ++i) {
      LogAppend append;
      append.token = i;
      append.entries.push_back(entry(i, 1, "value"));
      opened.log->append(std::move(append));
      wait_durable(*opened.log, i);
    }
  }
  const UniqueFd file(::open((options.dir + "/segment-000000.wwlog").c_str(), O_RDWR));
  REQUIRE(::pwrite(file.get(), "torn", 4, 3 * block_bytes + 100) == 4);
  auto opened = RaftLog::open(options, no_sink);
  CHECK(opened.recovered.last_index == Index(2));
  CHECK(opened.log->stats().torn_bytes == block_bytes);
}

TEST_CASE("damage, a foreign log, a newer format, a missing and an empty log are refused with their exit codes") {
  // Intent: every FatalError of open that can be provoked with files.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::thread);
  {
    auto opened = RaftLog::open(options, no_sink);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      LogAppend append;
      append.token = i;
      append.entries.push_back(entry(i, 1, "value"));
      opened.log->append(std::move(append));
      wait_durable(*opened.log, i);
    }
  }
  const std::string first = options.dir + "/segment-000000.wwlog";
  const auto open_it = [&] { (void)RaftLog::open(options, no_sink); };
  SECTION("damage") {
    const UniqueFd file(::open(first.c_str(), O_RDWR));
    REQUIRE(::pwrite(file.get(), "x", 1, 2 * block_bytes + 100) == 1);
    CHECK(exit_code_of(open_it) == ExitCode::corrupt);
  }
  SECTION("another member") {
    options.node = NodeId(43);
    CHECK(exit_code_of(open_it) == ExitCode::data_directory);
  }
  SECTION("newer format") {
    const UniqueFd file(::open(first.c_str(), O_RDWR));
    std::string block(block_bytes, '\0');
    REQUIRE(::pread(file.get(), block.data(), block_bytes, 0) == static_cast<ssize_t>(block_bytes));
    SegmentHeader header;
    REQUIRE(check_segment_header(block, header) == HeaderCheck::valid);
    header.version = 7;
    seal_segment_header(header, block.data());
    REQUIRE(::pwrite(file.get(), block.data(), block_bytes, 0) == static_cast<ssize_t>(block_bytes));
    CHECK(exit_code_of(open_it) == ExitCode::newer_format);
  }
  SECTION("a missing segment file") {
    REQUIRE(::unlink(first.c_str()) == 0);
    CHECK(exit_code_of(open_it) == ExitCode::corrupt);
  }
  SECTION("a segment file of another size") {
    REQUIRE(::truncate(first.c_str(), 5000) == 0);
    CHECK(exit_code_of(open_it) == ExitCode::corrupt);
  }
  SECTION("an empty log where there must be one") {
    options.dir = dir.path() + "/other";
    options.must_exist = true;
    CHECK(exit_code_of(open_it) == ExitCode::corrupt);
  }
  SECTION("a segment size that holds no large entry") {
    options.segment_bytes = block_bytes;
    CHECK(exit_code_of(open_it) == ExitCode::usage);
  }
  SECTION("a file in place of the directory") {
    options.dir = first;
    CHECK(exit_code_of(open_it) == ExitCode::data_directory);
  }
}

TEST_CASE("S15 a half-made segment file of an earlier stop is thrown away") {
  // Intent: a stop in the middle of a zero-fill.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::thread);
  REQUIRE(::mkdir(options.dir.c_str(), 0700) == 0);
  const std::string unfinished = options.dir + "/segment-000000.wwlog.new";
  {
    const UniqueFd file(::open(unfinished.c_str(), O_CREAT | O_RDWR, 0600));
  }
  auto opened = RaftLog::open(options, no_sink);
  CHECK(opened.recovered.is_fresh);
  CHECK(::access(unfinished.c_str(), F_OK) != 0);
}

TEST_CASE("the log grows in the background, rolls, releases and reuses, and refuses when its budget is used") {
  // Intent: growth, budget and recycling with the real helper thread.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::thread);
  auto opened = RaftLog::open(options, no_sink);
  auto& log = *opened.log;
  LogEvents events;
  std::uint64_t i = 0;
  const auto append_one = [&] {
    LogAppend append;
    append.token = ++i;
    append.entries.push_back(entry(i, 1, std::string(200'000, 'g')));
    log.append(std::move(append));
    wait_durable(log, i);
  };
  while (log.stats().segments < 3) {
    REQUIRE(wait_readable(log.completion_fd()));
    log.poll(events);
  }
  while (!log.is_full(200'000)) append_one();
  const auto at_full = i;
  CHECK(at_full > 20);
  CHECK(log.stats().is_full == log.is_full());
  log.release(Index(at_full));
  append_one();
  append_one();
  CHECK_FALSE(log.is_full(200'000));
  for (int n = 0; n < 60; ++n) {
    append_one();
    log.release(Index(i));
  }
  CHECK(log.stats().segments == 3);
}

TEST_CASE("S11 a log that could not grow finds the space that came free, though nothing is appended") {
  // Intent: a full leader refuses writes, so no append of its own ever asks the disk again. What is in the way here is
  // a folder.
  const TempDir dir;
  auto options = options_in(dir.path(), Strategy::thread);
  options.growth_retry_interval = base::milliseconds(20);
  REQUIRE(::mkdir(options.dir.c_str(), 0700) == 0);
  const std::string in_the_way = options.dir + "/segment-000002.wwlog.new";
  REQUIRE(::mkdir(in_the_way.c_str(), 0700) == 0);
  auto opened = RaftLog::open(options, no_sink);
  auto& log = *opened.log;
  LogEvents events;
  for (std::uint64_t i = 1; !log.is_full(200'000); ++i) {
    LogAppend append;
    append.token = i;
    append.entries.push_back(entry(i, 1, std::string(200'000, 'g')));
    log.append(std::move(append));
    wait_durable(log, i);
  }
  const auto poll_for = [&](int ms) {
    pollfd waiting{log.completion_fd(), POLLIN, 0};
    if (::poll(&waiting, 1, ms) == 1) log.poll(events);
  };
  for (int n = 0; n < 10; ++n) poll_for(10);
  CHECK(log.stats().segments == 2);
  REQUIRE(log.is_full(200'000));
  REQUIRE(::rmdir(in_the_way.c_str()) == 0);
  for (int n = 0; n < 500 && log.is_full(200'000); ++n) {
    log.retry_growth();
    poll_for(10);
  }
  CHECK(log.stats().segments == 3);
  CHECK_FALSE(log.is_full(200'000));
}

TEST_CASE("S10 a failed write ends the log for good") {
  // Intent: ENOSPC from the device is thrown once and ever after; nothing becomes durable behind it.
  for (const auto strategy : {Strategy::thread, Strategy::uring}) {
    if (strategy == Strategy::uring && !has_uring()) continue;
    const TempDir dir;
    auto options = options_in(dir.path(), strategy);
    auto opened = RaftLog::open(options, no_sink);
    LogAppend first;
    first.token = 1;
    first.entries.push_back(entry(1, 1, "value"));
    opened.log->append(std::move(first));
    wait_durable(*opened.log, 1);
    // The same descriptor now leads to a device that is always full.
    const UniqueFd full(::open("/dev/full", O_RDWR | O_CLOEXEC));
    const std::string wanted = std::filesystem::canonical(options.dir + "/segment-000000.wwlog");
    for (int fd = 3; fd < 256; ++fd) {
      std::error_code none;
      const auto link = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), none);
      if (!none && link == wanted && strategy == Strategy::thread) REQUIRE(::dup3(full.get(), fd, O_CLOEXEC) == fd);
    }
    if (strategy == Strategy::uring) continue;  // its registered file keeps the old one open: see the executor's test
    LogAppend second;
    second.token = 2;
    second.entries.push_back(entry(2, 1, "value"));
    LogEvents events;
    CHECK(exit_code_of([&] {
            opened.log->append(std::move(second));
            for (int i = 0; i < 100; ++i) {
              if (wait_readable(opened.log->completion_fd())) opened.log->poll(events);
            }
          }) == ExitCode::disk);
    CHECK(opened.log->planner().durable_token() == 1);
    CHECK(exit_code_of([&] { opened.log->poll(events); }) == ExitCode::disk);
    CHECK(exit_code_of([&] { opened.log->append({3, core::HardState{}, {}, {}}); }) == ExitCode::disk);
    CHECK(exit_code_of([&] { opened.log->release(Index(1)); }) == ExitCode::disk);
    CHECK(exit_code_of([&] { opened.log->read(Index(1), 1, 1); }) == ExitCode::disk);
  }
}

TEST_CASE("every executor reports an error of the device as a negative errno") {
  // Intent: completions carry what happened; nobody retries.
  const UniqueFd full(::open("/dev/full", O_RDWR | O_CLOEXEC));
  const UniqueFd closed_for_writing(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const UniqueFd signal(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  BufferPool pool(2, block_bytes);
  ExecutorSetup setup{{full.get(), closed_for_writing.get()}, 4, signal.get(), &pool, 2};
  std::vector<std::unique_ptr<LogExecutor>> executors;
  executors.push_back(std::make_unique<ThreadExecutor>(setup, Strategy::thread));
  executors.push_back(std::make_unique<ThreadExecutor>(setup, Strategy::buffered));
  if (auto uring = make_uring_executor(setup); uring.has_value()) executors.push_back(std::move(*uring));
  for (auto& executor : executors) {
    Buffer buffer = pool.acquire(block_bytes);
    std::memset(buffer.data, 0, block_bytes);
    executor->submit(WriteOp{1, 0, 0, {buffer.data, block_bytes}, buffer.slot});
    executor->submit(WriteOp{2, 1, 0, {buffer.data, block_bytes}, buffer.slot});
    executor->submit(ReadOp{3, 1, 0, block_bytes, buffer.data});
    std::vector<Completion> done;
    while (done.size() < 3) {
      REQUIRE(wait_readable(signal.get()));
      eventfd_t count = 0;
      (void)::eventfd_read(signal.get(), &count);
      executor->reap(done);
    }
    for (const auto& completion : done) {
      INFO(describe(executor->strategy()) << " op " << completion.id);
      if (completion.id == 1) CHECK(completion.result < 0);
      if (completion.id == 2) CHECK(completion.result == -EBADF);
      if (completion.id == 3) CHECK((completion.is_read && completion.result == block_bytes));
    }
    CHECK(executor->in_flight() == 0);
    pool.release(std::move(buffer));
  }
}

TEST_CASE("strategies have names and every refusal of io_uring has a text") {
  // Intent: the option's parser and the reasons.
  for (const auto strategy : {Strategy::automatic, Strategy::uring, Strategy::thread, Strategy::buffered}) {
    CHECK(parse_strategy(describe(strategy)).value() == strategy);
  }
  CHECK(parse_strategy("fast").error() == base::Errc::malformed);
  CHECK(describe_uring_refusal(EPERM).find("seccomp") != std::string::npos);
  CHECK(describe_uring_refusal(ENOSYS).find("kernel") != std::string::npos);
  CHECK(describe_uring_refusal(ENOMEM).find("memory") != std::string::npos);
  CHECK(describe_uring_refusal(EINVAL).find("Invalid") != std::string::npos);
}

// Opening a RaftLog: files, recovery, and which strategy writes.
#include <sys/eventfd.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "log/probe.hpp"
#include "log/raft_log.hpp"
#include "log/thread_executor.hpp"
#include "log/uring_executor.hpp"

namespace whitewater::log {
namespace {

constexpr std::uint32_t probe_blocks = 64;
// io_uring needs less CPU, so it is taken unless a thread is clearly faster.
constexpr std::int64_t uring_tolerance_percent = 115;

using base::ExitCode;
using base::FatalError;

std::uint64_t random_id() {
  std::uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof id, 0) != sizeof id) throw FatalError(ExitCode::failure, "getrandom gives no bytes");
  }
  return id;
}

[[noreturn]] void refuse(const RecoveryRefusal& refusal, const std::string& dir) {
  const std::string what = describe(refusal) + " (in " + dir + "). ";
  switch (refusal.kind) {
    case RefusalKind::newer_format:
      throw FatalError(ExitCode::newer_format, what + "Start the newer version again");
    case RefusalKind::other_member:
    case RefusalKind::other_cluster:
      throw FatalError(ExitCode::data_directory, what + "Mount this member's own volume");
    case RefusalKind::unreadable:
      throw FatalError(ExitCode::disk, what + "Check the disk");
    case RefusalKind::corrupt:
      break;
  }
  throw FatalError(ExitCode::corrupt,
                   what + "Nothing was changed. Give this member an empty disk: it rejoins and is caught up");
}

std::string micros(base::Duration d) {
  if (d.count() == 0) return "too slow to tell";
  return std::to_string(std::chrono::duration_cast<base::microseconds>(d).count()) + " us";
}

PlannerLimits limits_of(const LogOptions& options, const SegmentFiles& files) {
  PlannerLimits limits;
  limits.segment_bytes = files.segment_bytes();
  const std::uint64_t segments = options.budget_bytes / files.segment_bytes();
  limits.segments_max = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(segments, 2, segment_files_max));
  return limits;
}

}  // namespace

OpenedLog RaftLog::open(const LogOptions& options, base::LogSink& sink) {
  WW_ASSERT(!options.node.is_zero());
  if (options.segment_bytes < log_segment_bytes_min || options.segment_bytes > segment_bytes_max ||
      options.segment_bytes % block_bytes != 0) {
    throw FatalError(ExitCode::usage, "the log's segment size must be a multiple of 4096 from 4 MiB to 1 GiB");
  }
  const auto started = std::chrono::steady_clock::now();
  auto files =
      SegmentFiles::open(options.dir, options.segment_bytes, std::max(options.initial_segments, 2U), options.direct_io);
  auto result = recover(files, {options.node, options.cluster, options.keep_from, options.keep_bytes_max});
  files.drop_read_buffer();
  if (const auto* refusal = std::get_if<RecoveryRefusal>(&result)) refuse(*refusal, options.dir);
  OpenedLog opened{nullptr, std::move(std::get<RecoveredLog>(result))};
  RecoveredLog& recovered = opened.recovered;
  if (recovered.is_fresh && options.must_exist) {
    throw FatalError(ExitCode::corrupt, "the identity record says that this member has a log, and " + options.dir +
                                            " is empty. Mount the right volume, or give this member an empty disk");
  }
  const std::uint64_t log_id = recovered.is_fresh ? random_id() : recovered.log_id;
  const Incarnation incarnation = std::max(options.incarnation, recovered.next_incarnation);
  UniqueFd completion_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!completion_fd.is_open()) throw FatalError(ExitCode::failure, std::string("no eventfd: ") + std::strerror(errno));

  opened.log.reset(
      new RaftLog(options, sink, std::move(completion_fd), std::move(files), recovered, incarnation, log_id));
  opened.log->choose_strategy(options, recovered);
  opened.log->run_planner();
  const auto took = std::chrono::steady_clock::now() - started;
  sink.info("log", recovered.is_fresh ? "a new log was made" : "the log was recovered",
            {{"first_index", recovered.first_index.value},
             {"last_index", recovered.last_index.value},
             {"term", recovered.hard_state.term.value},
             {"batches", recovered.batches},
             {"torn_bytes", recovered.torn_bytes},
             {"scanned_bytes", recovered.scanned_bytes},
             {"strategy", describe(opened.log->executor_->strategy())},
             {"reason", opened.log->stats_.reason},
             {"took_us", static_cast<std::uint64_t>(std::chrono::duration_cast<base::microseconds>(took).count())}});
  return opened;
}

RaftLog::RaftLog(const LogOptions& options, base::LogSink& sink, UniqueFd completion_fd, SegmentFiles files,
                 const RecoveredLog& log, Incarnation incarnation, std::uint64_t log_id)
    : sink_(sink),
      completion_fd_(std::move(completion_fd)),
      files_(std::move(files)),
      log_id_(log_id),
      pool_(limits_of(options, files_).writes_in_flight_max + 2, limits_of(options, files_).group_bytes_max),
      planner_({options.cluster, options.node, log_id}, incarnation, limits_of(options, files_), log,
               files_.slot_count(), pool_),
      grower_(files_.dir(), files_.segment_bytes(), files_.direct_io(), completion_fd_.get()),
      growth_retry_interval_(options.growth_retry_interval) {
  stats_.torn_bytes = log.torn_bytes;
}

std::unique_ptr<LogExecutor> RaftLog::make_executor(Strategy strategy, std::string& refusal) {
  ExecutorSetup setup;
  setup.files = files_.fds();
  setup.files_max = segment_files_max;
  setup.completion_fd = completion_fd_.get();
  setup.pool = &pool_;
  if (strategy != Strategy::uring) return std::make_unique<ThreadExecutor>(setup, strategy);
  auto made = make_uring_executor(setup);
  if (made.has_value()) return std::move(*made);
  refusal = describe_uring_refusal(made.error().value());
  return nullptr;
}

void RaftLog::start_executor(Strategy strategy) {
  std::string refusal;
  executor_ = make_executor(strategy, refusal);
  WW_ASSERT(executor_ != nullptr);
}

// The order of preference is measured, not fixed: on a device with a write cache and no FUA an asynchronous DSYNC write
// completes on a kernel worker, elsewhere it completes in line and needs the least CPU.
void RaftLog::choose_strategy(const LogOptions& options, const RecoveredLog& log) {
  std::string refusal;
  if (!options.direct_io || options.strategy == Strategy::buffered) {
    stats_.reason = options.strategy == Strategy::buffered ? "asked for" : "the file system has no O_DIRECT";
    return start_executor(Strategy::buffered);
  }
  if (options.strategy == Strategy::thread) {
    stats_.reason = "asked for";
    return start_executor(Strategy::thread);
  }
  executor_ = make_executor(Strategy::uring, refusal);
  if (options.strategy == Strategy::uring) {
    if (!executor_) throw FatalError(ExitCode::usage, refusal + ". Use --log-strategy auto or thread");
    stats_.reason = "asked for";
    return;
  }
  if (!executor_) {
    stats_.reason = refusal;
    return start_executor(Strategy::thread);
  }
  const auto spare = spare_slot(log);
  if (!options.probe || !spare) {
    stats_.reason = options.probe ? "not probed: every segment is in use" : "not probed";
    return;
  }
  auto thread_executor = make_executor(Strategy::thread, refusal);
  probe_strategies(*thread_executor, *spare);
  const auto uring = stats_.probe_uring_p50;
  const auto thread = stats_.probe_thread_p50;
  const bool takes_thread =
      uring.count() == 0 || (thread.count() != 0 && uring * 100 > thread * uring_tolerance_percent);
  stats_.reason = "probe: uring " + micros(uring) + ", thread " + micros(thread);
  if (takes_thread) {
    executor_ = std::move(thread_executor);
  } else {
    strategy_fsm_.on_start(uring);
  }
}

void RaftLog::probe_strategies(LogExecutor& thread_executor, Slot spare) {
  Buffer block = pool_.acquire(block_bytes);
  const std::uint32_t offset = files_.segment_bytes() - probe_blocks * block_bytes;
  const auto content = files_.read(spare, offset, probe_blocks * block_bytes);
  if (!content) throw FatalError(ExitCode::disk, "the log could not be read: " + content.error().message());
  const auto check = [](const ProbeResult& result) {
    if (result.error == 0) return result.p50;
    throw FatalError(ExitCode::disk, std::string("a trial write to the log failed: ") + std::strerror(result.error) +
                                         ". Check the disk");
  };
  stats_.probe_uring_p50 = check(probe_writes(*executor_, completion_fd_.get(), block, spare, offset, *content));
  stats_.probe_thread_p50 = check(probe_writes(thread_executor, completion_fd_.get(), block, spare, offset, *content));
  pool_.release(std::move(block));
  files_.drop_read_buffer();
}

// A segment file that holds nothing that is still needed.
std::optional<Slot> RaftLog::spare_slot(const RecoveredLog& log) const {
  for (Slot slot = files_.slot_count(); slot-- > 0;) {
    const bool is_live =
        std::any_of(log.live.begin(), log.live.end(), [slot](const auto& s) { return s.slot == slot; });
    if (!is_live) return slot;
  }
  return std::nullopt;
}

}  // namespace whitewater::log

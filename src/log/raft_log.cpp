// The steady state: appends, reads, completions. Opening and the choice of strategy are in raft_log_open.cpp.
#include "log/raft_log.hpp"

#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.hpp"
#include "log/thread_executor.hpp"

namespace whitewater::log {
namespace {

base::Duration now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return base::seconds(t.tv_sec) + base::Duration(t.tv_nsec);
}

}  // namespace

// The executors finish their writes before the buffers and the files go.
RaftLog::~RaftLog() {
  draining_executor_.reset();
  executor_.reset();
}

void RaftLog::check_not_failed() const {
  if (!failure_.empty()) throw base::FatalError(base::ExitCode::disk, failure_);
}

void RaftLog::fail(const std::string& what) {
  failure_ = what + ". Check the disk; the process ends, since a failed write is never tried again";
  throw base::FatalError(base::ExitCode::disk, failure_);
}

void RaftLog::append(LogAppend append) {
  check_not_failed();
  planner_.on_append(std::move(append));
  run_planner();
}

void RaftLog::release(Index upto) {
  check_not_failed();
  planner_.on_release(upto);
  run_planner();
}

bool RaftLog::is_growth_due() const { return growth_retry_at_.count() != 0 && now() >= growth_retry_at_; }

void RaftLog::retry_growth() {
  check_not_failed();
  if (is_growth_due()) run_planner();
}

void RaftLog::run_planner() {
  if (is_growth_due()) {
    growth_retry_at_ = base::Duration{0};
    planner_.on_growth_retry();
  }
  planner_.take_output(output_);
  for (const auto& op : output_.writes) {
    // Only a write that had the device to itself, from start to end, says how fast the strategy is.
    const bool is_alone = timings_.empty();
    for (auto& timing : timings_) timing.was_alone = false;
    timings_.push_back({op.id, now(), static_cast<std::uint32_t>(op.bytes.size()), is_alone});
    executor_->submit(op);
  }
  if (output_.grow) grower_.request(*output_.grow);
}

void RaftLog::poll(LogEvents& events) {
  events.reads.clear();
  check_not_failed();
  eventfd_t count = 0;
  (void)::eventfd_read(completion_fd_.get(), &count);
  completions_.clear();
  executor_->reap(completions_);
  if (draining_executor_) {
    draining_executor_->reap(completions_);
    if (draining_executor_->in_flight() == 0) draining_executor_.reset();
  }
  for (const auto& completion : completions_) {
    if (completion.is_read) {
      on_read_completion(completion, events);
    } else {
      on_write_completion(completion);
    }
  }
  collect_new_segments();
  run_planner();
  for (auto& read : early_reads_) events.reads.push_back(std::move(read));
  early_reads_.clear();
  events.durable_token = planner_.durable_token();
}

// A short write is an error like any other: what is on the disk is not known, and the batch is never written again.
void RaftLog::on_write_completion(const Completion& completion) {
  const auto timing =
      std::find_if(timings_.begin(), timings_.end(), [&](const WriteTiming& t) { return t.op_id == completion.id; });
  WW_ASSERT_MSG(timing != timings_.end(), "a completion of no write");
  if (completion.result < 0) {
    fail(std::string("a write to the log failed: ") + std::strerror(static_cast<int>(-completion.result)));
  }
  if (completion.result != timing->bytes) {
    fail("a write to the log ended after " + std::to_string(completion.result) + " of " +
         std::to_string(timing->bytes) + " bytes");
  }
  const base::Duration at = now();
  const base::Duration latency = at - timing->started;
  ++stats_.writes;
  stats_.written_bytes += timing->bytes;
  const bool is_sample = timing->was_alone && executor_->strategy() == Strategy::uring;
  timings_.erase(timing);
  planner_.on_write_done(completion.id);
  if (write_observer_) write_observer_(latency);
  if (is_sample && strategy_fsm_.on_sample(base::Instant{at}, latency)) switch_strategy();
}

// Writes that the old executor has are its own to finish; the planner does not care who completes what in which order.
void RaftLog::switch_strategy() {
  const auto p50_us = std::chrono::duration_cast<base::microseconds>(strategy_fsm_.last_p50()).count();
  draining_executor_ = std::move(executor_);
  start_executor(Strategy::thread);
  ++stats_.strategy_switches;
  stats_.reason = "io_uring writes degraded to a median of " + std::to_string(p50_us) + " us";
  sink_.warn("log", "log writes switch from io_uring to threads: " + stats_.reason,
             {{"probe_p50_us", static_cast<std::uint64_t>(stats_.probe_uring_p50.count() / 1000)}});
}

void RaftLog::collect_new_segments() {
  std::vector<GrownSegment> grown;
  grower_.take_results(grown);
  for (auto& segment : grown) {
    if (segment.error != 0) {
      sink_.warn("log",
                 std::string("the log cannot grow: ") + std::strerror(segment.error) +
                     "; it goes on with what it has. Free space on the volume, or lower the log's budget",
                 {{"segments", planner_.slots()}});
      growth_retry_at_ = now() + growth_retry_interval_;
      planner_.on_segment_add_failed(segment.slot);
      continue;
    }
    executor_->add_file(segment.slot, segment.file.get());
    if (draining_executor_) draining_executor_->add_file(segment.slot, segment.file.get());
    files_.add(std::move(segment.file));
    planner_.on_segment_added(segment.slot);
  }
}

void RaftLog::read(Index first, std::size_t max_bytes, std::uint64_t request_id) {
  check_not_failed();
  reads_.push_back({first, max_bytes, request_id, 0, {}});
  if (read_in_flight_) return;
  start_next_read(early_reads_);
  if (!early_reads_.empty()) (void)::eventfd_write(completion_fd_.get(), 1);
}

// One read in flight: a follower that lags far behind must not take the device from the writes.
void RaftLog::start_next_read(std::vector<FinishedRead>& finished) {
  WW_ASSERT(!read_in_flight_);
  while (!reads_.empty()) {
    const ReadRequest& request = reads_.front();
    const Index next = request.first + request.entries.size();
    const bool is_enough = !request.entries.empty() && request.taken_bytes >= request.max_bytes;
    const auto ref = is_enough ? std::nullopt : planner_.locate(next);
    if (!ref) {
      finish_read(finished);
      continue;
    }
    reading_ = *ref;
    read_buffer_ = allocate_aligned(ref->length_bytes);
    read_in_flight_ = true;
    executor_->submit(ReadOp{request.request_id, ref->slot, ref->offset_bytes, ref->length_bytes, read_buffer_.get()});
    return;
  }
}

void RaftLog::finish_read(std::vector<FinishedRead>& finished) {
  ReadRequest request = std::move(reads_.front());
  reads_.pop_front();
  ++stats_.reads;
  finished.push_back({request.request_id, request.entries.empty(), std::move(request.entries)});
}

void RaftLog::on_read_completion(const Completion& completion, LogEvents& events) {
  WW_ASSERT(read_in_flight_);
  WW_ASSERT(!reads_.empty());
  read_in_flight_ = false;
  if (completion.result < 0) {
    fail(std::string("a read from the log failed: ") + std::strerror(static_cast<int>(-completion.result)));
  }
  ReadRequest& request = reads_.front();
  const Index next = request.first + request.entries.size();
  // Released, superseded or recycled while it was read: what came back may be anything, so ask again.
  const auto ref = planner_.locate(next);
  if (!ref || ref->sequence != reading_.sequence) {
    start_next_read(events.reads);
    return;
  }
  const std::shared_ptr<const void> owner(read_buffer_.release(),
                                          [](const void* p) { std::free(const_cast<void*>(p)); });
  const std::string_view batch(static_cast<const char*>(owner.get()), static_cast<std::size_t>(completion.result));
  auto entries = read_entries(*ref, log_id_, next, owner, batch);
  if (entries.has_error() || entries->empty()) {
    failure_ = "the log is corrupt: segment file " + std::to_string(ref->slot) + ", offset " +
               std::to_string(ref->offset_bytes) +
               ": a batch that was acknowledged does not read back. Replace this member's disk";
    throw base::FatalError(base::ExitCode::corrupt, failure_);
  }
  for (auto& entry : *entries) {
    const std::size_t bytes = record_bytes(entry);
    if (!request.entries.empty() && request.taken_bytes + bytes > request.max_bytes) {
      request.taken_bytes = request.max_bytes;
      break;
    }
    request.taken_bytes += bytes;
    request.entries.push_back(std::move(entry));
  }
  start_next_read(events.reads);
}

LogStats RaftLog::stats() const {
  LogStats stats = stats_;
  stats.strategy = executor_->strategy();
  stats.batches = planner_.batches_written();
  stats.segments = planner_.slots();
  stats.segments_max = planner_.limits().segments_max;
  stats.segments_free = static_cast<std::uint32_t>(planner_.free_slots());
  stats.available_bytes = planner_.available_bytes();
  stats.is_full = planner_.is_full();
  if (!timings_.empty()) stats.oldest_write_age = now() - timings_.front().started;
  return stats;
}

}  // namespace whitewater::log

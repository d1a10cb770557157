// RaftLog: the durable log as the server's loop uses it. Owns the segment files, the planner, the executor and the
// helper thread that adds segments; every call comes from the loop's thread, which polls `completion_fd` and then calls
// `poll`. It decides nothing about Raft, keeps no entries in memory once written, and never retries: any error of the
// device is thrown as a FatalError and after that nothing is reported durable again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log_line.hpp"
#include "base/time.hpp"
#include "log/executor.hpp"
#include "log/planner.hpp"
#include "log/recovery.hpp"
#include "log/segment_files.hpp"
#include "log/segment_grower.hpp"
#include "log/strategy_fsm.hpp"

namespace whitewater::log {

struct LogOptions {
  std::string dir;  // made when missing; holds nothing but segments
  std::uint32_t segment_bytes = 16U << 20;
  std::uint32_t initial_segments = 2;  // zero-filled before the first start goes on
  std::uint64_t budget_bytes = 4ULL << 30;
  Strategy strategy = Strategy::automatic;
  bool direct_io = true;  // false: the file system has no O_DIRECT; then the strategy is `buffered`
  bool probe = true;      // false: take the first strategy that works
  base::Duration growth_retry_interval = base::seconds(10);  // after the disk refused a segment
  NodeId node;
  ClusterId cluster;                       // zero until known; see RaftLog::set_cluster
  Incarnation incarnation;                 // of this start, from the identity record
  bool must_exist = false;                 // a member's log: an empty one is damage, not a beginning
  Index keep_from;                         // recovered entries from here on are handed over in memory ...
  std::size_t keep_bytes_max = 64U << 20;  // ... the newest up to this much
};

inline constexpr std::uint32_t segment_files_max = 4096;          // entries of io_uring's file table
inline constexpr std::uint32_t log_segment_bytes_min = 4U << 20;  // holds the largest entry

struct LogStats {
  Strategy strategy = Strategy::thread;
  std::string reason;  // why this strategy
  std::uint64_t writes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t reads = 0;
  std::uint64_t torn_bytes = 0;  // dropped at this start
  std::uint64_t strategy_switches = 0;
  std::uint32_t segments = 0;
  std::uint32_t segments_free = 0;
  std::uint32_t segments_max = 0;  // the budget
  std::uint64_t available_bytes = 0;
  bool is_full = false;
  base::Duration probe_uring_p50{0};  // zero: not measured
  base::Duration probe_thread_p50{0};
  base::Duration oldest_write_age{0};  // of a write in flight: the disk watchdog's input
};

struct FinishedRead {
  std::uint64_t request_id = 0;
  bool is_missing = false;  // the first entry is not on disk: released, superseded or not durable yet
  std::vector<core::Entry> entries;
};

struct LogEvents {
  std::uint64_t durable_token = 0;  // the highest with everything before it durable
  std::vector<FinishedRead> reads;
};

struct OpenedLog;

class RaftLog {
 public:
  // Throws FatalError: corrupt, newer_format, data_directory, disk or usage. Lines about what was found go to the sink.
  [[nodiscard]] static OpenedLog open(const LogOptions& options, base::LogSink& sink);
  ~RaftLog();  // waits for the writes in flight
  RaftLog(const RaftLog&) = delete;
  RaftLog& operator=(const RaftLog&) = delete;

  // Never blocks. Throws FatalError after a device error.
  void append(LogAppend append);
  void release(Index upto);
  // Answers in a later poll with entries from `first` on: at least one where there is one, then up to `max_bytes`.
  void read(Index first, std::size_t max_bytes, std::uint64_t request_id);
  // Readable when poll has something to do.
  [[nodiscard]] int completion_fd() const { return completion_fd_.get(); }
  // Fills `events` (cleared first). Throws FatalError on any error of the device.
  void poll(LogEvents& events);
  // Asks for the segment again that the disk refused some time ago. Call it now and then: a member without room appends
  // nothing, and nothing else would find the space that came free since.
  void retry_growth();
  // The member joined or founded a cluster; later segment headers carry its id.
  void set_cluster(ClusterId cluster) { planner_.on_cluster(cluster); }

  // Ask before proposing, and before accepting entries from a leader.
  [[nodiscard]] bool is_full(std::size_t bytes = 0) const { return planner_.is_full(bytes); }
  [[nodiscard]] const LogPlanner& planner() const { return planner_; }
  [[nodiscard]] LogStats stats() const;
  // Called with the duration of every write, submit to completion.
  void on_write_latency(std::function<void(base::Duration)> observer) { write_observer_ = std::move(observer); }

 private:
  struct WriteTiming {
    std::uint64_t op_id;
    base::Duration started;
    std::uint32_t bytes;
    bool was_alone;
  };
  struct ReadRequest {
    Index first;
    std::size_t max_bytes;
    std::uint64_t request_id;
    std::size_t taken_bytes = 0;
    std::vector<core::Entry> entries;
  };

  RaftLog(const LogOptions& options, base::LogSink& sink, UniqueFd completion_fd, SegmentFiles files,
          const RecoveredLog& log, Incarnation incarnation, std::uint64_t log_id);
  void choose_strategy(const LogOptions& options, const RecoveredLog& log);
  [[nodiscard]] std::unique_ptr<LogExecutor> make_executor(Strategy strategy, std::string& refusal);
  void start_executor(Strategy strategy);
  void probe_strategies(LogExecutor& thread_executor, Slot spare);
  [[nodiscard]] std::optional<Slot> spare_slot(const RecoveredLog& log) const;
  void switch_strategy();
  [[nodiscard]] bool is_growth_due() const;
  void run_planner();
  void on_write_completion(const Completion& completion);
  void on_read_completion(const Completion& completion, LogEvents& events);
  void start_next_read(std::vector<FinishedRead>& finished);
  void finish_read(std::vector<FinishedRead>& finished);
  void collect_new_segments();
  [[noreturn]] void fail(const std::string& what);
  void check_not_failed() const;

  base::LogSink& sink_;
  UniqueFd completion_fd_;
  SegmentFiles files_;
  std::uint64_t log_id_;
  BufferPool pool_;
  LogPlanner planner_;
  StrategyFsm strategy_fsm_;
  std::unique_ptr<LogExecutor> executor_;
  std::unique_ptr<LogExecutor> draining_executor_;  // after a switch, until its last completion
  SegmentGrower grower_;

  PlannerOutput output_;
  std::vector<Completion> completions_;
  std::vector<WriteTiming> timings_;
  std::deque<ReadRequest> reads_;
  BatchRef reading_;
  AlignedBytes read_buffer_;
  bool read_in_flight_ = false;
  std::vector<FinishedRead> early_reads_;  // answered without the disk
  base::Duration growth_retry_interval_;
  base::Duration growth_retry_at_{0};
  std::string failure_;
  LogStats stats_;
  std::function<void(base::Duration)> write_observer_;
};

struct OpenedLog {
  std::unique_ptr<RaftLog> log;
  RecoveredLog recovered;
};

}  // namespace whitewater::log

// SimMember: one member of the simulated cluster. What survives a crash (the log's disk, what the store has flushed,
// the incarnation) beside the process that does not (planner, store, replica), and the loop that the server has around
// them: perform effects, hand completions back. Owned by the cluster. It decides nothing about Raft.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "kv/memory_backend.hpp"
#include "log/crash_disk.hpp"
#include "log/planner.hpp"
#include "replica/replica.hpp"
#include "sim/cluster_checker.hpp"
#include "sim/network.hpp"

namespace whitewater::sim {

// What all members share; outlives them.
struct SimWorld {
  const SimOptions& options;
  Scheduler& scheduler;
  Network& network;
  ClusterChecker& checker;
  EventHash& hash;
  Trace trace;
  std::function<void(std::size_t member)> crash;  // by the nemesis, which lets it start again
  std::function<void(std::size_t from, std::size_t to)> send_snapshot;
  std::function<void(std::size_t member)> on_store_gone;
};

// Nothing: the connection broke before an answer.
using WriteAnswer = std::optional<base::Result<kv::CommandResponse>>;
using ReadAnswer = std::optional<base::Result<void>>;

class SimMember {
 public:
  SimMember(SimWorld& world, std::size_t position, base::Rng rng);
  ~SimMember();
  SimMember(const SimMember&) = delete;
  SimMember& operator=(const SimMember&) = delete;

  [[nodiscard]] static core::NodeId id_of(std::size_t position) { return core::NodeId(position + 1); }

  // Once, before the first start: entry 1 in term 1, durable.
  void found(const core::Configuration& configuration);
  // Instead: a member with an empty disk that will be added.
  void join_later() { WW_ASSERT(incarnation_ == 0); }
  // Leaves it down when the log is refused after bit rot.
  void start();
  // Unsynced writes land not at all, torn or whole; what the store has not flushed is gone.
  void crash();
  // Does nothing for that long, then everything that came meanwhile at once. Its disk goes on.
  void pause(base::Duration duration);
  // Its clock is ahead by more from now on, and no time has passed for anybody else.
  void jump_clock(base::Duration distance);
  // While down: something of the log decays that recovery promises to notice. False: there is nothing of the kind yet.
  bool rot_disk();
  // For good: nothing of it is left, and it never starts again.
  void lose_disk();
  void slow_disk_down(base::Duration duration) { disk_slow_until_ = world_.scheduler.now() + duration; }
  // Faults of its own end: pauses, slow disk, refused growth.
  void heal();

  void receive(core::Message message);
  void on_peer_connected(std::size_t peer);
  void transfer_leadership();
  void change_members(core::ConfigurationChange change);
  void snapshot_started(std::size_t peer, core::Index index);
  void snapshot_sent(std::size_t peer, core::Index index);
  // At once, with the folder that the next start opens; the log's new beginning takes its time.
  void install_snapshot(core::SnapshotPoint point, std::unique_ptr<kv::Store> store,
                        std::shared_ptr<kv::MemoryDisk> disk);
  // False: nobody listens there. Otherwise `done` is called at most once; a member that crashes in a pause never calls.
  bool propose(base::SharedBytes command, std::function<void(WriteAnswer)> done);
  bool read(std::function<void(ReadAnswer)> done);

  [[nodiscard]] bool is_paused() const { return is_paused_; }
  [[nodiscard]] bool is_up() const { return process_ != nullptr; }
  // Its disk is gone, or its log was refused after bit rot. It never starts again.
  [[nodiscard]] bool is_lost() const { return is_lost_; }
  [[nodiscard]] const replica::Replica& replica() const;
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] std::string describe() const;

 private:
  struct Process;

  [[nodiscard]] base::Instant local_now() const;
  // The time for what is handed to the replica.
  [[nodiscard]] base::Instant look_at_clock();
  // Runs `input` in the present run of the process, now or when its pause ends, and performs what follows from it.
  void give(std::function<void()> input);
  // The same after a while, unless this run has ended by then.
  void give_after(base::Duration delay, std::function<void()> input);
  void request_step();
  void step();
  void perform(replica::Effects effects);
  void maybe_crash_soon();
  void move_log_output();
  void submit_write(const log::WriteOp& op);
  void grow(log::Slot slot);
  void on_write_done(std::uint64_t op_id);
  void serve_log_read(const core::LogRead& read);
  [[nodiscard]] std::vector<core::Entry> read_log(core::Index first, std::size_t bytes_max);
  void tick();
  void keep_house();
  [[nodiscard]] base::Duration draw_write_time();
  [[nodiscard]] log::LogIdentity identity() const;
  [[nodiscard]] log::PlannerLimits limits() const;
  [[nodiscard]] core::Configuration configuration_of(const kv::Store& store) const;
  [[nodiscard]] log::RecoveryResult try_recover_log(core::Index keep_from);
  [[nodiscard]] log::RecoveredLog recover_log(core::Index keep_from);
  void run(std::unique_ptr<kv::Store> store, kv::MemoryBackend& backend, log::RecoveredLog recovered);
  // Starts with the log's beginning behind a snapshot, when a crash came between the two.
  [[nodiscard]] bool is_log_behind_snapshot(const log::RecoveredLog& recovered, const kv::Store& store) const;
  void begin_log_behind_snapshot(log::RecoveredLog& recovered);
  // Everything appended becomes durable at once.
  void write_all(Process& process, std::uint64_t token);
  [[nodiscard]] replica::LogPressure draw_pressure();
  void trace(const std::function<std::string()>& text) const;

  SimWorld& world_;
  std::size_t position_;
  base::Rng rng_;
  base::Duration clock_offset_;
  std::int64_t clock_drift_ppm_ = 0;

  // Survives a crash.
  log::CrashDisk disk_;
  std::shared_ptr<kv::MemoryDisk> store_disk_;
  std::optional<core::TermRun> installed_;  // where the snapshot ended that the store's disk was made of
  core::Configuration founding_configuration_;
  std::uint64_t incarnation_ = 0;
  bool is_rotten_ = false;
  bool is_lost_ = false;

  std::unique_ptr<Process> process_;
  bool is_paused_ = false;
  base::Instant last_tick_;
  std::uint64_t pauses_ = 0;  // a pause ends only itself
  std::deque<std::function<void()>> waiting_inputs_;
  bool is_step_requested_ = false;
  base::Duration disk_slow_until_{0};
  bool is_healed_ = false;
};

}  // namespace whitewater::sim

// SimCluster: one simulated run from founding to verdict. Phase 1, safety: clients work under faults, and every step is
// checked. Phase 2, liveness: all is healed; a leader must come, every client must write, and every member must reach
// the same state in bounded simulated time. Then the power fails for all at once, and what was committed must be there
// again. At the end the clients' history is judged. Single-threaded and deterministic: the same options give the same
// result. Pure: no clock, no thread, no file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/bootstrap_phase.hpp"
#include "sim/client.hpp"
#include "sim/cluster_checker.hpp"
#include "sim/failure.hpp"
#include "sim/nemesis.hpp"
#include "sim/snapshot_transfers.hpp"

namespace whitewater::sim {

struct SimResult {
  ExitClass kind = ExitClass::ok;
  std::string message;
  std::uint64_t hash = 0;    // of the history of events
  std::uint64_t events = 0;  // of the scheduler
  std::uint64_t simulated_ms = 0;
  std::uint64_t committed = 0;
  std::uint64_t elections = 0;
  std::uint64_t faults = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t lost = 0;            // members whose log was refused after bit rot
  std::uint64_t configurations = 0;  // committed
  std::uint64_t hashes_compared = 0;
  std::uint64_t operations = 0;  // in the history
  bool is_undecided = false;     // the linearizability search gave up; the revision check still held
  ClientStats clients;
};

[[nodiscard]] std::string describe(const SimResult& result);

class SimCluster {
 public:
  explicit SimCluster(const SimOptions& options, Trace trace = {});

  // Once. Broken assertions end the process; everything else is in the result.
  [[nodiscard]] SimResult run();

 private:
  void found();
  void run_faults();
  void run_until_live();
  void run_until_converged();
  void check_history(SimResult& result);
  void check_final_content() const;
  [[nodiscard]] bool is_converged() const;
  // Positions of the members that the leader's configuration names, but for who lost its disk; none while there is no
  // leader.
  [[nodiscard]] std::vector<std::size_t> current_members() const;
  // Runs until `done` or throws a liveness failure that says what was awaited.
  void run_until(base::Duration limit, const std::function<bool()>& done, std::string_view awaited);
  [[nodiscard]] std::string describe_members() const;
  [[nodiscard]] base::Duration liveness_limit() const;

  SimOptions options_;
  base::Rng rng_;
  Scheduler scheduler_;
  EventHash hash_;
  ClusterChecker checker_;
  Network network_;
  SimWorld world_;
  std::vector<std::unique_ptr<SimMember>> members_;
  Nemesis nemesis_;
  SnapshotTransfers transfers_;
  std::unique_ptr<BootstrapPhase> bootstrap_;  // in a run that begins without a cluster
  Value next_value_ = 1;
  History history_;
  std::vector<std::unique_ptr<SimClient>> clients_;
};

// draw, run, report: what the driver and the tests call.
[[nodiscard]] SimResult run_seed(const SimOptions& options, Trace trace = {});

}  // namespace whitewater::sim

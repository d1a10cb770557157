// Nemesis: brings the faults of a run, each at its own random times, until heal(). Owned by the cluster.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/member.hpp"

namespace whitewater::sim {

class Nemesis {
 public:
  Nemesis(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng);

  void start();
  // No more faults; what is down comes up, what is cut is joined.
  void heal();
  // It starts again on its own time.
  void crash(std::size_t member);
  // Tells both ends of every pair with `member` that a connection is there.
  void connect(std::size_t member);
  // All members at once, as a power cut does; each comes back on its own time.
  void crash_all();
  [[nodiscard]] std::uint64_t faults() const { return faults_; }
  // Members that lost their disk.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  void repeat(std::uint64_t interval_ms, void (Nemesis::*fault)());
  void crash_one();
  void crash_leader();
  void restart_later(std::size_t member);
  void maybe_rot(std::size_t member);
  void partition();
  void pause_one();
  void slow_one_disk();
  void jump_clocks();
  void disconnect_two();
  void transfer();
  void change_members();
  [[nodiscard]] std::size_t draw_member() { return rng_.in_range(0, members_.size() - 1); }
  [[nodiscard]] std::optional<std::size_t> leader() const;

  SimWorld& world_;
  std::vector<std::unique_ptr<SimMember>>& members_;
  base::Rng rng_;
  bool is_healed_ = false;
  bool has_rotted_ = false;
  std::uint64_t faults_ = 0;
};

}  // namespace whitewater::sim

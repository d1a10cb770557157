// Failure: what a checker of the simulator throws, with the class that becomes the exit code. A broken assertion inside
// the replicas does not come this way: it ends the process (exit code 127 of the driver).
#pragma once

#include <stdexcept>
#include <string>

namespace whitewater::sim {

enum class ExitClass : int {
  ok = 0,
  usage = 2,
  crash = 127,        // an assertion, a signal or an exception of the code under test
  liveness = 128,     // healed, and yet no leader, no commit or no convergence in the time allowed
  correctness = 129,  // a checker outside the replicas found lost, diverging or stale data
};

class Failure : public std::runtime_error {
 public:
  Failure(ExitClass kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  [[nodiscard]] ExitClass kind() const { return kind_; }

 private:
  ExitClass kind_;
};

// For checkers: correctness unless it says otherwise.
inline void require(bool holds, const auto& describe) {
  if (!holds) throw Failure(ExitClass::correctness, describe());
}

}  // namespace whitewater::sim

// EventHash: a running hash over what happened in a simulation, to tell whether two runs were the same. And the trace,
// one line of text per event, made only when somebody reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace whitewater::sim {

class EventHash {
 public:
  void mix(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x9e3779b97f4a7c15ULL;
    state_ ^= state_ >> 29;
  }
  template <class... Values>
  void mix_all(Values... values) {
    (mix(static_cast<std::uint64_t>(values)), ...);
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x77687472;
};

// Empty: no trace is wanted.
using Trace = std::function<void(std::string_view line)>;

}  // namespace whitewater::sim

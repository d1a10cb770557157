// Scheduler: the simulator's time and its agenda. Events run in the order of their time, and of their scheduling where
// the times are equal, so that a run depends on nothing but its seed. Owned by the cluster; single-threaded.
#pragma once

#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/time.hpp"

namespace whitewater::sim {

class Scheduler {
 public:
  using Action = std::function<void()>;

  // True time since the beginning, which no member knows.
  [[nodiscard]] base::Duration now() const { return now_; }
  void after(base::Duration delay, Action action) {
    WW_ASSERT(delay >= base::Duration(0));
    agenda_.push({now_ + delay, next_order_++, std::move(action)});
  }
  // Runs the next event; false when there is none at or before `until`, and then it is `until`.
  bool run_one(base::Duration until) {
    if (agenda_.empty() || agenda_.top().time > until) {
      now_ = std::max(now_, until);
      return false;
    }
    // top() is const because changing the key would break the heap; the action is no part of the key.
    Action action = std::move(const_cast<Event&>(agenda_.top()).action);
    now_ = agenda_.top().time;
    agenda_.pop();
    ++events_;
    action();
    return true;
  }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  struct Event {
    base::Duration time;
    std::uint64_t order;
    Action action;
    bool operator<(const Event& other) const {
      return std::pair(time, order) > std::pair(other.time, other.order);  // the earliest on top
    }
  };

  base::Duration now_{0};
  std::uint64_t next_order_ = 0;
  std::uint64_t events_ = 0;
  std::priority_queue<Event> agenda_;
};

}  // namespace whitewater::sim

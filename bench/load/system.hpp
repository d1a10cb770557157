// What the load asks of the kernel besides its sockets: the time, an epoll, a timer that is finer than epoll's own, CPU
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace whitewater::bench {

[[nodiscard]] inline base::Instant now() { return {std::chrono::steady_clock::now().time_since_epoch()}; }

// Closes what it holds. Throws std::runtime_error when given -1, with the cause of errno.
class Descriptor {
 public:
  Descriptor(int fd, const std::string& what);
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};
[[nodiscard]] Descriptor make_epoll();

// Makes an epoll ready, with this data, at a time.
class Timer {
 public:
  Timer(const Descriptor& epoll, std::uint64_t event_data);
  void arm(base::Instant time);
  void on_event();

 private:
  Descriptor fd_;
  base::Instant armed_for_;
};

[[nodiscard]] double cpu_seconds();  // of this process, user and system

}  // namespace whitewater::bench

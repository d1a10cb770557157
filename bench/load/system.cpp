#include "load/system.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace whitewater::bench {

Descriptor::Descriptor(int fd, const std::string& what) : fd_(fd) {
  if (fd < 0) throw std::runtime_error(what + ": " + std::strerror(errno));
}
Descriptor::~Descriptor() { ::close(fd_); }

Descriptor make_epoll() { return Descriptor(::epoll_create1(EPOLL_CLOEXEC), "epoll"); }

Timer::Timer(const Descriptor& epoll, std::uint64_t event_data)
    : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd") {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = event_data;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd_.get(), &event);
}

void Timer::arm(base::Instant time) {
  if (time == armed_for_) return;
  armed_for_ = time;
  itimerspec when{};
  when.it_value.tv_sec = std::chrono::duration_cast<base::seconds>(time.since_start).count();
  when.it_value.tv_nsec = (time.since_start % base::seconds(1)).count();
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Timer::on_event() {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const auto n = ::read(fd_.get(), &expirations, sizeof expirations);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

}  // namespace whitewater::bench

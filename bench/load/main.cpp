#include <csignal>
#include <iostream>

#include "load/cli.hpp"

namespace {

std::atomic<bool> is_stopped = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // or a signal handler might not touch it

extern "C" void on_signal(int) { is_stopped = true; }

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return whitewater::bench::run_cli({argv + 1, argv + argc}, std::cout, std::cerr, is_stopped);
}

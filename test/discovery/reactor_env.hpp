// Runs one coroutine on a reactor of its own until everything on it has ended; rethrows what it threw.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <exception>

#include "net/reactor.hpp"

namespace whitewater::discovery {

template <class Make>
void run_on_reactor(Make make) {
  net::IoContext context(1);
  std::exception_ptr failure;
  boost::asio::co_spawn(context, make(context.get_executor()), [&](const std::exception_ptr& e) { failure = e; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace whitewater::discovery

// A test case with a DnsResponder that runs beside its body, on one reactor.
#pragma once

#include "dns_responder.hpp"
#include "net/task_group.hpp"
#include "reactor_env.hpp"

namespace whitewater::discovery {

inline std::string responder_host(int ordinal) {
  return "whitewater-" + std::to_string(ordinal) + ".whitewater-headless.default.svc.cluster.local";
}

using ResponderBody = net::Awaitable<void> (*)(net::Executor, DnsResponder&);

inline net::Awaitable<void> run_responder_body(net::Executor executor, DnsResponder& responder, ResponderBody body) {
  struct Stop {
    DnsResponder& responder;
    ~Stop() { responder.stop(); }
  };
  const Stop stop{responder};
  co_await body(executor, responder);
}

inline net::Awaitable<void> responder_task(net::Executor executor, ResponderBody body) {
  DnsResponder responder(executor);
  net::TaskGroup tasks(executor);
  tasks.spawn(responder.run());
  tasks.spawn(run_responder_body(executor, responder, body));
  co_await tasks.join();
}

inline void with_responder(ResponderBody body) {
  run_on_reactor([body](net::Executor executor) { return responder_task(executor, body); });
}

}  // namespace whitewater::discovery

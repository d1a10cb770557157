#include "discovery/guess_resolver.hpp"

#include <utility>

namespace whitewater::discovery {

net::Awaitable<void> ask_guesses(net::Executor executor, GuessFsm& fsm, Resolver& resolver,
                                 const std::vector<Candidate>& known) {
  const auto begin = net::now();
  for (const auto ordinal : fsm.due(begin, known)) {
    // However many there are, a server that went silent costs one question's time-out; the rest is asked next time.
    if (net::now() - begin > resolver.options().total_timeout) break;
    const auto host = fsm.host_of(ordinal);
    auto addresses = co_await query_addresses(executor, resolver.options(), host);
    if (addresses) {
      resolver.remember(host, *addresses);
      fsm.on_addresses(net::now(), ordinal, std::move(*addresses));
    } else if (addresses.error() == base::Errc::not_found) {
      fsm.on_denied(net::now(), ordinal);
    } else {
      fsm.on_failed(net::now(), ordinal);
    }
  }
}

}  // namespace whitewater::discovery

// ask_guesses: the questions that a GuessFsm wants asked, one after the other within one question's time-out. Called by
// a source inside its discover(), reactor thread. Does not decide which names or when.
#pragma once

#include "discovery/guesses.hpp"
#include "discovery/resolver.hpp"

namespace whitewater::discovery {

// `fsm`, `resolver` and `known` must outlive the call. Throws operation_aborted when cancelled.
net::Awaitable<void> ask_guesses(net::Executor executor, GuessFsm& fsm, Resolver& resolver,
                                 const std::vector<Candidate>& known);

}  // namespace whitewater::discovery

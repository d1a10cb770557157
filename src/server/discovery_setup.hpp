// From options to discovery: which source is asked, what it is told, and under which address this member is known.
// Called by the server and by `whitewater discover` once at start. Does not ask anything itself.
#pragma once

#include <memory>
#include <string>

#include "base/log_line.hpp"
#include "base/rng.hpp"
#include "discovery/guesses.hpp"
#include "discovery/kubernetes_source.hpp"
#include "discovery/peer_source.hpp"
#include "server/options.hpp"

namespace whitewater::server {

struct MadeSource {
  std::unique_ptr<discovery::PeerSource> source;
  discovery::KubernetesSource* kubernetes = nullptr;  // inside `source`, where that is the method
};
// The source of effective_discovery(options), completed by guessed names where the own name allows guesses. `log` must
// outlive it. Throws FatalError(usage) where an option that passed its check cannot be used after all.
[[nodiscard]] MadeSource make_source(net::Executor executor, const Options& options, base::Rng rng, base::LogSink& log);

// What the peers file states beside the peers, where nobody stated it by an option: the number of founders and their
// token. Read once, at start: both must not change while a member looks for a cluster.
void adopt_peers_file(Options& options, base::LogSink& log);

// "host:port" under which the others reach this member: --advertise, the list's own entry, the ordinal's name in the
// service's domain (dns), the full name of this pod where it belongs to POD_IP, POD_IP, the listen address.
[[nodiscard]] std::string advertised_address(const Options& options);

// Where the chosen method looks: the question, the file, the selector. One line for people.
[[nodiscard]] std::string describe_place(const Options& options);

// The first lines of a member's log about its search: method, why this one, where.
void log_search(const Options& options, base::LogSink& log);

// The names that guesses follow from; nothing outside a StatefulSet with a service.
[[nodiscard]] std::optional<discovery::GuessBasis> guess_basis(const Options& options);

}  // namespace whitewater::server

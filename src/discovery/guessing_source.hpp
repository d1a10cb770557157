// GuessingSource: another source's peers, completed by names guessed from the own one (guesses.hpp). Asks DNS for the
// names that the GuessFsm wants asked, after each question of the other source. Owned by the server, reactor thread.
// Does not decide which names or when.
#pragma once

#include <memory>

#include "discovery/dns_query.hpp"
#include "discovery/guesses.hpp"
#include "discovery/peer_source.hpp"

namespace whitewater::discovery {

struct GuessingOptions {
  GuessBasis basis;
  std::uint16_t port = 8090;
  // Only until the other source has answered once: whoever is missing in a list of pods does not exist, and a name that
  // is asked before it exists is denied for a while.
  bool only_while_unknown = false;
  GuessOptions guesses;
  ResolverOptions resolver;
};

class GuessingSource final : public PeerSource {
 public:
  GuessingSource(net::Executor executor, std::unique_ptr<PeerSource> source, GuessingOptions options);

  [[nodiscard]] std::string_view name() const override { return source_->name(); }
  net::Awaitable<base::Result<PeerSet>> discover() override;
  [[nodiscard]] const PeerSet& last_known() const override { return set_; }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) override;
  net::Awaitable<std::optional<std::uint32_t>> replicas() override { return source_->replicas(); }
  net::Awaitable<void> run() override { return source_->run(); }

 private:
  net::Awaitable<void> ask();
  void take_set();

  net::Executor executor_;
  std::unique_ptr<PeerSource> source_;
  GuessingOptions options_;
  GuessFsm fsm_;
  PeerSet set_;
  std::vector<HostPort> told_;  // the addresses of the other source's set
};

}  // namespace whitewater::discovery

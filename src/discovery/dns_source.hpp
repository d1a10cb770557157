// DnsSource: the SRV record of a headless service, as Kubernetes publishes it (kubernetes-guide.md option 1,
// kubernetes.md §3.1). A short answer is asked again over TCP and completed by the ordinals' own names. Every question
// re-reads resolv.conf. Owned by the server, reactor thread. Does not decide: a name that is missing here is not known
// to be gone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "discovery/dns_answer.hpp"
#include "discovery/peer_source.hpp"
#include "discovery/resolver.hpp"
#include "discovery/service_name.hpp"

namespace whitewater::discovery {

struct DnsSourceOptions {
  ServiceName service;                // port name, service, namespace, cluster domain
  std::string own_name;               // "whitewater-0": its stem names the ordinals to fall back to; may be empty
  std::uint32_t expect = 0;           // ordinals 0..expect-1 are asked by name when the SRV answer lacks them
  std::uint16_t default_port = 8090;  // of the ordinals' own names while no SRV record tells
  // How long the SRV answer may be short before the ordinals are asked by name: a name that is asked before it exists
  // is denied for up to 30 s afterwards.
  base::Duration ordinals_after = base::seconds(2);
  std::string resolv_conf_path = "/etc/resolv.conf";
  ResolverOptions resolver;
};

class DnsSource final : public PeerSource {
 public:
  DnsSource(net::Executor executor, DnsSourceOptions options);

  [[nodiscard]] std::string_view name() const override { return "dns"; }
  net::Awaitable<base::Result<PeerSet>> discover() override;
  [[nodiscard]] const PeerSet& last_known() const override { return book_.set(); }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) override;
  // The absolute name that the last question asked for.
  [[nodiscard]] const std::string& question() const { return question_; }

 private:
  net::Awaitable<base::Result<SrvAnswer>> ask_srv();
  net::Awaitable<void> ask_ordinals(std::vector<Candidate>& found);
  [[nodiscard]] base::Result<ResolvedServiceName> resolve_name() const;

  net::Executor executor_;
  DnsSourceOptions options_;
  Resolver resolver_;
  CandidateBook book_;
  ResolvedServiceName resolved_;
  std::string question_;
  std::optional<base::Instant> short_since_;  // the SRV answer lacks an ordinal below `expect`
};

}  // namespace whitewater::discovery

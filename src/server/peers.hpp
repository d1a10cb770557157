// Peers: two outgoing links per other member of the configuration, so that no heartbeat, vote or read round waits
// behind entries. Owned by the server; reactor thread. Routes the core's messages to the links and tells the member
// when the one for entries comes up. Who is a member is the configuration's business.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "discovery/peer_refresher.hpp"
#include "net/peer_link.hpp"
#include "net/task_group.hpp"
#include "server/member.hpp"

namespace whitewater::server {

class Peers final : public MessageSender, public net::PeerLinkOwner {
 public:
  using IdentityView = std::function<net::LocalIdentity()>;

  Peers(net::Executor executor, discovery::PeerSource& source, discovery::PeerRefresher& refresher,
        IdentityView identity, base::Rng rng, base::LogSink& sink);

  // The links' coroutines; ends only by cancellation.
  net::Awaitable<void> run();
  // Links to new members begin; links to those that left end with the process.
  void set_configuration(const core::Configuration& configuration);
  void on_link_up_call(std::function<void(base::NodeId)> observer) { link_up_ = std::move(observer); }
  void on_superseded_call(std::function<void(base::Incarnation)> observer) { superseded_ = std::move(observer); }

  bool send(core::Message message) override;
  [[nodiscard]] bool is_connected(base::NodeId peer) const;
  // Messages that were dropped before they were sent, to all members together.
  [[nodiscard]] std::uint64_t dropped_messages() const;

  net::LocalIdentity identity() const override { return identity_(); }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string name) override;
  void on_link_up(const net::PeerInfo& peer) override;
  void on_link_down(base::NodeId peer, std::string why) override;
  void on_link_refused(base::NodeId peer, const net::Refusal& refusal) override;

 private:
  struct Links {
    std::unique_ptr<net::PeerLink> raft;
    std::unique_ptr<net::PeerLink> control;
  };
  [[nodiscard]] std::unique_ptr<net::PeerLink> make_link(const core::Member& member, net::Channel channel);

  net::Executor executor_;
  discovery::PeerSource& source_;
  discovery::PeerRefresher& refresher_;
  IdentityView identity_;
  base::Rng rng_;
  base::LogSink& sink_;
  net::TaskGroup tasks_;
  std::map<base::NodeId, Links> links_;
  std::function<void(base::NodeId)> link_up_;
  std::function<void(base::Incarnation)> superseded_;
};

// Resolves "host:port" with the source; malformed when it is none.
net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve_address(discovery::PeerSource& source,
                                                                         std::string address);

}  // namespace whitewater::server

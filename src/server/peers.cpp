#include "server/peers.hpp"

#include "server/options.hpp"

namespace whitewater::server {

net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve_address(discovery::PeerSource& source,
                                                                         std::string address) {
  const auto place = discovery::parse_host_port(address, raft_port_default);
  if (!place) co_return place.error();
  co_return co_await source.resolve(place->host, place->port);
}

Peers::Peers(net::Executor executor, discovery::PeerSource& source, discovery::PeerRefresher& refresher,
             IdentityView identity, base::Rng rng, base::LogSink& sink)
    : executor_(executor),
      source_(source),
      refresher_(refresher),
      identity_(std::move(identity)),
      rng_(rng),
      sink_(sink),
      tasks_(executor) {}

net::Awaitable<void> Peers::run() {
  // The group is empty until a configuration names somebody; an event that never comes keeps this task alive until
  // then.
  net::Event never(executor_);
  tasks_.spawn([](net::Event* event) -> net::Awaitable<void> { co_await event->wait(); }(&never));
  co_await tasks_.join();
}

void Peers::set_configuration(const core::Configuration& configuration) {
  const base::NodeId self = identity_().node;
  for (const core::Member& member : configuration.members()) {
    if (member.id == self) continue;
    const auto known = links_.find(member.id);
    if (known != links_.end()) {
      known->second->set_name(member.name);
      continue;
    }
    auto link = std::make_unique<net::PeerLink>(executor_, member, net::PeerLinkOptions{}, *this, sink_,
                                                base::Rng(rng_.next()));
    tasks_.spawn(link->run());
    links_.emplace(member.id, std::move(link));
  }
}

void Peers::send(core::Message message) {
  const auto link = links_.find(message.to);
  if (link != links_.end()) link->second->send(std::move(message));
}

bool Peers::is_connected(base::NodeId peer) const {
  const auto link = links_.find(peer);
  return link != links_.end() && link->second->is_connected();
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> Peers::resolve(std::string name) {
  co_return co_await resolve_address(source_, std::move(name));
}

void Peers::on_link_up(const net::PeerInfo& peer) {
  if (link_up_) link_up_(peer.node);
}

void Peers::on_link_down(base::NodeId peer, std::string why) {
  sink_.info("peer", "connection lost: " + why, {{"peer_id", base::to_hex(peer)}});
  refresher_.wake();
}

void Peers::on_link_refused(base::NodeId peer, const net::Refusal& refusal) {
  sink_.warn("peer", "refused by the peer: " + refusal.text, {{"peer_id", base::to_hex(peer)}});
  if (refusal.reason == net::RefusalReason::stale_incarnation && superseded_) superseded_(refusal.incarnation);
}

}  // namespace whitewater::server

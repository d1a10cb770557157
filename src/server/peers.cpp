#include "server/peers.hpp"

#include "server/options.hpp"

namespace whitewater::server {
namespace {

// What keeps a leader in office and its reads going: small, and superseded by the next of its kind.
bool is_control(const core::Message& message) {
  return std::visit(
      [](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        return std::is_same_v<Body, core::Heartbeat> || std::is_same_v<Body, core::HeartbeatResponse> ||
               std::is_same_v<Body, core::VoteRequest> || std::is_same_v<Body, core::VoteResponse> ||
               std::is_same_v<Body, core::TimeoutNow> || std::is_same_v<Body, core::ReadIndexRequest> ||
               std::is_same_v<Body, core::ReadIndexResponse>;
      },
      message.body);
}

}  // namespace

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
    const std::string address = address_of(member);
    if (const auto known = links_.find(member.id); known != links_.end()) {
      known->second->left_since.reset();
      known->second->raft->set_name(address);
      known->second->control->set_name(address);
      continue;
    }
    begin_links({member.id, address});
  }
  for (auto& [id, links] : links_) {
    if (!configuration.contains(id) && !links->left_since) links->left_since = net::now();
  }
}

void Peers::answer(base::NodeId node, const std::string& address) {
  if (links_.contains(node) || links_.size() >= links_max) return;
  if (discovery::parse_host_port(address, raft_port_default)) begin_links({node, address});
}

void Peers::begin_links(const core::Member& member) {
  auto links = std::make_unique<Links>();
  links->raft = make_link(member, net::Channel::raft);
  links->control = make_link(member, net::Channel::control);
  tasks_.spawn(run_links(links.get()));
  links_.emplace(member.id, std::move(links));
}

net::Awaitable<void> Peers::run_links(Links* links) {
  net::TaskGroup both(executor_);
  both.spawn(links->raft->run());
  both.spawn(links->control->run());
  co_await both.join();
  std::erase_if(closing_, [&](const auto& closing) { return closing.get() == links; });
}

void Peers::close_left_links() {
  for (auto it = links_.begin(); it != links_.end();) {
    const auto& left_since = it->second->left_since;
    if (!left_since || net::now() - *left_since < left_link_keep) {
      ++it;
      continue;
    }
    announced_.erase(it->first);
    closing_.push_back(std::move(it->second));
    it = links_.erase(it);
    closing_.back()->raft->close();
    closing_.back()->control->close();
  }
}

void Peers::note_address(base::NodeId node, const std::string& address, base::Incarnation incarnation) {
  if (!discovery::parse_host_port(address, raft_port_default)) return;
  const auto known = announced_.find(node);
  if (known == announced_.end() && announced_.size() == announced_max) return;
  if (known != announced_.end() && (known->second.incarnation > incarnation || known->second.address == address))
    return;
  announced_.insert_or_assign(node, Announced{address, incarnation});
  const auto links = links_.find(node);
  if (links == links_.end()) return;
  links->second->raft->set_name(address);
  links->second->control->set_name(address);
}

std::string Peers::address_of(const core::Member& member) const {
  const auto announced = announced_.find(member.id);
  return announced == announced_.end() ? member.name : announced->second.address;
}

std::unique_ptr<net::PeerLink> Peers::make_link(const core::Member& member, net::Channel channel) {
  net::PeerLinkOptions options;
  options.channel = channel;
  return std::make_unique<net::PeerLink>(executor_, member, options, *this, sink_, base::Rng(rng_.next()));
}

bool Peers::send(core::Message message) {
  const auto links = links_.find(message.to);
  if (links == links_.end()) return false;
  // Each connection has a lane for what is urgent: while the one for control is down, the other does.
  const bool is_overtaking = is_control(message) && links->second->control->is_connected();
  return (is_overtaking ? links->second->control : links->second->raft)->send(std::move(message));
}

bool Peers::is_connected(base::NodeId peer) const {
  const auto links = links_.find(peer);
  return links != links_.end() && links->second->raft->is_connected();
}

std::map<base::NodeId, PeerTraffic> Peers::traffic() const {
  std::map<base::NodeId, PeerTraffic> out;
  for (const auto& [id, links] : links_) {
    for (const auto* link : {links->raft.get(), links->control.get()}) {
      const net::PeerLinkCounters counters = link->counters();
      out[id].sent_bytes += counters.stream.sent_bytes;
      out[id].dropped_messages += counters.dropped_messages;
    }
  }
  return out;
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> Peers::resolve(std::string name) {
  co_return co_await resolve_address(source_, std::move(name));
}

void Peers::on_link_up(const net::PeerInfo& peer) {
  if (link_up_ && peer.channel == net::Channel::raft) link_up_(peer.node);
}

void Peers::on_link_down(base::NodeId peer, std::string why) {
  sink_.info("peer", "connection lost: " + why, {{"peer_id", base::to_hex(peer)}});
  refresher_.wake();
}

void Peers::on_round_trip(base::NodeId peer, base::Duration duration) {
  if (round_trip_) round_trip_(peer, duration);
}

void Peers::on_link_refused(base::NodeId peer, const net::Refusal& refusal) {
  sink_.warn("peer", "refused by the peer: " + refusal.text, {{"peer_id", base::to_hex(peer)}});
  if (refusal.reason == net::RefusalReason::stale_incarnation && superseded_) superseded_(refusal.incarnation);
}

}  // namespace whitewater::server

#include "server/membership.hpp"

#include <ctime>
#include <utility>

#include "server/options.hpp"

namespace whitewater::server {
namespace {

constexpr base::Duration look_interval = base::milliseconds(100);
constexpr base::Duration leave_poll_interval = base::milliseconds(10);

}  // namespace

std::string slot_of(const std::string& address) {
  const auto place = discovery::parse_host_port(address, raft_port_default);
  if (!place || discovery::is_ip_literal(place->host)) return address;
  return discovery::pod_name_of(place->host);
}

Membership::Membership(replica::AutopilotOptions options, Member& member, Peers& peers, const std::string& history_path,
                       api::Registry& registry, base::LogSink& sink)
    : autopilot_(options, slot_of),
      member_(member),
      peers_(peers),
      history_(history_path),
      registry_(registry),
      sink_(sink) {
  const core::Configuration& base = member.node().committed_configuration();
  history_.on_base(base);
  was_member_ = base.contains(member.node().id());
  member_.on_applied_configuration([this](const replica::AppliedConfiguration& applied) { on_applied(applied); });
}

net::Awaitable<void> Membership::run() {
  while (true) {
    co_await net::sleep_for(look_interval);
    if (!removed_how_.empty()) {
      if (auto observer = std::exchange(removed_, nullptr)) observer(removed_how_);
    }
    auto decision = autopilot_.decide(net::now(), member_.node());
    if (const std::string& warning = autopilot_.warning(); warning != last_warning_) {
      if (!warning.empty()) sink_.warn("membership", warning);
      last_warning_ = warning;
    }
    if (decision) co_await propose(std::move(*decision));
  }
}

net::Awaitable<void> Membership::propose(replica::AutopilotDecision decision) {
  const std::string what = std::string(replica::describe(decision.kind)) + ": " + decision.change.reason;
  const auto outcome = co_await member_.change(std::move(decision.change));
  if (outcome) {
    sink_.info("membership", what);
    registry_
        .counter("whitewater_autopilot_changes_total", "Changes of the members that this leader made by itself.",
                 {{"kind", std::string(replica::describe(decision.kind))}})
        .add();
  } else if (outcome.error() != base::Errc::change_in_progress) {
    sink_.warn("membership", "not done, " + what + " (" + outcome.error().message() + ")");
  }
}

void Membership::on_peer_seen(const discovery::PeerInfo& peer, base::ClusterId cluster) {
  const core::Node& node = member_.node();
  if (peer.cluster_id != cluster || peer.node_id == node.id() || peer.node_id.is_zero()) return;
  if (peer.state != discovery::MemberState::member) return;
  autopilot_.on_heard(peer.node_id, peer.incarnation);
  if (node.configuration().contains(peer.node_id)) {
    peers_.note_address(peer.node_id, peer.advertise, peer.incarnation);
  } else if (peer.commit.is_zero()) {
    // Nothing was ever committed there: it has joined and waits to be added. Who has been a member and is none any more
    // holds entries, and has to find out by itself.
    autopilot_.on_joiner(net::now(), {peer.node_id, peer.advertise});
  }
  // A member whose committed configuration is newer than the one that names this member, and does not.
  const core::Configuration& own = node.committed_configuration();
  const bool is_newer = peer.commit > node.committed() && !peer.members.empty();
  const bool names_self = std::any_of(peer.members.begin(), peer.members.end(),
                                      [&](const core::Member& one) { return one.id == node.id(); });
  if (is_newer && !names_self && own.contains(node.id())) removed_how_ = peer.name + " says so";
}

void Membership::on_hello(const net::PeerInfo& peer) {
  autopilot_.on_heard(peer.node, peer.incarnation);
  peers_.note_address(peer.node, peer.address, peer.incarnation);
  if (peer.channel == net::Channel::raft || peer.channel == net::Channel::control) {
    peers_.answer(peer.node, peer.address);
  }
}

void Membership::on_peers(const discovery::PeerSet& peers) {
  if (!peers.is_known || peers.is_stale) return;
  if (peers.source != "dns" && peers.source != "kubernetes") return;
  std::set<std::string> places;
  for (const discovery::Candidate& peer : peers.peers) {
    places.insert(peer.name);
    places.insert(slot_of(discovery::describe(peer.address)));
  }
  autopilot_.on_places(std::move(places));
}

void Membership::on_departures(const std::vector<replica::Departure>& departures) {
  for (const replica::Departure& departure : departures) autopilot_.on_departure(departure);
}

net::Awaitable<bool> Membership::wait_until_may_leave(base::NodeId leaver, base::Duration limit) {
  const base::Instant give_up = net::now() + limit;
  while (member_.replica().is_leader()) {
    if (autopilot_.may_leave(leaver, member_.node())) co_return true;
    if (net::now() >= give_up) co_return false;
    co_await net::sleep_for(leave_poll_interval);
  }
  co_return false;
}

void Membership::on_applied(const replica::AppliedConfiguration& applied) {
  for (const MembershipEvent& event : history_.on_configuration(applied, std::time(nullptr))) {
    // What a new member catches up with is no news.
    if (member_.catch_up().has_caught_up()) {
      sink_.info("membership", event.kind + " " + event.name + ": " + event.reason,
                 {{"member_id", event.id}, {"index", event.index}});
    }
    registry_
        .counter("whitewater_membership_events_total", "Changes of the members, as this member applied them.",
                 {{"kind", event.kind}})
        .add();
  }
  const bool is_member = applied.configuration.contains(member_.node().id());
  if (was_member_ && !is_member && !applied.configuration.is_joint()) removed_how_ = "it is in the log";
  was_member_ = is_member;
}

}  // namespace whitewater::server

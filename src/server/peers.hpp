// Peers: two outgoing links per other member of the configuration, so that no heartbeat, vote or read round waits
// behind entries. Owned by the server; reactor thread. Routes the core's messages to the links and tells the member
// when the one for entries comes up. Who is a member is the configuration's business.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "discovery/peer_refresher.hpp"
#include "net/peer_link.hpp"
#include "net/task_group.hpp"
#include "server/member.hpp"

namespace whitewater::server {

struct PeerTraffic {
  std::uint64_t sent_bytes = 0;
  std::uint64_t dropped_messages = 0;  // before they were sent
};

class Peers final : public MessageSender, public net::PeerLinkOwner {
 public:
  using IdentityView = std::function<net::LocalIdentity()>;

  Peers(net::Executor executor, discovery::PeerSource& source, discovery::PeerRefresher& refresher,
        IdentityView identity, base::Rng rng, base::LogSink& sink);

  // The links' coroutines; ends only by cancellation.
  net::Awaitable<void> run();
  // Links to new members begin. Those to members that left go on for a moment: they carry the news.
  void set_configuration(const core::Configuration& configuration);
  // A member of this cluster has connected that the own configuration, which may be old or empty, does not name: it is
  // answered over a link of its own.
  void answer(base::NodeId node, const std::string& address);
  // Ends the links to members that are in none of the last configurations for `left_link_keep`. From time to time.
  void close_left_links();
  // A member has said where it can be dialled: counts more than the configuration, from the newest run on.
  void note_address(base::NodeId node, const std::string& address, base::Incarnation incarnation);
  // Where a member is dialled.
  [[nodiscard]] std::string address_of(const core::Member& member) const;
  void on_link_up_call(std::function<void(base::NodeId)> observer) { link_up_ = std::move(observer); }
  void on_round_trip_call(std::function<void(base::NodeId, base::Duration)> observer) {
    round_trip_ = std::move(observer);
  }
  void on_superseded_call(std::function<void(base::Incarnation)> observer) { superseded_ = std::move(observer); }

  bool send(core::Message message) override;
  [[nodiscard]] bool is_connected(base::NodeId peer) const;
  // To the members that there are links to.
  [[nodiscard]] std::map<base::NodeId, PeerTraffic> traffic() const;

  net::LocalIdentity identity() const override { return identity_(); }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string name) override;
  void on_link_up(const net::PeerInfo& peer) override;
  void on_link_down(base::NodeId peer, std::string why) override;
  void on_round_trip(base::NodeId peer, base::Duration duration) override;
  void on_link_refused(base::NodeId peer, const net::Refusal& refusal) override;

 private:
  struct Links {
    std::unique_ptr<net::PeerLink> raft;
    std::unique_ptr<net::PeerLink> control;
    std::optional<base::Instant> left_since;  // it is not in the configuration any more
  };
  struct Announced {
    std::string address;
    base::Incarnation incarnation;
  };
  void begin_links(const core::Member& member);
  net::Awaitable<void> run_links(Links* links);
  [[nodiscard]] std::unique_ptr<net::PeerLink> make_link(const core::Member& member, net::Channel channel);

  net::Executor executor_;
  discovery::PeerSource& source_;
  discovery::PeerRefresher& refresher_;
  IdentityView identity_;
  base::Rng rng_;
  base::LogSink& sink_;
  net::TaskGroup tasks_;
  std::map<base::NodeId, std::unique_ptr<Links>> links_;
  std::vector<std::unique_ptr<Links>> closing_;
  std::map<base::NodeId, Announced> announced_;  // at most announced_max
  std::function<void(base::NodeId)> link_up_;
  std::function<void(base::NodeId, base::Duration)> round_trip_;
  std::function<void(base::Incarnation)> superseded_;
};

inline constexpr base::Duration left_link_keep = base::seconds(10);
inline constexpr std::size_t links_max = 2 * core::configuration_members_max;
inline constexpr std::size_t announced_max = 1024;

// Resolves "host:port" with the source; malformed when it is none.
net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve_address(discovery::PeerSource& source,
                                                                         std::string address);

}  // namespace whitewater::server

// Membership: the loop around AutopilotFsm. Brings it what this member hears (HELLO, handshakes, good-byes, what
// discovery knows), proposes what it decides, and keeps the history. Owned by the server once this process belongs to a
// cluster; reactor thread. Decides nothing.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/metrics.hpp"
#include "base/log_line.hpp"
#include "discovery/bootstrap_messages.hpp"
#include "discovery/candidate.hpp"
#include "net/handshake.hpp"
#include "replica/autopilot_fsm.hpp"
#include "server/member.hpp"
#include "server/membership_history.hpp"
#include "server/peers.hpp"

namespace whitewater::server {

// The place of a member with this address: its pod's name, or the address where that is no name.
[[nodiscard]] std::string slot_of(const std::string& address);

class Membership {
 public:
  Membership(replica::AutopilotOptions options, Member& member, Peers& peers, const std::string& history_path,
             api::Registry& registry, base::LogSink& sink);

  // Several looks a second; ends only by cancellation.
  net::Awaitable<void> run();

  // Somebody said HELLO, or answered ours.
  void on_peer_seen(const discovery::PeerInfo& peer, base::ClusterId cluster);
  // An accepted handshake of a member.
  void on_hello(const net::PeerInfo& peer);
  // What discovery knows; only methods that name every wanted member count.
  void on_peers(const discovery::PeerSet& peers);
  // A member says good-bye, for itself and for those that it knows to be away.
  void on_departures(const std::vector<replica::Departure>& departures);
  // True once nothing is left to be done for its departure, as this leader sees it; false when `limit` has passed or
  // this member does not lead.
  net::Awaitable<bool> wait_until_may_leave(base::NodeId leaver, base::Duration limit);
  [[nodiscard]] std::vector<replica::Departure> departures() const { return autopilot_.departures(); }

  // This member is a learner and is to get a vote.
  [[nodiscard]] bool waits_for_vote() const {
    return autopilot_.waits_for_vote(member_.node().id(), member_.node().configuration());
  }
  [[nodiscard]] const MembershipHistory& history() const { return history_; }
  // Called once, when this member has been removed from its cluster; must not return when it ends the process.
  void on_removed_call(std::function<void(std::string)> observer) { removed_ = std::move(observer); }

 private:
  void on_applied(const replica::AppliedConfiguration& applied);
  net::Awaitable<void> propose(replica::AutopilotDecision decision);
  void end_removed(const std::string& how);

  replica::AutopilotFsm autopilot_;
  Member& member_;
  Peers& peers_;
  MembershipHistory history_;
  api::Registry& registry_;
  base::LogSink& sink_;
  std::function<void(std::string)> removed_;
  bool was_member_ = false;  // a committed configuration has held this member
  std::string last_warning_;
};

}  // namespace whitewater::server

// AutopilotFsm: who becomes a learner, a voter, or leaves, without anybody editing a list of members (kubernetes.md
// §3.7, §3.8). Every member runs one and tells it what it hears; only the leader's decides, one change at a time. Pure:
// contacts, time and the Raft core's view come in, a proposal with its reason comes out. What is proposed may be
// refused or lost; the next decision starts from what is there then. Owned by the server or the simulator, reactor
// thread. It decides nothing about safety: the core refuses a change that could hurt (quorum_at_risk and others).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/membership.hpp"
#include "core/node.hpp"

namespace whitewater::replica {

struct AutopilotOptions {
  base::Duration stabilization = base::seconds(10);         // in step for this long before a learner gets a vote
  base::Duration replace_after = base::seconds(10);         // silence of a member whose place another one has taken
  base::Duration dead_server_timeout = base::seconds(600);  // silence before a member is given up; 0: never
  base::Duration contact_age_max = base::seconds(5);        // who was heard this long ago is not there
  std::uint64_t in_step_entries_max = 1000;                 // a learner that lacks more is behind
  std::size_t voters_max = 7;                               // further members stay learners
  std::size_t voters_min = 3;  // fewer voters than these only by command, or because the StatefulSet says so
};

// The place that a member has: two members of one place are never voters together for longer than a change takes. The
// pod's name where the address has one, else the address.
using SlotOf = std::function<std::string(const std::string& address)>;

// Somebody who says that it belongs to this cluster and has nothing of it yet.
struct Joiner {
  core::Member member;  // the address under which it is to be dialled
  base::Instant heard;
};

// A member that said good-bye.
struct Departure {
  base::NodeId node;
  base::Incarnation incarnation;  // of the run that ends: a newer one is back
  bool is_for_good = false;       // its place is to go: scaled in
  bool operator==(const Departure&) const = default;
};

enum class MembershipEventKind : std::uint8_t { join, promote, replace, step_aside, remove_left, remove_dead };
[[nodiscard]] std::string_view describe(MembershipEventKind kind);

struct AutopilotDecision {
  MembershipEventKind kind = MembershipEventKind::join;
  core::ConfigurationChange change;  // its reason is a sentence
};

class AutopilotFsm {
 public:
  AutopilotFsm(AutopilotOptions options, SlotOf slot_of);

  // Somebody outside the configuration says that it belongs to this cluster; at most joiners_max are remembered.
  void on_joiner(base::Instant now, core::Member member);
  // A run of a member is there: ends what an older run of it has announced.
  void on_heard(base::NodeId node, base::Incarnation incarnation);
  void on_departure(const Departure& departure);
  // The places that discovery knows to be wanted, and whether it knows: only where it does, and a place is not among
  // them, a silent voter is given up.
  void on_places(std::set<std::string> wanted) { wanted_ = std::move(wanted); }

  // What to propose now; nothing while a change is under way or this member does not lead. Call it several times a
  // second: the periods of the options are counted from call to call.
  [[nodiscard]] std::optional<AutopilotDecision> decide(base::Instant now, const core::Node& node);
  // Nothing is left to be done for this member's departure: it may go. Of the leader's view.
  [[nodiscard]] bool may_leave(base::NodeId leaver, const core::Node& node) const;
  // This learner is to get a vote as soon as it can: one is vacant, or it takes a member's place.
  [[nodiscard]] bool waits_for_vote(base::NodeId id, const core::Configuration& configuration) const;
  // Members that said good-bye and are not back, for whoever leads next.
  [[nodiscard]] std::vector<Departure> departures() const;
  // What stands in the way of somebody, for the log; empty when nothing does.
  [[nodiscard]] const std::string& warning() const { return warning_; }

 private:
  struct Sight;
  using Decision = std::optional<AutopilotDecision>;

  [[nodiscard]] bool is_alive(base::Instant now, const core::Node& node, base::NodeId id) const;
  [[nodiscard]] base::Duration silence(base::Instant now, const core::Node& node, base::NodeId id) const;
  [[nodiscard]] bool is_in_step(base::Instant now, const core::Node& node, base::NodeId id) const;
  void observe(base::Instant now, const core::Node& node);
  [[nodiscard]] bool is_stable(base::Instant now, base::NodeId id, base::Duration period) const;
  [[nodiscard]] const core::Member* silent_holder(base::Instant now, const core::Node& node,
                                                  const core::Member& of) const;
  [[nodiscard]] std::vector<base::NodeId> leaving_voters(const core::Configuration& configuration) const;
  [[nodiscard]] Decision remove_left(const core::Node& node) const;
  [[nodiscard]] Decision step_aside(const core::Node& node) const;
  [[nodiscard]] Decision replace(base::Instant now, const core::Node& node) const;
  [[nodiscard]] Decision promote(base::Instant now, const core::Node& node) const;
  [[nodiscard]] Decision remove_dead(base::Instant now, const core::Node& node) const;
  [[nodiscard]] Decision join(base::Instant now, const core::Node& node);

  AutopilotOptions options_;
  SlotOf slot_of_;
  std::map<base::NodeId, Joiner> joiners_;
  std::map<base::NodeId, Departure> departures_;
  std::optional<std::set<std::string>> wanted_;
  std::map<base::NodeId, base::Instant> in_step_since_;
  std::optional<base::Instant> last_removal_;
  std::string warning_;
};

inline constexpr std::size_t joiners_max = 64;

}  // namespace whitewater::replica

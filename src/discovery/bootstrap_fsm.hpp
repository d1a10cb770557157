// BootstrapFsm: how empty members become one cluster, once, by unanimity (kubernetes.md §3.6 rules 1-6), as a pure
// state machine. Time, candidates, replies, requests and "that is durable now" come in; Actions go out. Owned by the
// bootstrap loop, on the reactor thread. Does not dial, resolve, write or log.
//
// What keeps it at one cluster, whatever is lost, late, stale or crashes:
//  1. A set is prepared only after all `expect` ordinals answered alike in two rounds `settle` apart. No time-out
//  founds.
//  2. A member promises one set at a time, durably, before it acknowledges. A promise is dropped only when the set can
//  no
//     longer be committed: its coordinator took it back or is seen to have moved on, or the coordinator's disk is gone
//     and all ordinals answer and none is a member.
//  3. The coordinator commits itself first, durably, and only then sends COMMIT. So a coordinator that is not a member
//  has
//     committed nothing and may take its set back; one that is has decided, and whoever sees it follows.
//  4. Whoever is fresh and sees a cluster joins it; whoever has seen two refuses until it is restarted.
//  5. Evidence gathered before a change of the own durable state never counts after it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/types.hpp"
#include "discovery/bootstrap_messages.hpp"
#include "discovery/candidate.hpp"
#include "discovery/founders.hpp"

namespace whitewater::discovery {

// What must survive a crash. `state`, `cluster_id` and `set_hash` are those of the meta record; `founders` is
// encode(FounderSet), kept from PREPARE on, at most founder_set_bytes_max. A member whose log is empty and whose
// `founders` is not has to write entry 1 (founding_entry) before anything else: it crashed between the decision and the
// entry.
struct BootstrapMeta {
  MemberState state = MemberState::fresh;
  base::ClusterId cluster_id;  // zero unless member or removed
  std::uint64_t set_hash = 0;  // zero unless prepared, or a member that founded
  std::string founders;        // empty unless prepared, or a member that founded
  bool operator==(const BootstrapMeta&) const = default;
};
// Entry 1 of a founder's log (term 1, index 1), the same bytes on each; nothing for any other member, or when
// `founders` does not decode.
[[nodiscard]] std::optional<core::Entry> founding_entry(const BootstrapMeta& meta);

struct BootstrapOptions {
  std::string name;  // own ordinal name, "whitewater-0"
  base::NodeId node_id;
  base::Incarnation incarnation;
  std::string advertise;                     // "host:port", as in every founder's configuration
  std::uint32_t expect = 0;                  // founders, 1..founders_max; 0 = not stated: then this member only joins
  bool single = false;                       // the operator's word that expect = 1 is meant
  std::string token;                         // per release; equal on all members
  base::Duration settle = base::seconds(1);  // the same set in two rounds this far apart
  base::Duration poll_min = base::milliseconds(250);  // between rounds, doubling while nothing changes
  base::Duration poll_max = base::seconds(2);
  base::Duration exchange_timeout = base::seconds(2);  // an exchange without an answer counts as failed
};
// Empty text when the options can be used, otherwise what to change.
[[nodiscard]] std::string refusal_of(const BootstrapOptions& options);

// A formed cluster as its member knows it, for HELLO replies.
struct ClusterView {
  base::Term term;
  base::Index commit;
  std::vector<core::Member> members;
};

// Ask `address` and hand the answer to on_reply, or its absence to on_exchange_failed, with the same id.
struct SendExchange {
  std::uint64_t id = 0;
  HostPort address;
  BootstrapRequest request;
};
// Make `meta` durable, then call on_persisted(id). At most one is under way.
struct Persist {
  std::uint64_t id = 0;
  BootstrapMeta meta;
};
// Answer the request that came in under this id.
struct SendReply {
  std::uint64_t id = 0;
  BootstrapReply reply;
};
// This member founds: its meta is durable; write entry 1, then start Raft.
struct Found {
  base::ClusterId cluster_id;
  core::Configuration configuration;
};
// There is a cluster: its meta is durable; start Raft with an empty configuration and wait to be added.
struct Join {
  base::ClusterId cluster_id;
  std::vector<core::Member> members;  // as the member that answered knows them; may be empty
};
// The reason changed to one that needs a person. Bootstrap goes on watching, and goes on by itself where that is safe.
struct Refuse {
  std::string reason;
};
using BootstrapAction = std::variant<SendExchange, Persist, SendReply, Found, Join, Refuse>;

enum class BootstrapPhase : std::uint8_t {
  looking,    // waiting for peers to be found and to answer
  settling,   // all agree; waiting for a second identical round
  preparing,  // a set is promised and not yet committed
  refused,    // needs a person
  founded,
  joined,  // belongs to a cluster that others founded; waits to be added by it
};
struct BootstrapStatus {
  BootstrapPhase phase = BootstrapPhase::looking;
  std::string reason;          // a sentence for readiness, doctor and the log
  base::ClusterId cluster_id;  // of founded and joined
};

class BootstrapFsm {
 public:
  // `options` passed refusal_of; `meta` is what the disk holds.
  BootstrapFsm(BootstrapOptions options, BootstrapMeta meta, base::Instant now);

  void on_tick(base::Instant now);
  // The last known set; called whenever it changed or was confirmed.
  void on_peers(base::Instant now, const PeerSet& peers);
  void on_reply(base::Instant now, std::uint64_t exchange_id, const BootstrapReply& reply);
  void on_exchange_failed(base::Instant now, std::uint64_t exchange_id, std::string reason);
  // A peer's request; the answer is a SendReply with the same id, at once or after a Persist.
  void on_request(base::Instant now, std::uint64_t request_id, const BootstrapRequest& request);
  void on_persisted(base::Instant now, std::uint64_t persist_id);
  // A member's view of its cluster, for its HELLO replies.
  void on_cluster_view(ClusterView view);
  // Set by the membership code when this member was removed from its cluster; the caller has made it durable.
  void on_removed();

  [[nodiscard]] std::vector<BootstrapAction> take_actions();
  // When on_tick is due next; nothing while only requests can change anything.
  [[nodiscard]] std::optional<base::Instant> next_tick() const;
  [[nodiscard]] const BootstrapStatus& status() const { return status_; }
  [[nodiscard]] const BootstrapMeta& meta() const { return meta_; }
  // A member that has nothing left to tell the other founders.
  [[nodiscard]] bool is_settled() const;

  // Asserts what must hold between any two inputs.
  void check_basic() const;

 private:
  // One exchange under way.
  struct Pending {
    enum class Kind : std::uint8_t { hello, prepare, commit, abort } kind = Kind::hello;
    HostPort address;
    base::NodeId node;  // of prepare, commit, abort
    base::Instant deadline;
  };
  // What one address said in the current round.
  struct Answer {
    bool is_pending = false;
    std::optional<PeerInfo> info;
    std::string failure;
  };
  // The round's answers by node id, once it is complete.
  struct Round {
    std::map<base::NodeId, PeerInfo> infos;                          // without this member
    std::map<base::ClusterId, const PeerInfo*> clusters;             // one witness each
    std::map<std::uint32_t, std::vector<const PeerInfo*>> ordinals;  // below `expect`, this member included
    std::string conflict;                                            // two nodes under one ordinal, other stems
    std::string mismatch;                                            // expect or token differ
    std::string missing;  // who did not answer and why; empty when all ordinals did
  };
  // What to do to each founder while a set is prepared (PREPARE) or just committed (COMMIT).
  struct Drive {
    bool is_done = false;
    bool is_pending = false;
    std::uint32_t attempts = 0;
    base::Instant retry_at;
    std::string failure;
  };
  // What the Persist under way is for.
  struct PendingPersist {
    std::uint64_t id = 0;
    BootstrapMeta meta;
    std::optional<std::uint64_t> request_id;  // answer it with `accepted` afterwards
    std::optional<FounderSet> aborts;         // tell its founders afterwards
    std::vector<core::Member> members;        // for Join
    std::string reason;                       // why a set was dropped
  };

  // bootstrap_fsm.cpp: inputs and rounds
  [[nodiscard]] PeerInfo own_info() const;
  [[nodiscard]] bool is_coordinator() const;
  [[nodiscard]] bool is_bootstrapping() const;
  [[nodiscard]] bool is_round_due_ever() const;
  [[nodiscard]] bool may_drive() const;
  void expire_exchanges(base::Instant now);
  void maybe_start_round(base::Instant now);
  void maybe_end_round(base::Instant now);

  // bootstrap_evaluate.cpp: what a round's answers mean
  [[nodiscard]] Round gather_round() const;
  void gather_ordinals(Round& round) const;
  [[nodiscard]] std::string describe_missing(const Round& round, std::uint32_t wanted) const;
  void evaluate(base::Instant now);
  void evaluate_fresh(base::Instant now, const Round& round);
  void evaluate_single();
  void evaluate_coordinator(base::Instant now, const Round& round);
  void evaluate_follower(base::Instant now, const Round& round);
  [[nodiscard]] FounderSet observed_set(const Round& round) const;
  bool has_settled(base::Instant now, FounderSet observed);
  void learn_contact(base::Instant now, const PeerInfo& sender);
  [[nodiscard]] std::map<HostPort, std::string> targets() const;

  // bootstrap_phases.cpp: the two phases, both sides
  void prepare_own(FounderSet set);
  void drive_founders(base::Instant now);
  void on_ack(base::Instant now, const Pending& pending, const Ack& ack);
  void on_drive_failed(base::Instant now, const Pending& pending, std::string reason);
  void commit_own();
  void drop_preparation(std::string reason);
  bool maybe_join(const Round& round);
  void on_prepare(std::uint64_t request_id, const Prepare& prepare);
  void on_commit(std::uint64_t request_id, const Commit& commit);
  void on_abort(std::uint64_t request_id, const Abort& abort);
  void start_drives(base::Instant now);
  void send_drive(base::Instant now, const Founder& founder, Drive& drive);
  void send_aborts(base::Instant now, const FounderSet& set);
  [[nodiscard]] std::string describe_drives() const;
  [[nodiscard]] std::string refusal_of_prepare(const Prepare& prepare) const;
  void answer(std::uint64_t request_id, bool accepted, std::string reason);
  void persist(PendingPersist pending);
  void reset_round(base::Instant now);
  void send(base::Instant now, Pending pending, BootstrapRequest request);
  void set_status(BootstrapPhase phase, std::string reason);

  BootstrapOptions options_;
  std::optional<std::uint32_t> ordinal_;
  BootstrapMeta meta_;
  FounderSet prepared_;  // decoded from meta_; empty unless prepared or a member that founded
  BootstrapStatus status_;
  ClusterView view_;
  std::vector<BootstrapAction> actions_;

  std::map<HostPort, std::string> discovered_;  // address -> name
  std::map<HostPort, std::string> contacts_;    // peers that dialled us, with our token
  std::string absence_ = "not found by discovery yet";
  bool has_peers_ = false;  // discovery came back at least once, with whatever

  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Pending> pending_;
  std::map<HostPort, Answer> answers_;
  bool is_round_open_ = false;
  base::Instant round_started_;
  base::Instant next_round_;
  base::Duration poll_;
  std::string last_picture_;  // what the last round looked like, to poll faster after a change

  FounderSet settling_;  // the set of the last complete round; empty when it was not complete
  base::Instant settling_since_;
  std::set<base::ClusterId> clusters_seen_;
  std::uint32_t attempts_ = 0;
  std::map<base::NodeId, Drive> drives_;
  std::optional<PendingPersist> persisting_;
};

[[nodiscard]] std::string_view describe(BootstrapPhase phase);
[[nodiscard]] std::string describe(const BootstrapMeta& meta);
[[nodiscard]] std::string describe(const BootstrapAction& action);
[[nodiscard]] std::string describe(const BootstrapStatus& status);

}  // namespace whitewater::discovery

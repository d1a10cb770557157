// BootstrapFsm: how empty members become one cluster, once, by unanimity (kubernetes.md §3.6), and how members go on
// saying HELLO, as a pure state machine. Time, candidates, replies, requests and "that is durable now" come in; Actions
// go out. Owned by the bootstrap loop, on the reactor thread. Does not dial, resolve, write or log.
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
//  6. A member that was never taken in, and so holds nothing, begins anew once its cluster is gone: for `orphan_after`
//     nobody was heard who has its configuration, and whoever exists answers without one. In the same way a member that
//     a cluster has only contacted forgets that cluster.
//  7. Without a count (`expect` 0) the founders are all who answer: at least 3, with ordinal 0 and no hole, all of whom
//     report the same set for `infer_settle`. Whoever may be a member and is silent stops it.
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
  std::uint32_t expect = 0;                  // founders, 1..founders_max; 0 = not stated: they are inferred (rule 7)
  bool single = false;                       // the operator's word that expect = 1 is meant
  std::string token;                         // per release; equal on all members
  base::Duration settle = base::seconds(1);  // the same set in two rounds this far apart
  base::Duration infer_settle = base::seconds(10);    // the same without a count, over inferred_rounds_min rounds
  base::Duration poll_min = base::milliseconds(250);  // between rounds, doubling while nothing changes
  base::Duration poll_max = base::seconds(2);
  base::Duration exchange_timeout = base::seconds(2);  // an exchange without an answer counts as failed
  base::Duration orphan_after = base::seconds(30);     // silence of the cluster that is waited for
};
// Empty text when the options can be used, otherwise what to change.
[[nodiscard]] std::string refusal_of(const BootstrapOptions& options);

// Fewer never found without a count, and a set that is the same in fewer rounds has not settled.
inline constexpr std::size_t inferred_founders_min = 3;
inline constexpr std::uint32_t inferred_rounds_min = 3;

// Peers that dialled this member and that discovery does not know (yet); the one not heard for the longest time goes.
inline constexpr std::size_t contacts_max = 64;

// A formed cluster as its member knows it, for HELLO replies and for whom it goes on asking. `commit` and `members` are
// of the committed configuration: nobody may be told that it belongs by a change that can still be lost.
struct ClusterView {
  base::Term term;
  base::Index commit;
  std::vector<core::Member> members;
  bool is_in_configuration = false;  // this member is one of them
  bool has_silent_members = false;   // another one of them is not connected
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
// Somebody said HELLO or answered one, before there is a cluster or after: who and where it is, for joins and
// addresses.
struct PeerSeen {
  PeerInfo info;
};
// The cluster that this member joined is gone before it was taken in: begin anew, as another node. Said once.
struct Orphaned {
  base::ClusterId cluster_id;
};
using BootstrapAction = std::variant<SendExchange, Persist, SendReply, Found, Join, Refuse, PeerSeen, Orphaned>;

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
  std::string reason;             // a sentence for readiness, doctor and the log
  base::ClusterId cluster_id;     // of founded and joined
  bool is_inferred = false;       // the number of founders was not stated: of who founds or has founded in this run
  base::ClusterId other_cluster;  // of founded and joined: another one that answers under this service, else zero
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
  // The exchange ended at this very member. An IP address that leads here does so as long as this process runs, and is
  // asked no more; a name may lead elsewhere next time.
  void on_reached_itself(base::Instant now, std::uint64_t exchange_id);
  // A peer's request; the answer is a SendReply with the same id, at once or after a Persist.
  void on_request(base::Instant now, std::uint64_t request_id, const BootstrapRequest& request);
  void on_persisted(base::Instant now, std::uint64_t persist_id);
  // What deploys this member says how many there shall be (spec.replicas of its StatefulSet). True when that is the
  // number of founders from now on: the options state none, it is 2 to founders_max, and this member has promised
  // nothing that it may not take back.
  bool on_expect_stated(base::Instant now, std::uint32_t expect);
  // A member's view of its cluster. May bring next_tick() forward.
  void on_cluster_view(ClusterView view);
  // A member of `cluster_id` dialled this one for Raft and was refused: there is a cluster, so this member founds none
  // until it is restarted. `advertise` is where it says that it is, and may be empty.
  void on_member_heard(base::Instant now, base::ClusterId cluster_id, const std::string& name,
                       const std::string& advertise);
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
    std::map<std::uint32_t, std::vector<const PeerInfo*>> ordinals;  // the others; below `expect` where it is stated
    std::string waiting;             // somebody joined a cluster and was not taken in by it: it may be there, or gone
    std::string conflict;            // two nodes under one ordinal, other stems
    std::string mismatch;            // expect or token differ
    bool may_mismatch_pass = false;  // somebody may only not have read yet what its StatefulSet states
    std::string missing;             // who did not answer and why; empty when all ordinals did
  };
  // An address that discovery knows.
  struct Known {
    std::string name;
    bool may_be_member = false;  // a pod of this set that exists now: nothing is inferred while it is silent
  };
  // A peer that dialled this one.
  struct Contact {
    std::string name;
    base::Instant heard_at;
  };
  // A cluster whose member contacted this one.
  struct Heard {
    std::string who;
    base::Instant at;  // the last time
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
  [[nodiscard]] bool is_inferring() const { return options_.expect == 0; }
  [[nodiscard]] bool is_round_due_ever() const;
  [[nodiscard]] bool may_drive() const;
  void expire_exchanges(base::Instant now);
  void maybe_start_round(base::Instant now);
  void maybe_end_round(base::Instant now);

  // bootstrap_evaluate.cpp: what a round's answers mean
  [[nodiscard]] Round gather_round() const;
  void gather_ordinals(Round& round) const;
  [[nodiscard]] std::uint32_t wanted_founders() const;
  [[nodiscard]] std::string describe_missing(const Round& round, std::uint32_t wanted) const;
  [[nodiscard]] std::string describe_silence(const std::string& name) const;
  void evaluate(base::Instant now);
  void evaluate_fresh(base::Instant now, const Round& round);
  void evaluate_single();
  void evaluate_coordinator(base::Instant now, const Round& round);
  void evaluate_follower(base::Instant now, const Round& round);
  [[nodiscard]] FounderSet observed_set(const Round& round) const;
  bool has_settled(base::Instant now, FounderSet observed);
  [[nodiscard]] base::Duration settle_time() const;
  [[nodiscard]] std::map<HostPort, std::string> targets() const;

  // bootstrap_infer.cpp: founding without a count
  void evaluate_inferred(base::Instant now, const Round& round);
  [[nodiscard]] std::string obstacle_to_inferring(const Round& round) const;
  [[nodiscard]] std::string describe_disagreement(const Round& round) const;
  [[nodiscard]] std::string refusal_of_inferred(const FounderSet& set) const;

  // bootstrap_member.cpp: who contacts this member, and whom a member goes on asking
  void on_hello(base::Instant now, const PeerInfo& sender);
  void learn_contact(base::Instant now, const PeerInfo& sender);
  void add_contact(base::Instant now, const HostPort& address, const std::string& name);
  void hear_member(base::Instant now, base::ClusterId cluster_id, const std::string& name,
                   const std::string& advertise);
  [[nodiscard]] std::string describe_heard() const;
  void forget_heard(base::Instant now, const Round& round);
  void note_seen(const PeerInfo& info);
  void on_member_answer(base::Instant now, const HostPort& address, const PeerInfo& info);
  void note_other_cluster(const PeerInfo& info);
  void note_configured(base::Instant now, const PeerInfo& info);
  void maybe_orphaned(base::Instant now);
  void maybe_ask(base::Instant now);
  [[nodiscard]] base::Instant next_ask() const;
  [[nodiscard]] std::map<HostPort, std::string> member_targets(base::Instant now);

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
  [[nodiscard]] bool has_right_size(const FounderSet& set) const;
  [[nodiscard]] std::string refusal_of_prepare(const Prepare& prepare) const;
  void answer(std::uint64_t request_id, bool accepted, std::string reason);
  void persist(PendingPersist pending);
  void reset_round(base::Instant now);
  void send(base::Instant now, Pending pending, BootstrapRequest request);
  void set_status(BootstrapPhase phase, std::string reason);

  BootstrapOptions options_;
  bool is_expect_given_;  // by the options; else it is inferred, or follows on_expect_stated
  std::optional<std::uint32_t> ordinal_;
  BootstrapMeta meta_;
  FounderSet prepared_;  // decoded from meta_; empty unless prepared or a member that founded
  BootstrapStatus status_;
  ClusterView view_;
  std::vector<BootstrapAction> actions_;

  std::map<HostPort, Known> discovered_;
  std::map<HostPort, Contact> contacts_;  // with our token, or members that dialled for Raft
  std::set<HostPort> own_addresses_;      // beside the advertised one
  std::map<base::ClusterId, Heard> heard_;
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
  std::uint32_t settling_rounds_ = 0;
  std::uint64_t observed_hash_ = 0;  // of the last round, while nothing is promised and no count is stated
  std::set<base::ClusterId> clusters_seen_;
  std::string waiting_;  // of the last complete round
  std::uint32_t attempts_ = 0;
  std::map<base::NodeId, Drive> drives_;
  std::optional<PendingPersist> persisting_;

  // Of a member.
  std::vector<core::Member> witnessed_;  // its cluster's, as the newest answer of another member has them
  base::Index witnessed_commit_;
  std::map<HostPort, base::Instant> answered_;  // where a configured member answered, and when
  std::set<base::ClusterId> other_clusters_;    // that were reported
  // Of one that was never taken in: when somebody spoke who is, and who answered when without being so.
  base::Instant configured_heard_at_;
  std::map<HostPort, base::Instant> empty_answers_;
  bool has_view_ = false;
  bool is_orphaned_ = false;
  std::optional<base::Instant> asked_at_;
  bool is_ask_wanted_ = false;  // discovery knows somebody new: do not wait for the period's end
};

[[nodiscard]] std::string_view describe(BootstrapPhase phase);
[[nodiscard]] std::string describe(const BootstrapMeta& meta);
[[nodiscard]] std::string describe(const BootstrapAction& action);
[[nodiscard]] std::string describe(const BootstrapStatus& status);

}  // namespace whitewater::discovery

#include <algorithm>

#include "base/assert.hpp"
#include "discovery/bootstrap_fsm.hpp"

// The two phases, seen from the coordinator and from the other founders, and every change of the durable state.
namespace whitewater::discovery {

namespace {

// After this many COMMITs without an answer the founder is left to find the cluster by its own HELLO rounds.
constexpr std::uint32_t commit_attempts_max = 20;
constexpr std::uint32_t back_off_doublings_max = 4;
constexpr std::uint32_t attempt_sequence_bits = 32;

}  // namespace

void BootstrapFsm::set_status(BootstrapPhase phase, std::string reason) {
  const bool is_news = status_.phase != phase || status_.reason != reason;
  status_.phase = phase;
  status_.reason = std::move(reason);
  status_.cluster_id = meta_.cluster_id;
  status_.is_inferred = is_inferring() && phase != BootstrapPhase::joined && meta_.state != MemberState::removed;
  if (is_news && phase == BootstrapPhase::refused) actions_.emplace_back(Refuse{status_.reason});
}

void BootstrapFsm::send(base::Instant now, Pending pending, BootstrapRequest request) {
  const auto id = next_id_++;
  pending.deadline = now + options_.exchange_timeout;
  actions_.emplace_back(SendExchange{id, pending.address, std::move(request)});
  pending_.emplace(id, std::move(pending));
}

// One durable change at a time; until it is done the old state is what this member says and does.
void BootstrapFsm::persist(PendingPersist pending) {
  WW_ASSERT(!persisting_);
  WW_ASSERT(meta_.state != MemberState::member);
  pending.id = next_id_++;
  actions_.emplace_back(Persist{pending.id, pending.meta});
  persisting_ = std::move(pending);
}

// Evidence from before a change of state does not count after it: a HELLO answered before PREPARE would make a founder
// believe that its coordinator had moved on.
void BootstrapFsm::reset_round(base::Instant now) {
  pending_.clear();
  answers_.clear();
  drives_.clear();
  settling_ = {};
  observed_hash_ = 0;
  is_round_open_ = false;
  poll_ = options_.poll_min;
  next_round_ = now;
}

void BootstrapFsm::on_persisted(base::Instant now, std::uint64_t persist_id) {
  WW_ASSERT(persisting_.has_value());
  WW_ASSERT(persisting_->id == persist_id);
  const auto done = std::move(*persisting_);
  persisting_.reset();
  meta_ = done.meta;
  prepared_ = {};
  if (!meta_.founders.empty()) {
    auto set = decode_founder_set(meta_.founders);
    WW_ASSERT(set.has_value());
    prepared_ = std::move(*set);
  }
  reset_round(now);
  switch (meta_.state) {
    case MemberState::fresh:
      set_status(BootstrapPhase::looking, done.reason);
      if (done.aborts) send_aborts(now, *done.aborts);
      break;
    case MemberState::prepared:
      start_drives(now);
      set_status(BootstrapPhase::preparing,
                 is_coordinator()
                     ? describe_drives()
                     : "promised to found with " + prepared_.founders.front().name + "; waiting for its decision");
      break;
    case MemberState::member:
      if (prepared_.empty()) {
        set_status(BootstrapPhase::joined, "waiting to be added to cluster " + base::to_hex(meta_.cluster_id));
        witnessed_ = done.members;
        configured_heard_at_ = now;
        actions_.emplace_back(Join{meta_.cluster_id, done.members});
      } else {
        set_status(BootstrapPhase::founded, "founded cluster " + base::to_hex(meta_.cluster_id));
        actions_.emplace_back(Found{meta_.cluster_id, configuration_of(prepared_)});
        start_drives(now);
      }
      break;
    case MemberState::removed:
      WW_ASSERT(false);
  }
  if (done.request_id) answer(*done.request_id, true, {});
  on_tick(now);
}

void BootstrapFsm::prepare_own(FounderSet set) {
  WW_ASSERT(meta_.state == MemberState::fresh);
  WW_ASSERT(set.coordinator() == options_.node_id);
  set.attempt = (options_.incarnation.value << attempt_sequence_bits) | ++attempts_;
  PendingPersist pending;
  pending.meta = {MemberState::prepared, {}, set_hash(set), encode(set)};
  persist(std::move(pending));
}

// The set that is promised becomes this member's cluster: by unanimity on the coordinator, by COMMIT or by the sight of
// a member on the others.
void BootstrapFsm::commit_own() {
  if (persisting_) return;
  WW_ASSERT(!prepared_.empty());
  WW_ASSERT(prepared_.find(options_.node_id) != nullptr);
  PendingPersist pending;
  pending.meta = {MemberState::member, cluster_id_of(prepared_), set_hash(prepared_), encode(prepared_)};
  persist(std::move(pending));
}

void BootstrapFsm::drop_preparation(std::string reason) {
  WW_ASSERT(meta_.state == MemberState::prepared);
  WW_ASSERT(!persisting_);
  PendingPersist pending;
  if (is_coordinator()) pending.aborts = prepared_;
  pending.reason = std::move(reason);
  persist(std::move(pending));
}

// Rule 2: whoever sees a cluster joins it and founds none; whoever has seen two does neither until it is restarted.
// True when the round is dealt with.
bool BootstrapFsm::maybe_join(const Round& round) {
  if (clusters_seen_.size() > 1) {
    std::string ids;
    for (const auto id : clusters_seen_) ids += (ids.empty() ? "" : " and ") + base::to_hex(id);
    set_status(BootstrapPhase::refused, "two clusters answer under this service, " + ids +
                                            ": stop the members of the wrong one, then restart this member");
    return true;
  }
  if (round.clusters.empty()) {
    if (clusters_seen_.empty()) return false;
    set_status(BootstrapPhase::looking, "cluster " + base::to_hex(*clusters_seen_.begin()) +
                                            " was seen before and does not answer now; waiting for it");
    return true;
  }
  const auto& [cluster_id, witness] = *round.clusters.begin();
  if (!witness->token.empty() && !options_.token.empty() && witness->token != options_.token) {
    set_status(BootstrapPhase::refused, witness->name + " belongs to cluster " + base::to_hex(cluster_id) +
                                            " and has another bootstrap token than this member; not joining it");
    return true;
  }
  PendingPersist pending;
  pending.meta = {MemberState::member, cluster_id, 0, {}};
  pending.members = witness->members;
  persist(std::move(pending));
  return true;
}

bool BootstrapFsm::has_right_size(const FounderSet& set) const {
  return is_inferring() ? set.founders.size() >= inferred_founders_min : set.founders.size() == options_.expect;
}

bool BootstrapFsm::may_drive() const {
  if (persisting_ || !is_coordinator()) return false;
  if (meta_.state == MemberState::member) return true;
  return meta_.state == MemberState::prepared && clusters_seen_.empty() && heard_.empty() && waiting_.empty() &&
         prepared_.token == options_.token && has_right_size(prepared_);
}

void BootstrapFsm::start_drives(base::Instant now) {
  drives_.clear();
  if (!is_coordinator()) return;
  for (const auto& founder : prepared_.founders) {
    if (founder.node_id != options_.node_id) drives_[founder.node_id].retry_at = now;
  }
}

// PREPARE goes to the address that the configuration will hold, so that a set whose members cannot be reached there is
// never founded.
void BootstrapFsm::send_drive(base::Instant now, const Founder& founder, Drive& drive) {
  const auto address = parse_host_port(founder.advertise);
  WW_ASSERT(address.has_value());
  drive.is_pending = true;
  ++drive.attempts;
  if (meta_.state == MemberState::member) {
    const Commit commit{options_.node_id, founder.node_id, meta_.set_hash, meta_.cluster_id};
    send(now, {.kind = Pending::Kind::commit, .address = *address, .node = founder.node_id, .deadline = {}}, commit);
  } else {
    const Prepare prepare{options_.node_id, founder.node_id, prepared_};
    send(now, {.kind = Pending::Kind::prepare, .address = *address, .node = founder.node_id, .deadline = {}}, prepare);
  }
}

void BootstrapFsm::drive_founders(base::Instant now) {
  if (!may_drive()) return;
  for (auto& [id, drive] : drives_) {
    if (drive.is_done || drive.is_pending || drive.retry_at > now) continue;
    const auto* founder = prepared_.find(id);
    WW_ASSERT(founder != nullptr);
    send_drive(now, *founder, drive);
  }
}

void BootstrapFsm::send_aborts(base::Instant now, const FounderSet& set) {
  const auto hash = set_hash(set);
  for (const auto& founder : set.founders) {
    const auto address = parse_host_port(founder.advertise);
    if (founder.node_id == options_.node_id || !address) continue;
    // Sent once: whoever misses it sees at the next HELLO that the coordinator has moved on.
    send(now, {.kind = Pending::Kind::abort, .address = *address, .node = founder.node_id, .deadline = {}},
         Abort{options_.node_id, founder.node_id, hash, set.attempt});
  }
}

void BootstrapFsm::on_drive_failed(base::Instant now, const Pending& pending, std::string reason) {
  const auto it = drives_.find(pending.node);
  if (it == drives_.end() || pending.kind == Pending::Kind::abort) return;
  auto& drive = it->second;
  drive.is_pending = false;
  drive.failure = std::move(reason);
  const auto doublings = std::min(drive.attempts - 1, back_off_doublings_max);
  drive.retry_at = now + std::min(options_.poll_min * (1 << doublings), options_.poll_max);
  if (pending.kind == Pending::Kind::commit && drive.attempts >= commit_attempts_max) drive.is_done = true;
}

void BootstrapFsm::on_ack(base::Instant now, const Pending& pending, const Ack& ack) {
  if (ack.node_id != pending.node) return on_drive_failed(now, pending, "another member answers at its address");
  if (!ack.accepted) {
    on_drive_failed(now, pending, ack.reason);
    // Its cluster, if it has one, must come out of a whole round, so that two clusters are seen as two.
    if (!ack.cluster_id.is_zero() && is_bootstrapping()) next_round_ = std::min(next_round_, now);
    return;
  }
  const auto it = drives_.find(pending.node);
  if (it == drives_.end() || pending.kind == Pending::Kind::abort) return;
  WW_ASSERT(it->second.is_pending);
  it->second.is_pending = false;
  it->second.is_done = true;
  it->second.failure.clear();
  if (pending.kind == Pending::Kind::commit || meta_.state != MemberState::prepared || !may_drive()) return;
  const bool is_unanimous =
      std::all_of(drives_.begin(), drives_.end(), [](const auto& item) { return item.second.is_done; });
  if (is_unanimous) commit_own();
}

std::string BootstrapFsm::describe_drives() const {
  std::string text;
  for (const auto& [id, drive] : drives_) {
    if (drive.is_done) continue;
    const auto* founder = prepared_.find(id);
    WW_ASSERT(founder != nullptr);
    text += (text.empty() ? "" : ", ") + founder->name + (drive.failure.empty() ? "" : " (" + drive.failure + ")");
  }
  return "all founders agree; waiting for the promise of " + (text.empty() ? std::string("nobody") : text);
}

void BootstrapFsm::answer(std::uint64_t request_id, bool accepted, std::string reason) {
  Ack ack;
  ack.node_id = options_.node_id;
  ack.accepted = accepted;
  ack.state = meta_.state;
  ack.set_hash = meta_.set_hash;
  ack.cluster_id = meta_.cluster_id;
  ack.reason = std::move(reason);
  actions_.emplace_back(SendReply{request_id, std::move(ack)});
}

void BootstrapFsm::on_request(base::Instant now, std::uint64_t request_id, const BootstrapRequest& request) {
  if (const auto* hello = std::get_if<Hello>(&request)) {
    actions_.emplace_back(SendReply{request_id, HelloReply{own_info()}});
    on_hello(now, hello->sender);
  } else if (persisting_) {
    answer(request_id, false, options_.name + " is writing its state; ask again");
  } else if (const auto* prepare = std::get_if<Prepare>(&request)) {
    on_prepare(request_id, *prepare);
  } else if (const auto* commit = std::get_if<Commit>(&request)) {
    on_commit(request_id, *commit);
  } else if (const auto* abort = std::get_if<Abort>(&request)) {
    on_abort(request_id, *abort);
  }  // a Goodbye is for the membership, which the loop asks
  on_tick(now);
}

// Empty when the promise may be given.
std::string BootstrapFsm::refusal_of_prepare(const Prepare& prepare) const {
  const auto& set = prepare.set;
  if (prepare.receiver != options_.node_id) return options_.name + " has another node id: its disk was replaced";
  if (!is_bootstrapping()) return options_.name + " is " + std::string(describe(meta_.state)) + " of a cluster already";
  if (!clusters_seen_.empty()) return options_.name + " has seen cluster " + base::to_hex(*clusters_seen_.begin());
  if (!heard_.empty()) return options_.name + " was contacted by " + heard_.begin()->second.who;
  if (!waiting_.empty()) return waiting_;
  if (set.token != options_.token) return options_.name + " has another bootstrap token";
  if (!has_right_size(set)) {
    return is_inferring() ? options_.name + " founds with no fewer than " + std::to_string(inferred_founders_min)
                          : options_.name + " expects " + std::to_string(options_.expect) + " founders";
  }
  if (auto reason = refusal_of(set); !reason.empty()) return reason;
  const auto* own = set.find(options_.node_id);
  if (own == nullptr || own->name != options_.name) return options_.name + " is not in this set";
  if (set.coordinator() != prepare.sender) return "only the lowest ordinal coordinates";
  if (prepare.sender == options_.node_id) return "a coordinator does not ask itself";
  if (is_inferring()) {
    if (auto reason = refusal_of_inferred(set); !reason.empty()) return reason;
  }
  if (meta_.state == MemberState::fresh) return {};
  // The same coordinator replaces its own older promise; another one waits until that is dropped.
  if (prepared_.coordinator() != prepare.sender) return options_.name + " promised another set of founders";
  if (set.attempt < prepared_.attempt) return "this is an older attempt than the one promised";
  if (set.attempt == prepared_.attempt && set_hash(set) != meta_.set_hash) return "two sets under one attempt";
  return {};
}

void BootstrapFsm::on_prepare(std::uint64_t request_id, const Prepare& prepare) {
  if (auto reason = refusal_of_prepare(prepare); !reason.empty()) return answer(request_id, false, std::move(reason));
  if (meta_.state == MemberState::prepared && prepared_.attempt == prepare.set.attempt) {
    return answer(request_id, true, {});  // durable already
  }
  PendingPersist pending;
  pending.meta = {MemberState::prepared, {}, set_hash(prepare.set), encode(prepare.set)};
  pending.request_id = request_id;
  persist(std::move(pending));
}

void BootstrapFsm::on_commit(std::uint64_t request_id, const Commit& commit) {
  if (commit.receiver != options_.node_id) {
    return answer(request_id, false, options_.name + " has another node id: its disk was replaced");
  }
  if (meta_.state == MemberState::member && meta_.cluster_id == commit.cluster_id) return answer(request_id, true, {});
  const bool is_promised = meta_.state == MemberState::prepared && meta_.set_hash == commit.set_hash &&
                           cluster_id_of(prepared_) == commit.cluster_id && prepared_.coordinator() == commit.sender;
  if (!is_promised) return answer(request_id, false, options_.name + " did not promise this set of founders");
  commit_own();
  WW_ASSERT(persisting_.has_value());
  persisting_->request_id = request_id;
}

void BootstrapFsm::on_abort(std::uint64_t request_id, const Abort& abort) {
  if (abort.receiver != options_.node_id) {
    return answer(request_id, false, options_.name + " has another node id: its disk was replaced");
  }
  if (meta_.state == MemberState::member || meta_.state == MemberState::removed) {
    return answer(request_id, false, options_.name + " belongs to a cluster: a commit cannot be taken back");
  }
  if (meta_.state == MemberState::fresh) return answer(request_id, true, {});
  const bool is_promised = meta_.set_hash == abort.set_hash && prepared_.coordinator() == abort.sender &&
                           abort.attempt >= prepared_.attempt && !is_coordinator();
  if (!is_promised) return answer(request_id, false, options_.name + " promised another set or a newer attempt");
  drop_preparation("the coordinator took its set of founders back");
  WW_ASSERT(persisting_.has_value());
  persisting_->request_id = request_id;
}

}  // namespace whitewater::discovery

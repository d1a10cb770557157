#include "discovery/bootstrap_fsm.hpp"

#include <algorithm>

#include "base/assert.hpp"

// Inputs and rounds of HELLO. What the answers mean is in bootstrap_evaluate.cpp and bootstrap_infer.cpp, the two
// phases in bootstrap_phases.cpp, and what a member goes on asking in bootstrap_member.cpp.
namespace whitewater::discovery {

namespace {

std::string own_address(const BootstrapOptions& options) {
  const auto address = parse_host_port(options.advertise);
  return address ? describe(*address) : options.advertise;
}

}  // namespace

std::string refusal_of(const BootstrapOptions& options) {
  if (!is_host_valid(options.name)) return "the member's name is empty or no host name";
  if (options.node_id.is_zero()) return "the member has no node id";
  if (options.expect > founders_max) return "expect is above " + std::to_string(founders_max);
  if (options.token.size() > token_bytes_max) return "the token is longer than " + std::to_string(token_bytes_max);
  if (options.advertise.size() > advertise_bytes_max || !parse_host_port(options.advertise)) {
    return "the advertised address is not host:port";
  }
  if (options.poll_min <= base::Duration(0) || options.poll_max < options.poll_min)
    return "the poll interval is not usable";
  if (std::min(options.settle, options.infer_settle) < base::Duration(0) ||
      options.exchange_timeout <= base::Duration(0)) {
    return "a time-out is negative";
  }
  return {};
}

std::optional<core::Entry> founding_entry(const BootstrapMeta& meta) {
  if (meta.state != MemberState::member || meta.founders.empty()) return std::nullopt;
  const auto set = decode_founder_set(meta.founders);
  if (!set || set->empty()) return std::nullopt;
  core::Entry entry;
  entry.term = base::Term(1);
  entry.index = base::Index(1);
  entry.type = core::EntryType::configuration;
  entry.payload = base::SharedBytes(core::encode(configuration_of(*set)));
  return entry;
}

BootstrapFsm::BootstrapFsm(BootstrapOptions options, BootstrapMeta meta, base::Instant now)
    : options_(std::move(options)),
      is_expect_given_(options_.expect != 0),
      ordinal_(ordinal_of(options_.name)),
      meta_(std::move(meta)),
      next_round_(now),
      poll_(options_.poll_min),
      configured_heard_at_(now) {
  WW_ASSERT(refusal_of(options_).empty());
  if (auto set = decode_founder_set(meta_.founders); set && !meta_.founders.empty()) prepared_ = std::move(*set);
  switch (meta_.state) {
    case MemberState::fresh:
      set_status(BootstrapPhase::looking, "discovery has not answered yet");
      break;
    case MemberState::prepared:
      set_status(BootstrapPhase::preparing, "found its own promise to a set of founders; looking for them");
      start_drives(now);  // a coordinator asks for every promise again: what it heard before is forgotten
      break;
    case MemberState::member:
      set_status(prepared_.empty() ? BootstrapPhase::joined : BootstrapPhase::founded,
                 "belongs to cluster " + base::to_hex(meta_.cluster_id));
      break;
    case MemberState::removed:
      set_status(BootstrapPhase::refused, "this member was removed from cluster " + base::to_hex(meta_.cluster_id) +
                                              "; give it an empty data directory to let it join again");
      break;
  }
  check_basic();
}

bool BootstrapFsm::is_bootstrapping() const {
  return meta_.state == MemberState::fresh || meta_.state == MemberState::prepared;
}

bool BootstrapFsm::is_coordinator() const { return !prepared_.empty() && prepared_.coordinator() == options_.node_id; }

bool BootstrapFsm::is_settled() const {
  return meta_.state == MemberState::member && !persisting_ &&
         std::all_of(drives_.begin(), drives_.end(), [](const auto& item) { return item.second.is_done; });
}

PeerInfo BootstrapFsm::own_info() const {
  PeerInfo info;
  info.name = options_.name;
  info.node_id = options_.node_id;
  info.incarnation = options_.incarnation;
  info.cluster_id = meta_.cluster_id;
  info.state = meta_.state;
  info.expect = options_.expect;
  info.token = options_.token;
  info.set_hash = meta_.set_hash;
  if (is_inferring() && is_bootstrapping())
    info.observed_hash = prepared_.empty() ? observed_hash_ : member_hash(prepared_);
  info.term = view_.term;
  info.commit = view_.commit;
  info.advertise = options_.advertise;
  if (meta_.state == MemberState::member) {
    info.members = view_.members;
    if (info.members.empty() && !prepared_.empty()) info.members = configuration_of(prepared_).voters;
  }
  return info;
}

void BootstrapFsm::on_tick(base::Instant now) {
  expire_exchanges(now);
  maybe_end_round(now);
  maybe_start_round(now);
  maybe_end_round(now);
  maybe_ask(now);
  maybe_orphaned(now);
  drive_founders(now);
  check_basic();
}

void BootstrapFsm::on_peers(base::Instant now, const PeerSet& peers) {
  bool is_new = !has_peers_;
  has_peers_ = true;
  absence_ = peers.absence.empty() ? "not found by discovery" : peers.absence;
  if (!peers.last_error.empty()) absence_ += "; last question: " + peers.last_error;
  if (!peers.peers.empty()) {  // an empty set is no information
    std::map<HostPort, Known> next;
    for (const auto& peer : peers.peers) {
      const bool is_of_this_set = peer.name != options_.name && ordinal_of(peer.name) && ordinal_ &&
                                  stem_of(peer.name) == stem_of(options_.name);
      const bool exists_now = peer.is_current && !peer.is_guess && !peer.is_terminating;
      if (next.size() < candidates_max) next.emplace(peer.address, Known{peer.name, is_of_this_set && exists_now});
    }
    for (const auto& [address, known] : next) is_new = is_new || !discovered_.contains(address);
    discovered_ = std::move(next);
  }
  if (is_new) {
    is_ask_wanted_ = true;
    poll_ = options_.poll_min;
    next_round_ = std::min(next_round_, std::max(now, round_started_ + options_.poll_min));
  }
  on_tick(now);
}

bool BootstrapFsm::on_expect_stated(base::Instant now, std::uint32_t expect) {
  const bool may_change =
      meta_.state == MemberState::fresh || (meta_.state == MemberState::prepared && is_coordinator());
  if (is_expect_given_ || !may_change || persisting_) return false;
  if (expect < 2 || expect > founders_max || expect == options_.expect) return false;
  options_.expect = expect;
  // What was heard and counted for another number proves nothing. A coordinator's promises stay until its next round
  // takes the set back.
  pending_.clear();
  answers_.clear();
  settling_ = {};
  observed_hash_ = 0;
  is_round_open_ = false;
  for (auto& [id, drive] : drives_) drive.is_pending = false;
  poll_ = options_.poll_min;
  next_round_ = now;
  if (meta_.state == MemberState::fresh) {
    set_status(BootstrapPhase::looking, "there shall be " + std::to_string(expect) + " founders; asking all again");
  }
  on_tick(now);
  return true;
}

std::map<HostPort, std::string> BootstrapFsm::targets() const {
  std::map<HostPort, std::string> out;
  for (const auto& [address, known] : discovered_) out.emplace(address, known.name);
  for (const auto& [address, contact] : contacts_) out.emplace(address, contact.name);
  const auto self = own_address(options_);
  std::erase_if(out, [&](const auto& item) {
    return item.second == options_.name || describe(item.first) == self || own_addresses_.contains(item.first);
  });
  return out;
}

bool BootstrapFsm::is_round_due_ever() const {
  return is_bootstrapping() && !persisting_ && !is_round_open_ && (has_peers_ || !contacts_.empty());
}

void BootstrapFsm::maybe_start_round(base::Instant now) {
  if (!is_round_due_ever() || now < next_round_) return;
  is_round_open_ = true;
  round_started_ = now;
  answers_.clear();
  for (const auto& [address, name] : targets()) {
    answers_[address].is_pending = true;
    send(now, {.kind = Pending::Kind::hello, .address = address, .node = {}, .deadline = {}}, Hello{own_info()});
  }
}

void BootstrapFsm::expire_exchanges(base::Instant now) {
  std::vector<std::uint64_t> late;
  for (const auto& [id, pending] : pending_) {
    if (pending.deadline <= now) late.push_back(id);
  }
  for (const auto id : late) on_exchange_failed(now, id, "no answer in time");
}

void BootstrapFsm::on_reply(base::Instant now, std::uint64_t exchange_id, const BootstrapReply& reply) {
  const auto* hello = std::get_if<HelloReply>(&reply);
  if (hello != nullptr) note_seen(hello->info);
  const auto it = pending_.find(exchange_id);
  if (it == pending_.end()) return;  // too late, or from before a change of our own state
  const auto pending = it->second;
  const auto* ack = std::get_if<Ack>(&reply);
  if ((pending.kind == Pending::Kind::hello) != (hello != nullptr)) {
    on_exchange_failed(now, exchange_id, "the answer does not fit the question");
    return;
  }
  pending_.erase(it);
  if (hello != nullptr && !is_bootstrapping()) {
    on_member_answer(now, pending.address, hello->info);
  } else if (hello != nullptr) {
    auto& answer = answers_[pending.address];
    answer.is_pending = false;
    answer.info = hello->info;
    maybe_end_round(now);
  } else {
    on_ack(now, pending, *ack);
  }
  check_basic();
}

void BootstrapFsm::on_exchange_failed(base::Instant now, std::uint64_t exchange_id, std::string reason) {
  const auto it = pending_.find(exchange_id);
  if (it == pending_.end()) return;
  const auto pending = it->second;
  pending_.erase(it);
  if (pending.kind == Pending::Kind::hello) {
    if (!is_bootstrapping()) return;  // a member asks again at its next turn
    auto& answer = answers_[pending.address];
    answer.is_pending = false;
    answer.failure = std::move(reason);
    maybe_end_round(now);
  } else {
    on_drive_failed(now, pending, std::move(reason));
  }
}

void BootstrapFsm::on_reached_itself(base::Instant now, std::uint64_t exchange_id) {
  const auto it = pending_.find(exchange_id);
  if (it == pending_.end()) return;
  const auto& address = it->second.address;
  if (is_ip_literal(address.host) && own_addresses_.size() < candidates_max) own_addresses_.insert(address);
  on_exchange_failed(now, exchange_id, "this member itself");
}

void BootstrapFsm::maybe_end_round(base::Instant now) {
  if (!is_round_open_ || persisting_) return;
  const bool is_waiting =
      std::any_of(answers_.begin(), answers_.end(), [](const auto& item) { return item.second.is_pending; });
  if (is_waiting) return;
  is_round_open_ = false;
  evaluate(now);
}

std::optional<base::Instant> BootstrapFsm::next_tick() const {
  std::optional<base::Instant> next;
  const auto consider = [&next](base::Instant at) { next = next ? std::min(*next, at) : at; };
  for (const auto& [id, pending] : pending_) consider(pending.deadline);
  if (is_round_due_ever()) consider(next_round_);
  if (meta_.state == MemberState::member) consider(next_ask());
  if (may_drive()) {
    for (const auto& [id, drive] : drives_) {
      if (!drive.is_done && !drive.is_pending) consider(drive.retry_at);
    }
  }
  return next;
}

std::vector<BootstrapAction> BootstrapFsm::take_actions() { return std::exchange(actions_, {}); }

void BootstrapFsm::on_cluster_view(ClusterView view) {
  WW_ASSERT(view.members.size() <= core::configuration_members_max);
  view_ = std::move(view);
  has_view_ = true;
}

void BootstrapFsm::on_removed() {
  WW_ASSERT(meta_.state == MemberState::member);
  WW_ASSERT(!persisting_);
  meta_.state = MemberState::removed;
  drives_.clear();
  pending_.clear();
  set_status(BootstrapPhase::refused, "this member was removed from cluster " + base::to_hex(meta_.cluster_id));
}

void BootstrapFsm::check_basic() const {
  switch (meta_.state) {
    case MemberState::fresh:
      WW_ASSERT(meta_.cluster_id.is_zero());
      WW_ASSERT(meta_.set_hash == 0);
      break;
    case MemberState::prepared:
      WW_ASSERT(meta_.cluster_id.is_zero());
      WW_ASSERT(!prepared_.empty());
      WW_ASSERT(meta_.set_hash == set_hash(prepared_));
      WW_ASSERT(prepared_.find(options_.node_id) != nullptr);
      break;
    case MemberState::member:
    case MemberState::removed:
      WW_ASSERT(!meta_.cluster_id.is_zero());
      WW_ASSERT(!is_round_open_);
      break;
  }
  WW_ASSERT(contacts_.size() <= contacts_max);
  WW_ASSERT(answers_.size() <= candidates_max + contacts_max);
}

}  // namespace whitewater::discovery

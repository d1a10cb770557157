#include "bootstrap_env.hpp"

namespace whitewater::discovery {

BootstrapWorld::BootstrapWorld(WorldOptions options) : options_(options), rng_(options.seed) {
  for (std::uint32_t i = 0; i < options.members; ++i) {
    Member member;
    member.name = "whitewater-" + std::to_string(i);
    member.node_id = base::NodeId(1000 + ++next_node_id_);
    member.options.name = member.name;
    member.options.advertise = member.name + ".ww:8090";
    member.options.expect = options.expect;
    member.options.token = "release-1";
    members_.push_back(std::move(member));
  }
  isolated_.resize(options.members);
  hidden_.resize(options.members);
}

void BootstrapWorld::at(base::Duration delay, std::function<void()> what) {
  queue_.emplace(std::pair(now_ + delay, ++sequence_), std::move(what));
}

base::Duration BootstrapWorld::delay(std::uint64_t max_ms) {
  return options_.is_jittery ? base::microseconds(rng_.in_range(100, max_ms * 1000)) : base::microseconds(1000);
}

void BootstrapWorld::start(std::size_t i) {
  auto& member = members_[i];
  if (member.fsm) return;
  ++member.run;
  ++member.incarnation;
  member.options.node_id = member.node_id;
  member.options.incarnation = base::Incarnation(member.incarnation);
  member.found.reset();
  member.joined.reset();
  member.fsm = std::make_unique<BootstrapFsm>(member.options, member.disk, now_);
  discover(i, member.run);
  pump(i);
}

void BootstrapWorld::crash(std::size_t i, bool keep_write) {
  auto& member = members_[i];
  if (!member.fsm) return;
  member.fsm.reset();
  member.tick_at.reset();
  if (member.writing && keep_write) member.disk = *member.writing;
  check_disks();
  member.writing.reset();
}

void BootstrapWorld::wipe(std::size_t i) {
  crash(i, false);
  members_[i].disk = {};
  members_[i].incarnation = 0;
  members_[i].node_id = base::NodeId(1000 + ++next_node_id_);
}

void BootstrapWorld::heal() {
  options_.lost_percent = options_.late_percent = options_.bad_answer_percent = 0;
  isolated_.assign(members_.size(), false);
  hidden_.assign(members_.size(), false);
}

void BootstrapWorld::discover(std::size_t i, std::uint64_t run) {
  auto& member = members_[i];
  if (!member.fsm || member.run != run) return;
  PeerSet set;
  set.source = "dns";
  set.absence = "no SRV record";
  if (!chance(options_.bad_answer_percent / 2)) {
    for (std::size_t k = 0; k < members_.size(); ++k) {
      if (hidden_[k] || chance(options_.bad_answer_percent)) continue;
      set.peers.push_back(make_candidate(members_[k].name, {members_[k].name + ".ww", 8090}));
    }
  }
  set.is_known = true;
  member.fsm->on_peers(now_, set);
  pump(i);
  at(base::milliseconds(400) + delay(200), [this, i, run] { discover(i, run); });
}

void BootstrapWorld::pump(std::size_t i) {
  auto& member = members_[i];
  for (auto& action : member.fsm->take_actions()) perform(i, std::move(action));
  const auto next = member.fsm->next_tick();
  if (!next || (member.tick_at && *member.tick_at <= *next && *member.tick_at > now_)) return;
  member.tick_at = std::max(*next, now_);
  at(*member.tick_at - now_, [this, i, run = member.run] {
    auto& m = members_[i];
    if (!m.fsm || m.run != run) return;
    if (m.tick_at && *m.tick_at <= now_) m.tick_at.reset();
    m.fsm->on_tick(now_);
    pump(i);
  });
}

void BootstrapWorld::perform(std::size_t i, BootstrapAction action) {
  auto& member = members_[i];
  if (auto* send = std::get_if<SendExchange>(&action)) {
    exchange(i, std::move(*send));
  } else if (auto* persist = std::get_if<Persist>(&action)) {
    if (member.writing) failure_ = "two writes under way on " + member.name;
    member.writing = persist->meta;
    at(delay(15), [this, i, run = member.run, id = persist->id] {
      auto& m = members_[i];
      if (!m.fsm || m.run != run) return;
      m.disk = *m.writing;
      check_disks();
      m.writing.reset();
      m.fsm->on_persisted(now_, id);
      pump(i);
    });
  } else if (auto* reply = std::get_if<SendReply>(&action)) {
    const auto it = replies_.find(reply->id);
    if (it == replies_.end()) return;
    const auto answer = std::move(it->second);
    replies_.erase(it);
    // Through the codec, so that nothing is kept that does not travel.
    const auto decoded = decode_bootstrap_reply(encode(reply->reply));
    if (!decoded || *decoded != reply->reply) failure_ = "a reply does not survive the codec";
    answer(reply->reply);
  } else if (auto* found = std::get_if<Found>(&action)) {
    const auto [it, is_new] = configurations_.emplace(found->cluster_id, found->configuration);
    if (!is_new && !(it->second == found->configuration)) failure_ = "two configurations of one cluster";
    if (member.disk.state != MemberState::member) failure_ = "founded before its disk says so";
    member.found = *found;
  } else if (auto* join = std::get_if<Join>(&action)) {
    if (member.disk.state != MemberState::member) failure_ = "joined before its disk says so";
    member.joined = *join;
  }
}

void BootstrapWorld::fail(std::size_t from, std::uint64_t run, std::uint64_t exchange_id, std::string reason) {
  at(delay(20), [this, from, run, exchange_id, reason = std::move(reason)] {
    auto& m = members_[from];
    if (!m.fsm || m.run != run) return;
    m.fsm->on_exchange_failed(now_, exchange_id, reason);
    pump(from);
  });
}

void BootstrapWorld::exchange(std::size_t i, SendExchange action) {
  const auto run = members_[i].run;
  std::optional<std::size_t> to;
  for (std::size_t k = 0; k < members_.size(); ++k) {
    if (action.address.host == members_[k].name + ".ww") to = k;
  }
  const auto decoded = decode_bootstrap_request(encode(action.request));
  if (!decoded || *decoded != action.request) failure_ = "a request does not survive the codec";
  if (!to) return fail(i, run, action.id, "name not found");
  if (isolated_[i] != isolated_[*to] || chance(options_.lost_percent)) return;  // the fsm's own time-out ends it
  const auto wait = chance(options_.late_percent) ? base::milliseconds(rng_.in_range(500, 6000)) : delay(20);
  at(wait, [this, i, run, id = action.id, to = *to, request = std::move(action.request)] {
    deliver(i, run, id, to, request);
  });
}

void BootstrapWorld::deliver(std::size_t from, std::uint64_t run, std::uint64_t exchange_id, std::size_t to,
                             BootstrapRequest request) {
  if (!members_[to].fsm) return fail(from, run, exchange_id, "connection refused");
  const auto request_id = next_request_++;
  replies_[request_id] = [this, from, run, exchange_id](const BootstrapReply& reply) {
    if (chance(options_.lost_percent)) return;
    const auto wait = chance(options_.late_percent) ? base::milliseconds(rng_.in_range(500, 6000)) : delay(20);
    at(wait, [this, from, run, exchange_id, reply] {
      auto& m = members_[from];
      if (!m.fsm || m.run != run) return;
      m.fsm->on_reply(now_, exchange_id, reply);
      pump(from);
    });
  };
  members_[to].fsm->on_request(now_, request_id, request);
  pump(to);
}

bool BootstrapWorld::step() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  now_ = node.key().first;
  ++steps_;
  node.mapped()();
  return true;
}

void BootstrapWorld::run_for(base::Duration duration) {
  const auto end = now_ + duration;
  while (!queue_.empty() && queue_.begin()->first.first <= end && check().empty()) step();
  now_ = std::max(now_, end);
}

bool BootstrapWorld::run_until_formed(base::Duration limit) {
  const auto end = now_ + limit;
  while (!is_formed()) {
    if (queue_.empty() || queue_.begin()->first.first > end || !check().empty()) return false;
    step();
  }
  return check().empty();
}

void BootstrapWorld::check_disks() {
  std::optional<base::ClusterId> cluster;
  std::optional<core::Entry> entry;
  for (const auto& member : members_) {
    if (member.disk.state != MemberState::member) continue;
    if (cluster && *cluster != member.disk.cluster_id) failure_ = "two clusters";
    cluster = member.disk.cluster_id;
    const auto own = founding_entry(member.disk);
    if (own && entry && !(*own == *entry)) failure_ = "two founding entries";
    if (own) entry = own;
    if (own && committed_.insert(member.disk.cluster_id).second) check_promises(member.disk);
  }
}

void BootstrapWorld::check_promises(const BootstrapMeta& decision) {
  const auto set = decode_founder_set(decision.founders);
  for (const auto& member : members_) {
    if (!set->find(member.node_id) || member.disk.set_hash == decision.set_hash) continue;
    failure_ = "a set was committed that " + member.name + " is not bound to";
  }
}

bool BootstrapWorld::is_formed() const {
  std::set<base::NodeId> alive;
  std::optional<base::ClusterId> cluster;
  bool has_founder = false;
  for (const auto& member : members_) {
    if (!member.fsm) continue;
    if (member.disk.state != MemberState::member || (!member.found && !member.joined)) {
      if (member.fsm->meta().state != MemberState::member) return false;
    }
    alive.insert(member.node_id);
    cluster = member.disk.cluster_id;
    has_founder = has_founder || !member.disk.founders.empty();
  }
  if (!cluster || !has_founder) return false;
  const auto it = configurations_.find(*cluster);
  if (it == configurations_.end()) return false;
  std::size_t votes = 0;
  for (const auto& voter : it->second.voters) votes += alive.contains(voter.id) ? 1 : 0;
  return votes > it->second.voters.size() / 2;
}

std::string BootstrapWorld::describe() const {
  std::string text =
      "seed " + std::to_string(options_.seed) + " step " + std::to_string(steps_) + ": " + check() + "\n";
  for (const auto& member : members_) {
    text += "  " + member.name + "/" + base::to_hex(member.node_id) + " disk " + discovery::describe(member.disk);
    text += member.fsm ? ", " + discovery::describe(member.fsm->status()) + "\n" : ", down\n";
  }
  return text;
}

}  // namespace whitewater::discovery

#include "bootstrap_env.hpp"

#include <algorithm>

namespace whitewater::discovery {

BootstrapWorld::BootstrapWorld(WorldOptions options) : options_(options), rng_(options.seed) {
  for (std::uint32_t i = 0; i < options.members; ++i) {
    Member member;
    member.name = "whitewater-" + std::to_string(i);
    member.host = member.name + ".ww";
    member.node_id = base::NodeId(1000 + ++next_node_id_);
    member.options.name = member.name;
    member.options.advertise = member.name + ".ww:8090";
    member.options.expect = options.expect;
    member.options.infer_settle = options.infer_settle;
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
  if (member.fsm || is_ended(i)) return;
  if (options_.is_moving) {
    old_hosts_.push_back(member.name + "=" + member.host);
    member.host = free_host();
    member.options.advertise = member.host + ":8090";
  }
  member.book.emplace("dns", "no SRV record");
  ++member.run;
  ++member.incarnation;
  member.options.node_id = member.node_id;
  member.options.incarnation = base::Incarnation(member.incarnation);
  member.found.reset();
  member.joined.reset();
  member.fsm = std::make_unique<BootstrapFsm>(member.options, member.disk, now_);
  discover(i, member.run);
  if (options_.replicas != 0) at(delay(500), [this, i, run = member.run] { read_replicas(i, run); });
  pump(i);
  dial_founders(i, member.run);
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

std::string BootstrapWorld::free_host() {
  while (true) {
    auto host = "10.0.0." + std::to_string(rng_.in_range(1, 2 * members_.size() + 2));
    if (std::none_of(members_.begin(), members_.end(), [&](const Member& m) { return m.fsm && m.host == host; })) {
      return host;
    }
  }
}

std::size_t BootstrapWorld::add_twin(std::size_t i) {
  Member twin;
  twin.name = members_[i].name;
  twin.host = members_[i].host;
  twin.node_id = base::NodeId(1000 + ++next_node_id_);
  twin.options = members_[i].options;
  members_.push_back(std::move(twin));
  isolated_.push_back(false);
  hidden_.push_back(false);
  return members_.size() - 1;
}

void BootstrapWorld::end_twin(std::size_t i, std::size_t twin) {
  const auto gone = founders_.contains(members_[twin].node_id) ? i : twin;
  wipe(gone);
  ended_.insert(gone);
}

void BootstrapWorld::heal() {
  options_.lost_percent = options_.late_percent = options_.bad_answer_percent = options_.garbage_percent = 0;
  isolated_.assign(members_.size(), false);
  hidden_.assign(members_.size(), false);
}

std::vector<Candidate> BootstrapWorld::answer_of_discovery() {
  std::vector<Candidate> peers;
  if (chance(options_.bad_answer_percent / 2)) return peers;
  for (std::size_t k = 0; k < members_.size(); ++k) {
    if (hidden_[k] || is_ended(k) || chance(options_.bad_answer_percent)) continue;
    if (options_.is_moving && members_[k].run == 0) continue;  // no address yet
    peers.push_back(make_candidate(members_[k].name, {members_[k].host, 8090}));
  }
  if (chance(options_.garbage_percent)) peers.push_back(make_candidate("NXDOMAIN", {"NXDOMAIN", 8090}));
  if (chance(options_.garbage_percent)) peers.push_back(make_candidate("10.0.0.99:8090", {"10.0.0.99", 8090}));
  if (chance(options_.garbage_percent) && !old_hosts_.empty()) {
    const auto& old = old_hosts_[rng_.in_range(0, old_hosts_.size() - 1)];
    const auto equals = old.find('=');
    peers.push_back(make_candidate(old.substr(0, equals), {old.substr(equals + 1), 8090}));
  }
  return peers;
}

void BootstrapWorld::discover(std::size_t i, std::uint64_t run) {
  auto& member = members_[i];
  if (!member.fsm || member.run != run) return;
  member.book->on_answer(now_, answer_of_discovery(), base::seconds(5));
  member.fsm->on_peers(now_, member.book->set());
  pump(i);
  at(base::milliseconds(400) + delay(200), [this, i, run] { discover(i, run); });
}

void BootstrapWorld::read_replicas(std::size_t i, std::uint64_t run) {
  auto& member = members_[i];
  if (!member.fsm || member.run != run) return;
  if (!chance(options_.bad_answer_percent)) (void)member.fsm->on_expect_stated(now_, options_.replicas);
  pump(i);
  at(base::milliseconds(100) + delay(3000), [this, i, run] { read_replicas(i, run); });
}

// What a founder's links do: each second to the address that the configuration holds for each of the others. Whoever is
// there and belongs to no cluster hears of this one.
void BootstrapWorld::dial_founders(std::size_t i, std::uint64_t run) {
  auto& member = members_[i];
  if (!member.fsm || member.run != run || member.disk.state != MemberState::member) return;
  const auto set = decode_founder_set(member.disk.founders);
  if (!set) return;
  ClusterView view{base::Term(1), base::Index(1), configuration_of(*set).members()};
  view.is_in_configuration = true;
  member.fsm->on_cluster_view(std::move(view));
  for (const auto& founder : set->founders) {
    const auto to = find(*parse_host_port(founder.advertise));
    if (founder.node_id == member.node_id || !to || *to == i || isolated_[i] != isolated_[*to]) continue;
    if (chance(options_.lost_percent)) continue;
    at(delay(20), [this, to = *to, run_to = members_[*to].run, id = member.disk.cluster_id, name = member.name,
                   advertise = member.options.advertise] {
      auto& m = members_[to];
      if (!m.fsm || m.run != run_to) return;
      m.fsm->on_member_heard(now_, id, name, advertise);
      pump(to);
    });
  }
  at(base::seconds(1), [this, i, run] { dial_founders(i, run); });
}

std::optional<std::size_t> BootstrapWorld::find(const HostPort& address) {
  std::vector<std::size_t> at_address;
  for (std::size_t k = 0; k < members_.size(); ++k) {
    if (address.host == members_[k].host && !is_ended(k)) at_address.push_back(k);
  }
  std::erase_if(at_address, [&](std::size_t k) { return at_address.size() > 1 && !members_[k].fsm; });
  if (at_address.empty()) return std::nullopt;
  return at_address.size() == 1 ? at_address.front() : at_address[rng_.in_range(0, at_address.size() - 1)];
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
    dial_founders(i, member.run);
    if (on_found) on_found(i);
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
  const auto to = find(action.address);
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
  const auto size = set->founders.size();
  if (options_.expect == 0 ? size < 3 : size != options_.expect) failure_ = "a set of the wrong size was committed";
  if (ordinal_of(set->founders.front().name) != 0U) failure_ = "a set without ordinal 0 was committed";
  for (const auto& founder : set->founders) founders_.insert(founder.node_id);
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
    text += "  " + member.name + " at " + member.host + "/" + base::to_hex(member.node_id) + " disk " +
            discovery::describe(member.disk);
    text += member.fsm ? ", " + discovery::describe(member.fsm->status()) + "\n" : ", down\n";
  }
  return text;
}

}  // namespace whitewater::discovery

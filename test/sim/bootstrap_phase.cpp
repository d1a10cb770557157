#include "sim/bootstrap_phase.hpp"

#include <algorithm>

#include "sim/failure.hpp"

namespace whitewater::sim {

using namespace discovery;

namespace {

constexpr std::uint64_t start_ms_max = 1000;
constexpr std::uint64_t crash_at_write_percent = 15;
constexpr std::uint64_t missing_percent = 30;  // of the candidates, in one answer of discovery
constexpr std::uint64_t inferred_members_min = 3;
constexpr std::uint64_t loss_ms_max = 3000;
constexpr base::Duration restart_interval = base::seconds(10);
// A new disk brings a new node id. In the log a member keeps the one of its position, because at most one of the two is
// a founder.
constexpr std::uint64_t new_disk_id = 1000;

std::string address_of(std::size_t i) { return "member-" + std::to_string(i) + ":8090"; }

std::size_t position_of(base::NodeId id) { return (id.value - 1) % new_disk_id; }

core::Configuration in_the_log(const FounderSet& set) {
  auto configuration = configuration_of(set);
  for (auto& voter : configuration.voters) voter.id = SimMember::id_of(position_of(voter.id));
  std::sort(configuration.voters.begin(), configuration.voters.end(),
            [](const core::Member& a, const core::Member& b) { return a.id < b.id; });
  return configuration;
}

}  // namespace

BootstrapPhase::BootstrapPhase(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, base::Rng rng,
                               std::function<void(std::size_t)> on_started)
    : world_(world), members_(members), rng_(rng), on_started_(std::move(on_started)), nodes_(world.options.members) {
  const SimOptions& o = world_.options;
  // Fewer than three never found without a count.
  const bool is_stated = o.bootstrap == 1 || o.members < inferred_members_min;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    auto& options = nodes_[i].options;
    options.name = "member-" + std::to_string(i);
    options.node_id = SimMember::id_of(i);
    options.advertise = address_of(i);
    options.expect = is_stated ? static_cast<std::uint32_t>(o.members) : 0;
    options.single = o.members == 1;
    options.settle = options.infer_settle = base::milliseconds(o.bootstrap_settle_ms);
  }
}

void BootstrapPhase::start() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    after(i, base::milliseconds(rng_.in_range(0, start_ms_max)), [this, i] { start_node(i); });
  }
  // One disk, and only where the loss of its member leaves a quorum for good.
  const SimOptions& o = world_.options;
  if (o.members < 3 || o.change_interval_ms != 0 || o.rot_crash_percent != 0 || !rng_.chance(1, 2)) return;
  const std::size_t victim = rng_.chance(1, 2) ? 0 : rng_.in_range(0, nodes_.size() - 1);
  world_.scheduler.after(base::milliseconds(rng_.in_range(0, loss_ms_max)), [this, victim] { lose_disk(victim); });
}

void BootstrapPhase::heal() {
  is_healed_ = true;
  restart_who_asks_for_it();
}

bool BootstrapPhase::is_formed() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [this](const Node& node) {
    return node.disk.state == MemberState::member && node.disk.cluster_id == cluster_;
  });
}

// Not done when this run of the node has ended by then.
void BootstrapPhase::after(std::size_t i, base::Duration delay, std::function<void()> what) {
  world_.scheduler.after(delay, [this, i, run = nodes_[i].run, what = std::move(what)] {
    if (nodes_[i].run == run) what();
  });
}

void BootstrapPhase::start_node(std::size_t i) {
  auto& node = nodes_[i];
  ++node.run;
  node.options.incarnation = base::Incarnation(node.run);
  node.tick_at.reset();
  node.fsm = std::make_unique<BootstrapFsm>(node.options, node.disk, now());
  // It crashed between its decision and the log's first entry.
  if (node.disk.state == MemberState::member) start_member(i);
  discover(i);
}

void BootstrapPhase::crash_node(std::size_t i, bool keeps_write) {
  auto& node = nodes_[i];
  if (members_[i]->incarnation() != 0 && !members_[i]->is_lost()) return;  // the nemesis has it from here on
  ++node.run;
  node.fsm.reset();
  if (node.writing && keeps_write) node.disk = *node.writing;
  node.writing.reset();
  world_.hash.mix_all(i, 0xb007, node.run);
  after(i, base::milliseconds(rng_.in_range(1, world_.options.restart_ms_max)), [this, i] { start_node(i); });
}

// With all that it promised or decided; it begins anew as another node.
void BootstrapPhase::lose_disk(std::size_t i) {
  if (is_healed_) return;
  auto& node = nodes_[i];
  ++node.run;
  node.fsm.reset();
  node.writing.reset();
  node.disk = {};
  node.options.node_id = base::NodeId(SimMember::id_of(i).value + new_disk_id);
  if (members_[i]->incarnation() != 0) members_[i]->lose_disk();
  // What only this disk knew was never told to a client: it takes a majority.
  const bool is_cluster_left =
      std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.disk.state == MemberState::member; });
  if (!is_cluster_left) cluster_.reset();
  world_.hash.mix_all(i, 0x105e, node.run);
  after(i, base::milliseconds(rng_.in_range(1, world_.options.restart_ms_max)), [this, i] { start_node(i); });
}

// Who has heard of a cluster that is no more founds none until it is restarted, and says so.
void BootstrapPhase::restart_who_asks_for_it() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& node = nodes_[i];
    if (!node.fsm || node.disk.state == MemberState::member) continue;
    if (node.fsm->status().reason.find("until a restart") != std::string::npos) crash_node(i, true);
  }
  world_.scheduler.after(restart_interval, [this] { restart_who_asks_for_it(); });
}

void BootstrapPhase::check_decision(const FounderSet& set) const {
  const auto& options = nodes_.front().options;
  const auto size = set.founders.size();
  require(options.expect == 0 ? size >= inferred_members_min : size == options.expect,
          [&] { return "a set of " + std::to_string(size) + " founders was decided"; });
  require(position_of(set.founders.front().node_id) == 0, [] { return "a set without ordinal 0 was decided"; });
  for (const auto& founder : set.founders) {
    const std::size_t i = position_of(founder.node_id);
    const auto& node = nodes_[i];
    if (node.options.node_id != founder.node_id) {
      if (!members_[i]->is_lost()) members_[i]->lose_disk();
      continue;
    }
    require(node.disk.set_hash == set_hash(set),
            [&] { return "a set was decided that " + node.options.name + " has not promised"; });
  }
}

void BootstrapPhase::start_member(std::size_t i) {
  if (members_[i]->incarnation() != 0 || members_[i]->is_lost()) return;
  const auto& meta = nodes_[i].disk;
  require(!cluster_ || *cluster_ == meta.cluster_id, [] { return "two clusters were founded"; });
  const bool is_news = !cluster_;
  cluster_ = meta.cluster_id;
  if (founding_entry(meta)) {
    const auto set = *decode_founder_set(meta.founders);
    if (is_news) check_decision(set);
    members_[i]->found(in_the_log(set));
  } else {
    members_[i]->join_later();
  }
  members_[i]->start();
  on_started_(i);
}

void BootstrapPhase::discover(std::size_t i) {
  auto& node = nodes_[i];
  std::vector<Candidate> peers;
  for (std::size_t k = 0; k < nodes_.size(); ++k) {
    if (!is_healed_ && rng_.chance(missing_percent, 100)) continue;
    peers.push_back(make_candidate(nodes_[k].options.name, *parse_host_port(address_of(k))));
  }
  CandidateBook book("sim", "hidden");
  book.on_answer(now(), std::move(peers), base::seconds(5));
  node.fsm->on_peers(now(), book.set());
  pump(i);
  after(i, base::milliseconds(rng_.in_range(300, 700)), [this, i] { discover(i); });
}

void BootstrapPhase::on_refused(std::size_t to, std::size_t from) {
  if (to >= nodes_.size() || !nodes_[to].fsm || nodes_[to].disk.state == MemberState::member || !cluster_) return;
  nodes_[to].fsm->on_member_heard(now(), *cluster_, "member-" + std::to_string(from), address_of(from));
  pump(to);
}

void BootstrapPhase::pump(std::size_t i) {
  auto& node = nodes_[i];
  const auto run = node.run;
  for (auto& action : node.fsm->take_actions()) {
    perform(i, std::move(action));
    if (node.run != run) return;  // it crashed
  }
  const auto next = node.fsm->next_tick();
  if (!next || (node.tick_at && *node.tick_at <= *next && *node.tick_at > now())) return;
  node.tick_at = std::max(*next, now() + base::microseconds(1));
  after(i, *node.tick_at - now(), [this, i] {
    auto& n = nodes_[i];
    n.tick_at.reset();
    n.fsm->on_tick(now());
    pump(i);
  });
}

void BootstrapPhase::perform(std::size_t i, BootstrapAction action) {
  if (const auto* send = std::get_if<SendExchange>(&action)) {
    exchange(i, *send);
  } else if (const auto* write = std::get_if<Persist>(&action)) {
    persist(i, *write);
  } else if (const auto* reply = std::get_if<SendReply>(&action)) {
    const auto it = replies_.find(reply->id);
    if (it == replies_.end()) return;
    const auto answer = std::move(it->second);
    replies_.erase(it);
    answer(reply->reply);
  } else if (std::holds_alternative<Found>(action) || std::holds_alternative<Join>(action)) {
    start_member(i);
  }
}

void BootstrapPhase::persist(std::size_t i, const Persist& action) {
  auto& node = nodes_[i];
  require(!node.writing, [&] { return "two writes of one meta record under way"; });
  node.writing = action.meta;
  const base::Duration wait =
      base::microseconds(rng_.in_range(world_.options.write_us_min, world_.options.write_us_max));
  if (!is_healed_ && rng_.chance(crash_at_write_percent, 100)) {
    after(i, wait, [this, i, keeps = rng_.chance(1, 2)] { crash_node(i, keeps); });
    return;
  }
  after(i, wait, [this, i, id = action.id] {
    auto& n = nodes_[i];
    n.disk = *n.writing;
    n.writing.reset();
    world_.hash.mix_all(i, static_cast<std::uint64_t>(n.disk.state), n.disk.set_hash);
    n.fsm->on_persisted(now(), id);
    pump(i);
  });
}

// A member of a cluster answers while its process is up.
bool BootstrapPhase::answers(std::size_t i) const {
  const SimMember& member = *members_[i];
  const bool is_down = member.incarnation() != 0 && !member.is_lost() && (!member.is_up() || member.is_paused());
  return nodes_[i].fsm != nullptr && !is_down;
}

bool BootstrapPhase::is_cut(std::size_t from, std::size_t to) {
  if (world_.network.is_blocked(from, to)) return true;
  return !is_healed_ && rng_.chance(world_.options.loss_per_mille, 1000);
}

base::Duration BootstrapPhase::draw_delay() {
  return base::microseconds(rng_.in_range(world_.options.delay_us_min, world_.options.delay_us_max));
}

void BootstrapPhase::exchange(std::size_t i, const SendExchange& action) {
  const std::size_t to = ordinal_of(action.address.host).value_or(nodes_.size());
  require(to < nodes_.size(), [&] { return "an exchange with an address that nobody has"; });
  if (is_cut(i, to)) return;  // ends by its time-out
  world_.scheduler.after(draw_delay(), [this, i, to, run = nodes_[i].run, id = action.id, request = action.request] {
    if (!answers(to)) {
      after(i, draw_delay(), [this, i, run, id] {
        if (nodes_[i].run != run || !nodes_[i].fsm) return;
        nodes_[i].fsm->on_exchange_failed(now(), id, "connection refused");
        pump(i);
      });
      return;
    }
    const auto request_id = next_request_++;
    replies_[request_id] = [this, i, to, run, id](const BootstrapReply& reply) {
      if (is_cut(to, i)) return;
      world_.scheduler.after(draw_delay(), [this, i, run, id, reply] {
        if (nodes_[i].run != run) return;
        nodes_[i].fsm->on_reply(now(), id, reply);
        pump(i);
      });
    };
    nodes_[to].fsm->on_request(now(), request_id, request);
    pump(to);
  });
}

}  // namespace whitewater::sim

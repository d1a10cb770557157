#include "sim/bootstrap_phase.hpp"

#include "sim/failure.hpp"

namespace whitewater::sim {

using namespace discovery;

namespace {

constexpr std::uint64_t start_ms_max = 1000;
constexpr std::uint64_t crash_at_write_percent = 15;
constexpr std::uint64_t missing_percent = 30;  // of the candidates, in one answer of discovery
constexpr std::uint64_t inferred_members_min = 3;

std::string address_of(std::size_t i) { return "member-" + std::to_string(i) + ":8090"; }

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
  if (members_[i]->incarnation() != 0) return;  // the nemesis has it from here on
  ++node.run;
  node.fsm.reset();
  if (node.writing && keeps_write) node.disk = *node.writing;
  node.writing.reset();
  world_.hash.mix_all(i, 0xb007, node.run);
  after(i, base::milliseconds(rng_.in_range(1, world_.options.restart_ms_max)), [this, i] { start_node(i); });
}

void BootstrapPhase::start_member(std::size_t i) {
  if (members_[i]->incarnation() != 0) return;
  const auto& meta = nodes_[i].disk;
  require(!cluster_ || *cluster_ == meta.cluster_id, [] { return "two clusters were founded"; });
  cluster_ = meta.cluster_id;
  if (founding_entry(meta)) {
    members_[i]->found(configuration_of(*decode_founder_set(meta.founders)));
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
  node.book.on_answer(now(), std::move(peers), base::seconds(5));
  node.fsm->on_peers(now(), node.book.set());
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
  const bool is_down = members_[i]->incarnation() != 0 && (!members_[i]->is_up() || members_[i]->is_paused());
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

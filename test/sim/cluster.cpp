#include "sim/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/revision_check.hpp"

namespace whitewater::sim {

SimCluster::SimCluster(const SimOptions& options, Trace trace)
    : options_(options),
      rng_(options.seed),
      checker_(member_count(options), hash_),
      network_(options_, scheduler_, base::Rng(rng_.next()),
               [this](std::size_t to, core::Message message) {
                 if (bootstrap_ && (members_[to]->incarnation() == 0 || members_[to]->is_lost())) {
                   return bootstrap_->on_refused(to, message.from.value - 1);
                 }
                 members_[to]->receive(std::move(message));
               }),
      world_{options_,
             scheduler_,
             network_,
             checker_,
             hash_,
             std::move(trace),
             [this](std::size_t member) { nemesis_.crash(member); },
             [this](std::size_t from, std::size_t to) { transfers_.want(from, to); },
             [this](std::size_t member) { transfers_.on_store_gone(member); }},
      nemesis_(world_, members_, base::Rng(rng_.next())),
      transfers_(world_, members_, base::Rng(rng_.next())) {
  for (std::size_t i = 0; i < member_count(options_); ++i) {
    members_.push_back(std::make_unique<SimMember>(world_, i, base::Rng(rng_.next())));
  }
  for (std::uint32_t i = 0; i < options_.clients; ++i) {
    clients_.push_back(
        std::make_unique<SimClient>(world_, members_, i + 1, base::Rng(rng_.next()), next_value_, history_));
  }
}

void SimCluster::found() {
  if (options_.bootstrap != 0) {
    bootstrap_ = std::make_unique<BootstrapPhase>(world_, members_, base::Rng(rng_.next()),
                                                  [this](std::size_t member) { nemesis_.connect(member); });
    bootstrap_->start();
    for (std::size_t i = options_.members; i < members_.size(); ++i) members_[i]->start();
    return;
  }
  core::Configuration configuration;
  for (std::size_t i = 0; i < options_.members; ++i) {
    configuration.voters.push_back({SimMember::id_of(i), "member-" + std::to_string(i + 1)});
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i < options_.members) {
      members_[i]->found(configuration);
    } else {
      members_[i]->join_later();
    }
  }
  for (const auto& member : members_) member->start();
}

void SimCluster::run_faults() {
  nemesis_.start();
  for (const auto& client : clients_) client->start();
  const base::Duration end = base::milliseconds(options_.duration_ms);
  while (scheduler_.run_one(end)) {
  }
}

base::Duration SimCluster::liveness_limit() const {
  // Some elections may fail by split votes, a client may wait for its time-out before it asks again, and a long log
  // goes entry by entry through the smallest window.
  constexpr std::uint64_t elections_max = 30;
  constexpr base::Duration bootstrap_limit = base::seconds(30);
  return base::milliseconds(elections_max * options_.election_timeout_ms +
                            4 * (options_.client_timeout_ms + options_.request_timeout_ms)) +
         base::seconds(20) + (options_.bootstrap != 0 ? bootstrap_limit : base::Duration(0));
}

void SimCluster::run_until(base::Duration limit, const std::function<bool()>& done, std::string_view awaited) {
  const base::Duration end = scheduler_.now() + limit;
  while (!done()) {
    if (scheduler_.run_one(end)) continue;
    throw Failure(ExitClass::liveness, fmt::format("{} ms after everything was healed still waiting until {}\n{}",
                                                   limit / base::milliseconds(1), awaited, describe_members()));
  }
}

void SimCluster::run_until_live() {
  nemesis_.heal();
  if (bootstrap_) bootstrap_->heal();
  for (const auto& client : clients_) client->heal();
  if (bootstrap_) {
    run_until(liveness_limit(), [&] { return bootstrap_->is_formed(); }, "everybody belongs to the cluster");
  }
  run_until(
      liveness_limit(),
      [&] {
        return std::all_of(clients_.begin(), clients_.end(),
                           [](const auto& client) { return client->stats().writes_after_heal > 0; });
      },
      "every client has written");
  for (const auto& client : clients_) client->stop();
  run_until(
      liveness_limit(),
      [&] {
        return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->is_idle(); });
      },
      "every client has its answer");
}

std::vector<std::size_t> SimCluster::current_members() const {
  const core::Node* leader = nullptr;
  for (const auto& member : members_) {
    if (!member->is_up() || !member->replica().is_leader()) continue;
    const core::Node& node = member->replica().node();
    if (leader == nullptr || node.term() > leader->term()) leader = &node;
  }
  std::vector<std::size_t> positions;
  if (leader == nullptr) return positions;
  for (const core::Member& member : leader->configuration().members()) {
    const std::size_t position = member.id.value - 1;
    if (!members_[position]->is_lost()) positions.push_back(position);
  }
  return positions;
}

bool SimCluster::is_converged() const {
  const core::Index committed(checker_.committed().size());
  bool has_leader = false;
  for (const std::size_t position : current_members()) {
    if (!members_[position]->is_up()) return false;
    const replica::Replica& replica = members_[position]->replica();
    if (replica.store().applied_index() != committed || replica.node().log().last_index() != committed) return false;
    if (replica.node().configuration().is_joint()) return false;
    has_leader = has_leader || (replica.is_leader() && replica.node().has_committed_in_term());
  }
  return has_leader;
}

void SimCluster::run_until_converged() {
  run_until(liveness_limit(), [&] { return is_converged(); }, "all members have applied the same log");
  check_final_content();
}

void SimCluster::check_final_content() const {
  const auto content = final_content(checker_.committed());
  const std::vector<std::size_t> positions = current_members();
  const std::size_t first = positions.front();
  for (const std::size_t i : positions) {
    const kv::Store& store = members_[i]->replica().store();
    store.check_invariants();
    const auto hash = store.hash();
    require(hash == members_[first]->replica().store().hash(),
            [&] { return fmt::format("members {} and {} differ at the end (S58)", first + 1, i + 1); });
    kv::RangeRequest everything;
    everything.key = std::string(1, '\0');
    everything.range_end = std::string(1, '\0');
    const auto result = store.range(everything);
    const auto* found = std::get_if<kv::RangeResponse>(&result);
    require(found != nullptr && found->kvs.size() == content.size(),
            [&] { return fmt::format("member {} holds another number of keys than the committed log makes", i + 1); });
    for (std::size_t k = 0; k < content.size(); ++k) {
      require(found->kvs[k].key == content[k].first && value_of_text(found->kvs[k].value) == content[k].second, [&] {
        return fmt::format("member {} holds {} with another value than the committed log makes", i + 1,
                           content[k].first);
      });
    }
  }
}

void SimCluster::check_history(SimResult& result) {
  result.operations = history_.size();
  check_revisions(checker_.committed(), history_);
  std::vector<Operation> operations;
  for (const ClientRecord& record : history_) {
    if (!record.asked) operations.push_back(record.operation);
  }
  const LinearizabilityResult checked = check_linearizability(operations);
  result.is_undecided = checked.verdict == Verdict::undecided;
  require(checked.verdict != Verdict::violation, [&] {
    return fmt::format("the history of key {} is not linearizable\n{}", checked.key, checked.explanation);
  });
}

std::string SimCluster::describe_members() const {
  std::string text;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    text += fmt::format("  member {}: {}\n", i + 1, members_[i]->describe());
  }
  return text;
}

SimResult SimCluster::run() {
  SimResult result;
  try {
    found();
    run_faults();
    run_until_live();
    run_until_converged();
    nemesis_.crash_all();
    run_until_converged();
    check_history(result);
  } catch (const Failure& failure) {
    result.kind = failure.kind();
    result.message = failure.what();
  }
  result.hash = hash_.value();
  result.events = scheduler_.events();
  result.simulated_ms = static_cast<std::uint64_t>(scheduler_.now() / base::milliseconds(1));
  result.committed = checker_.committed().size();
  result.elections = checker_.elections();
  result.faults = nemesis_.faults();
  result.snapshots = transfers_.installed();
  result.lost = nemesis_.lost();
  result.configurations = static_cast<std::uint64_t>(
      std::count_if(checker_.committed().begin(), checker_.committed().end(),
                    [](const core::Entry& entry) { return entry.type == core::EntryType::configuration; }));
  result.hashes_compared = checker_.hashes_compared();
  for (const auto& client : clients_) {
    result.clients.answered += client->stats().answered;
    result.clients.unknown += client->stats().unknown;
    result.clients.refused += client->stats().refused;
    result.clients.retries += client->stats().retries;
    result.clients.writes_after_heal += client->stats().writes_after_heal;
  }
  return result;
}

std::string describe(const SimResult& r) {
  return fmt::format(
      "hash={:016x} events={} simulated_ms={} committed={} elections={} faults={} snapshots={} lost={} "
      "configurations={} "
      "answered={} unknown={} refused={} "
      "retries={} operations={} hashes_compared={}{}",
      r.hash, r.events, r.simulated_ms, r.committed, r.elections, r.faults, r.snapshots, r.lost, r.configurations,
      r.clients.answered, r.clients.unknown, r.clients.refused, r.clients.retries, r.operations, r.hashes_compared,
      r.is_undecided ? " undecided" : "");
}

SimResult run_seed(const SimOptions& options, Trace trace) { return SimCluster(options, std::move(trace)).run(); }

}  // namespace whitewater::sim

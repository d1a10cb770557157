#include "core/transcript_env.hpp"

#include <fmt/format.h>

#include <sstream>

namespace whitewater::core::test {
namespace {

constexpr int stabilize_rounds_max = 200;  // a conversation that never ends is a bug worth seeing

Ids parse_ids(const std::string& list) {
  Ids ids;
  std::stringstream in(list);
  for (std::string item; std::getline(in, item, ',');) ids.push_back(std::stoull(item));
  return ids;
}

// The first word of a message's text after its term: "Append", "PreVoteRequest", ...
std::string kind_of(const Message& message) {
  const std::string text = describe(message);
  const std::size_t begin = text.find(' ', text.find("term=")) + 1;
  return text.substr(begin, text.find(' ', begin) - begin);
}

std::string vote_text(NodeId vote) { return vote.is_zero() ? "-" : std::to_string(vote.value); }

std::string ids_text(const std::vector<Member>& members) {
  std::string text;
  for (const Member& m : members) text += fmt::format("{}{}", text.empty() ? "" : ",", m.id.value);
  return text;
}

std::string configuration_text(const Configuration& configuration) {
  std::string text = "voters=" + ids_text(configuration.voters);
  if (configuration.is_joint()) text += " outgoing=" + ids_text(configuration.outgoing);
  if (!configuration.learners.empty()) text += " learners=" + ids_text(configuration.learners);
  if (!configuration.next_learners.empty()) text += " next_learners=" + ids_text(configuration.next_learners);
  return text;
}

}  // namespace

std::uint64_t TranscriptCommand::number(std::size_t i) const { return i < args.size() ? std::stoull(args[i]) : 0; }

std::string TranscriptCommand::option(const std::string& key, const std::string& otherwise) const {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

TranscriptCommand parse_command(const std::string& line) {
  TranscriptCommand command;
  std::stringstream in(line);
  in >> command.name;
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      command.args.push_back(word);
    } else {
      command.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return command;
}

TranscriptEnv::TranscriptEnv()
    : handlers_{{"cluster", &TranscriptEnv::on_cluster},
                {"campaign", &TranscriptEnv::on_campaign},
                {"tick", &TranscriptEnv::on_tick},
                {"advance", &TranscriptEnv::on_advance},
                {"propose", &TranscriptEnv::on_propose},
                {"read", &TranscriptEnv::on_read},
                {"deliver", &TranscriptEnv::on_deliver},
                {"drop", &TranscriptEnv::on_drop},
                {"network", &TranscriptEnv::on_network},
                {"stabilize", &TranscriptEnv::on_stabilize},
                {"disk", &TranscriptEnv::on_disk},
                {"write", &TranscriptEnv::on_write},
                {"cut", &TranscriptEnv::on_cut},
                {"heal", &TranscriptEnv::on_heal},
                {"crash", &TranscriptEnv::on_crash},
                {"restart", &TranscriptEnv::on_restart},
                {"transfer", &TranscriptEnv::on_transfer},
                {"connect", &TranscriptEnv::on_connect},
                {"release", &TranscriptEnv::on_release},
                {"status", &TranscriptEnv::on_status},
                {"log", &TranscriptEnv::on_log},
                {"progress", &TranscriptEnv::on_progress},
                {"change", &TranscriptEnv::on_propose_change},
                {"snapshot", &TranscriptEnv::on_snapshot},
                {"stall", &TranscriptEnv::on_stall},
                {"lease", &TranscriptEnv::on_lease},
                {"configuration", &TranscriptEnv::on_configuration}},
      cluster_(*this) {}

std::string TranscriptEnv::run(const std::string& line) {
  text_.clear();
  const TranscriptCommand command = parse_command(line);
  const auto handler = handlers_.find(command.name);
  if (handler == handlers_.end()) return "error: unknown command " + command.name + "\n";
  (this->*handler->second)(command);
  return text_.empty() ? "ok\n" : text_;
}

void TranscriptEnv::on_persist(const MemberEnv& member, const Persist& persist) {
  std::string text = fmt::format("  {} write #{}", member.options.id.value, persist.token);
  if (persist.hard_state) {
    text += fmt::format(" term={} vote={}", persist.hard_state->term.value, vote_text(persist.hard_state->vote));
  }
  if (persist.reset) text += fmt::format(" begins after {}/{}", persist.reset->term.value, persist.reset->first.value);
  for (const Entry& e : persist.entries) text += fmt::format(" [{}]", describe(e));
  if (!member.automatic_disk) print(text);
}

void TranscriptEnv::on_durable(const MemberEnv& member, const Persist& persist) {
  if (!member.automatic_disk) print(fmt::format("  {} durable #{}", member.options.id.value, persist.token));
}

void TranscriptEnv::on_applied(const MemberEnv& member, const Entry& entry) {
  print(fmt::format("  {} applies {}/{} {}", member.options.id.value, entry.term.value, entry.index.value,
                    entry.type == EntryType::command ? std::string(entry.payload.view()) : describe(entry.type)));
}

void TranscriptEnv::on_read_result(const MemberEnv& member, const ReadResult& result) {
  print(fmt::format("  {} read {} {}", member.options.id.value, result.tag,
                    result.index ? fmt::format("at {}", result.index->value) : "refused"));
}

void TranscriptEnv::on_rejected(const MemberEnv& member, const RejectedProposal& rejected) {
  print(fmt::format("  {} proposal {} refused: {}", member.options.id.value, rejected.request.sequence,
                    base::make_error_code(rejected.reason).message()));
}

void TranscriptEnv::on_log_read(const MemberEnv& member, const LogRead& request, std::size_t entries) {
  print(fmt::format("  {} reads its log from {} for {}: {} entries", member.options.id.value, request.first.value,
                    request.peer.value, entries));
}

void TranscriptEnv::on_snapshot_wanted(const MemberEnv& member, const SnapshotWanted& wanted) {
  print(fmt::format("  {} wants a snapshot for {} after {}", member.options.id.value, wanted.peer.value,
                    wanted.after.value));
}

void TranscriptEnv::on_snapshot_installed(const MemberEnv& member, Index index) {
  print(fmt::format("  {} installs a snapshot at {}", member.options.id.value, index.value));
}

void TranscriptEnv::on_change(const MemberEnv& member, const Invariants::Snapshot& before) {
  const Node& node = *member.node;
  Configuration& printed = configurations_.try_emplace(member.options.id.value, node.configuration()).first->second;
  if (printed != node.configuration()) {
    printed = node.configuration();
    print(fmt::format("  {} configuration {}", member.options.id.value, configuration_text(printed)));
  }
  if (node.role() == before.role && node.term() == before.hard_state.term && node.vote() == before.hard_state.vote) {
    return;
  }
  print(fmt::format("  {} {} term={} vote={}", member.options.id.value, describe(node.role()), node.term().value,
                    vote_text(node.vote())));
}

bool TranscriptEnv::is_match(const TranscriptCommand& command, const Message& message) const {
  const std::string from = command.option("from", "");
  const std::string to = command.option("to", "");
  const std::string kind = command.option("kind", "");
  return (from.empty() || message.from.value == std::stoull(from)) &&
         (to.empty() || message.to.value == std::stoull(to)) && (kind.empty() || kind_of(message) == kind);
}

void TranscriptEnv::deliver_one(std::size_t position) {
  auto& network = cluster_.network();
  Message message = std::move(network[position]);
  network.erase(network.begin() + static_cast<std::ptrdiff_t>(position));
  if (!cluster_.can_pass(message)) {
    print("lost " + describe(message));
    return;
  }
  print(describe(message));
  cluster_.deliver(std::move(message));
}

void TranscriptEnv::on_cluster(const TranscriptCommand& command) {
  const Ids voters = parse_ids(command.option("voters", "1,2,3"));
  const Ids outgoing = parse_ids(command.option("outgoing", ""));
  const Ids learners = parse_ids(command.option("learners", ""));
  const Configuration configuration = make_configuration(voters, outgoing, learners);
  Ids ids = parse_ids(command.option("joiners", ""));
  for (const Member& m : configuration.members()) ids.push_back(m.id.value);
  for (const std::uint64_t id : ids) {
    NodeOptions options;
    options.id = NodeId(id);
    options.cache_bytes_max = std::stoull(command.option("cache_bytes", "1000000"));
    options.window.messages_max = std::stoull(command.option("window", "8"));
    options.promotion_lag_entries_max = std::stoull(command.option("promotion_lag", "4096"));
    options.lease_reads = command.option("leases", "0") != "0";
    cluster_.add_member(options, configuration);
    configurations_[id] = configuration;
  }
}

void TranscriptEnv::on_campaign(const TranscriptCommand& command) {
  if (cluster_.node(command.number(0)).role() == Role::leader) {
    print("error: already the leader");
    return;
  }
  cluster_.tick_to_deadline(command.number(0));
}

void TranscriptEnv::on_tick(const TranscriptCommand& command) {
  cluster_.tick(command.number(0), base::milliseconds(command.number(1)));
}

void TranscriptEnv::on_advance(const TranscriptCommand& command) {
  for (const auto& [id, member] : cluster_.members()) cluster_.tick(id, base::milliseconds(command.number(0)));
}

void TranscriptEnv::on_propose(const TranscriptCommand& command) {
  const std::uint64_t id = command.number(0);
  const auto result = cluster_.propose(id, {{NodeId(id), next_request_++}, make_payload(command.args.at(1))});
  if (!result) print("refused: " + result.error().message());
}

void TranscriptEnv::on_read(const TranscriptCommand& command) {
  const auto result = cluster_.read(command.number(0), command.number(1));
  if (!result) print("refused: " + result.error().message());
}

void TranscriptEnv::on_deliver(const TranscriptCommand& command) {
  std::size_t count = cluster_.network().size();  // answers wait for the next command
  for (std::size_t i = 0; count > 0; --count) {
    if (is_match(command, cluster_.network()[i])) {
      deliver_one(i);
    } else {
      ++i;
    }
  }
}

void TranscriptEnv::on_drop(const TranscriptCommand& command) {
  auto& network = cluster_.network();
  for (std::size_t i = 0; i < network.size();) {
    if (is_match(command, network[i])) {
      print("dropped " + describe(network[i]));
      network.erase(network.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void TranscriptEnv::on_stabilize(const TranscriptCommand&) {
  for (int round = 0; !cluster_.network().empty(); ++round) {
    if (round == stabilize_rounds_max) {
      print("error: does not come to rest");
      return;
    }
    deliver_one(0);
  }
}

void TranscriptEnv::on_network(const TranscriptCommand&) {
  for (const Message& m : cluster_.network()) print(describe(m));
  if (cluster_.network().empty()) print("empty");
}

void TranscriptEnv::on_disk(const TranscriptCommand& command) {
  cluster_.set_automatic_disk(command.number(0), command.args.at(1) == "automatic");
}

void TranscriptEnv::on_write(const TranscriptCommand& command) {
  const std::uint64_t count = command.args.size() > 1 ? command.number(1) : 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!cluster_.complete_write(command.number(0))) print("error: nothing is being written");
  }
}

void TranscriptEnv::on_cut(const TranscriptCommand& command) {
  // One argument: the member alone; two: this pair, both ways; option oneway=1: only from the first to the second.
  for (const auto& [id, member] : cluster_.members()) {
    const bool second = command.args.size() < 2 || id == command.number(1);
    if (id == command.number(0) || !second) continue;
    cluster_.cut(command.number(0), id);
    if (command.option("oneway", "0") == "0") cluster_.cut(id, command.number(0));
  }
}

void TranscriptEnv::on_heal(const TranscriptCommand&) { cluster_.heal(); }
void TranscriptEnv::on_crash(const TranscriptCommand& command) { cluster_.crash(command.number(0)); }

void TranscriptEnv::on_restart(const TranscriptCommand& command) {
  cluster_.restart(command.number(0));
  configurations_[command.number(0)] = cluster_.node(command.number(0)).configuration();
  on_status(command);
}

void TranscriptEnv::on_transfer(const TranscriptCommand& command) {
  print(cluster_.transfer(command.number(0)) ? "begun" : "nobody to take it");
}

void TranscriptEnv::on_connect(const TranscriptCommand& command) {
  cluster_.connect(command.number(0), command.number(1));
}

void TranscriptEnv::on_release(const TranscriptCommand& command) {
  MemberEnv& member = cluster_.member(command.number(0));
  member.durable_applied = Index(command.number(1));
  cluster_.release(command.number(0), Index(command.number(1)));
}

void TranscriptEnv::on_propose_change(const TranscriptCommand& command) {
  ConfigurationChange change;
  for (const auto& [name, kind] : {std::pair{"add_learner", ChangeKind::add_learner},
                                   {"promote", ChangeKind::promote},
                                   {"demote", ChangeKind::demote},
                                   {"remove", ChangeKind::remove}}) {
    for (const Member& member : make_members(parse_ids(command.option(name, "")))) {
      change.changes.push_back({kind, member});
    }
  }
  const std::uint64_t id = command.number(0);
  const auto result = cluster_.change(id, {NodeId(id), next_request_++}, change);
  if (!result) print("refused: " + result.error().message());
}

// `snapshot N M start` takes one of N for M; `install` and `sent` are about the one that was started.
void TranscriptEnv::on_snapshot(const TranscriptCommand& command) {
  const std::pair from_to(command.number(0), command.number(1));
  const std::string& step = command.args.at(2);
  if (step == "start") {
    auto snapshot = cluster_.take_snapshot(from_to.first);
    if (!snapshot) return print("error: nothing to send");
    const Index index = snapshot->point.index;
    snapshots_.insert_or_assign(from_to, std::move(*snapshot));
    print(fmt::format("at {}/{} {}", snapshots_.at(from_to).point.term.value, index.value,
                      configuration_text(snapshots_.at(from_to).point.configuration)));
    cluster_.snapshot_started(from_to.first, from_to.second, index);
    return;
  }
  const auto started = snapshots_.find(from_to);
  if (started == snapshots_.end()) return print("error: none was started");
  if (step == "install") {
    if (!cluster_.install_snapshot(from_to.second, started->second)) print("of no use");
  } else if (step == "sent") {
    cluster_.snapshot_sent(from_to.first, from_to.second, started->second.point.index);
  } else {
    print("error: start, install or sent");
  }
}

void TranscriptEnv::on_stall(const TranscriptCommand& command) {
  cluster_.stall(command.number(0), base::milliseconds(command.number(1)));
}

void TranscriptEnv::on_lease(const TranscriptCommand& command) {
  const MemberEnv& member = cluster_.member(command.number(0));
  print(member.node->holds_lease(member.now) ? "held" : "none");
}

void TranscriptEnv::on_configuration(const TranscriptCommand& command) {
  for (const auto& [id, member] : cluster_.members()) {
    if (!member.node || (!command.args.empty() && id != command.number(0))) continue;
    print(fmt::format("{} {}{}", id, configuration_text(member.node->configuration()),
                      member.node->has_uncommitted_change() ? " uncommitted" : ""));
  }
}

void TranscriptEnv::on_status(const TranscriptCommand& command) {
  for (const auto& [id, member] : cluster_.members()) {
    if (!command.args.empty() && id != command.number(0)) continue;
    if (!member.node) {
      print(fmt::format("{} down", id));
      continue;
    }
    const Node& n = *member.node;
    print(fmt::format("{} {} term={} vote={} leader={} log=[{},{}] durable={} commit={}", id, describe(n.role()),
                      n.term().value, vote_text(n.vote()), vote_text(n.leader()), n.log().first_index().value,
                      n.log().last_index().value, n.log().durable_index().value, n.committed().value));
  }
}

void TranscriptEnv::on_log(const TranscriptCommand& command) {
  const LogView& log = cluster_.node(command.number(0)).log();
  std::string text;
  for (Index i = log.first_index(); i <= log.last_index(); i = i.next()) {
    text += fmt::format("{}{}/{}", text.empty() ? "" : " ", log.term_at(i)->value, i.value);
  }
  print(text.empty() ? "empty" : text);
}

void TranscriptEnv::on_progress(const TranscriptCommand& command) {
  for (const auto& [id, progress] : cluster_.node(command.number(0)).progress()) {
    print(fmt::format("{} {}", id.value, describe(progress)));
  }
}

}  // namespace whitewater::core::test

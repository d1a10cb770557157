#include "core/solo_env.hpp"

#include "base/assert.hpp"

namespace whitewater::core::test {
namespace {

NodeStart node_start(const SoloStart& start) {
  NodeStart out;
  out.hard_state = start.hard_state;
  for (const Entry& e : start.log) {
    if (out.log.terms.empty() || out.log.terms.back().term != e.term) out.log.terms.push_back({e.index, e.term});
    out.log.entries.push_back(e);
  }
  out.log.last_index = Index(start.log.size());
  out.applied = Index(start.applied);
  out.configuration = start.configuration;
  if (out.hard_state.term < (start.log.empty() ? Term(0) : start.log.back().term)) {
    out.hard_state.term = start.log.back().term;
  }
  out.rng_seed = start.id;
  return out;
}

}  // namespace

NodeOptions solo_options(std::uint64_t id) {
  NodeOptions options;
  options.id = NodeId(id);
  return options;
}

SoloEnv::SoloEnv(SoloStart start) : SoloEnv(solo_options(start.id), start) {}

SoloEnv::SoloEnv(NodeOptions options, SoloStart start)
    : node(options, node_start(start)), seen_(Invariants::snapshot(node)) {}

Output SoloEnv::settle() {
  Output output = node.take_output();
  if (output.persist) last_token_ = output.persist->token;
  const auto snapshot = Invariants::snapshot(node);
  Invariants::check_delta(seen_, snapshot);
  seen_ = snapshot;
  return output;
}

Output SoloEnv::take() { return settle(); }

Output SoloEnv::receive(std::uint64_t from, std::uint64_t term, MessageBody body) {
  node.on_message(now, {NodeId(from), node.id(), Term(term), std::move(body)});
  return settle();
}

Output SoloEnv::tick(base::Duration elapsed) {
  now = now + elapsed;
  node.on_tick(now);
  return settle();
}

Output SoloEnv::campaign() {
  WW_ASSERT(node.role() != Role::leader);
  now = std::max(now, node.next_deadline());
  node.on_tick(now);
  return settle();
}

Output SoloEnv::propose(std::string text) {
  static_cast<void>(node.on_propose(now, {{node.id(), 1}, make_payload(std::move(text))}));
  return settle();
}

Output SoloEnv::read(std::uint64_t tag) {
  static_cast<void>(node.on_read(now, tag));
  return settle();
}

Output SoloEnv::persist(std::uint64_t token) {
  node.on_persisted(now, token);
  return settle();
}

Output SoloEnv::persist_all() { return persist(last_token_); }

void SoloEnv::become_leader() {
  const std::uint64_t term = node.term().value + 1;
  campaign();
  for (const bool pre_vote : {true, false}) {
    for (const Member& m : node.configuration().members()) {
      if (m.id == node.id() || !node.configuration().is_voter(m.id)) continue;
      receive(m.id.value, term, VoteResponse{pre_vote, true});
    }
    persist_all();
  }
  persist_all();
  WW_ASSERT(node.role() == Role::leader);
}

Output SoloEnv::acknowledge(std::uint64_t id) {
  return receive(id, node.term().value, AppendResponse{false, node.log().last_index(), {}, {}});
}

}  // namespace whitewater::core::test

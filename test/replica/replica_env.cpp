#include "replica/replica_env.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "kv/command_codec.hpp"

namespace whitewater::replica::test {
namespace {

core::NodeStart founded(std::uint64_t voters, base::Instant now) {
  core::Configuration configuration;
  for (std::uint64_t id = 1; id <= voters; ++id)
    configuration.voters.push_back({core::NodeId(id), "m" + std::to_string(id)});
  core::NodeStart start;
  start.hard_state.term = core::Term(1);
  start.configuration = configuration;
  start.now = now;
  start.rng_seed = 7;
  start.log.last_index = core::Index(1);
  start.log.terms.push_back({core::Index(1), core::Term(1)});
  start.log.entries.push_back({core::Term(1),
                               core::Index(1),
                               core::EntryType::configuration,
                               {},
                               base::SharedBytes(core::encode(configuration))});
  return start;
}

std::string put_command(const std::string& key, const std::string& value) {
  kv::PutRequest put;
  put.key = key;
  put.value = value;
  return kv::encode_command(put);
}

std::string outcome_text(const base::Result<kv::CommandResponse>& outcome) {
  if (!outcome) return outcome.error().message();
  const auto* put = std::get_if<kv::PutResponse>(&*outcome);
  return put == nullptr ? "ok" : fmt::format("ok revision={}", put->header_revision);
}

}  // namespace

ReplicaEnv::ReplicaEnv(EnvOptions options) : first_ticket_((options.incarnation << 40) + 1) {
  ReplicaOptions replica_options;
  replica_options.node.id = core::NodeId(1);
  replica_options.incarnation = base::Incarnation(options.incarnation);
  if (options.tweak) options.tweak(replica_options);
  auto memory = std::make_unique<kv::MemoryBackend>();
  backend = memory.get();
  replica = std::make_unique<Replica>(replica_options, founded(options.voters, now),
                                      std::make_unique<kv::Store>(std::move(memory)));
}

std::string ReplicaEnv::take() {
  std::string text;
  sent.clear();
  do {
    Effects effects = replica->take_effects();
    if (effects.persist) {
      const core::Persist& persist = *effects.persist;
      text += fmt::format("persist {}", persist.token);
      if (persist.hard_state) {
        text += fmt::format(" term={} vote={}", persist.hard_state->term.value, persist.hard_state->vote.value);
      }
      for (const core::Entry& entry : persist.entries)
        text += fmt::format(" {}/{}", entry.term.value, entry.index.value);
      text += "\n";
    }
    for (core::Message& message : effects.send) {
      text += "send " + core::describe(message) + "\n";
      sent.push_back(std::move(message));
    }
    for (ProposalDone& done : effects.proposals) {
      text += fmt::format("write {} {}\n", done.ticket - first_ticket_ + 1, outcome_text(done.outcome));
      proposals.push_back(std::move(done));
    }
    for (const ReadDone& done : effects.reads) {
      text += fmt::format("read {} {}\n", done.ticket, done.outcome ? "ok" : done.outcome.error().message());
    }
    for (const core::LogRead& read : effects.log_reads) {
      text += fmt::format("read the log from {} for member {}\n", read.first.value, read.peer.value);
    }
  } while (replica->node().committed() > replica->node().handed_to_apply());
  return text;
}

std::string ReplicaEnv::take_without(const std::string& word) {
  std::string kept;
  const std::string text = take();
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    const std::string line = text.substr(start, end - start + 1);
    if (line.find(word) == std::string::npos) kept += line;
    start = end + 1;
  }
  return kept;
}

std::string ReplicaEnv::put(const std::string& key, const std::string& value) {
  const auto ticket = replica->on_propose(now, now, base::SharedBytes(put_command(key, value)));
  if (!ticket) return "refused: " + ticket.error().message();
  return fmt::format("write {}", *ticket - first_ticket_ + 1);
}

std::string ReplicaEnv::read() {
  const auto ticket = replica->on_read(now);
  if (!ticket) return "refused: " + ticket.error().message();
  return fmt::format("read {}", *ticket);
}

void ReplicaEnv::receive(std::uint64_t from, std::uint64_t term, core::MessageBody body) {
  replica->on_message(now, {core::NodeId(from), core::NodeId(1), core::Term(term), std::move(body)});
}

void ReplicaEnv::durable(std::uint64_t token) { replica->on_persisted(now, token); }

void ReplicaEnv::advance(base::Duration duration) {
  const base::Instant end = now + duration;
  while (now < end) {
    now = std::min(end, now + base::milliseconds(50));
    replica->on_tick(now);
  }
}

void ReplicaEnv::become_leader() {
  while (replica->node().role() == core::Role::follower) advance(base::milliseconds(50));
  drop();
  receive(2, 2, core::VoteResponse{true, true});
  drop();
  durable(1);
  receive(2, 2, core::VoteResponse{false, true});
  drop();
  durable(2);
  receive(2, 2, core::AppendResponse{false, core::Index(2), {}, {}});
  drop();
  WW_ASSERT(replica->is_leader());
  WW_ASSERT(replica->node().committed() == core::Index(2));
}

void ReplicaEnv::follow(std::uint64_t term) { receive(2, term, core::Heartbeat{core::Index(0), 0, core::Index(0)}); }

core::Entry ReplicaEnv::command(std::uint64_t term, std::uint64_t index, const std::string& value,
                                core::RequestId request) {
  return {core::Term(term), core::Index(index), core::EntryType::command, request,
          base::SharedBytes(put_command("k", value))};
}

core::RequestId ReplicaEnv::request(std::uint64_t number) const {
  return {core::NodeId(1), first_ticket_ + number - 1};
}

void ReplicaEnv::receive_append(std::uint64_t term, std::uint64_t first, std::uint64_t prev_term, std::uint64_t commit,
                                const std::vector<std::string>& values) {
  core::AppendRequest append{core::Index(first - 1), core::Term(prev_term), core::Index(commit), {}};
  for (std::size_t i = 0; i < values.size(); ++i) append.entries.push_back(command(term, first + i, values[i]));
  receive(2, term, std::move(append));
}

std::string ReplicaEnv::value_of(const std::string& key) const {
  kv::RangeRequest request;
  request.key = key;
  const auto result = replica->store().range(request);
  const auto& range = std::get<kv::RangeResponse>(result);
  return range.kvs.empty() ? "absent" : range.kvs.front().value;
}

}  // namespace whitewater::replica::test

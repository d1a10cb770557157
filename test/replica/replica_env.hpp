// ReplicaEnv: one Replica over a real store in memory, and a test that plays its peers, its disk and its clients. What
// the replica wants done comes back as text, one line per effect, in the order in which the server's loop performs
// them. Nothing is durable and nothing arrives unless the test says so.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kv/memory_backend.hpp"
#include "replica/replica.hpp"

namespace whitewater::replica::test {

struct EnvOptions {
  std::uint64_t voters = 3;  // members 1 .. voters; the replica is member 1
  std::uint64_t incarnation = 1;
  std::function<void(ReplicaOptions&)> tweak;
};

class ReplicaEnv {
 public:
  explicit ReplicaEnv(EnvOptions options = {});

  // Effects that were not asked for yet, as text.
  std::string take();
  // The same without the lines of messages that do not matter to the test.
  std::string take_without(const std::string& word);
  // Drops them.
  void drop() { (void)take(); }

  // "write N" for an accepted proposal, or "refused: why". Tickets count from 1.
  std::string put(const std::string& key, const std::string& value);
  std::string read();
  void receive(std::uint64_t from, std::uint64_t term, core::MessageBody body);
  void durable(std::uint64_t token);
  // Time passes in steps of one heartbeat interval at most, with a tick after each.
  void advance(base::Duration duration);

  // Member 1 leads term 2; its no-op is entry 2, durable and committed with member 2's help.
  void become_leader();
  // Member 2 leads `term`.
  void follow(std::uint64_t term);
  // An append of member 2 in `term` with commands from `first` on that put "k" to the values.
  void receive_append(std::uint64_t term, std::uint64_t first, std::uint64_t prev_term, std::uint64_t commit,
                      const std::vector<std::string>& values);
  [[nodiscard]] std::string value_of(const std::string& key) const;

  [[nodiscard]] static core::Entry command(std::uint64_t term, std::uint64_t index, const std::string& value,
                                           core::RequestId request = {});
  [[nodiscard]] core::RequestId request(std::uint64_t number) const;

  kv::MemoryBackend* backend = nullptr;  // the store's own
  base::Instant now{base::seconds(100)};
  std::unique_ptr<Replica> replica;
  std::vector<ProposalDone> proposals;  // answered so far
  std::vector<core::Message> sent;      // by the last take()

 private:
  std::uint64_t first_ticket_;
};

}  // namespace whitewater::replica::test

// SoloEnv: one Node and a test that plays everybody else. The node's outputs are returned as they come; nothing is
// delivered or made durable unless the test says so. Not for conversations: those are transcripts (transcript_env.hpp).
#pragma once

#include <utility>
#include <vector>

#include "core/builders.hpp"
#include "core/invariants.hpp"
#include "core/node.hpp"

namespace whitewater::core::test {

struct SoloStart {
  std::uint64_t id = 1;
  Configuration configuration = make_configuration({1, 2, 3});
  HardState hard_state;
  std::vector<Entry> log;  // from index 1; all durable
  std::uint64_t applied = 0;
};

[[nodiscard]] NodeOptions solo_options(std::uint64_t id);

class SoloEnv {
 public:
  explicit SoloEnv(SoloStart start = {});
  SoloEnv(NodeOptions options, SoloStart start);

  // Each input checks the invariants and returns what the node wants done.
  Output receive(std::uint64_t from, std::uint64_t term, MessageBody body);
  Output tick(base::Duration elapsed);
  Output campaign();  // the election timer runs out
  Output propose(std::string text = "x");
  Output read(std::uint64_t tag);
  Output persist(std::uint64_t token);
  Output persist_all();  // everything handed to the log so far
  Output take();

  // Campaigns, gets the votes of all other voters, has its no-op durable. The followers know nothing of the no-op.
  void become_leader();
  // The follower `id` acknowledges everything in the log.
  Output acknowledge(std::uint64_t id);

  Node node;
  base::Instant now;

 private:
  Output settle();
  std::uint64_t last_token_ = 0;
  Invariants::Snapshot seen_;
};

}  // namespace whitewater::core::test

// Checks the clients' answers against the committed log itself: the commands are replayed on a model of a few lines,
// which gives the content of every key at every revision. Every acknowledged write must be there at its revision, every
// read must have seen the content at its revision, revisions follow real time, and no write is there twice. Pure, needs
// no search, and is independent of kv's code but for its command codec.
#pragma once

#include "sim/history.hpp"

namespace whitewater::sim {

// Throws Failure(correctness). `committed` from index 1 on.
void check_revisions(const std::vector<core::Entry>& committed, const History& history);

// The content of each key after all of `committed`, for the comparison with the stores at the end.
[[nodiscard]] std::vector<std::pair<std::string, Value>> final_content(const std::vector<core::Entry>& committed);

}  // namespace whitewater::sim

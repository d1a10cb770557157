// Short spellings of the core's values, for tests. Pure; owns nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "core/messages.hpp"
#include "core/types.hpp"

namespace whitewater::core::test {

using Ids = std::vector<std::uint64_t>;

[[nodiscard]] std::vector<Member> make_members(const Ids& ids);
[[nodiscard]] Configuration make_configuration(const Ids& voters, const Ids& outgoing = {}, const Ids& learners = {});
[[nodiscard]] SharedBytes make_payload(std::string text);
[[nodiscard]] Entry make_command(std::uint64_t term, std::uint64_t index, std::string text = "x");
[[nodiscard]] Entry make_noop(std::uint64_t term, std::uint64_t index);
[[nodiscard]] Entry make_configuration_entry(std::uint64_t term, std::uint64_t index, const Configuration& value);
// Commands at the indexes 1, 2, ... with the given terms.
[[nodiscard]] std::vector<Entry> make_log(const std::vector<std::uint64_t>& terms);
// Node ids 1 to `ids_max`; every list may come out empty but the voters.
[[nodiscard]] Configuration random_configuration(base::Rng& rng, std::uint64_t ids_max);

// The first body of type `Body` among the messages to `to` (zero: to anybody), or null.
template <class Body>
const Body* find_body(const std::vector<Message>& messages, std::uint64_t to = 0) {
  for (const Message& m : messages) {
    const auto* body = std::get_if<Body>(&m.body);
    if (body != nullptr && (to == 0 || m.to == NodeId(to))) return body;
  }
  return nullptr;
}

}  // namespace whitewater::core::test

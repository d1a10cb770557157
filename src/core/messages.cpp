#include "core/messages.hpp"

#include <fmt/format.h>

namespace whitewater::core {
namespace {

struct Describer {
  std::string operator()(const AppendRequest& m) const {
    std::string text =
        fmt::format("Append prev={}/{} commit={}", m.prev_term.value, m.prev_index.value, m.commit.value);
    if (!m.entries.empty()) {
      fmt::format_to(std::back_inserter(text), " entries=[{}{}]", describe(m.entries.front()),
                     m.entries.size() > 1 ? " .. " + describe(m.entries.back()) : "");
    }
    return text;
  }
  std::string operator()(const AppendResponse& m) const {
    if (!m.rejected) return fmt::format("AppendOk match={}", m.index.value);
    return fmt::format("AppendReject prev={} hint={}/{}", m.index.value, m.hint_term.value, m.hint_index.value);
  }
  std::string operator()(const Heartbeat& m) const {
    const std::string behind = m.leader_commit > m.commit ? fmt::format(" of {}", m.leader_commit.value) : "";
    return fmt::format("Heartbeat commit={}{} round={}", m.commit.value, behind, m.read_round);
  }
  std::string operator()(const HeartbeatResponse& m) const { return fmt::format("HeartbeatOk round={}", m.read_round); }
  std::string operator()(const VoteRequest& m) const {
    return fmt::format("{}VoteRequest last={}/{}{}", m.pre_vote ? "Pre" : "", m.last_term.value, m.last_index.value,
                       m.transfer ? " transfer" : "");
  }
  std::string operator()(const VoteResponse& m) const {
    return fmt::format("{}Vote {}", m.pre_vote ? "Pre" : "", m.granted ? "granted" : "refused");
  }
  std::string operator()(const TimeoutNow&) const { return "TimeoutNow"; }
  std::string operator()(const ForwardedProposals& m) const {
    return fmt::format("Forward count={}", m.proposals.size());
  }
  std::string operator()(const ForwardedChange& m) const { return "ForwardChange " + describe(m.change); }
  std::string operator()(const ForwardRejected& m) const {
    return fmt::format("ForwardRejected count={} reason={}", m.requests.size(),
                       base::make_error_code(m.reason).message());
  }
  std::string operator()(const ReadIndexRequest& m) const { return fmt::format("ReadIndex tag={}", m.tag); }
  std::string operator()(const ReadIndexResponse& m) const {
    return m.refused ? fmt::format("ReadIndexRefused tag={}", m.tag)
                     : fmt::format("ReadIndexOk tag={} index={}", m.tag, m.index.value);
  }
};

}  // namespace

std::string describe(const Message& message) {
  return fmt::format("{}->{} term={} {}", message.from.value, message.to.value, message.term.value,
                     std::visit(Describer{}, message.body));
}

}  // namespace whitewater::core

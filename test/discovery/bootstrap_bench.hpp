// One real BootstrapFsm whose peers are the test: it sees each exchange and answers it by hand. Test double; one
// thread.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "discovery/bootstrap_fsm.hpp"

namespace whitewater::discovery {

using base::milliseconds;
using base::seconds;

struct Bench {
  BootstrapOptions options;
  std::uint32_t inferred = 3;  // how many the peers see where no count is stated
  BootstrapMeta disk;
  base::Instant now{seconds(10)};
  std::unique_ptr<BootstrapFsm> fsm;
  std::vector<BootstrapAction> seen;

  explicit Bench(std::uint32_t ordinal, std::uint32_t expect = 3) {
    options.name = "whitewater-" + std::to_string(ordinal);
    options.node_id = base::NodeId(100 + ordinal);
    options.incarnation = base::Incarnation(1);
    options.advertise = options.name + ".ww:8090";
    options.expect = expect;
    options.token = "t";
  }
  void start() {
    fsm = std::make_unique<BootstrapFsm>(options, disk, now);
    peers({0, 1, 2});
  }
  void peers(const std::vector<int>& ordinals) {
    PeerSet set;
    set.absence = "no SRV record";
    for (const auto i : ordinals) {
      const auto name = "whitewater-" + std::to_string(i);
      set.peers.push_back(make_candidate(name, {name + ".ww", 8090}));
    }
    fsm->on_peers(now, set);
    take();
  }
  void take() {
    for (auto& action : fsm->take_actions()) seen.push_back(std::move(action));
  }
  // The actions of one kind since the last call, taken out.
  template <class T>
  std::vector<T> all() {
    take();
    std::vector<T> out;
    for (const auto& action : seen) {
      if (const auto* value = std::get_if<T>(&action)) out.push_back(*value);
    }
    std::erase_if(seen, [](const auto& action) { return std::holds_alternative<T>(action); });
    return out;
  }
  PeerInfo peer(std::uint32_t ordinal) const {
    PeerInfo info;
    info.name = "whitewater-" + std::to_string(ordinal);
    info.node_id = base::NodeId(100 + ordinal);
    info.incarnation = base::Incarnation(1);
    info.expect = options.expect;
    if (options.expect == 0) info.observed_hash = member_hash(set());
    info.token = options.token;
    info.advertise = info.name + ".ww:8090";
    return info;
  }
  // Ends the open round (starting one first): each address answers with the PeerInfo of its ordinal, or not at all.
  void round_by_address(const std::map<std::string, PeerInfo>& answers, base::Duration later = milliseconds(1100)) {
    now = now + later;
    fsm->on_tick(now);
    for (const auto& send : all<SendExchange>()) {
      if (!std::holds_alternative<Hello>(send.request)) continue;
      const auto it = answers.find(pod_name_of(send.address.host));
      if (it == answers.end()) {
        fsm->on_exchange_failed(now, send.id, "connection refused");
      } else {
        fsm->on_reply(now, send.id, HelloReply{it->second});
      }
    }
    take();
  }
  void round(const std::vector<PeerInfo>& answers) {
    std::map<std::string, PeerInfo> by_name;
    for (const auto& info : answers) by_name[info.name] = info;
    round_by_address(by_name);
  }
  // The Persist under way becomes durable.
  BootstrapMeta persist() {
    const auto persists = all<Persist>();
    REQUIRE(persists.size() == 1);
    disk = persists.front().meta;
    fsm->on_persisted(now, persists.front().id);
    take();
    return disk;
  }
  Ack ask(const BootstrapRequest& request, bool is_persisting = false) {
    fsm->on_request(now, 77, request);
    if (is_persisting) persist();
    const auto replies = all<SendReply>();
    REQUIRE(replies.size() == 1);
    return std::get<Ack>(replies.front().reply);
  }
  FounderSet set(std::uint64_t attempt = (1ULL << 32) | 1) const {
    FounderSet out;
    out.token = options.token;
    out.attempt = attempt;
    for (std::uint32_t i = 0; i < (options.expect == 0 ? inferred : options.expect); ++i) {
      const auto name = "whitewater-" + std::to_string(i);
      out.founders.push_back({name, base::NodeId(100 + i), name + ".ww:8090"});
    }
    return out;
  }
  Prepare prepare(const FounderSet& founders) const { return {founders.coordinator(), options.node_id, founders}; }
  BootstrapPhase phase() const { return fsm->status().phase; }
  const std::string& reason() const { return fsm->status().reason; }
  PeerInfo prepared_coordinator() const {
    auto info = peer(0);
    info.state = MemberState::prepared;
    info.set_hash = set_hash(set());
    return info;
  }
};

inline PeerInfo member_of(PeerInfo info, std::uint64_t cluster) {
  info.state = MemberState::member;
  info.cluster_id = base::ClusterId(cluster);
  info.members = {{info.node_id, info.advertise}};
  return info;
}

}  // namespace whitewater::discovery

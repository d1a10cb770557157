// What the server knows about its own condition, for `whitewater doctor`: facts alone, api/doctor.cpp judges them.
#include <algorithm>

#include "server/discovery_setup.hpp"
#include "server/options_check.hpp"
#include "server/options_enum.hpp"
#include "server/server.hpp"

namespace whitewater::server {

base::Duration Server::discovery_age() const {
  const base::Instant now = net::now();
  const discovery::PeerSet& set = source_->last_known();
  if (!set.is_known) return now - started_;
  return kubernetes_ != nullptr ? kubernetes_->stale_for(now) : now - set.as_of;
}

api::DoctorInput::Discovery Server::discovery_facts() const {
  api::DoctorInput::Discovery facts;
  const DiscoveryMethod method = effective_discovery(options_);
  facts.reason = reason_of_method(options_);
  if (method == DiscoveryMethod::automatic) return facts;
  facts.method = choice_name(method);
  facts.place = describe_place(options_);
  // The guide's init container names the pods before its own, and those alone.
  facts.names_everybody = method != DiscoveryMethod::file;
  const discovery::PeerSet& set = source_->last_known();
  facts.found =
      static_cast<std::size_t>(std::count_if(set.peers.begin(), set.peers.end(), [](const discovery::Candidate& peer) {
        return peer.is_current && !peer.is_guess && !peer.is_terminating;
      }));
  facts.is_known = set.is_known;
  facts.last_error = set.last_error;
  facts.stale_ms = discovery_age() / base::milliseconds(1);
  if (kubernetes_ != nullptr) facts.access_problems = kubernetes_->problems();
  return facts;
}

api::DoctorInput::Disk Server::disk_facts() const {
  const log::DataDir& directory = identity_->directory();
  const log::LogStats& log = log_->stats();
  api::DoctorInput::Disk facts;
  facts.path = directory.path();
  facts.filesystem = directory.filesystem().name;
  facts.is_volatile = directory.filesystem().is_volatile;
  facts.log_strategy = log::describe(log.strategy);
  facts.log_reason = log.reason;
  facts.is_buffered = log.strategy == log::Strategy::buffered;
  const base::Duration write = log.strategy == log::Strategy::uring    ? log.probe_uring_p50
                               : log.strategy == log::Strategy::thread ? log.probe_thread_p50
                                                                       : base::Duration(0);
  facts.write_us = write / base::microseconds(1);
  return facts;
}

net::Awaitable<api::DoctorInput> Server::doctor() {
  std::vector<api::MemberRow> rows = co_await all_rows();
  api::DoctorInput facts;
  facts.name = options_.name;
  facts.address = advertise_;
  facts.health = health();
  const discovery::BootstrapStatus& status = bootstrap_->status();
  facts.bootstrap.expect = options_.bootstrap_expect;
  facts.bootstrap.is_refused = status.phase == discovery::BootstrapPhase::refused;
  facts.bootstrap.is_removed = identity_->bootstrap().state == discovery::MemberState::removed;
  facts.bootstrap.is_inferred = status.is_inferred;
  if (!status.other_cluster.is_zero()) facts.bootstrap.other_cluster = base::to_hex(status.other_cluster);
  if (member_) facts.bootstrap.members = member_->node().configuration().members().size();
  facts.discovery = discovery_facts();
  facts.disk = disk_facts();
  facts.reactor = {std::string(net::reactor_name()), reactor_reason_,
                   net::reactor_name() == "epoll" && options_.reactor != ReactorChoice::epoll};
  for (api::MemberRow& row : rows) {
    if (row.id == node().value) {
      facts.role = std::move(row.role);
      continue;
    }
    facts.peers.push_back({std::move(row.name), std::move(row.address), row.role, row.role != "unreachable",
                           std::move(row.reason), row.clock_offset_ms});
  }
  co_return facts;
}

}  // namespace whitewater::server

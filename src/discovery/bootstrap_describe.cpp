#include "discovery/bootstrap_fsm.hpp"

// The words of the bootstrap: what transcripts, log lines and readiness print.
namespace whitewater::discovery {

std::string_view describe(BootstrapPhase phase) {
  switch (phase) {
    case BootstrapPhase::looking:
      return "looking";
    case BootstrapPhase::settling:
      return "settling";
    case BootstrapPhase::preparing:
      return "preparing";
    case BootstrapPhase::refused:
      return "refused";
    case BootstrapPhase::founded:
      return "founded";
    case BootstrapPhase::joined:
      return "joined";
  }
  return "unknown";
}

std::string describe(const BootstrapMeta& meta) {
  std::string text(describe(meta.state));
  if (!meta.cluster_id.is_zero()) text += " of " + base::to_hex(meta.cluster_id);
  if (meta.set_hash != 0) text += " set " + base::to_hex(meta.set_hash);
  return text;
}

std::string describe(const BootstrapAction& action) {
  if (const auto* send = std::get_if<SendExchange>(&action)) {
    return "send to " + describe(send->address) + ": " + describe(send->request);
  }
  if (const auto* persist = std::get_if<Persist>(&action)) return "persist " + describe(persist->meta);
  if (const auto* reply = std::get_if<SendReply>(&action)) return "reply " + describe(reply->reply);
  if (const auto* found = std::get_if<Found>(&action)) {
    return "found cluster " + base::to_hex(found->cluster_id) + ": " + core::describe(found->configuration);
  }
  if (const auto* join = std::get_if<Join>(&action)) return "join cluster " + base::to_hex(join->cluster_id);
  if (const auto* seen = std::get_if<PeerSeen>(&action)) return "seen " + describe(seen->info);
  if (const auto* orphaned = std::get_if<Orphaned>(&action)) {
    return "orphaned by cluster " + base::to_hex(orphaned->cluster_id);
  }
  return "refuse: " + std::get<Refuse>(action).reason;
}

std::string describe(const BootstrapStatus& status) {
  return std::string(describe(status.phase)) + ": " + status.reason;
}

}  // namespace whitewater::discovery

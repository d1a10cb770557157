// Identity: who this member is and what it has promised, on disk: the data directory's meta record and, while a cluster
// is being founded, the set of founders beside it. Owned by the server for its whole life; reactor thread. Writes block
// for a sync: there are a handful of them in the life of a member, none while it serves.
#pragma once

#include <string>

#include "discovery/bootstrap_loop.hpp"
#include "log/data_dir.hpp"

namespace whitewater::server {

// When a member that was removed from its cluster begins anew.
struct Rejoin {
  bool is_allowed = false;  // rejoin_removed
  // Of the running pod, or empty. A container that restarts in the pod in which its member was removed stays out: a pod
  // that is about to be scaled away would otherwise join again in the moment that it has left.
  std::string pod_uid;
};

// Opens the data directory. One whose member was removed from its cluster is set aside when it may rejoin, and in any
// case one whose cluster ended before it was taken in (removed, of no cluster): what it holds goes to
// removed-<node id>/ in it, and the member begins anew. Throws FatalError as DataDir::open.
[[nodiscard]] log::DataDir open_data_dir(const log::DataDirOptions& options, const Rejoin& rejoin, base::LogSink& sink);

class Identity final : public discovery::MetaStore {
 public:
  // Throws FatalError(corrupt) when the promised set of founders is missing or is not the promised one.
  explicit Identity(log::DataDir directory);

  [[nodiscard]] const log::DataDir& directory() const { return directory_; }
  [[nodiscard]] base::NodeId node() const { return directory_.meta().node; }
  [[nodiscard]] base::Incarnation incarnation() const { return directory_.meta().incarnation; }
  [[nodiscard]] base::ClusterId cluster() const { return directory_.meta().cluster; }
  [[nodiscard]] const discovery::BootstrapMeta& bootstrap() const { return bootstrap_; }

  net::Awaitable<void> persist(discovery::BootstrapMeta meta) override;
  void store(discovery::BootstrapMeta meta);  // the same, at once
  // The same for a member that was removed, with the pod in which it was.
  void store_removed(const std::string& pod_uid);
  // The founding entry is in the log and the cluster has begun to commit: from here on an empty log is damage.
  void forget_founders();

 private:
  [[nodiscard]] std::string founders_path(std::uint64_t set_hash) const;
  void write_founders(std::uint64_t set_hash, const std::string& founders) const;

  log::DataDir directory_;
  discovery::BootstrapMeta bootstrap_;
};

}  // namespace whitewater::server

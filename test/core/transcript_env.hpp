// TranscriptEnv: runs the commands of a transcript file on a ClusterEnv and answers with what happened, as text. Pure:
// the files are read and written by transcript_test.cpp. Commands are listed in testdata/README.md.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/cluster_env.hpp"

namespace whitewater::core::test {

// One command line split into its name, its positional arguments and its key=value options.
struct TranscriptCommand {
  std::string name;
  std::vector<std::string> args;
  std::map<std::string, std::string> options;

  [[nodiscard]] std::uint64_t number(std::size_t i) const;
  [[nodiscard]] std::string option(const std::string& key, const std::string& otherwise) const;
};

[[nodiscard]] TranscriptCommand parse_command(const std::string& line);

class TranscriptEnv final : public ClusterObserver {
 public:
  TranscriptEnv();

  // The answer of one command; an unknown one answers "error: ...".
  std::string run(const std::string& line);

  void on_persist(const MemberEnv& member, const Persist& persist) override;
  void on_durable(const MemberEnv& member, const Persist& persist) override;
  void on_applied(const MemberEnv& member, const Entry& entry) override;
  void on_read_result(const MemberEnv& member, const ReadResult& result) override;
  void on_rejected(const MemberEnv& member, const RejectedProposal& rejected) override;
  void on_log_read(const MemberEnv& member, const LogRead& request, std::size_t entries) override;
  void on_snapshot_wanted(const MemberEnv& member, const SnapshotWanted& wanted) override;
  void on_snapshot_installed(const MemberEnv& member, Index index) override;
  void on_change(const MemberEnv& member, const Invariants::Snapshot& before) override;

 private:
  using Handler = void (TranscriptEnv::*)(const TranscriptCommand&);

  void print(std::string line) { text_ += line + "\n"; }
  [[nodiscard]] bool is_match(const TranscriptCommand& command, const Message& message) const;
  void deliver_one(std::size_t position);

  void on_cluster(const TranscriptCommand& command);
  void on_campaign(const TranscriptCommand& command);
  void on_tick(const TranscriptCommand& command);
  void on_advance(const TranscriptCommand& command);
  void on_propose(const TranscriptCommand& command);
  void on_read(const TranscriptCommand& command);
  void on_deliver(const TranscriptCommand& command);
  void on_drop(const TranscriptCommand& command);
  void on_stabilize(const TranscriptCommand& command);
  void on_network(const TranscriptCommand& command);
  void on_disk(const TranscriptCommand& command);
  void on_write(const TranscriptCommand& command);
  void on_cut(const TranscriptCommand& command);
  void on_heal(const TranscriptCommand& command);
  void on_crash(const TranscriptCommand& command);
  void on_restart(const TranscriptCommand& command);
  void on_transfer(const TranscriptCommand& command);
  void on_connect(const TranscriptCommand& command);
  void on_release(const TranscriptCommand& command);
  void on_propose_change(const TranscriptCommand& command);
  void on_snapshot(const TranscriptCommand& command);
  void on_stall(const TranscriptCommand& command);
  void on_lease(const TranscriptCommand& command);
  void on_configuration(const TranscriptCommand& command);
  void on_status(const TranscriptCommand& command);
  void on_log(const TranscriptCommand& command);
  void on_progress(const TranscriptCommand& command);

  std::map<std::string, Handler> handlers_;
  ClusterEnv cluster_;
  std::string text_;
  std::uint64_t next_request_ = 1;
  std::map<std::uint64_t, Configuration> configurations_;                     // as last printed, by member
  std::map<std::pair<std::uint64_t, std::uint64_t>, SnapshotEnv> snapshots_;  // on their way, by sender and receiver
};

}  // namespace whitewater::core::test

// A world of members that bootstrap: real BootstrapFsm each, with a fake clock, network, disk and DNS, all drawn from
// one seed. Test double; one thread. Checks after every step that there is at most one cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "discovery/bootstrap_fsm.hpp"

namespace whitewater::discovery {

struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t members = 3;             // that run
  std::uint32_t expect = 3;              // 0: the founders are inferred
  std::uint32_t lost_percent = 0;        // of requests and of replies
  std::uint32_t late_percent = 0;        // delivered up to 6 s later, after the exchange has failed
  std::uint32_t bad_answer_percent = 0;  // discovery: subset or empty
  std::uint32_t garbage_percent = 0;     // discovery: candidates that are none, and addresses from before a restart
  bool is_jittery = false;               // random instead of constant delays
  bool is_moving = false;                // an address from a small pool, another one at each start, instead of a name
  base::Duration infer_settle = base::seconds(10);
  std::uint32_t replicas = 0;  // what the StatefulSet states; 0: nobody may read it
};

class BootstrapWorld {
 public:
  struct Member {
    std::string name;
    std::string host;  // where it is dialled
    base::NodeId node_id;
    BootstrapOptions options;
    BootstrapMeta disk;
    std::optional<CandidateBook> book;
    std::uint64_t incarnation = 0;
    std::uint64_t run = 0;  // counts starts; what belongs to an older run is lost
    std::unique_ptr<BootstrapFsm> fsm;
    std::optional<BootstrapMeta> writing;
    std::optional<base::Instant> tick_at;
    std::optional<Found> found;
    std::optional<Join> joined;
  };

  explicit BootstrapWorld(WorldOptions options);

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] Member& member(std::size_t i) { return members_[i]; }
  [[nodiscard]] base::Instant now() const { return now_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  base::Rng& rng() { return rng_; }

  void start(std::size_t i);
  // `keep_write`: a write under way reached the disk before the crash.
  void crash(std::size_t i, bool keep_write);
  void wipe(std::size_t i);  // crash, and a new empty disk
  // Another pod with the name of member `i` and a disk of its own; returns its index. Not started yet.
  std::size_t add_twin(std::size_t i);
  // Ends one of two pods of one name for good, the one that no cluster was founded with.
  void end_twin(std::size_t i, std::size_t twin);
  // Called when a member founds, within the step.
  std::function<void(std::size_t)> on_found;
  void at(base::Duration delay, std::function<void()> what);
  // Of the StatefulSet, which everybody that runs reads now and then.
  void scale(std::uint32_t replicas) { options_.replicas = replicas; }
  // No more losses, delays or bad answers.
  void heal();
  // Cuts or mends everything between a member and the others.
  void isolate(std::size_t i, bool is_isolated) { isolated_[i] = is_isolated; }
  // Where discovery says that nobody is: hides this member's records.
  void hide(std::size_t i, bool is_hidden) { hidden_[i] = is_hidden; }

  bool is_ended(std::size_t i) const { return ended_.contains(i); }
  bool step();  // false when nothing is left to do
  void run_for(base::Duration duration);
  // Runs until every started member belongs to a cluster, at most `limit`. True when it happened.
  bool run_until_formed(base::Duration limit);

  // What is wrong, or an empty text.
  [[nodiscard]] const std::string& check() const { return failure_; }
  [[nodiscard]] std::string describe() const;
  // Every running member is a member of one cluster, and a majority of its founders is among them.
  [[nodiscard]] bool is_formed() const;

 private:
  // When a set is committed for the first time, every founder that still has its disk is bound to it.
  void check_promises(const BootstrapMeta& decision);
  void check_disks();  // after every change of a disk: one cluster, one founding entry
  void pump(std::size_t i);
  void perform(std::size_t i, BootstrapAction action);
  void exchange(std::size_t i, SendExchange action);
  void deliver(std::size_t from, std::uint64_t run, std::uint64_t exchange_id, std::size_t to,
               BootstrapRequest request);
  void fail(std::size_t from, std::uint64_t run, std::uint64_t exchange_id, std::string reason);
  void discover(std::size_t i, std::uint64_t run);
  void read_replicas(std::size_t i, std::uint64_t run);
  [[nodiscard]] std::vector<Candidate> answer_of_discovery();
  void dial_founders(std::size_t i, std::uint64_t run);
  [[nodiscard]] std::optional<std::size_t> find(const HostPort& address);
  [[nodiscard]] std::string free_host();
  base::Duration delay(std::uint64_t max_ms);
  bool chance(std::uint32_t percent) { return percent > 0 && rng_.chance(percent, 100); }

  WorldOptions options_;
  base::Rng rng_;
  base::Instant now_{base::seconds(100)};
  std::uint64_t steps_ = 0;
  std::uint64_t sequence_ = 0;
  std::map<std::pair<base::Instant, std::uint64_t>, std::function<void()>> queue_;
  std::vector<Member> members_;
  std::vector<std::string> old_hosts_;  // "name=host" of earlier runs
  std::set<base::NodeId> founders_;     // of every set that was ever committed
  std::vector<bool> isolated_;
  std::vector<bool> hidden_;
  std::set<std::size_t> ended_;
  std::uint64_t next_node_id_ = 0;
  std::uint64_t next_request_ = 1;
  std::map<std::uint64_t, std::function<void(const BootstrapReply&)>> replies_;
  std::map<base::ClusterId, core::Configuration> configurations_;  // of every Found ever
  std::set<base::ClusterId> committed_;                            // ever
  std::string failure_;
};

}  // namespace whitewater::discovery

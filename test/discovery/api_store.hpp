// The pods of a namespace as an API server keeps them: a version per change, a history that can be compacted, and the
// JSON of lists and of watch events in the shapes that a real server sent (Kubernetes 1.34). Pure; used by the random
// test of the state machine and by the API server for tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whitewater::discovery {

struct StoredPod {
  std::string name;
  std::string uid;
  std::string ip;
  std::string phase = "Running";
  bool is_terminating = false;
  bool is_ready = true;
  bool has_port = true;  // "raft", 8090
  std::string label = "whitewater";
  std::string role{};  // whitewater.io/role
};

class ApiStore {
 public:
  using Pods = std::map<std::string, StoredPod>;
  struct Event {
    std::uint64_t version = 0;
    std::string type;
    std::string line;  // without the line's end
    std::string label;
  };

  ApiStore() { snapshots_[version_]; }
  // ADDED, or MODIFIED when the name exists with this uid; another uid is DELETED and ADDED, as a StatefulSet does it.
  void put(const StoredPod& pod);
  void remove(const std::string& name);
  // What a StatefulSet's pod goes through when it is deleted: terminating, not ready, gone, back under the same name
  // without an address, with one, ready.
  void replace_pod(const std::string& name, const std::string& uid, const std::string& ip);
  // Watches from before now are answered by 410 Expired.
  void compact() { floor_ = version_; }

  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::uint64_t floor() const { return floor_; }
  [[nodiscard]] const Pods& pods() const { return snapshots_.rbegin()->second; }
  [[nodiscard]] const Pods& pods_at(std::uint64_t version) const { return snapshots_.at(version); }
  // A PodList of that version with the pods after `after`, at most `limit` (0: all).
  [[nodiscard]] std::string list_page(std::uint64_t version, std::string_view after, std::size_t limit,
                                      std::string_view label) const;
  [[nodiscard]] std::vector<Event> events_after(std::uint64_t version, std::string_view label) const;

  [[nodiscard]] static std::string pod_json(const StoredPod& pod, std::uint64_t version);
  [[nodiscard]] static std::string bookmark_line(std::uint64_t version);
  [[nodiscard]] static std::string expired_line();
  // "v17/after=whitewater-3+": characters that a URL must not hold as they are.
  [[nodiscard]] static std::string continue_token(std::uint64_t version, std::string_view after);
  [[nodiscard]] static std::optional<std::pair<std::uint64_t, std::string>> parse_token(std::string_view token);

 private:
  void record(const std::string& type, const StoredPod& pod, Pods pods);

  std::uint64_t version_ = 1000;
  std::uint64_t floor_ = 1000;
  std::map<std::uint64_t, Pods> snapshots_;
  std::vector<Event> events_;
};

[[nodiscard]] std::string status_json(int code, std::string_view reason, std::string_view message);

}  // namespace whitewater::discovery

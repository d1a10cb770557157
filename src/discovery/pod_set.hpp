// PodSet: the pods that match the selector, as the API server told last. A list replaces all of it and what a watch
// missed comes out as changes; events change single pods. A name with another uid is another pod: its predecessor is
// gone, and a late DELETED of that predecessor takes nothing away. Pure; owned by the KubernetesWatchFsm.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/kubernetes_objects.hpp"

namespace whitewater::discovery {

struct PodChange {
  enum class Kind : std::uint8_t {
    appeared,
    changed,
    vanished,  // `pod` is what it was last
    replaced,  // the same name with another uid
  };
  Kind kind = Kind::appeared;
  Pod pod;
  bool operator==(const PodChange&) const = default;
};

class PodSet {
 public:
  // A complete list. Pods above `kubernetes_pods_max` are left out.
  std::vector<PodChange> replace(std::vector<Pod> pods);
  // Added, modified or deleted; others change nothing.
  std::vector<PodChange> apply(const WatchEvent& event);

  [[nodiscard]] const Pod* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, Pod, std::less<>>& pods() const { return pods_; }

 private:
  void put(Pod pod, std::vector<PodChange>& changes);

  std::map<std::string, Pod, std::less<>> pods_;
};

// The usable ones, ordered by address, at most `candidates_max`: {pod IP, the named container port or `default_port`}.
// Each address once. Terminating pods are marked, and the first to be left out.
[[nodiscard]] std::vector<Candidate> candidates_of(const PodSet& pods, std::uint16_t default_port);
[[nodiscard]] std::string describe(const PodChange& change);
[[nodiscard]] std::string describe(const PodSet& pods);

}  // namespace whitewater::discovery

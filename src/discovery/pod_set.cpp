#include "discovery/pod_set.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace whitewater::discovery {

void PodSet::put(Pod pod, std::vector<PodChange>& changes) {
  const auto it = pods_.find(pod.name);
  if (it == pods_.end()) {
    if (pods_.size() == kubernetes_pods_max) return;
    changes.push_back({PodChange::Kind::appeared, pod});
    auto name = pod.name;
    pods_.emplace(std::move(name), std::move(pod));
    return;
  }
  if (it->second == pod) return;
  changes.push_back({it->second.uid == pod.uid ? PodChange::Kind::changed : PodChange::Kind::replaced, pod});
  it->second = std::move(pod);
}

std::vector<PodChange> PodSet::replace(std::vector<Pod> pods) {
  std::vector<PodChange> changes;
  std::set<std::string> listed;
  for (const auto& pod : pods) listed.insert(pod.name);
  // First what is gone, so that a full set has room for what came.
  for (auto it = pods_.begin(); it != pods_.end();) {
    if (listed.contains(it->first)) {
      ++it;
      continue;
    }
    changes.push_back({PodChange::Kind::vanished, std::move(it->second)});
    it = pods_.erase(it);
  }
  for (auto& pod : pods) put(std::move(pod), changes);
  return changes;
}

std::vector<PodChange> PodSet::apply(const WatchEvent& event) {
  std::vector<PodChange> changes;
  if (event.type == WatchEvent::Type::added || event.type == WatchEvent::Type::modified) put(event.pod, changes);
  if (event.type == WatchEvent::Type::deleted) {
    const auto it = pods_.find(event.pod.name);
    if (it == pods_.end() || it->second.uid != event.pod.uid) return changes;
    changes.push_back({PodChange::Kind::vanished, std::move(it->second)});
    pods_.erase(it);
  }
  return changes;
}

const Pod* PodSet::find(std::string_view name) const {
  const auto it = pods_.find(name);
  return it == pods_.end() ? nullptr : &it->second;
}

std::vector<Candidate> candidates_of(const PodSet& pods, std::uint16_t default_port) {
  std::vector<Candidate> candidates;
  std::set<HostPort> taken;  // an address passes on before the object of its last owner is gone
  for (const bool is_terminating : {false, true}) {
    for (const auto& [name, pod] : pods.pods()) {
      if (!is_usable(pod) || pod.is_terminating != is_terminating || candidates.size() == candidates_max) continue;
      auto candidate = make_candidate(name, {pod.ip, pod.port != 0 ? pod.port : default_port}, {pod.ip});
      if (!taken.insert(candidate.address).second) continue;
      candidate.uid = pod.uid;
      candidate.is_terminating = is_terminating;
      candidates.push_back(std::move(candidate));
    }
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.address < b.address; });
  return candidates;
}

std::string describe(const PodChange& change) {
  switch (change.kind) {
    case PodChange::Kind::appeared:
      return "pod " + describe(change.pod) + " appeared";
    case PodChange::Kind::changed:
      return "pod " + describe(change.pod) + " changed";
    case PodChange::Kind::vanished:
      return "pod " + change.pod.name + " is gone";
    case PodChange::Kind::replaced:
      return "pod " + describe(change.pod) + " is a new incarnation under the same name";
  }
  return {};
}

std::string describe(const PodSet& pods) {
  std::string text = std::to_string(pods.pods().size()) + " pods";
  std::size_t count = 0;
  for (const auto& [name, pod] : pods.pods()) text += (count++ == 0 ? ": " : ", ") + describe(pod);
  return text;
}

}  // namespace whitewater::discovery

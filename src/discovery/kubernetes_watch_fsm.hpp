// KubernetesWatchFsm: which request comes next to know the pods (kubernetes.md §3.2): LIST, page by page, then WATCH
// from its version, again and again. Holds the set of pods. Pure; owned by the KubernetesSource, which sends the
// requests. Does not know HTTP beyond what a failure means.
//
// Which version a LIST asks for: "0" (whatever the server has cached) the first time; later at least the newest version
// seen, so that a server that lags behind never takes us back; and none at all, which is the newest, after an answer
// that says that our version is of no use to the server (410, 504, or any other refusal that is not about load).
// A stream that ends is continued from its newest version if it brought one, else the list is taken again. Versions are
// opaque: they are compared for equality only.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "discovery/pod_set.hpp"

namespace whitewater::discovery {

struct KubernetesWatchOptions {
  base::Duration backoff_min = base::milliseconds(800);
  base::Duration backoff_max = base::seconds(30);
  base::Duration retry_after_max = base::seconds(300);  // a Retry-After above this is not believed
  base::Duration healthy_after = base::seconds(2);      // a stream that lived so long starts the back-off anew
  base::Duration watch_min = base::seconds(290);        // timeoutSeconds, plus up to
  base::Duration watch_spread = base::seconds(60);
};

struct PodListRequest {
  std::string resource_version;  // empty: the newest
  std::string continue_token;    // a further page; then without a version
};
struct PodWatchRequest {
  std::string resource_version;
  base::Duration timeout{0};
};
struct PodWait {
  base::Duration delay{0};
};
using PodStep = std::variant<PodListRequest, PodWatchRequest, PodWait>;

// Why a request brought nothing, or a stream was left.
struct PodFailure {
  enum class Kind : std::uint8_t {
    lost,       // no connection, cut, timed out, an empty or unreadable answer
    gone,       // 410, or 504: the version is too old, or newer than what the server has
    throttled,  // 429 or 503
    refused,    // any other status
  };
  Kind kind = Kind::lost;
  base::Duration retry_after{0};  // throttled: what the server asks for, 0 = nothing
};
[[nodiscard]] PodFailure failure_of_status(int http_status, base::Duration retry_after);

class KubernetesWatchFsm {
 public:
  KubernetesWatchFsm(KubernetesWatchOptions options, base::Rng rng);

  // What to do now; draws the jitter. A PodWait is over by asking again afterwards.
  [[nodiscard]] PodStep next_step();
  // Take the list again now, without waiting for anything.
  void want_list();
  // The answer to a PodListRequest. The changes come with the last page; until then, and for a list that turns out
  // too large, there are none.
  std::vector<PodChange> on_page(PodPage page);
  // Of the running watch. After an error event is_watching() is false, and the stream is to be closed.
  std::vector<PodChange> on_event(const WatchEvent& event);
  // The request of the last step failed. A watch whose stream had begun ends by on_watch_end().
  void on_failure(const PodFailure& failure);
  enum class StreamEnd : std::uint8_t { closed, unreadable };
  // The stream ended `lived` after it began: by its time-out, by a cut, because of an error event, or because of a line
  // that is no event, which would only come again.
  void on_watch_end(base::Duration lived, StreamEnd end);

  [[nodiscard]] bool is_watching() const { return state_ == State::watching; }
  // A complete list was taken at least once.
  [[nodiscard]] bool is_known() const { return is_known_; }
  [[nodiscard]] const PodSet& pods() const { return pods_; }
  [[nodiscard]] std::uint64_t list_count() const { return list_count_; }
  [[nodiscard]] std::uint32_t failures_in_a_row() const { return failures_in_a_row_; }

 private:
  enum class State : std::uint8_t { listing, watching };
  void restart_list();
  void back_off(base::Duration at_least);

  KubernetesWatchOptions options_;
  base::Rng rng_;
  State state_ = State::listing;
  PodSet pods_;
  bool is_known_ = false;
  bool wants_newest_ = false;     // the next list asks for no version
  bool has_new_version_ = false;  // the running watch brought one
  std::string version_;           // newest seen; empty before the first list
  std::string continue_token_;
  std::vector<Pod> pages_;  // of the list that is being taken
  std::uint32_t page_count_ = 0;
  base::Duration backoff_bound_{0};
  base::Duration pending_wait_{0};
  std::uint32_t failures_in_a_row_ = 0;
  std::uint64_t list_count_ = 0;
};

[[nodiscard]] std::string describe(const PodStep& step);
[[nodiscard]] std::string describe(const KubernetesWatchFsm& fsm);

}  // namespace whitewater::discovery

#include "discovery/kubernetes_watch_fsm.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.hpp"

namespace whitewater::discovery {

namespace {

constexpr std::uint32_t pages_max = 1000;  // a page may be short, but a list ends

std::int64_t in_ms(base::Duration d) { return std::chrono::duration_cast<base::milliseconds>(d).count(); }

// A version that the server cannot serve, be it too old or from its future, does not get better by asking again.
bool is_version_useless(const PodFailure& failure) {
  return failure.kind == PodFailure::Kind::gone || failure.kind == PodFailure::Kind::refused;
}

}  // namespace

PodFailure failure_of_status(int http_status, base::Duration retry_after) {
  if (http_status == 410 || http_status == 504) return {PodFailure::Kind::gone};
  if (http_status == 429 || http_status == 503) return {PodFailure::Kind::throttled, retry_after};
  return {PodFailure::Kind::refused};
}

KubernetesWatchFsm::KubernetesWatchFsm(KubernetesWatchOptions options, base::Rng rng)
    : options_(options), rng_(rng), backoff_bound_(options.backoff_min) {
  WW_ASSERT(options.backoff_min > base::Duration(0));
  WW_ASSERT(options.backoff_min <= options.backoff_max);
}

PodStep KubernetesWatchFsm::next_step() {
  if (pending_wait_ > base::Duration(0)) return PodWait{std::exchange(pending_wait_, base::Duration(0))};
  if (state_ == State::watching) {
    WW_ASSERT(!version_.empty());
    has_new_version_ = false;
    const auto spread_ms = static_cast<std::uint64_t>(in_ms(options_.watch_spread));
    return PodWatchRequest{version_, options_.watch_min + base::milliseconds(rng_.in_range(0, spread_ms))};
  }
  if (!continue_token_.empty()) return PodListRequest{"", continue_token_};
  if (wants_newest_) return PodListRequest{"", ""};
  return PodListRequest{version_.empty() ? "0" : version_, ""};
}

void KubernetesWatchFsm::want_list() {
  restart_list();
  pending_wait_ = base::Duration(0);
  state_ = State::listing;
}

std::vector<PodChange> KubernetesWatchFsm::on_page(PodPage page) {
  WW_ASSERT(state_ == State::listing);
  WW_ASSERT(!page.resource_version.empty());
  const auto room = kubernetes_pods_max - pages_.size();
  const bool is_too_long = page.pods.size() > room || ++page_count_ > pages_max;
  if (is_too_long) page.continue_token.clear();  // what was read so far has to do
  page.pods.resize(std::min(page.pods.size(), room));
  std::move(page.pods.begin(), page.pods.end(), std::back_inserter(pages_));
  continue_token_ = std::move(page.continue_token);
  if (!continue_token_.empty()) return {};
  version_ = std::move(page.resource_version);
  auto changes = pods_.replace(std::exchange(pages_, {}));
  restart_list();
  wants_newest_ = false;
  is_known_ = true;
  ++list_count_;
  state_ = State::watching;
  return changes;
}

std::vector<PodChange> KubernetesWatchFsm::on_event(const WatchEvent& event) {
  if (state_ != State::watching) return {};
  if (event.type == WatchEvent::Type::error) {
    const auto failure = failure_of_status(event.status.code, base::Duration(0));
    wants_newest_ = wants_newest_ || is_version_useless(failure);
    state_ = State::listing;
    return {};
  }
  has_new_version_ = has_new_version_ || event.resource_version != version_;
  version_ = event.resource_version;
  return pods_.apply(event);
}

void KubernetesWatchFsm::on_failure(const PodFailure& failure) {
  wants_newest_ = wants_newest_ || is_version_useless(failure);
  restart_list();
  state_ = State::listing;
  const bool is_throttled = failure.kind == PodFailure::Kind::throttled;
  back_off(is_throttled ? std::min(failure.retry_after, options_.retry_after_max) : base::Duration(0));
}

void KubernetesWatchFsm::on_watch_end(base::Duration lived, StreamEnd end) {
  const bool is_closed = state_ == State::watching && end == StreamEnd::closed;
  const bool is_healthy = lived >= options_.healthy_after;
  if (is_healthy) {
    failures_in_a_row_ = 0;
    backoff_bound_ = options_.backoff_min;
  }
  if (!is_closed || !has_new_version_) state_ = State::listing;
  if (!is_closed || !is_healthy) back_off(base::Duration(0));
}

void KubernetesWatchFsm::restart_list() {
  continue_token_.clear();
  pages_.clear();
  page_count_ = 0;
}

// Full jitter: anywhere up to the bound, so that members that lost the same server do not come back in step.
void KubernetesWatchFsm::back_off(base::Duration at_least) {
  ++failures_in_a_row_;
  const auto bound_ms = static_cast<std::uint64_t>(in_ms(backoff_bound_));
  pending_wait_ = at_least + base::milliseconds(rng_.in_range(1, std::max<std::uint64_t>(bound_ms, 1)));
  backoff_bound_ = std::min(backoff_bound_ * 2, options_.backoff_max);
}

std::string describe(const PodStep& step) {
  if (const auto* wait = std::get_if<PodWait>(&step)) return "wait " + std::to_string(in_ms(wait->delay)) + " ms";
  if (const auto* watch = std::get_if<PodWatchRequest>(&step)) return "watch from " + watch->resource_version;
  const auto& list = std::get<PodListRequest>(step);
  if (!list.continue_token.empty()) return "list, the next page";
  if (list.resource_version.empty()) return "list the newest";
  return list.resource_version == "0" ? "list what is cached" : "list at least " + list.resource_version;
}

std::string describe(const KubernetesWatchFsm& fsm) {
  std::string text = fsm.is_watching() ? "watching" : "listing";
  if (fsm.failures_in_a_row() > 0) text += " after " + std::to_string(fsm.failures_in_a_row()) + " failures";
  return text + "; " + describe(fsm.pods());
}

}  // namespace whitewater::discovery

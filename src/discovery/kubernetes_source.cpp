#include "discovery/kubernetes_source.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "net/backoff.hpp"
#include "net/task_group.hpp"
#include "net/timeout.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;
namespace asio = boost::asio;

namespace {

constexpr base::Duration stream_grace = base::seconds(30);  // after the server's own time-out of a watch
constexpr base::Duration review_backoff_min = base::seconds(1);
constexpr unsigned forbidden_status = 403;

class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace

KubernetesSource::KubernetesSource(net::Executor executor, KubernetesSourceOptions options, base::Rng rng,
                                   base::LogSink& log)
    : executor_(executor),
      options_(std::move(options)),
      log_(log),
      rng_(rng),
      account_(options_.service_account_folder),
      resolver_(executor, options_.resolver),
      fsm_(options_.watch, base::Rng(rng_.next())),
      news_(executor),
      role_news_(executor),
      refusals_(executor),
      confirmed_at_(net::now()) {
  news_.expires_at(net::Timer::time_point::max());
  role_news_.expires_at(net::Timer::time_point::max());
  refusals_.expires_at(net::Timer::time_point::max());
  set_.source = "kubernetes";
  set_.absence = "no pod with that name and an address";
}

net::Awaitable<void> KubernetesSource::throw_if_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

KubernetesClient KubernetesSource::make_client() { return {executor_, options_.api, account_, resolver_}; }

Result<std::string> KubernetesSource::name_space() {
  if (!options_.name_space.empty()) return options_.name_space;
  return account_.name_space();
}

// The controller of the own pod if the list shows it; before the first list, the name that a StatefulSet gave it.
std::string KubernetesSource::own_stateful_set() const {
  const auto* pod = fsm_.pods().find(options_.own_name);
  if (pod != nullptr && !pod->stateful_set.empty()) return pod->stateful_set;
  return ordinal_of(options_.own_name) ? std::string(stem_of(options_.own_name)) : std::string();
}

net::Awaitable<Result<PeerSet>> KubernetesSource::discover() {
  if (!is_running_) {
    co_await list_once();
  } else if (!set_.is_known) {
    co_await news_.async_wait(net::within(options_.first_list_wait));
    co_await throw_if_cancelled();
    if (!set_.is_known && set_.last_error.empty()) fail(Errc::timed_out, "the API server has not answered yet");
  }
  if (!set_.is_known) co_return last_failure_;
  co_return set_;
}

net::Awaitable<void> KubernetesSource::list_once() {
  auto client = make_client();
  fsm_.want_list();
  const auto before = fsm_.list_count();
  while (fsm_.list_count() == before) {
    const auto step = fsm_.next_step();
    const auto* request = std::get_if<PodListRequest>(&step);
    if (request == nullptr) co_return;  // it failed, and would wait now
    co_await list(client, *request);
  }
}

net::Awaitable<Result<std::vector<net::Endpoint>>> KubernetesSource::resolve(std::string host, std::uint16_t port) {
  const auto* pod = is_ip_literal(host) ? nullptr : fsm_.pods().find(pod_name_of(host));
  if (pod != nullptr && is_usable(*pod)) host = pod->ip;
  co_return co_await resolver_.resolve(std::move(host), port);
}

net::Awaitable<void> KubernetesSource::run() {
  const Flag running(is_running_);
  net::TaskGroup tasks(executor_);
  tasks.spawn(keep_watching());
  tasks.spawn(keep_reviewing());
  tasks.spawn(keep_labelled());
  co_await tasks.join();
}

net::Awaitable<void> KubernetesSource::keep_watching() {
  auto lists = make_client();
  auto watches = make_client();
  while (true) {
    const auto step = fsm_.next_step();
    if (const auto* wait = std::get_if<PodWait>(&step)) {
      co_await net::sleep_for(wait->delay);
    } else if (const auto* request = std::get_if<PodListRequest>(&step)) {
      co_await list(lists, *request);
    } else {
      co_await watch(watches, std::get<PodWatchRequest>(step));
    }
    co_await throw_if_cancelled();
  }
}

net::Awaitable<void> KubernetesSource::list(KubernetesClient& client, PodListRequest request) {
  const auto space = name_space();
  if (!space) {
    fsm_.on_failure({});
    co_return fail(space.error(), "no namespace: neither NAMESPACE nor " + account_.folder() + "/namespace tells it");
  }
  const auto answer = co_await client.call("GET", target_of(request, *space, options_.label_selector));
  co_await throw_if_cancelled();
  if (!answer) {
    fsm_.on_failure({});
    co_return fail(answer.error(), client.error_text());
  }
  if (answer->status != 200) {
    note_status(answer->status);
    fsm_.on_failure(failure_of_status(static_cast<int>(answer->status), answer->retry_after));
    co_return fail(Errc::connection_lost, "list pods: " + describe_failure(answer->status, answer->body));
  }
  auto page = decode_pod_page(answer->body, options_.port_name);
  if (!page) {
    fsm_.on_failure({});
    co_return fail(page.error(), answer->body.empty() ? "list pods: an empty answer" : "list pods: not readable");
  }
  const auto before = fsm_.list_count();
  const auto changes = fsm_.on_page(std::move(*page));
  if (fsm_.list_count() == before) co_return;
  confirmed_at_ = net::now();
  publish(changes);
}

net::Awaitable<void> KubernetesSource::watch(KubernetesClient& client, PodWatchRequest request) {
  const auto space = name_space();
  if (!space) co_return fsm_.on_failure({});
  const auto answer = co_await client.open_stream(target_of(request, *space, options_.label_selector));
  co_await throw_if_cancelled();
  // A watch that fails makes nothing stale by itself: the list that comes next says whether the server is there.
  if (!answer) {
    fsm_.on_failure({});
    co_return log_watch("watch pods: " + client.error_text());
  }
  if (answer->status != 200) {
    note_status(answer->status);
    const auto failure = failure_of_status(static_cast<int>(answer->status), answer->retry_after);
    fsm_.on_failure(failure);
    if (failure.kind == PodFailure::Kind::gone) co_return;  // as usual: the list is taken again
    co_return log_watch("watch pods: HTTP " + std::to_string(answer->status) + "; the list is repeated instead");
  }
  log_watch("");
  const auto begin = net::now();
  const auto end = co_await follow(client, request.timeout + stream_grace);
  co_await throw_if_cancelled();
  client.close();
  fsm_.on_watch_end(net::now() - begin, end);
}

// Reads events until the stream ends, for whatever reason.
net::Awaitable<KubernetesWatchFsm::StreamEnd> KubernetesSource::follow(KubernetesClient& client, base::Duration limit) {
  using StreamEnd = KubernetesWatchFsm::StreamEnd;
  const auto end = net::now() + limit;
  const Flag streaming(is_streaming_);
  while (fsm_.is_watching()) {
    const auto time = net::now();
    confirmed_at_ = time;
    if (time >= end) break;
    const auto line = co_await client.next_line(end - time);
    confirmed_at_ = net::now();
    if (!line) {
      const bool is_our_limit = line.error() == Errc::malformed || line.error() == Errc::limit_exceeded;
      co_return is_our_limit ? StreamEnd::unreadable : StreamEnd::closed;
    }
    if (!line->has_value()) break;
    if ((*line)->empty()) continue;
    const auto event = decode_watch_event(**line, options_.port_name);
    if (!event) co_return StreamEnd::unreadable;
    const auto changes = fsm_.on_event(*event);
    if (event->type != WatchEvent::Type::error) publish(changes);
  }
  co_return StreamEnd::closed;
}

void KubernetesSource::publish(const std::vector<PodChange>& changes) {
  log_incarnations(changes);
  auto peers = candidates_of(fsm_.pods(), options_.default_port);
  if (peers.empty()) {
    // An empty answer takes nothing away: the own pod, at least, should be in it.
    const auto selector = options_.label_selector.empty() ? "any label" : options_.label_selector;
    return fail(Errc::not_found, "no pod with " + selector + " has an address");
  }
  const bool is_news = !set_.is_known || set_.is_stale || !set_.last_error.empty() || set_.peers != peers;
  set_.peers = std::move(peers);
  set_.as_of = confirmed_at_;
  set_.is_known = true;
  set_.is_stale = false;
  set_.last_error.clear();
  if (!is_news) return;
  wake_waiting();
  notify_change();
}

// Each failure once; an empty text is a watch that runs.
void KubernetesSource::log_watch(std::string failure) {
  if (failure == watch_failure_) return;
  watch_failure_ = std::move(failure);
  if (!watch_failure_.empty()) log_.warn("discovery", watch_failure_);
}

// Whether the end of the last incarnation was told, or missed: the same name with another uid is another pod.
void KubernetesSource::log_incarnations(const std::vector<PodChange>& changes) {
  for (const auto& [kind, pod] : changes) {
    if (kind == PodChange::Kind::vanished) continue;
    if (uids_.size() == kubernetes_pods_max && !uids_.contains(pod.name)) uids_.erase(uids_.begin());
    const auto [it, is_new] = uids_.try_emplace(pod.name, pod.uid);
    if (is_new || it->second == pod.uid) continue;
    it->second = pod.uid;
    log_.info("discovery", describe(PodChange{PodChange::Kind::replaced, pod}));
  }
}

void KubernetesSource::fail(boost::system::error_code error, std::string reason) {
  last_failure_ = error;
  const bool is_news = set_.last_error != reason;
  set_.is_stale = true;
  set_.last_error = std::move(reason);
  wake_waiting();
  if (is_news) notify_change();
}

void KubernetesSource::note_status(unsigned status) {
  if (status == forbidden_status) refusals_.cancel();
}

void KubernetesSource::wake_waiting() { news_.cancel(); }

net::Awaitable<void> KubernetesSource::keep_reviewing() {
  net::Backoff backoff(review_backoff_min, options_.review_again_after, base::Rng(rng_.next()));
  std::vector<std::string> last_logged;
  while (true) {
    const auto space = name_space();
    auto client = make_client();
    auto findings = access_questions(own_stateful_set(), options_.own_name);
    const auto reviewed = space ? co_await review_access(client, *space, findings) : Result<void>(space.error());
    co_await throw_if_cancelled();
    if (!reviewed) {
      co_await net::sleep_for(backoff.take_wait());
      continue;
    }
    findings_ = std::move(findings);
    role_news_.cancel();
    auto found = problems();
    if (found != last_logged) {
      for (const auto& problem : found) log_.warn("discovery", problem);
      if (found.empty()) log_.info("discovery", "the service account may list and watch pods now");
      last_logged = found;
    }
    if (!found.empty()) {
      co_await net::sleep_for(options_.review_again_after);
      continue;
    }
    // Nothing is missing. A Role can be changed while this runs; a request that is refused shows it.
    co_await refusals_.async_wait(net::as_result);
    co_await throw_if_cancelled();
  }
}

std::vector<std::string> KubernetesSource::problems() const {
  const auto space = options_.name_space.empty() ? account_.name_space() : Result<std::string>(options_.name_space);
  return access_problems(findings_, space ? *space : std::string("?"));
}

net::Awaitable<std::optional<std::uint32_t>> KubernetesSource::replicas() {
  const auto space = name_space();
  const auto owner = own_stateful_set();
  if (!space || owner.empty()) co_return std::nullopt;
  auto client = make_client();
  const auto answer = co_await client.call("GET", stateful_set_target(*space, owner));
  co_await throw_if_cancelled();
  if (!answer || answer->status != 200) co_return std::nullopt;
  const auto count = decode_replicas(answer->body);
  if (!count) co_return std::nullopt;
  co_return *count;
}

base::Duration KubernetesSource::stale_for(base::Instant now) const {
  return is_streaming_ || now < confirmed_at_ ? base::Duration(0) : now - confirmed_at_;
}

}  // namespace whitewater::discovery

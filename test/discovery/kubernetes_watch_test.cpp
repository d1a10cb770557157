// The state machine of list and watch, rule by rule, and against a model server with random faults.
#include "discovery/kubernetes_watch_fsm.hpp"

#include <set>

#include "api_store.hpp"
#include "catch.hpp"
#include "discovery/kubernetes_request.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;
using Kind = PodFailure::Kind;
using StreamEnd = KubernetesWatchFsm::StreamEnd;

namespace {

Pod pod(const std::string& name, const std::string& uid, const std::string& ip = "10.0.0.1") {
  return {name, uid, ip, PodPhase::running};
}
PodPage page(const std::string& version, std::vector<Pod> pods, const std::string& token = "") {
  return {version, token, std::move(pods)};
}
WatchEvent event(WatchEvent::Type type, Pod value, const std::string& version) {
  return {type, std::move(value), version, {}};
}
PodListRequest next_list(KubernetesWatchFsm& fsm) {
  auto step = fsm.next_step();
  if (std::holds_alternative<PodWait>(step)) step = fsm.next_step();
  REQUIRE(std::holds_alternative<PodListRequest>(step));
  return std::get<PodListRequest>(step);
}
PodWatchRequest next_watch(KubernetesWatchFsm& fsm) {
  auto step = fsm.next_step();
  if (std::holds_alternative<PodWait>(step)) step = fsm.next_step();
  REQUIRE(std::holds_alternative<PodWatchRequest>(step));
  return std::get<PodWatchRequest>(step);
}
base::Duration next_wait(KubernetesWatchFsm& fsm) {
  const auto step = fsm.next_step();
  REQUIRE(std::holds_alternative<PodWait>(step));
  return std::get<PodWait>(step).delay;
}
KubernetesWatchFsm watching(const std::string& version = "100") {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  (void)next_list(fsm);
  fsm.on_page(page(version, {pod("ww-0", "a"), pod("ww-1", "b", "10.0.0.2")}));
  REQUIRE(fsm.is_watching());
  return fsm;
}

}  // namespace

TEST_CASE("the first list takes what the server has cached, the watch begins at its version", "[kubernetes]") {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  REQUIRE(next_list(fsm).resource_version == "0");
  REQUIRE_FALSE(fsm.is_known());
  const auto changes = fsm.on_page(page("100", {pod("ww-0", "a")}));
  REQUIRE(changes == std::vector<PodChange>{{PodChange::Kind::appeared, pod("ww-0", "a")}});
  REQUIRE(fsm.is_known());
  const auto watch = next_watch(fsm);
  REQUIRE(watch.resource_version == "100");
  REQUIRE(watch.timeout >= seconds(290));
  REQUIRE(watch.timeout <= seconds(350));
}

TEST_CASE("pages are put together before anything changes, and later pages name no version", "[kubernetes]") {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  (void)next_list(fsm);
  REQUIRE(fsm.on_page(page("100", {pod("ww-0", "a")}, "next")).empty());
  const auto second = next_list(fsm);
  REQUIRE(second.continue_token == "next");
  REQUIRE(second.resource_version.empty());
  REQUIRE(fsm.on_page(page("100", {pod("ww-1", "b")})).size() == 2);
  REQUIRE(fsm.pods().pods().size() == 2);
  // A list that fails between two pages begins anew, with the newest.
  fsm.want_list();
  (void)next_list(fsm);
  REQUIRE(fsm.on_page(page("110", {pod("ww-0", "a")}, "next")).empty());
  fsm.on_failure({Kind::gone});
  const auto again = next_list(fsm);
  REQUIRE(again.continue_token.empty());
  REQUIRE(again.resource_version.empty());
  REQUIRE(fsm.pods().pods().size() == 2);
  // The pages that were read before are not part of it.
  fsm.on_page(page("120", {pod("ww-1", "b")}));
  REQUIRE(fsm.pods().find("ww-0") == nullptr);
}

TEST_CASE("410, in the stream or as a status, lists the newest after a short wait", "[kubernetes]") {
  const auto check = [](KubernetesWatchFsm& fsm) {
    REQUIRE_FALSE(fsm.is_watching());
    REQUIRE(next_wait(fsm) <= milliseconds(800));
    REQUIRE(next_list(fsm).resource_version.empty());
    // A pod that went and one that came meanwhile are both told.
    const auto changes = fsm.on_page(page("200", {pod("ww-1", "b", "10.0.0.2"), pod("ww-2", "c")}));
    REQUIRE(changes == std::vector<PodChange>{{PodChange::Kind::vanished, pod("ww-0", "a")},
                                              {PodChange::Kind::appeared, pod("ww-2", "c")}});
    REQUIRE(next_watch(fsm).resource_version == "200");
  };
  auto in_stream = watching();
  (void)next_watch(in_stream);
  WatchEvent error;
  error.status = {410, "Expired", "too old"};
  REQUIRE(in_stream.on_event(error).empty());
  in_stream.on_watch_end(seconds(100), StreamEnd::closed);
  check(in_stream);
  auto as_status = watching();
  (void)next_watch(as_status);
  as_status.on_failure(failure_of_status(410, {}));
  check(as_status);
}

TEST_CASE("a stream that ends goes on from its newest version; one that brought nothing is listed", "[kubernetes]") {
  auto fsm = watching();
  (void)next_watch(fsm);
  fsm.on_event(event(WatchEvent::Type::modified, pod("ww-0", "a", "10.0.0.9"), "120"));
  fsm.on_watch_end(seconds(290), StreamEnd::closed);
  REQUIRE(std::get<PodWatchRequest>(fsm.next_step()).resource_version == "120");  // and without a wait
  fsm.on_event(event(WatchEvent::Type::bookmark, {}, "150"));
  fsm.on_watch_end(seconds(290), StreamEnd::closed);
  REQUIRE(std::get<PodWatchRequest>(fsm.next_step()).resource_version == "150");
  fsm.on_watch_end(seconds(290), StreamEnd::closed);
  const auto list = std::get<PodListRequest>(fsm.next_step());
  REQUIRE(list.resource_version == "150");  // never older than what was seen
  fsm.on_page(page("151", {}));
  // A line that is no event would come again from the same version.
  (void)next_watch(fsm);
  fsm.on_event(event(WatchEvent::Type::bookmark, {}, "160"));
  fsm.on_watch_end(seconds(290), StreamEnd::unreadable);
  REQUIRE(next_wait(fsm) <= milliseconds(800));
  REQUIRE(next_list(fsm).resource_version == "160");
}

TEST_CASE("an empty 200 is a failed attempt: the wait doubles to 30 s, with full jitter", "[kubernetes]") {
  auto fsm = watching();
  base::Duration bound = milliseconds(800);
  base::Duration longest{0};
  for (int i = 0; i < 40; ++i) {
    (void)next_watch(fsm);
    fsm.on_watch_end(milliseconds(3), StreamEnd::closed);
    const auto wait = next_wait(fsm);
    REQUIRE(wait > base::Duration(0));
    REQUIRE(wait <= bound);
    longest = std::max(longest, wait);
    bound = std::min<base::Duration>(bound * 2, seconds(30));
    REQUIRE(next_list(fsm).resource_version == "100");
    fsm.on_page(page("100", {}));
  }
  REQUIRE(longest > seconds(15));
  (void)next_watch(fsm);
  fsm.on_event(event(WatchEvent::Type::bookmark, {}, "101"));
  fsm.on_watch_end(seconds(3), StreamEnd::closed);  // it lived: all is well again
  fsm.on_failure({});
  REQUIRE(next_wait(fsm) <= milliseconds(800));
}

TEST_CASE("Retry-After is honoured, within reason", "[kubernetes]") {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  (void)next_list(fsm);
  fsm.on_failure(failure_of_status(429, parse_retry_after("7")));
  const auto wait = next_wait(fsm);
  REQUIRE(wait >= seconds(7));
  REQUIRE(wait <= seconds(8));
  REQUIRE(next_list(fsm).resource_version == "0");
  fsm.on_failure(failure_of_status(503, parse_retry_after("999999")));
  REQUIRE(next_wait(fsm) <= seconds(302));
  REQUIRE(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == seconds(0));
  REQUIRE(parse_retry_after("-5") == seconds(0));
}

TEST_CASE("the same name with another uid is another pod", "[kubernetes]") {
  auto fsm = watching();
  (void)next_watch(fsm);
  // The DELETED in between was missed; and when it comes late it takes nothing away.
  auto changes = fsm.on_event(event(WatchEvent::Type::added, pod("ww-0", "a2", "10.0.0.7"), "101"));
  REQUIRE(changes.size() == 1);
  REQUIRE(changes[0].kind == PodChange::Kind::replaced);
  REQUIRE(fsm.on_event(event(WatchEvent::Type::deleted, pod("ww-0", "a"), "102")).empty());
  REQUIRE(fsm.pods().find("ww-0")->uid == "a2");
  REQUIRE(fsm.on_event(event(WatchEvent::Type::deleted, pod("ww-0", "a2"), "103")).size() == 1);
  REQUIRE(fsm.pods().find("ww-0") == nullptr);
}

TEST_CASE("candidates are pods with an address that are not over, ready or not", "[kubernetes]") {
  PodSet set;
  auto waiting = pod("ww-1", "b", "");
  auto over = pod("ww-2", "c", "10.0.0.3");
  over.phase = PodPhase::failed;
  auto going = pod("ww-3", "d", "10.0.0.4");
  going.is_terminating = true;
  going.port = 9000;
  auto heir = pod("ww-4", "e", "10.0.0.5");
  auto last_owner = pod("ww-5", "f", "10.0.0.5");
  last_owner.is_terminating = true;
  set.replace({pod("ww-0", "a"), waiting, over, going, heir, last_owner});
  const auto candidates = candidates_of(set, 8090);
  REQUIRE(candidates.size() == 3);
  REQUIRE(candidates[0].name == "ww-0");
  REQUIRE(candidates[0].uid == "a");
  REQUIRE(candidates[0].address == HostPort{"10.0.0.1", 8090});
  REQUIRE(candidates[0].ordinal == 0);
  REQUIRE_FALSE(candidates[0].is_terminating);
  REQUIRE(candidates[1].address == HostPort{"10.0.0.4", 9000});
  REQUIRE(candidates[1].is_terminating);
  REQUIRE(candidates[2].name == "ww-4");
}

TEST_CASE("more pods than the bounds are cut off, and the list still ends", "[kubernetes]") {
  KubernetesWatchFsm fsm({}, base::Rng(1));
  (void)next_list(fsm);
  int pages = 0;
  while (!fsm.is_watching()) {
    std::vector<Pod> pods;
    for (int i = 0; i < 500; ++i) pods.push_back(pod("p-" + std::to_string(pages * 500 + i), "u"));
    fsm.on_page(page("7", pods, "more"));
    REQUIRE(++pages < 10);
    if (!fsm.is_watching()) (void)next_list(fsm);
  }
  REQUIRE(fsm.pods().pods().size() == kubernetes_pods_max);
  REQUIRE(candidates_of(fsm.pods(), 1).size() == 1);  // they share an address
}

TEST_CASE("targets name version, page, selector and time-out, URL-encoded", "[kubernetes]") {
  REQUIRE(target_of(PodListRequest{"0", ""}, "default", "app=whitewater") ==
          "/api/v1/namespaces/default/pods?labelSelector=app%3Dwhitewater&limit=100&resourceVersion=0");
  REQUIRE(target_of(PodListRequest{"12", ""}, "default", "") ==
          "/api/v1/namespaces/default/pods?limit=100&resourceVersion=12&resourceVersionMatch=NotOlderThan");
  REQUIRE(target_of(PodListRequest{"", ""}, "default", "a in (b, c)") ==
          "/api/v1/namespaces/default/pods?labelSelector=a%20in%20%28b%2C%20c%29&limit=100");
  REQUIRE(target_of(PodListRequest{"", "a+/="}, "x", "") == "/api/v1/namespaces/x/pods?limit=100&continue=a%2B%2F%3D");
  REQUIRE(target_of(PodWatchRequest{"12", seconds(300)}, "default", "app=whitewater") ==
          "/api/v1/namespaces/default/pods?labelSelector=app%3Dwhitewater&watch=1&allowWatchBookmarks=true"
          "&timeoutSeconds=300&resourceVersion=12");
}

namespace {

// Lists, watches, failures and changes of the pods in a random order. Everything that the state machine hears goes
// through the real decoders.
class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed) : rng_(seed), fsm_({}, base::Rng(seed + 1)) {}

  void run() {
    for (int i = 0; i < 60; ++i) {
      for (auto n = rng_.in_range(0, 3); n > 0; --n) change_pods();
      step(true);
    }
    // Without faults, what is known becomes what is.
    for (int i = 0; i < 6; ++i) step(false);
    REQUIRE(known() == actual());
    REQUIRE(mirror_ == known());
  }

 private:
  using Names = std::map<std::string, std::string>;  // name -> uid, address, state

  static std::string text(const Pod& value) {
    return value.uid + " " + value.ip + (value.is_terminating ? " terminating" : "");
  }
  Names known() const {
    Names names;
    for (const auto& [name, value] : fsm_.pods().pods()) names[name] = text(value);
    return names;
  }
  Names actual() const { return at(store_.version()); }
  Names at(std::uint64_t version) const {
    Names names;
    for (const auto& [name, value] : store_.pods_at(version)) {
      names[name] = value.uid + " " + value.ip + (value.is_terminating ? " terminating" : "");
    }
    return names;
  }
  void change_pods() {
    const auto name = "ww-" + std::to_string(rng_.in_range(0, 5));
    const auto it = store_.pods().find(name);
    if (it == store_.pods().end() || rng_.chance(1, 6)) {
      StoredPod fresh;
      fresh.name = name;
      fresh.uid = "uid-" + std::to_string(++uids_);
      fresh.phase = "Pending";
      return store_.put(fresh);
    }
    auto value = it->second;
    if (rng_.chance(1, 3)) return store_.remove(name);
    value.is_terminating = rng_.chance(1, 3);
    value.ip = "10.0.0." + std::to_string(rng_.in_range(1, 9));
    store_.put(value);
    if (rng_.chance(1, 8)) store_.compact();
  }
  // The changes that were told, applied to nothing, give the set.
  void follow(const std::vector<PodChange>& changes) {
    for (const auto& change : changes) {
      const auto before = mirror_.find(change.pod.name);
      REQUIRE((before == mirror_.end()) == (change.kind == PodChange::Kind::appeared));
      if (change.kind == PodChange::Kind::vanished) {
        mirror_.erase(before);
      } else {
        mirror_[change.pod.name] = text(change.pod);
      }
    }
    REQUIRE(mirror_ == known());
  }
  void saw(std::uint64_t version) {
    REQUIRE(version >= newest_seen_);  // never back in time
    newest_seen_ = version;
  }
  PodFailure fault() {
    constexpr int statuses[] = {410, 429, 500, 504, 403};
    const auto n = rng_.in_range(0, 5);
    return n == 5 ? PodFailure{} : failure_of_status(statuses[n], seconds(1));
  }
  void step(bool is_faulty) {
    const auto next = fsm_.next_step();
    if (const auto* list = std::get_if<PodListRequest>(&next)) return on_list(*list, is_faulty);
    if (const auto* watch = std::get_if<PodWatchRequest>(&next)) return on_watch(*watch, is_faulty);
  }
  void on_list(const PodListRequest& list, bool is_faulty) {
    if (is_faulty && rng_.chance(1, 4)) return fsm_.on_failure(fault());
    std::uint64_t version = store_.version();
    std::string after;
    if (const auto token = ApiStore::parse_token(list.continue_token)) {
      if (token->first < store_.floor()) return fsm_.on_failure({Kind::gone});
      std::tie(version, after) = *token;
    } else if (!list.resource_version.empty() && is_faulty) {
      // A server that lags behind: anything not older than what was asked for.
      const auto oldest = std::max<std::uint64_t>(std::stoull(list.resource_version), 1000);
      version = rng_.in_range(oldest, store_.version());
    }
    const auto decoded = decode_pod_page(store_.list_page(version, after, is_faulty ? 2 : 0, ""), "raft");
    REQUIRE(decoded.has_value());
    follow(fsm_.on_page(*decoded));
    if (!fsm_.is_watching()) return;
    saw(version);
    REQUIRE(known() == at(version));
  }
  void on_watch(const PodWatchRequest& watch, bool is_faulty) {
    const auto from = std::stoull(watch.resource_version);
    if (is_faulty && rng_.chance(1, 4)) return fsm_.on_failure(fault());
    auto end = StreamEnd::closed;
    if (from < store_.floor()) {
      (void)on_line(ApiStore::expired_line());
    } else {
      for (const auto& change : store_.events_after(from, "")) {
        if (is_faulty && rng_.chance(1, 5)) break;  // cut
        if (is_faulty && rng_.chance(1, 20)) {
          end = StreamEnd::unreadable;
          REQUIRE_FALSE(decode_watch_event(change.line.substr(0, change.line.size() / 2), "raft").has_value());
          break;
        }
        saw(change.version);
        if (!on_line(change.line)) break;
        REQUIRE(known() == at(change.version));
        if (is_faulty && rng_.chance(1, 30) && !on_line(ApiStore::expired_line())) break;
      }
      if (fsm_.is_watching() && end == StreamEnd::closed && rng_.chance(1, 3)) {
        (void)on_line(ApiStore::bookmark_line(newest_seen_));
      }
    }
    fsm_.on_watch_end(rng_.chance(1, 2) ? milliseconds(1) : seconds(100), end);
  }
  bool on_line(const std::string& line) {
    const auto decoded = decode_watch_event(line, "raft");
    REQUIRE(decoded.has_value());
    follow(fsm_.on_event(*decoded));
    return fsm_.is_watching();
  }

  base::Rng rng_;
  KubernetesWatchFsm fsm_;
  ApiStore store_;
  Names mirror_;
  std::uint64_t newest_seen_ = 0;
  std::uint64_t uids_ = 0;
};

}  // namespace

TEST_CASE("whatever fails on the way, what is known becomes what is, and never goes back", "[kubernetes]") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    ModelRun(seed * 7919).run();
  }
}

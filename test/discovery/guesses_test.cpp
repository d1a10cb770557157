#include "discovery/guesses.hpp"

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Instant;
using base::milliseconds;
using base::seconds;

namespace {

constexpr auto domain = "whitewater-headless.default.svc.cluster.local";
using Ordinals = std::vector<std::uint32_t>;

GuessFsm fsm_of(std::uint32_t ordinal) { return {GuessBasis{"whitewater", ordinal, domain}, 8090}; }

Candidate known(std::uint32_t ordinal) {
  return make_candidate("whitewater-" + std::to_string(ordinal),
                        {"whitewater-" + std::to_string(ordinal) + "." + domain, 8090});
}

}  // namespace

TEST_CASE("the kubelet's line of the hosts file gives the full name of this pod") {
  const std::string hosts =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
      "10.244.1.5\twhitewater-0.whitewater-headless.default.svc.cluster.local\twhitewater-0\n"
      "fd00::5\twhitewater-0.whitewater-headless.default.svc.cluster.local\twhitewater-0\n";
  auto entry = find_in_hosts(hosts, "whitewater-0", "10.244.1.5");
  REQUIRE(entry.host == "whitewater-0.whitewater-headless.default.svc.cluster.local");
  REQUIRE(entry.address == "10.244.1.5");
  REQUIRE(find_in_hosts(hosts, "whitewater-0", "fd00::5").address == "fd00::5");
  REQUIRE(find_in_hosts(hosts, "whitewater-0", "").address == "10.244.1.5");
  REQUIRE(find_in_hosts(hosts, "whitewater-1", "10.244.1.5").host.empty());
  REQUIRE(find_in_hosts(hosts, "", "10.244.1.5").host.empty());
  REQUIRE(find_in_hosts("not a line\n10.0.0.1\n10.0.0.1 # x\n", "x", "").host.empty());
  // Without a service of the StatefulSet there is only the short name.
  REQUIRE(find_in_hosts("10.244.1.5\twhitewater-0", "whitewater-0", "10.244.1.5").host == "whitewater-0");
}

TEST_CASE("only the full name of a pod in a service is ground for guesses") {
  const auto basis = guess_basis_of("whitewater-12.whitewater-headless.default.svc.cluster.local.");
  REQUIRE(basis.has_value());
  REQUIRE(basis->stem == "whitewater");
  REQUIRE(basis->ordinal == 12);
  REQUIRE(basis->domain == domain);
  REQUIRE(guess_basis_of("a-b-0.s.n.svc")->stem == "a-b");
  for (const auto* other : {"", "whitewater-0", "whitewater-0.example.com", "whitewater.s.n.svc.cluster.local",
                            "web-1.a.b.c.d", "10.244.0.1", "whitewater-0.s.n.svcx.y", "-0.s.n.svc"}) {
    INFO(other);
    REQUIRE_FALSE(guess_basis_of(other).has_value());
  }
}

TEST_CASE("a pod that knows nobody asks for its neighbours, not before the settle") {
  auto fsm = fsm_of(1);
  const Instant start;
  REQUIRE(fsm.due(start, {}).empty());
  REQUIRE(fsm.due(start + milliseconds(1999), {}).empty());
  REQUIRE(fsm.due(start + seconds(2), {}) == Ordinals{0, 2});  // below, and one above
  REQUIRE(fsm.host_of(2) == std::string("whitewater-2.") + domain);
  GuessFsm none(std::nullopt, 8090);
  REQUIRE(none.due(start, {}).empty());
  REQUIRE(none.due(start + seconds(60), {}).empty());
}

TEST_CASE("guesses grow one by one with what answers, and fill holes below what is known") {
  auto fsm = fsm_of(0);
  Instant now;
  (void)fsm.due(now, {});
  now = now + seconds(2);
  REQUIRE(fsm.due(now, {}) == Ordinals{1});
  fsm.on_addresses(now, 1, {"10.0.0.2"});
  REQUIRE(fsm.due(now, {}) == Ordinals{2});
  fsm.on_addresses(now, 2, {"10.0.0.3"});
  REQUIRE(fsm.due(now, {}) == Ordinals{3});
  const auto peers = fsm.candidates({});
  REQUIRE(peers.size() == 2);
  REQUIRE(peers[1].name == "whitewater-2");
  REQUIRE(peers[1].is_guess);
  REQUIRE(peers[1].addresses == std::vector<std::string>{"10.0.0.3"});
  // Names that an answer holds are no guesses; a stranger's ordinals do not count.
  REQUIRE(fsm.candidates({known(1), known(2)}).empty());
  auto other = fsm_of(0);
  (void)other.due(now, {});
  const std::vector<Candidate> some{known(0), known(4), make_candidate("etcd-9", {"etcd-9.x", 1})};
  REQUIRE(other.due(now + seconds(2), some) == Ordinals{1, 2, 3});
}

TEST_CASE("with peers known the name above the highest is left alone, for the pod that will have it") {
  auto fsm = fsm_of(1);
  const Instant start;
  (void)fsm.due(start, {});
  REQUIRE(fsm.due(start + seconds(2), {known(0), known(1)}).empty());
  REQUIRE(fsm.due(start + seconds(2), {known(1)}) == Ordinals{0, 2});  // only itself: nobody is known
}

TEST_CASE("a name that is denied is asked ever more rarely and is never a candidate") {
  auto fsm = fsm_of(0);
  Instant now;
  (void)fsm.due(now, {});
  now = now + seconds(2);
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    REQUIRE(fsm.due(now, {}) == Ordinals{1});
    fsm.on_denied(now, 1);
    REQUIRE(fsm.candidates({}).empty());
    const auto begin = now;
    while (fsm.due(now, {}).empty()) now = now + seconds(1);
    waits.push_back((now - begin) / seconds(1));
  }
  REQUIRE(waits == std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300});
  // News make it worth a question again.
  fsm.on_denied(now, 1);
  REQUIRE(fsm.due(now, {}).empty());
  fsm.on_news(now);
  REQUIRE(fsm.due(now, {}) == Ordinals{1});
}

TEST_CASE("a guess that had an address goes when DNS denies it, and stays when nobody answers") {
  auto fsm = fsm_of(0);
  Instant now;
  (void)fsm.due(now, {});
  now = now + seconds(2);
  fsm.on_addresses(now, 1, {"10.0.0.2"});
  REQUIRE(fsm.due(now + seconds(29), {}) == Ordinals{2});
  REQUIRE(fsm.due(now + seconds(30), {}) == Ordinals{1, 2});  // asked again: the pod may have moved
  fsm.on_failed(now + seconds(30), 1);
  REQUIRE(fsm.candidates({}).size() == 1);
  fsm.on_denied(now + seconds(40), 1);
  REQUIRE(fsm.candidates({}).empty());
  fsm.on_addresses(now + seconds(50), 1, {});
  REQUIRE(fsm.candidates({}).empty());
}

TEST_CASE("guesses end at the largest configuration") {
  auto fsm = fsm_of(999999);
  const Instant start;
  (void)fsm.due(start, {});
  const auto due = fsm.due(start + seconds(2), {});
  REQUIRE(due.size() == guesses_max);
  REQUIRE(due.back() == guesses_max - 1);
}

#include "discovery/refresh_fsm.hpp"
#include "catch.hpp"
#include "discovery/service_name.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;

TEST_CASE("while looking, the wait doubles from 0.25 s to 2 s and never passes 5 s", "[discovery]") {
  RefreshOptions options;
  options.jitter_percent = 0;
  RefreshFsm fsm(options, base::Rng(1));
  REQUIRE(fsm.next_delay() == seconds(0));
  REQUIRE(fsm.next_delay() == milliseconds(250));
  fsm.on_failure();
  REQUIRE(fsm.next_delay() == milliseconds(500));
  REQUIRE(fsm.next_delay() == seconds(1));
  fsm.on_answer(seconds(30), false);
  REQUIRE(fsm.next_delay() == seconds(2));
  REQUIRE(fsm.next_delay() == seconds(2));
  fsm.on_answer(seconds(30), true);  // something appeared: more may follow
  REQUIRE(fsm.next_delay() == milliseconds(250));
  options.looking_max = seconds(60);
  RefreshFsm slow(options, base::Rng(1));
  for (int i = 0; i < 20; ++i) REQUIRE(slow.next_delay() <= seconds(5));
}

TEST_CASE("once formed, the wait is the TTL, at least 5 s, jittered upwards", "[discovery]") {
  RefreshFsm fsm({}, base::Rng(2));
  (void)fsm.next_delay();
  fsm.on_formed(true);
  const auto all_within = [&fsm](base::Duration low, base::Duration high) {
    bool varies = false;
    const auto first = fsm.next_delay();
    for (int i = 0; i < 200; ++i) {
      const auto delay = fsm.next_delay();
      REQUIRE(delay >= low);
      REQUIRE(delay <= high);
      varies = varies || delay != first;
    }
    REQUIRE(varies);
  };
  fsm.on_answer(seconds(1), true);
  all_within(seconds(5), seconds(6));
  fsm.on_answer(seconds(30), false);
  all_within(seconds(30), seconds(36));
  fsm.on_answer(seconds(86400), false);  // not believed
  all_within(seconds(300), seconds(360));
  fsm.on_failure();
  all_within(seconds(5), seconds(6));
  fsm.on_formed(false);
  REQUIRE(fsm.next_delay() <= milliseconds(300));
}

TEST_CASE("the first question waits when it is told to", "[discovery]") {
  RefreshOptions options;
  options.first_delay = milliseconds(700);
  RefreshFsm fsm(options, base::Rng(1));
  REQUIRE(fsm.next_delay() == milliseconds(700));
  REQUIRE(fsm.next_delay() < milliseconds(400));
}

TEST_CASE("resolv.conf's search list is read as the resolver does", "[discovery]") {
  REQUIRE(search_list_of("").empty());
  REQUIRE(search_list_of("nameserver 10.0.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\n"
                         "options ndots:5\n") ==
          std::vector<std::string>{"default.svc.cluster.local", "svc.cluster.local", "cluster.local"});
  REQUIRE(search_list_of("search a.b\n# search c.d\nsearch  e.f. \t g\r") == std::vector<std::string>{"e.f", "g"});
  REQUIRE(search_list_of("domain one.two") == std::vector<std::string>{"one.two"});
  REQUIRE(search_list_of("search b\xc3\xa4"
                         "d ok")
              .size() == 1);
}

TEST_CASE("the service's names are made absolute from what is known", "[discovery]") {
  const std::vector<std::string> search = {"prod.svc.k8s.example", "svc.k8s.example", "k8s.example"};
  const auto srv = [](const ServiceName& name, const std::vector<std::string>& list) {
    const auto resolved = resolve_service_name(name, list);
    return resolved ? resolved->srv_name : std::string("refused");
  };
  REQUIRE(srv({"ww", "raft", "default", ""}, {}) == "_raft._tcp.ww.default.svc.cluster.local.");
  REQUIRE(srv({"ww", "raft", "", ""}, {}) == "_raft._tcp.ww.default.svc.cluster.local.");
  REQUIRE(srv({"ww", "raft", "", ""}, search) == "_raft._tcp.ww.prod.svc.k8s.example.");
  REQUIRE(srv({"ww", "raft", "other", ""}, search) == "_raft._tcp.ww.other.svc.k8s.example.");
  REQUIRE(srv({"ww", "raft", "prod", "fixed.example."}, search) == "_raft._tcp.ww.prod.svc.fixed.example.");
  REQUIRE(srv({"ww.other", "raft", "prod", ""}, search) == "_raft._tcp.ww.other.svc.k8s.example.");
  REQUIRE(srv({"ww.other.svc", "raft", "prod", ""}, search) == "_raft._tcp.ww.other.svc.k8s.example.");
  REQUIRE(srv({"ww.a.example.", "raft", "prod", ""}, search) == "_raft._tcp.ww.a.example.");
  REQUIRE(srv({"", "raft", "prod", ""}, search) == "refused");
  REQUIRE(srv({"ww", "", "prod", ""}, search) == "refused");
  REQUIRE(srv({"ww", "a.b", "prod", ""}, search) == "refused");
  REQUIRE(srv({"w w", "raft", "prod", ""}, search) == "refused");
  REQUIRE(srv({std::string(300, 'a'), "raft", "prod", ""}, search) == "refused");
  const auto resolved = resolve_service_name({"ww", "raft", "default", ""}, {});
  REQUIRE(ordinal_host("whitewater", 2, *resolved) == "whitewater-2.ww.default.svc.cluster.local");
}

#include "discovery/dns_source.hpp"

#include <cstdio>
#include <fstream>

#include "catch.hpp"
#include "discovery/peer_refresher.hpp"
#include "discovery/static_source.hpp"
#include "responder_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::milliseconds;
using base::seconds;

namespace {

std::string host(int i) { return responder_host(i); }

DnsSourceOptions options_for(const DnsResponder& responder, std::uint32_t expect = 3) {
  DnsSourceOptions options;
  options.service = {"whitewater-headless", "raft", "default", "cluster.local"};
  options.own_name = "whitewater-0";
  options.expect = expect;
  options.ordinals_after = seconds(0);
  options.resolver.servers = {responder.server()};
  options.resolver.try_timeout = milliseconds(150);
  options.resolver.tries = 2;
  options.resolver.total_timeout = milliseconds(600);
  options.resolver.second_family_grace = milliseconds(50);
  return options;
}

void publish(DnsResponder& responder, int count) {
  for (int i = 0; i < count; ++i) {
    responder.add(host(i), "127.8.90." + std::to_string(i + 1));
    responder.publish(host(i));
  }
}

}  // namespace

TEST_CASE("the SRV record yields every pod with name, ordinal, port, address and TTL", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 3);
    DnsSource source(executor, options_for(responder));
    const auto set = co_await source.discover();
    REQUIRE(set.has_value());
    REQUIRE(source.question() == "_raft._tcp.whitewater-headless.default.svc.cluster.local.");
    REQUIRE(set->peers.size() == 3);
    REQUIRE(set->peers[2].name == "whitewater-2");
    REQUIRE(set->peers[2].addresses == std::vector<std::string>{"127.8.90.3"});
    REQUIRE(set->peers[2].address.port == 8090);
    REQUIRE(set->ttl == seconds(30));
    REQUIRE(responder.asked.size() == 1);  // one question, no search list
  });
}

TEST_CASE("a truncated answer is asked again over TCP", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 7);
    responder.knobs.truncates_udp = true;
    DnsSource source(executor, options_for(responder, 7));
    const auto set = co_await source.discover();
    REQUIRE(set.has_value());
    REQUIRE(set->peers.size() == 7);
    REQUIRE(responder.count_asked("tcp 33 _raft._tcp.whitewater-headless.default.svc.cluster.local") == 1);
  });
}

TEST_CASE("an answer over EDNS's 1232 bytes arrives whole", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 60);
    DnsSource source(executor, options_for(responder, 3));
    const auto set = co_await source.discover();
    REQUIRE(set.has_value());
    REQUIRE(set->peers.size() == 60);
  });
}

TEST_CASE("an answer shorter than the last known one is asked again over TCP", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 5);
    DnsSource source(executor, options_for(responder, 3));
    REQUIRE((co_await source.discover())->peers.size() == 5);
    responder.knobs.udp_targets_max = 3;  // the TC flag went missing
    REQUIRE((co_await source.discover())->peers.size() == 5);
    REQUIRE_FALSE(source.last_known().is_stale);
    REQUIRE(responder.count_asked("tcp 33 _raft._tcp.whitewater-headless.default.svc.cluster.local") == 1);
  });
}

TEST_CASE("ordinals that the SRV answer lacks are asked by name", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 2);
    responder.add(host(2), "127.8.90.3");  // has an address, is not published yet
    auto options = options_for(responder, 4);
    DnsSource source(executor, options);
    const auto set = co_await source.discover();
    REQUIRE(set->peers.size() == 3);
    REQUIRE(set->peers[2].name == "whitewater-2");
    REQUIRE(responder.count_asked("1 " + host(3)) == 1);
    options.ordinals_after = seconds(60);  // not yet
    DnsSource patient(executor, options);
    REQUIRE((co_await patient.discover())->peers.size() == 2);
  });
}

TEST_CASE("NXDOMAIN, an empty answer and silence take nothing from what is known", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    DnsSource source(executor, options_for(responder, 1));
    const auto first = co_await source.discover();
    REQUIRE(first.error() == Errc::not_found);  // nothing was ever known
    REQUIRE_FALSE(source.last_known().is_known);
    REQUIRE(source.last_known().last_error.find("no SRV record for _raft._tcp") == 0);
    publish(responder, 3);
    REQUIRE((co_await source.discover())->peers.size() == 3);
    for (int bad = 0; bad < 4; ++bad) {
      responder.knobs = {};
      if (bad == 0) responder.knobs.rcode = 3;
      if (bad == 1) responder.knobs.rcode = 2;
      if (bad == 2) responder.knobs.sends_garbage = true;
      if (bad == 3) responder.knobs.drops_udp = true;
      const auto set = co_await source.discover();
      REQUIRE(set.has_value());
      REQUIRE(set->peers.size() == 3);
      REQUIRE(set->is_stale);
      REQUIRE_FALSE(set->last_error.empty());
    }
    responder.knobs = {};
    REQUIRE_FALSE((co_await source.discover())->is_stale);
  });
}

TEST_CASE("a denial that a cache keeps costs its time and nothing else", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    responder.knobs.denies_again_for = milliseconds(300);
    DnsSource source(executor, options_for(responder, 1));
    REQUIRE((co_await source.discover()).error() == Errc::not_found);
    publish(responder, 3);
    REQUIRE((co_await source.discover()).error() == Errc::not_found);  // the cache still denies it
    const auto begin = net::now();
    auto set = co_await source.discover();
    while (!set && net::now() - begin < seconds(10)) {
      co_await net::sleep_for(milliseconds(50));
      set = co_await source.discover();
    }
    REQUIRE(set.has_value());
    REQUIRE(set->peers.size() == 3);
  });
}

TEST_CASE("a server that names another subset each time is pieced together, and nobody is lost again", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 6);
    responder.knobs.subset_size = 2;
    DnsSource source(executor, options_for(responder, 1));
    std::size_t seen = 0;
    for (int i = 0; i < 3; ++i) {
      const auto set = co_await source.discover();
      REQUIRE(set->peers.size() > seen);
      seen = set->peers.size();
    }
    REQUIRE(seen == 6);
    REQUIRE((co_await source.discover())->peers.size() == 6);
  });
}

TEST_CASE("a server with old records hides newcomers for as long as it is old, and loses nobody", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 3);
    responder.freeze();
    publish(responder, 5);
    responder.add(host(0), "127.8.90.77");
    DnsSource source(executor, options_for(responder, 1));
    REQUIRE((co_await source.discover())->peers.size() == 3);
    REQUIRE((co_await source.resolve(host(0), 1))->front().address().to_string() == "127.8.90.1");
    responder.freeze(false);
    REQUIRE((co_await source.discover())->peers.size() == 5);
    REQUIRE((co_await source.resolve(host(0), 1))->front().address().to_string() == "127.8.90.77");
    responder.publish(host(4), false);
    responder.freeze();
    REQUIRE((co_await source.discover())->peers.size() == 5);
  });
}

TEST_CASE("a service that names only ready pods is completed by the ordinals' own names", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 3);
    responder.knobs.ready_only = true;
    for (int i = 1; i < 3; ++i) responder.set_ready(host(i), false);
    DnsSource source(executor, options_for(responder, 3));
    REQUIRE((co_await source.discover())->peers.size() == 3);
    REQUIRE(responder.count_asked("1 " + host(2)) == 1);
    for (int i = 1; i < 3; ++i) responder.set_ready(host(i));
    REQUIRE((co_await source.discover())->peers.size() == 3);
    REQUIRE(responder.count_asked("1 " + host(2)) == 1);  // named by the record, it is not asked for any more
  });
}

TEST_CASE("a silent server costs no more than the total time-out", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    responder.knobs.drops_udp = responder.knobs.drops_tcp = true;
    DnsSource source(executor, options_for(responder));
    const auto begin = net::now();
    const auto set = co_await source.discover();
    REQUIRE(set.error() == Errc::timed_out);
    REQUIRE(net::now() - begin < milliseconds(1500));
    REQUIRE(source.last_known().last_error.find("no DNS server answered in time") == 0);
  });
}

TEST_CASE("a late answer within the time-out is taken", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 3);
    responder.knobs.delay = milliseconds(100);
    DnsSource source(executor, options_for(responder));
    REQUIRE((co_await source.discover())->peers.size() == 3);
  });
}

TEST_CASE("a dial resolves the name each time, falls back to what was known, and takes literals as they are", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 2);
    DnsSource source(executor, options_for(responder));
    const auto literal = co_await source.resolve("10.1.2.3", 5);
    REQUIRE(net::describe(literal->front()) == "10.1.2.3:5");
    REQUIRE(net::describe((co_await source.resolve("::1", 5))->front()) == "[::1]:5");
    REQUIRE(responder.asked.empty());
    REQUIRE((co_await source.resolve(host(1), 8090))->front().address().to_string() == "127.8.90.2");
    responder.add(host(1), "127.8.90.99");  // the pod came back with another address
    REQUIRE((co_await source.resolve(host(1) + ".", 8090))->front().address().to_string() == "127.8.90.99");
    responder.knobs.rcode = 3;
    REQUIRE((co_await source.resolve(host(1), 8090))->front().address().to_string() == "127.8.90.99");
    REQUIRE((co_await source.resolve(host(0), 8090)).error() == Errc::not_found);
    REQUIRE((co_await source.resolve("not a name", 8090)).error() == Errc::malformed);
    responder.knobs = {};
    (void)co_await source.discover();  // glue is remembered for the dials that DNS denies
    responder.knobs.rcode = 3;
    REQUIRE((co_await source.resolve(host(0), 8090))->front().address().to_string() == "127.8.90.1");
  });
}

TEST_CASE("the cluster domain comes from resolv.conf, which is read anew each time", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    char folder[] = "/tmp/whitewater-dns-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/resolv.conf";
    auto options = options_for(responder);
    options.service.cluster_domain.clear();
    options.resolv_conf_path = path;
    DnsSource source(executor, options);
    (void)co_await source.discover();
    REQUIRE(source.question() == "_raft._tcp.whitewater-headless.default.svc.cluster.local.");
    std::ofstream(path) << "nameserver 127.0.0.1\nsearch default.svc.k8s.example svc.k8s.example\n";
    (void)co_await source.discover();
    REQUIRE(source.question() == "_raft._tcp.whitewater-headless.default.svc.k8s.example.");
    std::remove(path.c_str());
    std::remove(folder);
  });
}

TEST_CASE("an unusable server or service name is an error, not a crash", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    auto options = options_for(responder);
    options.resolver.servers = {"not an address"};
    DnsSource source(executor, options);
    REQUIRE((co_await source.discover()).error() == Errc::malformed);
    options = options_for(responder);
    options.service.port_name = "a.b";
    DnsSource unnamed(executor, options);
    REQUIRE((co_await unnamed.discover()).error() == Errc::malformed);
    options = options_for(responder);
    options.resolver.servers = {"127.0.0.1:1"};  // nobody listens
    DnsSource refused(executor, options);
    const auto error = (co_await refused.discover()).error();
    REQUIRE((error == Errc::connection_lost || error == Errc::timed_out));
  });
}

namespace {

net::Awaitable<void> discover_once(DnsSource& source) { (void)co_await source.discover(); }
net::Awaitable<void> resolve_once(DnsSource& source) { (void)co_await source.resolve(host(0), 1); }

}  // namespace

// Sockets, timers and c-ares' own state at every point of a question: nothing may run on freed memory (ASan).
TEST_CASE("questions cancelled at any moment leave nothing behind", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 5);
    for (int i = 0; i < 120; ++i) {
      responder.knobs = {};
      responder.knobs.truncates_udp = i % 3 == 0;
      responder.knobs.drops_udp = i % 5 == 0;
      responder.knobs.delay = i % 2 == 0 ? milliseconds(1) : milliseconds(0);
      DnsSource source(executor, options_for(responder, 9));
      net::TaskGroup tasks(executor);
      tasks.spawn(discover_once(source));
      tasks.spawn(resolve_once(source));
      co_await net::sleep_for(base::microseconds(i * 37));
      tasks.cancel();
      co_await tasks.join();
    }
  });
}

// The reactor dies with questions under way, as when the process ends by an exception.
TEST_CASE("a reactor that is destroyed takes its open questions along", "[dns]") {
  net::IoContext silent_context;
  const DnsResponder silent(silent_context.get_executor());  // its reactor never runs: it accepts and never answers
  for (const int turns_ms : {0, 1, 30}) {
    DnsSourceOptions options = options_for(silent);
    options.resolver.try_timeout = milliseconds(10);
    options.resolver.tries = 50;
    options.resolver.total_timeout = seconds(5);
    auto context = std::make_unique<net::IoContext>(1);
    auto source = std::make_unique<DnsSource>(context->get_executor(), options);
    bool has_ended = false;
    const auto note = [&has_ended](const std::exception_ptr&) { has_ended = true; };
    boost::asio::co_spawn(*context, discover_once(*source), note);
    boost::asio::co_spawn(*context, resolve_once(*source), note);
    context->run_for(std::chrono::milliseconds(turns_ms));
    REQUIRE_FALSE(has_ended);
    context.reset();
  }
}

TEST_CASE("the refresher sees a scale-up without a restart and tells its listeners", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 3);
    responder.knobs.ttl_seconds = 0;
    DnsSource source(executor, options_for(responder));
    RefreshOptions refresh;
    refresh.formed_min = milliseconds(40);
    base::NullLogSink log;
    PeerRefresher refresher(executor, source, refresh, base::Rng(1), log);
    refresher.set_formed(true);
    std::vector<std::size_t> sizes;
    refresher.add_listener([&sizes](const PeerSet& set) { sizes.push_back(set.peers.size()); });
    net::TaskGroup tasks(executor);
    tasks.spawn(refresher.run());
    co_await net::sleep_for(milliseconds(150));
    REQUIRE(sizes.size() >= 2);
    REQUIRE(sizes.back() == 3);
    publish(responder, 5);
    co_await net::sleep_for(milliseconds(150));
    REQUIRE(sizes.back() == 5);
    tasks.cancel();
    co_await tasks.join();
  });
}

TEST_CASE("a woken refresher asks at once", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 1);
    DnsSource source(executor, options_for(responder, 1));
    base::NullLogSink log;
    PeerRefresher refresher(executor, source, {}, base::Rng(1), log);
    refresher.set_formed(true);
    net::TaskGroup tasks(executor);
    tasks.spawn(refresher.run());
    co_await net::sleep_for(milliseconds(50));
    REQUIRE(responder.asked.size() == 1);
    refresher.wake();
    co_await net::sleep_for(milliseconds(50));
    REQUIRE(responder.asked.size() == 2);
    tasks.cancel();
    co_await tasks.join();
  });
}

TEST_CASE("a static source yields its list and resolves names and hosts-file names", "[dns]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    publish(responder, 1);
    StaticSource source(executor, *parse_peer_list("whitewater-0=" + host(0) + ":8090,whitewater-1=127.0.0.1:8091"),
                        options_for(responder).resolver);
    const auto set = co_await source.discover();
    REQUIRE(set->peers.size() == 2);
    REQUIRE(set->is_known);
    REQUIRE((co_await source.resolve(host(0), 8090))->front().address().to_string() == "127.8.90.1");
    REQUIRE((co_await source.resolve("localhost", 8090))->front().address().is_loopback());
  });
}

// The DNS that a pod sees: a real authoritative server (NSD) with a real cache in front (Unbound), both Debian's, on
// loopback. What they do about denials, TTLs and long answers, and that DnsResponder answers as they do.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "discovery/dns_source.hpp"
#include "discovery/peer_refresher.hpp"
#include "responder_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::milliseconds;
using base::seconds;

namespace {

constexpr auto nsd_path = "/usr/sbin/nsd";
constexpr auto unbound_path = "/usr/sbin/unbound";
constexpr auto zone = "cluster.local";
constexpr auto service = "whitewater-headless.default.svc.cluster.local";
const std::string srv_name = std::string("_raft._tcp.") + service + ".";

std::uint16_t free_port() {
  net::IoContext context;
  const DnsResponder probe(context.get_executor());
  return static_cast<std::uint16_t>(std::stoi(probe.server().substr(probe.server().find(':') + 1)));
}

class Process {
 public:
  explicit Process(std::vector<std::string> command) {
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(126);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

class RealDns {
 public:
  RealDns(std::uint32_t ttl, std::uint32_t negative_ttl)
      : ttl_(ttl), negative_ttl_(negative_ttl), authority_port_(free_port()), cache_port_(free_port()) {
    char name[] = "/tmp/whitewater-nsd-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    folder_ = name;
    std::ofstream(folder_ + "/nsd.conf")
        << "server:\n ip-address: 127.0.0.1@" << authority_port_ << "\n username: \"\"\n zonesdir: \"" << folder_
        << "\"\n database: \"\"\n pidfile: \"\"\n xfrdfile: \"\"\n zonelistfile: \"" << folder_
        << "/zones\"\n server-count: 1\n minimal-responses: no\nremote-control:\n control-enable: no\nzone:\n name: "
        << zone << "\n zonefile: zone\n";
    std::ofstream(folder_ + "/unbound.conf")
        << "server:\n interface: 127.0.0.1@" << cache_port_ << "\n username: \"\"\n chroot: \"\"\n directory: \""
        << folder_ << "\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n do-not-query-localhost: no\n"
        << " module-config: \"iterator\"\n local-zone: \"" << zone << ".\" transparent\n num-threads: 1\n"
        << " outgoing-range: 64\nremote-control:\n control-enable: no\nstub-zone:\n name: \"" << zone
        << ".\"\n stub-addr: 127.0.0.1@" << authority_port_ << "\n";
  }
  ~RealDns() {
    cache_.reset();
    authority_.reset();
    std::filesystem::remove_all(folder_);
  }
  static bool is_installed() { return access(nsd_path, X_OK) == 0 && access(unbound_path, X_OK) == 0; }

  // The authoritative server is started anew with this many pods; the cache goes on with what it remembers.
  void serve(int pods) {
    authority_.reset();
    std::ofstream file(folder_ + "/zone", std::ios::trunc);
    file << "$ORIGIN " << zone << ".\n$TTL " << ttl_ << "\n@ SOA ns.dns hostmaster 1 7200 1800 86400 " << negative_ttl_
         << "\n@ NS ns.dns\nns.dns A 127.0.0.1\n";
    for (int i = 0; i < pods; ++i) {
      file << srv_name << " SRV 0 " << 100 / pods << " 8090 " << responder_host(i) << ".\n";
      file << responder_host(i) << ". A 127.8.90." << i + 1 << "\n";
    }
    file.close();
    authority_ = std::make_unique<Process>(std::vector<std::string>{nsd_path, "-d", "-c", folder_ + "/nsd.conf"});
    if (!cache_) {
      cache_ = std::make_unique<Process>(std::vector<std::string>{unbound_path, "-d", "-c", folder_ + "/unbound.conf"});
    }
  }
  [[nodiscard]] std::string authority() const { return "127.0.0.1:" + std::to_string(authority_port_); }
  [[nodiscard]] std::string cache() const { return "127.0.0.1:" + std::to_string(cache_port_); }

 private:
  std::uint32_t ttl_;
  std::uint32_t negative_ttl_;
  std::uint16_t authority_port_;
  std::uint16_t cache_port_;
  std::string folder_;
  std::unique_ptr<Process> authority_;
  std::unique_ptr<Process> cache_;
};

DnsSourceOptions options_for(const std::string& server) {
  DnsSourceOptions options;
  options.service = {"whitewater-headless", "raft", "default", zone};
  options.own_name = "whitewater-0";
  options.resolver.servers = {server};
  options.resolver.try_timeout = milliseconds(500);
  return options;
}

// Asks until `wanted` says yes to the answer; the last answer otherwise.
template <class Wanted>
net::Awaitable<base::Result<PeerSet>> ask_until(DnsSource& source, Wanted wanted, base::Duration limit) {
  const auto begin = net::now();
  auto set = co_await source.discover();
  while (!wanted(set) && net::now() - begin < limit) {
    co_await net::sleep_for(milliseconds(100));
    set = co_await source.discover();
  }
  co_return set;
}

// It takes a moment to listen.
net::Awaitable<void> wait_for_server(net::Executor executor, std::string server) {
  DnsSource source(executor, options_for(server));
  const auto answers = [](const auto& set) { return set || set.error() == Errc::not_found; };
  const auto set = co_await ask_until(source, answers, seconds(20));
  REQUIRE(answers(set));
}

net::Awaitable<void> check_denial_is_cached(net::Executor executor, RealDns* dns) {
  dns->serve(0);
  co_await wait_for_server(executor, dns->authority());
  co_await wait_for_server(executor, dns->cache());
  DnsSource source(executor, options_for(dns->cache()));
  REQUIRE((co_await source.discover()).error() == Errc::not_found);
  const auto denied_at = net::now();
  dns->serve(3);
  DnsSource direct(executor, options_for(dns->authority()));
  const auto is_there = [](const auto& set) { return set.has_value(); };
  REQUIRE((co_await ask_until(direct, is_there, seconds(20)))->peers.size() == 3);
  const auto through_cache = co_await source.discover();
  // The cache may rightly have asked again by now on a machine that was this slow.
  if (net::now() - denied_at < seconds(5)) REQUIRE_FALSE(through_cache.has_value());
  REQUIRE((co_await ask_until(source, is_there, seconds(60)))->peers.size() == 3);
}

net::Awaitable<void> check_scale_up_is_seen(net::Executor executor, RealDns* dns) {
  dns->serve(5);
  co_await wait_for_server(executor, dns->authority());
  co_await wait_for_server(executor, dns->cache());
  DnsSource source(executor, options_for(dns->cache()));
  RefreshOptions refresh;
  refresh.formed_min = milliseconds(200);
  base::NullLogSink log;
  PeerRefresher refresher(executor, source, refresh, base::Rng(1), log);
  refresher.set_formed(true);
  std::size_t count = 0;
  base::Duration longest_ttl{0};
  refresher.add_listener([&](const PeerSet& set) {
    count = set.peers.size();
    longest_ttl = std::max(longest_ttl, set.ttl);
  });
  net::TaskGroup tasks(executor);
  tasks.spawn(refresher.run());
  const auto wait_for_count = [&count](std::size_t wanted) -> net::Awaitable<void> {
    const auto begin = net::now();
    while (count != wanted && net::now() - begin < seconds(30)) co_await net::sleep_for(milliseconds(50));
  };
  co_await wait_for_count(5);
  CHECK(count == 5);
  dns->serve(7);
  co_await wait_for_count(7);
  CHECK(count == 7);
  CHECK(longest_ttl > base::Duration(0));
  CHECK(longest_ttl <= seconds(2));  // what is left of it in the cache
  tasks.cancel();
  co_await tasks.join();
}

net::Awaitable<void> check_long_answer(net::Executor executor, RealDns* dns) {
  dns->serve(60);
  co_await wait_for_server(executor, dns->authority());
  co_await wait_for_server(executor, dns->cache());
  for (const auto& server : {dns->authority(), dns->cache()}) {
    // Over 1232 bytes: cut off over UDP with TC set, whole over TCP, which c-ares does by itself.
    DnsSource source(executor, options_for(server));
    const auto set = co_await source.discover();
    REQUIRE(set.has_value());
    REQUIRE(set->peers.size() == 60);
    REQUIRE((co_await source.resolve(responder_host(59), 1))->front().address().to_string() == "127.8.90.60");
  }
}

// What a client can tell about an answer.
struct Facts {
  bool is_answered = false;
  int rcode = 0;
  bool is_authoritative = false;
  bool is_truncated = false;
  int answers = 0;
  int authorities = 0;
  std::optional<std::size_t> peers;
  base::Duration ttl{0};
  bool operator==(const Facts&) const = default;
};

net::Awaitable<Facts> facts_of(net::Executor executor, std::string server, std::string name) {
  ResolverOptions resolver;
  resolver.servers = {std::move(server)};
  const auto message = co_await query_srv(executor, resolver, std::move(name), DnsTransport::udp);
  Facts facts;
  if (!message || message->size() < 12) co_return facts;
  const auto byte = [&](std::size_t at) { return static_cast<int>(static_cast<unsigned char>((*message)[at])); };
  facts.is_answered = true;
  facts.is_authoritative = (byte(2) & 4) != 0;
  facts.is_truncated = (byte(2) & 2) != 0;
  facts.rcode = byte(3) & 15;
  facts.answers = byte(6) * 256 + byte(7);
  // Of a denial: the SOA record. With an answer a server may add its NS records or not.
  if (facts.answers == 0) facts.authorities = byte(8) * 256 + byte(9);
  if (const auto answer = decode_srv_answer(*message)) {
    facts.peers = answer->peers.size();
    facts.ttl = answer->ttl;
  }
  co_return facts;
}

net::Awaitable<void> compare_with_responder(net::Executor executor, RealDns* dns, DnsResponder* responder) {
  dns->serve(3);
  co_await wait_for_server(executor, dns->authority());
  for (int i = 0; i < 3; ++i) {
    responder->add(responder_host(i), "127.8.90." + std::to_string(i + 1));
    responder->publish(responder_host(i));
  }
  responder->knobs.ttl_seconds = 30;
  const auto real = co_await facts_of(executor, dns->authority(), srv_name);
  CHECK(real == Facts{true, 0, true, false, 3, 0, 3, seconds(30)});
  CHECK(real == co_await facts_of(executor, responder->server(), srv_name));
  // A service that does not exist: NXDOMAIN, and who may cache that for how long.
  const std::string nobody = std::string("_raft._tcp.nobody.default.svc.") + zone + ".";
  for (const auto& server : {dns->authority(), responder->server()}) {
    responder->knobs.rcode = 0;
    for (int i = 0; i < 3; ++i) responder->publish(responder_host(i), false);
    const auto denial = co_await facts_of(executor, server, nobody);
    CHECK(denial == Facts{true, 3, true, false, 0, 1, std::nullopt, base::Duration(0)});
  }
  // A pod that exists has an address, one that does not is denied; both alike.
  ResolverOptions resolver;
  for (const auto& server : {dns->authority(), responder->server()}) {
    resolver.servers = {server};
    const auto there = co_await query_addresses(executor, resolver, responder_host(1));
    CHECK(*there == std::vector<std::string>{"127.8.90.2"});
    CHECK((co_await query_addresses(executor, resolver, responder_host(9))).error() == Errc::not_found);
  }
}

net::Awaitable<void> compare_and_stop(net::Executor executor, RealDns* dns, DnsResponder* responder) {
  struct Stop {
    DnsResponder* responder;
    ~Stop() { responder->stop(); }
  };
  const Stop stop{responder};
  co_await compare_with_responder(executor, dns, responder);
}

net::Awaitable<void> compare(net::Executor executor, RealDns* dns) {
  DnsResponder responder(executor);
  net::TaskGroup tasks(executor);
  tasks.spawn(responder.run());
  tasks.spawn(compare_and_stop(executor, dns, &responder));
  co_await tasks.join();
}

void with_real_dns(std::uint32_t ttl, std::uint32_t negative_ttl,
                   net::Awaitable<void> (*body)(net::Executor, RealDns*)) {
  if (!RealDns::is_installed()) {
    WARN("nsd and unbound are not installed; nothing was checked");
    return;
  }
  RealDns dns(ttl, negative_ttl);
  run_on_reactor([&dns, body](net::Executor executor) { return body(executor, &dns); });
}

}  // namespace

TEST_CASE("a real cache goes on denying a service that exists by now, and the pods are found when it ends", "[dns]") {
  with_real_dns(2, 6, check_denial_is_cached);
}

TEST_CASE("through a real cache, a scale from 5 to 7 is seen without a restart", "[dns]") {
  with_real_dns(2, 2, check_scale_up_is_seen);
}

TEST_CASE("a real server and a real cache give a long answer whole, over TCP", "[dns]") {
  with_real_dns(30, 30, check_long_answer);
}

TEST_CASE("the responder of these tests answers as a real server does", "[dns]") { with_real_dns(30, 30, compare); }

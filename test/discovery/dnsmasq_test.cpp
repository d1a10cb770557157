#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "catch.hpp"
#include "discovery/dns_source.hpp"
#include "dns_responder.hpp"
#include "reactor_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::milliseconds;
using base::seconds;

namespace {

const char* dnsmasq_path() {
  for (const auto* path : {"/usr/sbin/dnsmasq", "/usr/bin/dnsmasq"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

// The real server in a child process, on loopback and a free port above 1024; ended by its pid.
class Dnsmasq {
 public:
  Dnsmasq(std::uint16_t port, const std::string& records) {
    char folder[] = "/tmp/whitewater-dnsmasq-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    folder_ = folder;
    const auto path = folder_ + "/dnsmasq.conf";
    std::ofstream(path) << "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=127.0.0.1\nport=" << port
                        << "\nlocal=/cluster.local/\nlocal-ttl=7\npid-file=\n"
                        << records;
    const auto argument = "--conf-file=" + path;
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      execl(dnsmasq_path(), "dnsmasq", "--keep-in-foreground", "--user=", "--group=", argument.c_str(), nullptr);
      _exit(127);
    }
  }
  ~Dnsmasq() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    unlink((folder_ + "/dnsmasq.conf").c_str());
    rmdir(folder_.c_str());
  }

 private:
  pid_t pid_ = -1;
  std::string folder_;
};

std::uint16_t free_port() {
  net::IoContext context;
  DnsResponder probe(context.get_executor());
  return static_cast<std::uint16_t>(std::stoi(probe.server().substr(probe.server().find(':') + 1)));
}

net::Awaitable<void> ask_dnsmasq(net::Executor executor, std::uint16_t port, std::size_t count) {
  DnsSourceOptions options;
  options.service = {"whitewater-headless", "raft", "default", "cluster.local"};
  options.own_name = "whitewater-0";
  options.resolver.servers = {"127.0.0.1:" + std::to_string(port)};
  options.resolver.try_timeout = milliseconds(300);
  DnsSource source(executor, options);
  const auto begin = net::now();
  auto set = co_await source.discover();
  while (!set && net::now() - begin < seconds(5)) {  // it takes a moment to listen
    co_await net::sleep_for(milliseconds(50));
    set = co_await source.discover();
  }
  REQUIRE(set.has_value());
  REQUIRE(set->peers.size() == count);
  REQUIRE(set->peers[1].address.port == 8090);
  const auto addresses = co_await source.resolve(set->peers[1].address.host, 8090);
  REQUIRE(addresses.has_value());
  REQUIRE(addresses->front().address().is_v4());
  options.service.service = "nobody";
  DnsSource other(executor, options);
  REQUIRE((co_await other.discover()).error() == base::Errc::not_found);
}

}  // namespace

TEST_CASE("a real dnsmasq with the guide's records is understood, 3 and 40 pods", "[dns]") {
  if (dnsmasq_path() == nullptr) {
    WARN("dnsmasq is not installed; nothing was checked");
    return;
  }
  for (const std::size_t count : {3U, 40U}) {
    std::string records;
    for (std::size_t i = 0; i < count; ++i) {
      const auto host = "whitewater-" + std::to_string(i) + ".whitewater-headless.default.svc.cluster.local";
      records += "srv-host=_raft._tcp.whitewater-headless.default.svc.cluster.local," + host + ",8090,0,33\n";
      records += "host-record=" + host + ",127.8.90." + std::to_string(i + 1) + "\n";
    }
    const auto port = free_port();
    const Dnsmasq server(port, records);
    run_on_reactor([port, count](net::Executor executor) { return ask_dnsmasq(executor, port, count); });
  }
}

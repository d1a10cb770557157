#include "discovery/guessing_source.hpp"

#include "catch.hpp"
#include "responder_env.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::milliseconds;

namespace {

// Says what the test tells it to.
class FakeSource final : public PeerSource {
 public:
  [[nodiscard]] std::string_view name() const override { return "fake"; }
  net::Awaitable<base::Result<PeerSet>> discover() override {
    if (!set.is_known) co_return Errc::timed_out;
    co_return set;
  }
  [[nodiscard]] const PeerSet& last_known() const override { return set; }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t) override {
    resolved.push_back(std::move(host));
    co_return Errc::not_found;
  }
  net::Awaitable<std::optional<std::uint32_t>> replicas() override { co_return 7; }
  void tell(std::vector<int> ordinals) {
    set.peers.clear();
    for (const int i : ordinals) {
      set.peers.push_back(make_candidate("whitewater-" + std::to_string(i), {responder_host(i), 8090}));
    }
    set.is_known = true;
  }
  void change() { notify_change(); }
  PeerSet set;
  std::vector<std::string> resolved;
};

struct Rig {
  FakeSource* told;
  GuessingSource source;

  Rig(net::Executor executor, const DnsResponder& responder, int own, bool only_while_unknown = false)
      : Rig(executor, std::make_unique<FakeSource>(), responder, own, only_while_unknown) {}

 private:
  Rig(net::Executor executor, std::unique_ptr<FakeSource> fake, const DnsResponder& responder, int own,
      bool only_while_unknown)
      : told(fake.get()), source(executor, std::move(fake), options(responder, own, only_while_unknown)) {}

  static GuessingOptions options(const DnsResponder& responder, int own, bool only_while_unknown) {
    GuessingOptions options;
    options.basis = *guess_basis_of(responder_host(own));
    options.only_while_unknown = only_while_unknown;
    options.guesses.settle = milliseconds(60);
    options.guesses.retry_min = milliseconds(20);
    options.resolver.servers = {responder.server()};
    options.resolver.try_timeout = milliseconds(150);
    options.resolver.total_timeout = milliseconds(400);
    return options;
  }
};

std::vector<std::string> names_of(const PeerSet& set) {
  std::vector<std::string> names;
  for (const auto& peer : set.peers) names.push_back((peer.is_guess ? "?" : "") + peer.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a source that tells nothing is healed by names guessed from the own one, after the settle", "[guess]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    responder.add(responder_host(0), "127.8.90.1");
    responder.add(responder_host(1), "127.8.90.2");
    Rig rig(executor, responder, 0);
    REQUIRE((co_await rig.source.discover()).error() == Errc::timed_out);
    REQUIRE(responder.asked.empty());  // a name that is asked before it exists is denied for a while
    co_await net::sleep_for(milliseconds(70));
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"?whitewater-1"});
    REQUIRE_FALSE(rig.source.last_known().is_known);  // the source itself has said nothing
    // The next name is asked; it does not exist, and so it is no candidate.
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"?whitewater-1"});
    REQUIRE(responder.count_asked("1 " + responder_host(2)) == 1);
    REQUIRE(responder.count_asked("1 " + responder_host(3)) == 0);
    // Named by the source it is a peer like any other.
    rig.told->tell({1});
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"whitewater-1"});
  });
}

TEST_CASE("holes below the highest known ordinal are guessed, the name above it is not", "[guess]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    for (int i = 0; i < 5; ++i) responder.add(responder_host(i), "127.8.90." + std::to_string(i + 1));
    Rig rig(executor, responder, 1);
    rig.told->tell({0, 3});
    (void)co_await rig.source.discover();
    co_await net::sleep_for(milliseconds(70));
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"whitewater-0", "whitewater-3", "?whitewater-2"});
    REQUIRE(responder.count_asked("1 " + responder_host(4)) == 0);
    REQUIRE(responder.count_asked("1 " + responder_host(1)) == 0);  // itself
  });
}

TEST_CASE("a source that knows who does not exist is completed only until it answers", "[guess]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    for (int i = 0; i < 3; ++i) responder.add(responder_host(i), "127.8.90." + std::to_string(i + 1));
    Rig rig(executor, responder, 2, true);
    (void)co_await rig.source.discover();
    co_await net::sleep_for(milliseconds(70));
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"?whitewater-0", "?whitewater-1"});
    rig.told->tell({2});
    REQUIRE(names_of(*co_await rig.source.discover()) == Names{"whitewater-2"});
    const auto asked = responder.asked.size();
    co_await net::sleep_for(milliseconds(50));
    (void)co_await rig.source.discover();
    REQUIRE(responder.asked.size() == asked);
  });
}

TEST_CASE("news between two questions pass through at once, dials and the count come from the source itself",
          "[guess]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    Rig rig(executor, responder, 0);
    int news = 0;
    rig.source.on_change([&news] { ++news; });
    rig.told->tell({0, 1});
    rig.told->change();
    REQUIRE(news == 1);
    REQUIRE(names_of(rig.source.last_known()) == Names{"whitewater-0", "whitewater-1"});
    REQUIRE_FALSE((co_await rig.source.resolve("x", 1)).has_value());
    REQUIRE(rig.told->resolved == Names{"x"});
    REQUIRE(rig.source.name() == "fake");
    REQUIRE(co_await rig.source.replicas() == 7U);
  });
}

TEST_CASE("a DNS server that falls silent costs a guess no more than one question's time", "[guess]") {
  with_responder([](net::Executor executor, DnsResponder& responder) -> net::Awaitable<void> {
    responder.knobs.drops_udp = responder.knobs.drops_tcp = true;
    Rig rig(executor, responder, 20);  // twenty-one names to ask
    (void)co_await rig.source.discover();
    co_await net::sleep_for(milliseconds(70));
    const auto begin = net::now();
    (void)co_await rig.source.discover();
    REQUIRE(net::now() - begin < milliseconds(2000));
    REQUIRE(rig.source.last_known().peers.empty());
  });
}

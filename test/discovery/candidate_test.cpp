#include "discovery/candidate.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::discovery;
using base::Errc;
using base::Instant;
using base::seconds;

namespace {
std::vector<Candidate> peers(int from, int to) {
  std::vector<Candidate> out;
  for (int i = from; i < to; ++i) {
    const auto name = "whitewater-" + std::to_string(i);
    out.push_back(make_candidate(name, {name + ".ww", 8090}));
  }
  return out;
}
}  // namespace

TEST_CASE("a name's ordinal is the number behind its last dash", "[discovery]") {
  REQUIRE(ordinal_of("whitewater-0") == 0U);
  REQUIRE(ordinal_of("a-b-12") == 12U);
  for (const auto* name :
       {"", "whitewater", "whitewater-", "-1", "whitewater-01", "whitewater-x", "w-1234567", "w-1a"}) {
    REQUIRE_FALSE(ordinal_of(name).has_value());
  }
  REQUIRE(stem_of("a-b-12") == "a-b");
  REQUIRE(stem_of("alpha") == "alpha");
  REQUIRE(pod_name_of("whitewater-2.ww.default.svc.cluster.local") == "whitewater-2");
  REQUIRE(pod_name_of("10.0.0.1") == "10.0.0.1");
}

TEST_CASE("addresses are read with and without brackets and ports", "[discovery]") {
  const auto text = [](std::string_view in, std::uint16_t port = 0) {
    const auto out = parse_host_port(in, port);
    return out ? describe(*out) : std::string("refused");
  };
  REQUIRE(text("a.b:1") == "a.b:1");
  REQUIRE(text("a.b.:65535") == "a.b:65535");
  REQUIRE(text("[::1]:8090") == "[::1]:8090");
  REQUIRE(text("[::1]", 7) == "[::1]:7");
  REQUIRE(text("fe80::1", 7) == "[fe80::1]:7");
  REQUIRE(text("10.0.0.1", 7) == "10.0.0.1:7");
  for (const auto* bad : {"", ":8090", "a", "a:", "a:0", "a:65536", "a:x", "a:123456", "[::1", "[::1]8", "[a]:1",
                          "a b:1", "a..b:1", "NXDOMAIN:"}) {
    REQUIRE(text(bad) == "refused");
  }
  REQUIRE(parse_host_port(std::string(400, 'a')).error() == Errc::limit_exceeded);
}

TEST_CASE("a list of peers is read, and every broken entry refused", "[discovery]") {
  const auto list = parse_peer_list(" whitewater-0=10.0.0.1:8090, whitewater-1=host-b:8091 ,,c.d:1,[::1]:2", 0);
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 4);
  REQUIRE(describe((*list)[1]) == "whitewater-1 at host-b:8091");
  REQUIRE((*list)[0].ordinal == 0U);
  REQUIRE((*list)[2].name == "c");
  REQUIRE((*list)[3].name == "[::1]:2");
  REQUIRE(parse_peer_list("a=b", 9)->front().address.port == 9);
  for (const auto* bad : {"", " , ", "a=", "=b:1", "a=b", "a=b:1,a=c:1", "a b=c:1", "a=b=c:1"}) {
    REQUIRE(parse_peer_list(bad).error() == Errc::malformed);
  }
  std::string many;
  for (std::size_t i = 0; i <= candidates_max; ++i) many += "n" + std::to_string(i) + "=h:1,";
  REQUIRE(parse_peer_list(many).error() == Errc::limit_exceeded);
}

TEST_CASE("the last known set outlives every bad answer, without limit", "[discovery]") {
  CandidateBook book("dns", "no SRV record");
  REQUIRE_FALSE(book.set().is_known);
  book.on_failure("no SRV record");
  REQUIRE_FALSE(book.set().is_known);
  REQUIRE(book.on_answer(Instant{seconds(1)}, peers(0, 3), seconds(30)));
  REQUIRE_FALSE(book.set().is_stale);
  for (int i = 0; i < 100000; ++i) book.on_failure("no server answers");
  REQUIRE(book.set().peers.size() == 3);
  REQUIRE(book.set().is_stale);
  REQUIRE(book.set().as_of == Instant{seconds(1)});
  REQUIRE(book.set().last_error == "no server answers");
  REQUIRE_FALSE(book.on_answer(Instant{seconds(9)}, {}, seconds(0)));  // an empty answer is no answer
  REQUIRE(book.set().peers.size() == 3);
}

TEST_CASE("a name that good answers no longer hold is kept for ten minutes", "[discovery]") {
  CandidateBook book("dns", "no SRV record");
  book.on_answer(Instant{seconds(0)}, peers(0, 5), seconds(30));
  REQUIRE_FALSE(book.on_answer(Instant{seconds(30)}, peers(0, 3), seconds(30)));
  REQUIRE(book.set().peers.size() == 5);
  REQUIRE(book.newest_count() == 3);
  REQUIRE(book.set().is_stale);
  REQUIRE(book.on_answer(Instant{seconds(601)}, peers(0, 3), seconds(30)));
  REQUIRE(book.set().peers.size() == 3);
  REQUIRE_FALSE(book.set().is_stale);
  REQUIRE(book.on_answer(Instant{seconds(602)}, peers(0, 7), seconds(30)));
  REQUIRE(book.set().peers.size() == 7);
}

TEST_CASE("the candidates kept are bounded and the newest answer survives", "[discovery]") {
  CandidateBook book("dns", "no SRV record");
  for (int i = 0; i < 20; ++i) {
    book.on_answer(Instant{seconds(i)}, peers(i * 100, i * 100 + 100), seconds(1));
    REQUIRE(book.set().peers.size() <= candidates_max);
  }
  const auto& set = book.set().peers;
  const auto newest = std::count_if(set.begin(), set.end(), [](const Candidate& c) { return c.ordinal >= 1900U; });
  REQUIRE(newest == 100);
  book.on_answer(Instant{seconds(30)}, peers(0, 1000), seconds(1));
  REQUIRE(book.set().peers.size() == candidates_max);
  REQUIRE_FALSE(describe(book.set()).empty());
}

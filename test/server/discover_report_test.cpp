#include "server/discover_report.hpp"

#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::server;
using whitewater::discovery::make_candidate;

namespace {

DiscoverCommand parsed(const std::vector<std::string>& arguments) {
  auto result = parse_discover(arguments);
  REQUIRE(std::holds_alternative<DiscoverCommand>(result));
  return std::get<DiscoverCommand>(std::move(result));
}

std::string refused(const std::vector<std::string>& arguments) {
  const auto result = parse_discover(arguments);
  REQUIRE(std::holds_alternative<CliText>(result));
  REQUIRE(std::get<CliText>(result).is_error);
  return std::get<CliText>(result).text;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("discover's own flags are taken out of the line, the rest are options of serve") {
  const auto command =
      parsed({"--method", "dns", "--min=3", "--service-name", "s", "--timeout", "2m", "--output", "/c/p"});
  CHECK(command.method == DiscoveryMethod::dns);
  CHECK(command.wanted() == 3);
  CHECK(command.longest_wait() == std::chrono::minutes(2));
  CHECK(command.output == "/c/p");
  CHECK(command.arguments == std::vector<std::string>{"--service-name", "s"});
  const auto plain = parsed({});
  CHECK_FALSE(plain.method.has_value());
  CHECK_FALSE(plain.is_waiting());
  CHECK(plain.longest_wait() == std::chrono::milliseconds(0));
  CHECK(parsed({"--min", "2"}).longest_wait() == std::chrono::seconds(60));
  CHECK_FALSE(parsed({"--method", "auto"}).method.has_value());
}

TEST_CASE("a wrong value of discover's flags says what it takes") {
  CHECK(holds(refused({"--method", "smoke"}), "\"smoke\" is not auto|static|file|kubernetes|dns"));
  for (const auto* min : {"0", "257", "-1", "many"})
    CHECK(holds(refused({"--min", min}), "is not a number from 1 to 256"));
  for (const auto* time : {"0", "2h", "soon"})
    CHECK(holds(refused({"--timeout", time}), "is not a time from 1ms to 1h"));
  CHECK(holds(refused({"--output"}), "--output: needs a value"));
  CHECK(holds(refused({"--output="}), "--output: needs a value"));
  const auto help = parse_discover({"--help"});
  CHECK_FALSE(std::get<CliText>(help).is_error);
}

TEST_CASE("guesses and pods that are being deleted do not count") {
  discovery::PeerSet set;
  set.peers = {make_candidate("w-0", {"w-0.s", 1}), make_candidate("w-1", {"w-1.s", 1}),
               make_candidate("w-2", {"w-2.s", 1})};
  set.peers[1].is_guess = true;
  set.peers[2].is_terminating = true;
  const auto counted = counted_peers(set);
  REQUIRE(counted.size() == 1);
  CHECK(counted[0].name == "w-0");
  DiscoverView view;
  view.method = DiscoveryMethod::dns;
  view.set = set;
  view.set.last_error = "no answer";
  CHECK(format_progress(view, 3) == "dns sees 1 of 3 peers: w-0; no answer");
  view.is_chosen = true;
  view.reason = "SERVICE_NAME is set";
  view.place = "the SRV record x";
  view.notes = {"an entry is left out"};
  CHECK(format_view(view) ==
        "dns (what a member uses: SERVICE_NAME is set)\n"
        "  looks in: the SRV record x\n"
        "  sees: 1 peer\n"
        "    NAME  ORDINAL  HOST:PORT  ADDRESSES  NOTE\n"
        "    w-0   0        w-0.s:1    -\n"
        "    w-1   1        w-1.s:1    -          guessed from the own name\n"
        "    w-2   2        w-2.s:1    -          is being deleted\n"
        "  note: an entry is left out\n"
        "  problem: no answer\n");
}

TEST_CASE("a method that sees nobody names the next step") {
  DiscoverView view;
  view.method = DiscoveryMethod::dns;
  view.error = base::Errc::not_found;
  CHECK(holds(format_view(view), "next: does the headless service exist"));
  view.error = base::Errc::timed_out;
  CHECK(holds(format_view(view), "must allow port 53, UDP and TCP"));
  view.method = DiscoveryMethod::kubernetes;
  CHECK(holds(format_view(view), "kubectl auth can-i list pods"));
  view.method = DiscoveryMethod::file;
  CHECK(holds(format_view(view), "kubectl logs POD -c CONTAINER"));
}

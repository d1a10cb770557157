#include "discovery/peers_file.hpp"

#include "catch.hpp"

using namespace whitewater::discovery;

namespace {

constexpr std::uint16_t port = 8090;

std::vector<std::string> places_of(const PeersFile& file) {
  std::vector<std::string> places;
  for (const auto& peer : file.peers) places.push_back(describe(peer.address));
  return places;
}

using Places = std::vector<std::string>;

// What the guide's scripts wrote on a real cluster (kubernetes.md §3.12), byte for byte.
constexpr auto busybox_pod_0 = "{\"peers\":[\n\"NXDOMAIN:8090\"]}\n";
constexpr auto busybox_pod_2 =
    "{\"peers\":[\n\"whitewater-0.whitewater-headless.default.svc.cluster.local:8090\",\n"
    "\"whitewater-1.whitewater-headless.default.svc.cluster.local:8090\"]}\n";
constexpr auto kubectl_pod_1 = "{\"peers\":[\n\"10.244.1.5:8090\",\":8090\"]}\n";
constexpr auto kubectl_whole = "{\"peers\":[\n\"10.244.1.5:8090\",\"10.244.2.4:8090\",\"10.244.3.3:8090\"]}\n";
constexpr auto kubectl_holes = "{\"peers\":[\n\":8090\",\":8090\",\":8090\",\":8090\",\":8090\"]}\n";

}  // namespace

TEST_CASE("the whole output of the guide's scripts yields every peer with its name and ordinal") {
  const auto busybox = parse_peers_file(busybox_pod_2, port);
  REQUIRE(busybox.problem.empty());
  REQUIRE(busybox.bad.empty());
  REQUIRE(busybox.peers.size() == 2);
  REQUIRE(busybox.peers[1].name == "whitewater-1");
  REQUIRE(busybox.peers[1].ordinal == 1U);
  REQUIRE(busybox.peers[1].address == HostPort{"whitewater-1.whitewater-headless.default.svc.cluster.local", port});
  REQUIRE_FALSE(busybox.peers[1].is_guess);
  const auto kubectl = parse_peers_file(kubectl_whole, port);
  REQUIRE(places_of(kubectl) == Places{"10.244.1.5:8090", "10.244.2.4:8090", "10.244.3.3:8090"});
  REQUIRE_FALSE(kubectl.peers[0].ordinal.has_value());
  REQUIRE(kubectl.bad.empty());
}

TEST_CASE("a resolver's error word is no peer, and the complaint names the entry") {
  const auto file = parse_peers_file(busybox_pod_0, port);
  REQUIRE(file.peers.empty());
  REQUIRE(file.problem == "none of its entries is a peer: \"NXDOMAIN:8090\"");
  REQUIRE(file.bad.size() == 1);
  REQUIRE(file.bad[0].starts_with("\"NXDOMAIN:8090\" is the end of an error message"));
  // The other ends that busybox's nslookup has: a server that fails, one that refuses, a name without this record.
  for (const auto* word : {"SERVFAIL", "REFUSED", "answer"}) {
    const auto other = parse_peers_file("{\"peers\":[\n\"" + std::string(word) + ":8090\",\n\"a-0:8090\"]}", port);
    REQUIRE(places_of(other) == Places{"a-0:8090"});
    REQUIRE(other.bad.size() == 1);
  }
  // A name that only begins so is a host.
  REQUIRE(parse_peers_file(R"({"peers":["NXDOMAIN.example:8090"]})", port).bad.empty());
}

TEST_CASE("pods without an address leave entries without a host; the good ones beside them count") {
  const auto one = parse_peers_file(kubectl_pod_1, port);
  REQUIRE(one.problem.empty());
  REQUIRE(places_of(one) == Places{"10.244.1.5:8090"});
  REQUIRE(one.bad ==
          std::vector<std::string>{"\":8090\" has no host: the pod had no address yet when the file was written"});
  const auto none = parse_peers_file(kubectl_holes, port);
  REQUIRE(none.peers.empty());
  REQUIRE(none.problem == "none of its entries is a peer: \":8090\", \":8090\", \":8090\"");
}

TEST_CASE("commas without an element do not hide the entries") {
  for (const auto* text : {R"({"peers":["a:8090",,"b:8090"]})", R"({"peers":["a:8090","b:8090",]})",
                           R"({"peers":[,"a:8090" , , ,"b:8090",,]})", R"({"peers":["a:8090","b:8090"],})",
                           "{,\"peers\":[\n,\n\"a:8090\"\n,\n\"b:8090\"\n,\n],}"}) {
    INFO(text);
    const auto file = parse_peers_file(text, port);
    REQUIRE(places_of(file) == Places{"a:8090", "b:8090"});
    REQUIRE(file.bad.empty());
  }
  // Those inside a text stay, and so do its escapes.
  const auto token = parse_peers_file(R"({"cluster":"a,,]\",,","peers":["a:1"]})", port);
  REQUIRE(token.token == "a,,]\",,");
}

TEST_CASE("each form of an entry is taken, and each address once") {
  const auto file = parse_peers_file(
      R"({"peers":["whitewater-3=10.0.0.9:7000","host-1","[fd00::1]:8090","fd00::1:8090","fd00:1:2:3:4:5:6:7:8090",)"
      R"("fd00::2","host-1:8090","host-1."]})",
      port);
  REQUIRE(places_of(file) ==
          Places{"10.0.0.9:7000", "host-1:8090", "[fd00::1]:8090", "[fd00:1:2:3:4:5:6:7]:8090", "[fd00::2]:8090"});
  REQUIRE(file.peers[0].name == "whitewater-3");
  REQUIRE(file.peers[0].ordinal == 3U);
  REQUIRE(file.bad.empty());
}

TEST_CASE("every bad entry is named and none hides a good one") {
  const auto file = parse_peers_file(
      R"({"peers":[17,null,{"a":1},"","a b:8090","host:99999","host:port","=x:1","bad name=x:1","good:1"]})", port);
  REQUIRE(places_of(file) == Places{"good:1"});
  REQUIRE(file.bad.size() == 9);
  std::string many = R"({"peers":["good:1")";
  for (int i = 0; i < 40; ++i) many += ",\":" + std::to_string(i + 1) + "\"";
  const auto bounded = parse_peers_file(many + "]}", port);
  REQUIRE(bounded.bad.size() == bad_entries_max + 1);
  REQUIRE(bounded.bad.back() == "and 24 more entries");
  // A long or binary entry is shortened and made printable.
  const auto shown = parse_peers_file("{\"peers\":[\"" + std::string(1000, '\\') + "\\u0007" + "\"]}", port);
  REQUIRE(shown.bad.at(0).size() < 200);
}

TEST_CASE("a file of no use says why and holds nobody") {
  using Case = std::pair<std::string, std::string>;
  for (const auto& [text, problem] :
       {Case{"", "it is empty"}, Case{" \n", "it is empty"}, Case{R"({"peers":[]})", "its list of peers is empty"},
        Case{R"({"peers":[,]})", "its list of peers is empty"}, Case{"[\"a:1\"]", "it holds no list \"peers\""},
        Case{"{}", "it holds no list \"peers\""}, Case{R"({"peers":"a:1"})", "it holds no list \"peers\""},
        Case{std::string(peers_file_bytes_max + 1, ' '), "it is larger than 1 MiB"}}) {
    INFO(text.substr(0, 40));
    const auto file = parse_peers_file(text, port);
    REQUIRE(file.problem == problem);
    REQUIRE(file.peers.empty());
  }
  // Half a file, as an init container that is killed leaves it, and no JSON at all.
  for (const auto* text : {"{\"peers\":[\n\"whitewater-0.whi", "{\"peers\":[", "Server:\t10.96.0.10", "\xff\xfe"}) {
    REQUIRE(parse_peers_file(text, port).problem.starts_with("it is not JSON"));
  }
  REQUIRE(parse_peers_file("{\"peers\":" + std::string(100, '[') + std::string(100, ']') + "}", port)
              .problem.starts_with("it is not JSON"));
}

TEST_CASE("the number of founders and the token are read where they are stated") {
  const auto file = parse_peers_file(R"({"peers":["a-0:1"],"expect":5,"cluster":"t"})", port);
  REQUIRE(file.expect == 5);
  REQUIRE(file.token == "t");
  for (const auto* wrong : {"-1", "65", "\"5\"", "1.5", "null"}) {
    const auto other = parse_peers_file(R"({"peers":["a-0:1"],"expect":)" + std::string(wrong) + "}", port);
    REQUIRE(other.expect == 0);
    REQUIRE(other.peers.size() == 1);
    REQUIRE(other.bad.size() == 1);
  }
  REQUIRE(parse_peers_file(R"({"peers":["a-0:1"],"cluster":7})", port).bad.size() == 1);
}

TEST_CASE("no more than 256 peers are taken from a file") {
  std::string text = "{\"peers\":[";
  for (int i = 0; i < 300; ++i) text += (i == 0 ? "\"h-" : ",\"h-") + std::to_string(i) + ":1\"";
  const auto file = parse_peers_file(text + "]}", port);
  REQUIRE(file.peers.size() == candidates_max);
  REQUIRE(file.bad.size() == bad_entries_max + 1);
}

TEST_CASE("what is written is read back, names included") {
  std::vector<Candidate> peers{
      make_candidate("whitewater-0", {"whitewater-0.whitewater-headless.default.svc.cluster.local", 8090}),
      make_candidate("whitewater-1", {"10.244.0.7", 8090}), make_candidate("whitewater-2", {"fd00::7", 8090})};
  const auto text = format_peers_file(peers, 3);
  REQUIRE(text == R"({"peers":["whitewater-0.whitewater-headless.default.svc.cluster.local:8090",)"
                  R"("whitewater-1=10.244.0.7:8090","whitewater-2=[fd00::7]:8090"],"expect":3})"
                  "\n");
  const auto file = parse_peers_file(text, port);
  REQUIRE(file.peers == peers);
  REQUIRE(file.expect == 3);
}

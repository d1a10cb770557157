// What becomes of a change of the configuration in the history, and that the file survives restarts and damage.
#include "server/membership_history.hpp"

#include <filesystem>
#include <fstream>

#include "catch.hpp"

namespace whitewater::server {
namespace {

core::Member member(std::uint64_t id) { return {base::NodeId(id), "ww-" + std::to_string(id) + ":8090"}; }

core::Configuration configuration(const std::vector<std::uint64_t>& voters, const std::vector<std::uint64_t>& learners,
                                  std::string reason) {
  core::Configuration c;
  for (const auto id : voters) c.voters.push_back(member(id));
  for (const auto id : learners) c.learners.push_back(member(id));
  c.reason = std::move(reason);
  return c;
}

replica::AppliedConfiguration at(std::uint64_t index, core::Configuration c) {
  return {base::Index(index), base::Term(1), std::move(c)};
}

std::vector<std::string> kinds(const std::vector<MembershipEvent>& events) {
  std::vector<std::string> out;
  for (const MembershipEvent& event : events) out.push_back(event.kind + " " + event.name);
  return out;
}

struct Folder {
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path = (std::filesystem::temp_directory_path() / ("ww-history-" + std::to_string(::getpid()))).string();
  std::string file = path + "/membership.jsonl";
};

TEST_CASE("each change of a member is one event with the reason of the change") {
  MembershipHistory history("");
  CHECK(kinds(history.on_configuration(at(1, configuration({1, 2, 3}, {}, "")), 10)) ==
        std::vector<std::string>{"founded ww-1:8090", "founded ww-2:8090", "founded ww-3:8090"});
  const auto joined = history.on_configuration(at(5, configuration({1, 2, 3}, {4}, "ww-4 asks to join")), 20);
  REQUIRE(kinds(joined) == std::vector<std::string>{"joined ww-4:8090"});
  CHECK(joined[0].reason == "ww-4 asks to join");
  CHECK(joined[0].index == 5);
  CHECK(joined[0].unix_seconds == 20);
  core::Configuration joint = configuration({1, 2, 4}, {}, "r");
  joint.outgoing = configuration({1, 2, 3}, {}, "").voters;
  CHECK(history.on_configuration(at(6, joint), 21).empty());
  CHECK(kinds(history.on_configuration(at(7, configuration({1, 2, 4}, {}, "r")), 22)) ==
        std::vector<std::string>{"promoted ww-4:8090", "removed ww-3:8090"});
  CHECK(kinds(history.on_configuration(at(8, configuration({1, 2}, {4}, "r")), 23)) ==
        std::vector<std::string>{"demoted ww-4:8090"});
  CHECK(history.events().size() == 7);
}

TEST_CASE("a restart reads the file back and does not repeat what is applied again") {
  const Folder folder;
  {
    MembershipHistory history(folder.file);
    history.on_configuration(at(1, configuration({1, 2, 3}, {}, "")), 10);
    history.on_configuration(at(2, configuration({1, 2, 3}, {4}, "said \"so\"\n")), 11);
  }
  std::ofstream(folder.file, std::ios::app) << "{\"index\": 3, \"ki";  // a line that was cut short
  MembershipHistory history(folder.file);
  REQUIRE(history.events().size() == 4);
  CHECK(history.events().back().reason == "said \"so\"\n");
  CHECK(history.on_configuration(at(1, configuration({1, 2, 3}, {}, "")), 12).empty());
  CHECK(history.on_configuration(at(2, configuration({1, 2, 3}, {4}, "")), 12).empty());
  CHECK(kinds(history.on_configuration(at(9, configuration({1, 2}, {4}, "x")), 13)) ==
        std::vector<std::string>{"removed ww-3:8090"});
}

TEST_CASE("the history is bounded, in memory and in the file") {
  const Folder folder;
  MembershipHistory history(folder.file);
  history.on_configuration(at(1, configuration({1}, {}, "")), 1);
  for (std::uint64_t i = 2; i < 2 * history_events_max + 200; ++i) {
    history.on_configuration(
        at(i, configuration({1}, i % 2 == 0 ? std::vector<std::uint64_t>{2} : std::vector<std::uint64_t>{}, "")), 1);
  }
  CHECK(history.events().size() == history_events_max);
  std::ifstream in(folder.file);
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  CHECK(lines >= history_events_max);
  CHECK(lines <= 2 * history_events_max);
}

}  // namespace
}  // namespace whitewater::server

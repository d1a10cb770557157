// Runs every file of testdata/ and compares what happened with what the file says. WHITEWATER_REWRITE=1 writes the
// answers into the files instead; the difference is then reviewed like code.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "core/transcript_env.hpp"

namespace whitewater::core::test {
namespace {

constexpr std::size_t transcripts_min = 25;  // an empty folder must not pass

std::vector<std::filesystem::path> transcript_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(WHITEWATER_TESTDATA)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The file with every expectation replaced by what happens now. A comment or an empty line is kept as it is; a command
// is a line before "----", and its expectation ends with an empty line.
std::string play(const std::string& file) {
  TranscriptEnv env;
  std::stringstream in(file);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    out += line + "\n";
    if (line.empty() || line.front() == '#') continue;
    std::string rest;
    if (!std::getline(in, rest) || rest != "----") return out + "error: a command must be followed by ----\n";
    while (std::getline(in, rest) && !rest.empty()) {
    }
    out += "----\n" + env.run(line) + "\n";
  }
  return out;
}

}  // namespace

TEST_CASE("every transcript happens as it is written") {
  const auto files = transcript_files();
  REQUIRE(files.size() >= transcripts_min);
  const bool rewrite = std::getenv("WHITEWATER_REWRITE") != nullptr;
  for (const auto& path : files) {
    const std::string expected = read_file(path);
    const std::string actual = play(expected);
    if (rewrite) {
      std::ofstream(path) << actual;
      continue;
    }
    INFO(path.filename().string());
    CHECK(actual == expected);
  }
}

}  // namespace whitewater::core::test

// Which directories may be used, and what is said about those that may not.
#include "log/data_dir.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "catch.hpp"
#include "log/temp_dir.hpp"

using namespace whitewater;
using namespace whitewater::log;
using base::ExitCode;
using base::FatalError;

namespace {

struct Outcome {
  ExitCode code = ExitCode::ok;
  std::string message;
};
Outcome try_open(const DataDirOptions& options) {
  try {
    (void)DataDir::open(options);
  } catch (const FatalError& error) {
    return {error.code(), error.what()};
  }
  return {};
}
DataDirOptions options_for(const std::string& path, const std::string& name = "whitewater-0") {
  DataDirOptions options;
  options.path = path;
  options.pod_name = name;
  return options;
}
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a new directory gets an identity, and keeps it over restarts while the incarnation grows") {
  // Intent: the identity record's life.
  const TempDir temp;
  const std::string path = temp.path() + "/a/b/";
  base::NodeId node;
  {
    auto dir = DataDir::open(options_for(path));
    CHECK(dir.is_new());
    CHECK(dir.meta().state == MemberState::fresh);
    CHECK(dir.meta().incarnation == base::Incarnation(1));
    node = dir.meta().node;
    CHECK_FALSE(node.is_zero());
    MetaRecord record = dir.meta();
    record.state = MemberState::member;
    record.cluster = base::ClusterId(77);
    dir.store(record);
  }
  for (std::uint64_t start = 2; start <= 4; ++start) {
    auto dir = DataDir::open(options_for(path));
    CHECK_FALSE(dir.is_new());
    CHECK(dir.meta().node == node);
    CHECK(dir.meta().cluster == base::ClusterId(77));
    CHECK(dir.meta().state == MemberState::member);
    CHECK(dir.meta().incarnation == base::Incarnation(start));
  }
}

TEST_CASE("a directory in use is refused") {
  // Intent: two processes on one disk.
  const TempDir temp;
  auto dir = DataDir::open(options_for(temp.path()));
  const auto outcome = try_open(options_for(temp.path()));
  CHECK(outcome.code == ExitCode::data_directory);
  CHECK(contains(outcome.message, "in use by another process"));
}

TEST_CASE("a directory of another member's name is refused unless it is to be taken over") {
  // Intent: a volume mounted into the wrong pod.
  const TempDir temp;
  {
    auto dir = DataDir::open(options_for(temp.path(), "whitewater-1"));
  }
  auto options = options_for(temp.path(), "whitewater-2");
  const auto outcome = try_open(options);
  CHECK(outcome.code == ExitCode::data_directory);
  CHECK(contains(outcome.message, "whitewater-1"));
  options.allow_other_name = true;
  auto dir = DataDir::open(options);
  CHECK(dir.meta().pod_name == "whitewater-2");
  CHECK(dir.warnings().size() >= 1);
}

TEST_CASE("a file in place of the directory and an empty path are refused") {
  // Intent: the plain mistakes.
  const TempDir temp;
  std::ofstream(temp.path() + "/file") << "x";
  auto outcome = try_open(options_for(temp.path() + "/file"));
  CHECK(outcome.code == ExitCode::data_directory);
  CHECK(contains(outcome.message, "not a directory"));
  outcome = try_open(options_for(temp.path() + "/file/below"));
  CHECK(outcome.code == ExitCode::data_directory);
  CHECK(try_open(options_for("")).code == ExitCode::usage);
  CHECK(try_open(options_for(temp.path(), std::string(300, 'n'))).code == ExitCode::usage);
}

TEST_CASE("a record damaged in one copy is mended, in both it is refused, a newer one is refused") {
  // Intent: what the two copies are for.
  const TempDir temp;
  {
    auto dir = DataDir::open(options_for(temp.path()));
  }
  const std::string path = temp.path() + "/identity";
  const auto damage = [&](off_t at) {
    const UniqueFd file(::open(path.c_str(), O_RDWR));
    REQUIRE(::pwrite(file.get(), "\xff\xff", 2, at) == 2);
  };
  damage(20);
  {
    auto dir = DataDir::open(options_for(temp.path()));
    CHECK(contains(dir.warnings().front(), "one copy"));
  }
  damage(20);
  damage(static_cast<off_t>(meta_copy_bytes) + 20);
  CHECK(try_open(options_for(temp.path())).code == ExitCode::corrupt);

  std::string copy(
      encode(MetaRecord{1, base::ClusterId(0), base::NodeId(1), base::Incarnation(1), MemberState::fresh, 0, ""}));
  const auto checked = static_cast<std::size_t>(16 + static_cast<std::uint8_t>(copy[12]));
  copy[8] = 9;
  const std::uint32_t crc = base::crc32c(std::string_view(copy).substr(0, checked));
  std::memcpy(copy.data() + checked, &crc, sizeof crc);
  std::ofstream(path, std::ios::binary) << copy << copy;
  const auto outcome = try_open(options_for(temp.path()));
  CHECK(outcome.code == ExitCode::newer_format);
  CHECK(contains(outcome.message, "newer version"));
}

TEST_CASE("a log without an identity record is refused") {
  // Intent: never a second identity over an old log.
  const TempDir temp;
  REQUIRE(::mkdir((temp.path() + "/log").c_str(), 0700) == 0);
  CHECK(try_open(options_for(temp.path())).code == ExitCode::corrupt);
}

TEST_CASE("a directory without write permission says whose it is") {
  // Intent: the message for a volume whose owner is not this user. In a child, which gives up root.
  const TempDir temp;
  REQUIRE(::chmod(temp.path().c_str(), 0755) == 0);
  if (::geteuid() != 0) REQUIRE(::chmod(temp.path().c_str(), 0555) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(9);
    const auto outcome = try_open(options_for(temp.path()));
    const bool is_right = outcome.code == ExitCode::data_directory && contains(outcome.message, "uid") &&
                          contains(outcome.message, "with mode");
    ::_exit(is_right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  ::chmod(temp.path().c_str(), 0755);
}

TEST_CASE("a read-only file system is refused with what to do") {
  // Intent: EROFS. A read-only bind mount in a mount namespace of the child.
  const TempDir temp;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const char* path = temp.path().c_str();
    const bool is_mounted = ::unshare(CLONE_NEWNS) == 0 &&
                            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
                            ::mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
    if (!is_mounted) ::_exit(7);
    const auto outcome = try_open(options_for(temp.path()));
    ::_exit(outcome.code == ExitCode::data_directory && contains(outcome.message, "read-only") ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WEXITSTATUS(status) == 7) {
    WARN("skipped: no permission to mount");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("file systems are told apart: refused, loud, and fine") {
  // Intent: the table.
  CHECK_FALSE(filesystem_kind(0xef53).is_network);
  CHECK(filesystem_kind(0xef53).name == "ext4");
  CHECK(filesystem_kind(0x6969).is_network);
  CHECK(filesystem_kind(0xff534d42).is_network);
  CHECK(filesystem_kind(0x794c7630).is_volatile);
  CHECK(filesystem_kind(0x01021994).is_volatile);
  CHECK(filesystem_kind(0x12345).name == "0x12345");
}

TEST_CASE("a directory in memory works with a loud warning") {
  // Intent: tmpfs runs, and says that the data does not last.
  const TempDir temp("/dev/shm");
  auto dir = DataDir::open(options_for(temp.path()));
  REQUIRE_FALSE(dir.warnings().empty());
  CHECK(contains(dir.warnings().front(), "tmpfs"));
}

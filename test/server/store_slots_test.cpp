// The record that says which folder holds the store, on a real directory.
#include "server/store_slots.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "catch.hpp"

using namespace whitewater;
using server::StoreSlots;

namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "whitewater-slots-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] bool has(const std::string& name) const { return fs::exists(path_ + "/" + name); }
  void make(const std::string& name) const { fs::create_directory(path_ + "/" + name); }

 private:
  std::string path_;
};

const core::TermRun end{core::Index(70), core::Term(5)};

int exit_code_of(const std::string& path) {
  try {
    StoreSlots slots(path);
  } catch (const base::FatalError& error) {
    return static_cast<int>(error.code());
  }
  return 0;
}

// Changes one byte of the record.
void damage(const Folder& folder, std::size_t at, char value) {
  std::fstream file(folder.path() + "/store.current", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(value);
}

}  // namespace

TEST_CASE("without a record the store is where it was created") {
  const Folder folder;
  const StoreSlots slots(folder.path());
  CHECK(slots.active() == folder.path() + "/store");
  CHECK_FALSE(slots.installed());
}

TEST_CASE("an exchange is found by the next start, which removes the folder that does not count") {
  const Folder folder;
  folder.make("store");
  {
    StoreSlots slots(folder.path());
    const std::string fresh = slots.fresh();
    fs::create_directory(fresh);
    CHECK(slots.active() == folder.path() + "/store");  // not before activate()
    slots.activate(fresh, end);
    CHECK(slots.active() == fresh);
    CHECK(folder.has("store"));  // still open elsewhere
  }
  StoreSlots slots(folder.path());
  CHECK(slots.active() == folder.path() + "/store-1");
  REQUIRE(slots.installed());
  CHECK(*slots.installed() == end);
  CHECK(folder.has("store-1"));
  CHECK_FALSE(folder.has("store"));
  CHECK(slots.fresh() == folder.path() + "/store-2");
}

TEST_CASE("a store that was never finished is removed by the next start") {
  const Folder folder;
  folder.make("store");
  folder.make("store-1");
  folder.make("store-notes");  // nobody's business
  const StoreSlots slots(folder.path());
  CHECK(folder.has("store"));
  CHECK_FALSE(folder.has("store-1"));
  CHECK(folder.has("store-notes"));
}

TEST_CASE("a damaged record is refused and removes nothing, wherever the damage is") {
  const Folder folder;
  folder.make("store");
  folder.make("store-1");
  {
    StoreSlots slots(folder.path());
    folder.make("store-1");
    slots.activate(folder.path() + "/store-1", end);
  }
  const auto size = fs::file_size(folder.path() + "/store.current");
  for (std::size_t at = 0; at < size; ++at) {
    std::ifstream in(folder.path() + "/store.current", std::ios::binary);
    in.seekg(static_cast<std::streamoff>(at));
    const char before = static_cast<char>(in.get());
    damage(folder, at, static_cast<char>(before ^ 0x55));
    INFO("byte " << at);
    CHECK(exit_code_of(folder.path()) != 0);
    CHECK(folder.has("store"));
    CHECK(folder.has("store-1"));
    damage(folder, at, before);
  }
  CHECK(exit_code_of(folder.path()) == 0);
}

TEST_CASE("a cut record is refused") {
  const Folder folder;
  {
    StoreSlots slots(folder.path());
    folder.make("store-1");
    slots.activate(folder.path() + "/store-1", end);
  }
  const auto size = fs::file_size(folder.path() + "/store.current");
  for (std::size_t keep = 0; keep < size; ++keep) {
    fs::resize_file(folder.path() + "/store.current", keep);
    CHECK(exit_code_of(folder.path()) == static_cast<int>(base::ExitCode::corrupt));
    fs::remove(folder.path() + "/store.current");
    StoreSlots slots(folder.path());
    folder.make("store-1");
    slots.activate(folder.path() + "/store-1", end);
  }
}

TEST_CASE("a record of a newer version is refused as such") {
  const Folder folder;
  {
    StoreSlots slots(folder.path());
    folder.make("store-1");
    slots.activate(folder.path() + "/store-1", end);
  }
  damage(folder, 4, 2);
  CHECK(exit_code_of(folder.path()) == static_cast<int>(base::ExitCode::newer_format));
}

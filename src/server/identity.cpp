#include "server/identity.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/assert.hpp"
#include "base/error.hpp"

namespace whitewater::server {
namespace {

using base::ExitCode;
using base::FatalError;

discovery::MemberState to_discovery(log::MemberState state) {
  switch (state) {
    case log::MemberState::fresh:
      return discovery::MemberState::fresh;
    case log::MemberState::prepared:
      return discovery::MemberState::prepared;
    case log::MemberState::member:
      return discovery::MemberState::member;
    case log::MemberState::removed:
      return discovery::MemberState::removed;
  }
  return discovery::MemberState::fresh;
}

log::MemberState to_log(discovery::MemberState state) {
  switch (state) {
    case discovery::MemberState::fresh:
      return log::MemberState::fresh;
    case discovery::MemberState::prepared:
      return log::MemberState::prepared;
    case discovery::MemberState::member:
      return log::MemberState::member;
    case discovery::MemberState::removed:
      return log::MemberState::removed;
  }
  return log::MemberState::fresh;
}

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw FatalError(ExitCode::disk, what + " " + path + ": " + std::strerror(errno));
}

void sync_directory(const std::string& path) {
  const log::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open() || ::fsync(fd.get()) != 0) fail("cannot sync the directory", path);
}

// Whole or not at all, also after a crash.
void write_file(const std::string& directory, const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".new";
  {
    const log::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open()) fail("cannot create", temporary);
    if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fsync(fd.get()) != 0) {
      fail("cannot write", temporary);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail("cannot rename to", path);
  sync_directory(directory);
}

std::string removed_in_path(const std::string& directory) { return directory + "/removed_in"; }

std::string read_bounded(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(discovery::founder_set_bytes_max + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

bool may_rejoin(const log::DataDir& directory, const Rejoin& rejoin) {
  if (!rejoin.is_allowed) return false;
  return rejoin.pod_uid.empty() || read_bounded(removed_in_path(directory.path())) != rejoin.pod_uid;
}

}  // namespace

log::DataDir open_data_dir(const log::DataDirOptions& options, const Rejoin& rejoin, base::LogSink& sink) {
  namespace fs = std::filesystem;
  {
    log::DataDir directory = log::DataDir::open(options);
    // Without a cluster it is one whose cluster was gone before it was taken in; nothing of it is worth a question.
    const bool is_orphan = directory.meta().cluster.is_zero();
    if (directory.meta().state != log::MemberState::removed || !(is_orphan || may_rejoin(directory, rejoin)))
      return directory;
    const std::string archive = "removed-" + base::to_hex(directory.meta().node);
    sink.warn("server",
              is_orphan
                  ? "the cluster that this member waited for is gone, so it begins anew"
                  : "this member was removed from its cluster and begins anew (rejoin_removed); what it held is kept",
              {{"folder", directory.path() + "/" + archive}});
    const fs::path target = fs::path(directory.path()) / archive;
    std::error_code error;
    fs::create_directory(target, error);
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(directory.path(), error)) entries.push_back(entry.path());
    // The record last: until it is gone a start that was cut short is repeated.
    std::sort(entries.begin(), entries.end(), [](const fs::path& a, const fs::path& b) {
      return std::pair(a.filename() == "identity", a) < std::pair(b.filename() == "identity", b);
    });
    for (const fs::path& path : entries) {
      if (path.filename() == "lock" || path.filename().string().starts_with("removed-")) continue;
      fs::rename(path, target / path.filename(), error);
      if (error) {
        throw FatalError(ExitCode::disk,
                         "cannot move " + path.string() + " to " + target.string() + ": " + error.message());
      }
    }
    sync_directory(directory.path());
  }
  return log::DataDir::open(options);
}

Identity::Identity(log::DataDir directory) : directory_(std::move(directory)) {
  const log::MetaRecord& meta = directory_.meta();
  bootstrap_.state = to_discovery(meta.state);
  bootstrap_.cluster_id = meta.cluster;
  bootstrap_.set_hash = meta.prepared_set_hash;
  if (meta.prepared_set_hash == 0) return;
  const std::string path = founders_path(meta.prepared_set_hash);
  bootstrap_.founders = read_bounded(path);
  const auto set = discovery::decode_founder_set(bootstrap_.founders);
  if (!set || discovery::set_hash(*set) != meta.prepared_set_hash) {
    throw FatalError(ExitCode::corrupt, "the set of founders that this member promised (" + path +
                                            ") is missing or damaged; this member holds no data yet, so empty " +
                                            directory_.path() + " and let it join as a new member");
  }
}

std::string Identity::founders_path(std::uint64_t set_hash) const {
  return directory_.path() + "/founders-" + base::to_hex(set_hash);
}

void Identity::write_founders(std::uint64_t set_hash, const std::string& founders) const {
  write_file(directory_.path(), founders_path(set_hash), founders);
}

void Identity::store_removed(const std::string& pod_uid) {
  if (!pod_uid.empty()) write_file(directory_.path(), removed_in_path(directory_.path()), pod_uid);
  discovery::BootstrapMeta meta;
  meta.state = discovery::MemberState::removed;
  meta.cluster_id = cluster();
  store(meta);
}

net::Awaitable<void> Identity::persist(discovery::BootstrapMeta meta) {
  store(std::move(meta));
  co_return;
}

void Identity::store(discovery::BootstrapMeta meta) {
  // 1. The set under a name of its own, so that the one promised before stays readable.
  // 2. The record that points at it: this is the promise.
  // 3. Only then the old set goes. A stop in between leaves a file that no record names.
  if (meta.set_hash != 0) write_founders(meta.set_hash, meta.founders);
  const std::uint64_t old_hash = bootstrap_.set_hash;
  log::MetaRecord record = directory_.meta();
  record.state = to_log(meta.state);
  record.cluster = meta.cluster_id;
  record.prepared_set_hash = meta.set_hash;
  directory_.store(record);
  if (old_hash != 0 && old_hash != meta.set_hash) ::unlink(founders_path(old_hash).c_str());
  bootstrap_ = std::move(meta);
}

void Identity::forget_founders() {
  if (bootstrap_.set_hash == 0) return;
  WW_ASSERT(bootstrap_.state == discovery::MemberState::member);
  log::MetaRecord record = directory_.meta();
  record.prepared_set_hash = 0;
  directory_.store(record);
  ::unlink(founders_path(bootstrap_.set_hash).c_str());
  bootstrap_.set_hash = 0;
  bootstrap_.founders.clear();
}

}  // namespace whitewater::server

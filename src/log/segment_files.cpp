#include "log/segment_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <thread>

#include "base/assert.hpp"
#include "base/error.hpp"
#include "log/format.hpp"

namespace whitewater::log {
namespace {

constexpr std::uint32_t fill_write_bytes = 1U << 20;
constexpr std::string_view name_prefix = "segment-";
constexpr std::string_view name_suffix = ".wwlog";
constexpr std::string_view unfinished_suffix = ".new";

using base::ExitCode;
using base::FatalError;

boost::system::error_code os_error(int error) { return {error, boost::system::system_category()}; }

std::string segment_name(Slot slot) {
  char text[16];
  std::snprintf(text, sizeof text, "%06u", slot);
  return std::string(name_prefix) + text + std::string(name_suffix);
}

std::optional<Slot> slot_of(std::string_view name) {
  if (!name.starts_with(name_prefix) || !name.ends_with(name_suffix)) return std::nullopt;
  name.remove_prefix(name_prefix.size());
  name.remove_suffix(name_suffix.size());
  Slot slot = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), slot);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return slot;
}

int open_flags(bool direct_io) { return O_RDWR | O_CLOEXEC | (direct_io ? O_DIRECT : 0); }

// 0 or an errno. The zeros are written, not only allocated: the first write into an allocated extent costs a commit of
// the file system's journal.
int fill(int fd, const ZeroFill& what) {
  const AlignedBytes zeros = allocate_aligned(fill_write_bytes);
  std::memset(zeros.get(), 0, fill_write_bytes);
  const auto started = std::chrono::steady_clock::now();
  for (std::uint32_t at = 0; at < what.segment_bytes; at += fill_write_bytes) {
    if (what.should_stop != nullptr && (*what.should_stop)()) return ECANCELED;
    const std::uint32_t size = std::min(fill_write_bytes, what.segment_bytes - at);
    const auto written = ::pwrite(fd, zeros.get(), size, static_cast<off_t>(at));
    if (written < 0) return errno;
    if (static_cast<std::uint32_t>(written) != size) return ENOSPC;
    if (what.bytes_per_second == 0) continue;
    const auto due = std::chrono::microseconds(1'000'000ULL * (at + size) / what.bytes_per_second);
    std::this_thread::sleep_until(started + due);
  }
  return ::fsync(fd) != 0 ? errno : 0;
}

std::string in_dir(const std::string& dir, std::string_view name) { return dir + "/" + std::string(name); }

[[noreturn]] void refuse_dir(const std::string& what, const std::string& path, int error) {
  throw FatalError(ExitCode::data_directory, what + " " + path + ": " + std::strerror(error) +
                                                 ". Check that the volume is mounted writable and has free space");
}

std::map<Slot, std::string> list_segments(const std::string& dir) {
  DIR* handle = ::opendir(dir.c_str());
  if (handle == nullptr) refuse_dir("cannot list the log directory", dir, errno);
  std::map<Slot, std::string> found;
  while (const dirent* item = ::readdir(handle)) {
    const std::string_view name = item->d_name;
    if (name.ends_with(unfinished_suffix)) ::unlink(in_dir(dir, name).c_str());  // half-made at an earlier stop
    if (const auto slot = slot_of(name)) found.emplace(*slot, in_dir(dir, name));
  }
  ::closedir(handle);
  return found;
}

}  // namespace

base::Result<UniqueFd> make_segment(const ZeroFill& what) {
  const std::string path = in_dir(what.dir, segment_name(what.slot));
  const std::string unfinished = path + std::string(unfinished_suffix);
  UniqueFd file(::open(unfinished.c_str(), open_flags(what.direct_io) | O_CREAT | O_TRUNC, 0600));
  if (!file.is_open()) return os_error(errno);
  int error = fill(file.get(), what);
  if (error == 0 && ::rename(unfinished.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return file;
  ::unlink(unfinished.c_str());
  return os_error(error);
}

int sync_directory(const std::string& dir) {
  const UniqueFd handle(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.is_open()) return errno;
  return ::fsync(handle.get()) != 0 ? errno : 0;
}

SegmentFiles SegmentFiles::open(const std::string& dir, std::uint32_t segment_bytes, std::uint32_t initial_segments,
                                bool direct_io) {
  SegmentFiles files;
  files.dir_ = dir;
  files.segment_bytes_ = segment_bytes;
  files.direct_io_ = direct_io;
  const bool made_dir = ::mkdir(dir.c_str(), 0700) == 0;
  if (!made_dir && errno != EEXIST) refuse_dir("cannot make the log directory", dir, errno);

  for (const auto& [slot, path] : list_segments(dir)) {
    if (slot != files.files_.size()) {
      throw FatalError(ExitCode::corrupt, "the log lacks segment file " +
                                              in_dir(dir, segment_name(files.slot_count())) +
                                              ". Restore it, or start with an empty directory to join as a new member");
    }
    UniqueFd file(::open(path.c_str(), open_flags(direct_io)));
    if (!file.is_open()) refuse_dir("cannot open the log's", path, errno);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) refuse_dir("cannot examine the log's", path, errno);
    if (slot == 0)
      files.segment_bytes_ = static_cast<std::uint32_t>(std::min<off_t>(status.st_size, segment_bytes_max));
    const bool is_plausible = files.segment_bytes_ >= segment_bytes_min && files.segment_bytes_ % block_bytes == 0;
    if (!is_plausible || status.st_size != static_cast<off_t>(files.segment_bytes_)) {
      throw FatalError(ExitCode::corrupt, path + " has " + std::to_string(status.st_size) + " bytes, not " +
                                              std::to_string(files.segment_bytes_) + ". Restore the file");
    }
    // Settles writes of an earlier run: nothing is decided on what a power cut could still take.
    if (::fsync(file.get()) != 0) {
      throw FatalError(ExitCode::disk, "cannot sync " + path + ": " + std::strerror(errno) + ". Check the disk");
    }
    files.files_.push_back(std::move(file));
  }

  bool made_file = false;
  while (files.files_.size() < initial_segments) {
    auto made = make_segment({dir, files.slot_count(), files.segment_bytes_, direct_io, 0, nullptr});
    if (made.has_error()) refuse_dir("cannot make a segment in", dir, made.error().value());
    files.files_.push_back(std::move(*made));
    made_file = true;
  }
  int error = made_file ? sync_directory(dir) : 0;
  if (error == 0 && made_dir) error = sync_directory(dir + "/..");
  if (error != 0) refuse_dir("cannot sync", dir, error);
  return files;
}

base::Result<std::string_view> SegmentFiles::read(Slot slot, std::uint32_t offset_bytes, std::uint32_t size_bytes) {
  WW_ASSERT(offset_bytes % block_bytes == 0 && size_bytes % block_bytes == 0);
  WW_ASSERT(offset_bytes + size_bytes <= segment_bytes_);
  if (buffer_bytes_ < size_bytes) {
    buffer_ = allocate_aligned(size_bytes);
    buffer_bytes_ = size_bytes;
  }
  std::uint32_t done = 0;
  while (done < size_bytes) {
    const auto got =
        ::pread(fd(slot), buffer_.get() + done, size_bytes - done, static_cast<off_t>(offset_bytes + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_error(errno);
    if (got == 0) return os_error(EIO);
    done += static_cast<std::uint32_t>(got);
  }
  return std::string_view(buffer_.get(), size_bytes);
}

std::vector<int> SegmentFiles::fds() const {
  std::vector<int> fds;
  for (const auto& file : files_) fds.push_back(file.get());
  return fds;
}

}  // namespace whitewater::log

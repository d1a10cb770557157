#include "log/data_dir.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/assert.hpp"
#include "base/error.hpp"
#include "log/format.hpp"
#include "log/segment_files.hpp"

namespace whitewater::log {
namespace {

using base::ExitCode;
using base::FatalError;

constexpr const char* meta_name = "/identity";
constexpr const char* lock_name = "/lock";

// Magic numbers that linux/magic.h does not have.
constexpr std::uint64_t cifs_magic = 0xff534d42;
constexpr std::uint64_t ceph_magic = 0x00c36400;
constexpr std::uint64_t xfs_magic = 0x58465342;
constexpr std::uint64_t zfs_magic = 0x2fc12fc1;
constexpr std::uint64_t gfs2_magic = 0x01161970;
constexpr std::uint64_t glusterfs_fuse_magic = FUSE_SUPER_MAGIC;

std::string who_and_mode(const std::string& path) {
  struct stat status{};
  std::string text = "this process is uid " + std::to_string(::geteuid()) + " gid " + std::to_string(::getegid());
  if (::stat(path.c_str(), &status) != 0) return text;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777U);
  return text + ", " + path + " belongs to uid " + std::to_string(status.st_uid) + " gid " +
         std::to_string(status.st_gid) + " with mode " + mode;
}

[[noreturn]] void refuse(const std::string& what, const std::string& path, int error) {
  std::string next;
  if (error == EACCES || error == EPERM) {
    next = who_and_mode(path) + ". Set fsGroup or change the owner of the volume";
  } else if (error == EROFS) {
    next = "The volume is mounted read-only: mount it writable";
  } else if (error == ENOSPC || error == EDQUOT) {
    next = "The volume is full: enlarge it or free space";
  } else if (error == ENOTDIR || error == EEXIST) {
    next = "Something that is not a directory is in its place: choose another --data-dir";
  } else {
    next = "Check the volume";
  }
  throw FatalError(ExitCode::data_directory, what + " " + path + ": " + std::strerror(error) + ". " + next);
}

int make_directories(const std::string& path) {
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return errno;
    if (at != std::string::npos) ++at;
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return errno;
  return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

}  // namespace

FilesystemKind filesystem_kind(std::uint64_t magic) {
  switch (magic) {
    case EXT4_SUPER_MAGIC:
      return {"ext4", false, false};
    case xfs_magic:
      return {"xfs", false, false};
    case BTRFS_SUPER_MAGIC:
      return {"btrfs", false, false};
    case F2FS_SUPER_MAGIC:
      return {"f2fs", false, false};
    case zfs_magic:
      return {"zfs", false, false};
    case OVERLAYFS_SUPER_MAGIC:
      return {"overlayfs", false, true};
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
      return {magic == TMPFS_MAGIC ? "tmpfs" : "ramfs", false, true};
    case NFS_SUPER_MAGIC:
      return {"nfs", true, false};
    case SMB_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case cifs_magic:
      return {"cifs", true, false};
    case V9FS_MAGIC:
      return {"9p", true, false};
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
      return {"afs", true, false};
    case CODA_SUPER_MAGIC:
      return {"coda", true, false};
    case NCP_SUPER_MAGIC:
      return {"ncp", true, false};
    case OCFS2_SUPER_MAGIC:
      return {"ocfs2", true, false};
    case gfs2_magic:
      return {"gfs2", true, false};
    case ceph_magic:
      return {"ceph", true, false};
    case glusterfs_fuse_magic:
      return {"fuse", true, false};  // GlusterFS, sshfs, s3fs and their kind; nothing tells them apart
    default:
      break;
  }
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(magic));
  return {text, false, false};
}

DataDir DataDir::open(const DataDirOptions& options) {
  DataDir dir;
  dir.path_ = options.path;
  while (dir.path_.size() > 1 && dir.path_.back() == '/') dir.path_.pop_back();
  if (dir.path_.empty()) throw FatalError(ExitCode::usage, "the data directory is empty: set --data-dir");
  if (options.pod_name.size() > core::member_name_bytes_max) {
    throw FatalError(ExitCode::usage,
                     "the member's name is over " + std::to_string(core::member_name_bytes_max) + " bytes");
  }
  dir.make_directory();
  dir.check_filesystem(options);
  dir.take_lock();
  dir.probe_direct_io();
  dir.load_or_create(options);
  return dir;
}

void DataDir::make_directory() {
  if (const int error = make_directories(path_); error != 0) refuse("cannot make the data directory", path_, error);
  directory_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.is_open()) refuse("cannot open the data directory", path_, errno);
}

void DataDir::check_filesystem(const DataDirOptions& options) {
  struct statfs status{};
  if (::fstatfs(directory_.get(), &status) != 0) refuse("cannot examine the data directory", path_, errno);
  filesystem_ = filesystem_kind(static_cast<std::uint64_t>(static_cast<unsigned long>(status.f_type)));
  if (filesystem_.is_network && !options.allow_unsafe_filesystem) {
    throw FatalError(
        ExitCode::data_directory,
        path_ + " is on " + filesystem_.name +
            ", a network file system, which may lose what it said was written. Use a block volume, or accept "
            "the risk with --allow-unsafe-fs");
  }
  if (filesystem_.is_network) {
    warnings_.push_back(path_ + " is on " + filesystem_.name +
                        ", a network file system: acknowledged writes may be lost. Use a block volume");
  }
  if (filesystem_.is_volatile) {
    warnings_.push_back(path_ + " is on " + filesystem_.name +
                        ": the data is gone with the container or the machine. Mount a persistent volume there");
  }
}

void DataDir::take_lock() {
  const std::string path = path_ + lock_name;
  lock_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_.is_open()) refuse("cannot write to the data directory", path_, errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) refuse("cannot lock", path, errno);
  throw FatalError(ExitCode::data_directory,
                   path_ + " is in use by another process. Stop it first, or give this member its own --data-dir");
}

// By trying: file systems that accept the flag may still refuse the write.
void DataDir::probe_direct_io() {
  const std::string path = path_ + "/probe.new";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600));
  if (file.is_open()) {
    const AlignedBytes block = allocate_aligned(block_bytes);
    std::memset(block.get(), 0, block_bytes);
    has_direct_io_ = ::pwrite(file.get(), block.get(), block_bytes, 0) == static_cast<ssize_t>(block_bytes);
  }
  const int error = errno;
  ::unlink(path.c_str());
  if (!has_direct_io_ && (error == ENOSPC || error == EDQUOT))
    refuse("cannot write to the data directory", path_, error);
  if (has_direct_io_) return;
  warnings_.push_back(path_ + " is on " + filesystem_.name +
                      " without O_DIRECT: the log is written through the page cache and is slower");
}

void DataDir::load_or_create(const DataDirOptions& options) {
  const std::string path = path_ + meta_name;
  meta_file_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!meta_file_.is_open() && errno == ENOENT) return create_record(options);
  if (!meta_file_.is_open()) refuse("cannot open the identity record", path, errno);
  // Settles the writes of an earlier run before anything is decided on them.
  if (::fsync(meta_file_.get()) != 0)
    throw FatalError(ExitCode::disk, "cannot sync " + path + ": " + std::strerror(errno));
  std::string file(meta_file_bytes, '\0');
  const auto got = ::pread(meta_file_.get(), file.data(), file.size(), 0);
  if (got < 0) throw FatalError(ExitCode::disk, "cannot read " + path + ": " + std::strerror(errno));
  file.resize(static_cast<std::size_t>(got));
  const auto choice = choose_meta(file);
  if (choice.has_error() && choice.error() == base::Errc::unsupported_version) {
    throw FatalError(ExitCode::newer_format, path + " was written by a newer version. Start that version again");
  }
  if (choice.has_error() || !choice->record) {
    throw FatalError(ExitCode::corrupt,
                     path + " is damaged in both copies. Give this member an empty disk: it rejoins");
  }
  meta_ = *choice->record;
  if (choice->needs_rewrite) warnings_.push_back("one copy of " + path + " was damaged or behind and is written again");
  if (!options.pod_name.empty() && !meta_.pod_name.empty() && meta_.pod_name != options.pod_name) {
    if (!options.allow_other_name) {
      throw FatalError(ExitCode::data_directory, path_ + " belongs to member '" + meta_.pod_name + "', this is '" +
                                                     options.pod_name + "'. Mount this member's own volume");
    }
    warnings_.push_back(path_ + " belonged to member '" + meta_.pod_name + "' and is taken over by '" +
                        options.pod_name + "'");
  }
  MetaRecord record = meta_;
  if (!options.pod_name.empty()) record.pod_name = options.pod_name;
  meta_.incarnation = record.incarnation = meta_.incarnation.next();
  store(record);
}

// 1. The whole record under another name, synced; 2. its name; 3. the directory, synced. A stop before 2 leaves a
// directory without a record and without a log, which is made again with another node id that nobody has heard of.
void DataDir::create_record(const DataDirOptions& options) {
  struct stat status{};
  if (::stat(log_dir().c_str(), &status) == 0) {
    throw FatalError(ExitCode::corrupt, path_ + " holds a log and no identity record. Restore " + path_ + meta_name +
                                            ", or give this member an empty disk: it rejoins");
  }
  is_new_ = true;
  std::uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof id, 0) != sizeof id) throw FatalError(ExitCode::failure, "getrandom gives no bytes");
  }
  meta_.generation = 1;
  meta_.node = base::NodeId(id);
  meta_.incarnation = base::Incarnation(1);
  meta_.pod_name = options.pod_name;
  const std::string path = path_ + meta_name;
  const std::string unfinished = path + ".new";
  meta_file_ = UniqueFd(::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!meta_file_.is_open()) refuse("cannot write to the data directory", path_, errno);
  const std::string copies = encode(meta_) + encode(meta_);
  if (::pwrite(meta_file_.get(), copies.data(), copies.size(), 0) != static_cast<ssize_t>(copies.size())) {
    refuse("cannot write to the data directory", path_, errno);
  }
  if (::fsync(meta_file_.get()) != 0) refuse("cannot sync", unfinished, errno);
  if (::rename(unfinished.c_str(), path.c_str()) != 0) refuse("cannot rename", unfinished, errno);
  if (::fsync(directory_.get()) != 0) refuse("cannot sync", path_, errno);
  (void)sync_directory(path_ + "/..");  // may be a mount point's parent that is not ours
}

void DataDir::store(MetaRecord record) {
  WW_ASSERT(record.node == meta_.node);
  WW_ASSERT(record.incarnation == meta_.incarnation);
  record.generation = meta_.generation + 1;
  const std::string copy = encode(record);
  // The second copy is touched only when the first is safe.
  for (const std::size_t at : {std::size_t{0}, meta_copy_bytes}) {
    const auto written = ::pwrite(meta_file_.get(), copy.data(), copy.size(), static_cast<off_t>(at));
    const bool is_whole = written == static_cast<ssize_t>(copy.size());
    if (!is_whole || ::fdatasync(meta_file_.get()) != 0) {
      throw FatalError(ExitCode::disk, "cannot write " + path_ + meta_name + ": " +
                                           (written >= 0 && !is_whole ? "a short write" : std::strerror(errno)) +
                                           ". Check the disk");
    }
  }
  meta_ = std::move(record);
}

}  // namespace whitewater::log

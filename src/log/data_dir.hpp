// DataDir: the member's data directory and its identity record. Opening it answers whether this process may use it: the
// lock, permissions, the kind of file system, O_DIRECT, whose directory it is. Owned by the server for its whole life,
// used from the loop's thread; writing the record blocks for a sync. It does not touch the log's segments
// (raft_log.hpp).
#pragma once

#include <string>
#include <vector>

#include "log/executor.hpp"
#include "log/meta.hpp"

namespace whitewater::log {

struct DataDirOptions {
  std::string path;
  std::string pod_name;                  // written into a new record; a directory of another name is refused
  bool allow_unsafe_filesystem = false;  // network file systems
  bool allow_other_name = false;         // take over a directory whose record has another pod name
};

struct FilesystemKind {
  std::string name;          // "ext4", "nfs", ... or the magic number in hexadecimal
  bool is_network = false;   // refused by default: no guarantee that a sync reached a disk, and locks that lie
  bool is_volatile = false;  // gone with the container or the machine: overlay, tmpfs
};
[[nodiscard]] FilesystemKind filesystem_kind(std::uint64_t magic);

class DataDir {
 public:
  // Makes the directory and a record with a random node id where there is none, takes the lock, and writes the record
  // with the incarnation of this start. Throws FatalError: data_directory, newer_format, corrupt, disk.
  [[nodiscard]] static DataDir open(const DataDirOptions& options);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string log_dir() const { return path_ + "/log"; }
  [[nodiscard]] std::string store_dir() const { return path_ + "/store"; }
  [[nodiscard]] const MetaRecord& meta() const { return meta_; }
  [[nodiscard]] bool is_new() const { return is_new_; }
  [[nodiscard]] const FilesystemKind& filesystem() const { return filesystem_; }
  [[nodiscard]] bool has_direct_io() const { return has_direct_io_; }
  // For the operator, in the log and in every report: one sentence each.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  // Durable when it returns: both copies are written and synced, one after the other. The generation is set here; node
  // id and incarnation never change. Throws FatalError(disk), after which the process must end.
  void store(MetaRecord record);

 private:
  DataDir() = default;
  void make_directory();
  void check_filesystem(const DataDirOptions& options);
  void take_lock();
  void probe_direct_io();
  void load_or_create(const DataDirOptions& options);
  void create_record(const DataDirOptions& options);

  std::string path_;
  UniqueFd directory_;
  UniqueFd lock_;
  UniqueFd meta_file_;
  MetaRecord meta_;
  bool is_new_ = false;
  bool has_direct_io_ = false;
  FilesystemKind filesystem_;
  std::vector<std::string> warnings_;
};

}  // namespace whitewater::log

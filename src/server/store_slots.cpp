#include "server/store_slots.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/codec.hpp"
#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "log/segment_files.hpp"

namespace whitewater::server {
namespace {

using base::ExitCode;
using base::FatalError;

constexpr const char* first_name = "store";
constexpr const char* prefix = "store-";
constexpr const char* record_name = "/store.current";
// u32 magic, u16 version, blob name, u64 index, u64 term, u32 CRC-32C of all before it; little-endian.
constexpr std::uint32_t record_magic = 0x54535757;
constexpr std::uint16_t record_version = 1;
constexpr std::size_t record_bytes_max = 256;
constexpr std::size_t name_bytes_max = 64;

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw FatalError(ExitCode::disk, what + " " + path + ": " + std::strerror(errno));
}

void write_durably(const std::string& path, const std::string& bytes) {
  const log::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) fail("cannot write", path);
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) fail("cannot write", path);
  if (::fsync(file.get()) != 0) fail("cannot sync", path);
}

void sync_folder(const std::string& path) {
  const log::UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.get()) != 0) fail("cannot sync the folder", path);
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(std::strlen(prefix));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size() || number == 0) return std::nullopt;
  return number;
}

}  // namespace

StoreSlots::StoreSlots(std::string data_dir) : data_dir_(std::move(data_dir)), name_(first_name) {
  read_record();
  remove_unused();
}

std::string StoreSlots::active() const { return data_dir_ + "/" + name_; }

void StoreSlots::read_record() {
  const std::string path = data_dir_ + record_name;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    if (::access(path.c_str(), F_OK) == 0) fail("cannot read", path);
    return;
  }
  std::string bytes(record_bytes_max, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  base::ByteReader reader(bytes);
  const std::uint32_t magic = reader.u32();
  const std::uint16_t version = reader.u16();
  if (reader.ok() && magic == record_magic && version > record_version) {
    throw FatalError(ExitCode::newer_format, path + " was written by a newer version; start that version again");
  }
  const std::string name(reader.blob(name_bytes_max));
  const core::Index index(reader.u64());
  const core::Term term(reader.u64());
  const std::size_t covered_bytes = bytes.size() - reader.remaining_bytes();
  const std::uint32_t checksum = reader.u32();
  const bool is_whole = reader.ok() && reader.at_end() && magic == record_magic && number_of(name) &&
                        checksum == base::crc32c(std::string_view(bytes).substr(0, covered_bytes));
  if (!is_whole) {
    throw FatalError(ExitCode::corrupt,
                     path + " is damaged, so that it is not known which folder holds the store; empty " + data_dir_ +
                         " and let this member join again as a new one");
  }
  name_ = name;
  installed_ = core::TermRun{index, term};
  next_ = *number_of(name) + 1;
}

void StoreSlots::remove_unused() const {
  std::error_code ignored;  // the folder may not be there yet, and what cannot be removed does no harm
  for (const auto& item : std::filesystem::directory_iterator(data_dir_, ignored)) {
    const std::string name = item.path().filename().string();
    if (name != name_ && (name == first_name || number_of(name))) remove(item.path().string());
  }
}

std::string StoreSlots::fresh() { return data_dir_ + "/" + prefix + std::to_string(next_++); }

void StoreSlots::activate(const std::string& folder, core::TermRun end) {
  const std::string name = std::filesystem::path(folder).filename().string();
  std::string bytes;
  base::ByteWriter writer(bytes);
  writer.u32(record_magic);
  writer.u16(record_version);
  writer.blob(name);
  writer.u64(end.first.value);
  writer.u64(end.term.value);
  writer.u32(base::crc32c(bytes));
  const std::string path = data_dir_ + record_name;
  // The new folder's own name must be on the disk before anything points at it.
  sync_folder(data_dir_);
  write_durably(path + ".part", bytes);
  if (::rename((path + ".part").c_str(), path.c_str()) != 0) fail("cannot rename", path + ".part");
  sync_folder(data_dir_);
  name_ = name;
  installed_ = end;
}

void StoreSlots::remove(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

}  // namespace whitewater::server

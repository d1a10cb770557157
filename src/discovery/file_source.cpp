#include "discovery/file_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace whitewater::discovery {

namespace {

constexpr std::size_t warned_max = 256;  // bad entries that are remembered so as not to be reported again

std::string error_text() { return std::strerror(errno); }

}  // namespace

FileText read_small_file(const std::string& path, std::size_t bytes_max) {
  // Without waiting: a pipe under this name must not hold the reactor up. A few KiB of a local file do not.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {"", error_text()};
  FileText file;
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    file.problem = error_text();
  } else if (!S_ISREG(status.st_mode)) {
    file.problem = "it is no regular file";
  } else {
    file.text.resize(std::min(static_cast<std::size_t>(status.st_size), bytes_max) + 1);
    std::size_t size = 0;
    while (size < file.text.size()) {
      const auto got = ::read(fd, file.text.data() + size, file.text.size() - size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) file.problem = error_text();
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
    file.text.resize(size);
    if (size > bytes_max) file.problem = "it is larger than " + std::to_string(bytes_max) + " bytes";
  }
  ::close(fd);
  return file;
}

FileSource::FileSource(net::Executor executor, FileSourceOptions options, base::LogSink& log)
    : options_(std::move(options)),
      log_(log),
      resolver_(executor, options_.resolver),
      book_("file", "not in the peers file") {
  set_ = book_.set();
}

net::Awaitable<base::Result<PeerSet>> FileSource::discover() {
  auto file = read_small_file(options_.path, peers_file_bytes_max);
  if (file.problem.empty()) {
    take(parse_peers_file(file.text, options_.default_port));
  } else {
    bad_entries_.clear();
    book_.on_failure("the peers file " + options_.path + " cannot be read: " + file.problem +
                     "; is its volume mounted, and did the init container write it?");
  }
  set_ = book_.set();
  set_.expect = expect_;
  if (!set_.is_known) co_return base::Errc::not_found;
  co_return set_;
}

void FileSource::take(PeersFile file) {
  bad_entries_ = std::move(file.bad);
  for (const auto& entry : bad_entries_) warn_once(entry);
  if (file.expect != 0) expect_ = file.expect;
  if (!file.problem.empty()) {
    book_.on_failure("the peers file " + options_.path + " says nothing: " + file.problem);
  } else {
    book_.on_answer(net::now(), std::move(file.peers), base::Duration(0));
  }
}

void FileSource::warn_once(const std::string& entry) {
  if (warned_.size() >= warned_max || !warned_.insert(entry).second) return;
  log_.warn("discovery", "an entry of the peers file is left out: " + entry, {{"file", options_.path}});
}

net::Awaitable<base::Result<std::vector<net::Endpoint>>> FileSource::resolve(std::string host, std::uint16_t port) {
  return resolver_.resolve(std::move(host), port);
}

}  // namespace whitewater::discovery

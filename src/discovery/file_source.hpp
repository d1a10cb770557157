// FileSource: the peers file (kubernetes-guide.md option 3), read again at every question, which also follows the
// symlink swaps of projected volumes. A file that is missing, empty or of no use is "no information": what was known
// stays, and nobody is alone because of it. Owned by the server, reactor thread. Does not write: `whitewater discover
// --output` does.
#pragma once

#include <set>
#include <string>

#include "base/log_line.hpp"
#include "discovery/peer_source.hpp"
#include "discovery/peers_file.hpp"
#include "discovery/resolver.hpp"

namespace whitewater::discovery {

struct FileSourceOptions {
  std::string path;
  std::uint16_t default_port = 8090;
  ResolverOptions resolver;
};

class FileSource final : public PeerSource {
 public:
  // `log` is told of each bad entry once, and must outlive this.
  FileSource(net::Executor executor, FileSourceOptions options, base::LogSink& log);

  [[nodiscard]] std::string_view name() const override { return "file"; }
  net::Awaitable<base::Result<PeerSet>> discover() override;
  [[nodiscard]] const PeerSet& last_known() const override { return set_; }
  net::Awaitable<base::Result<std::vector<net::Endpoint>>> resolve(std::string host, std::uint16_t port) override;
  // What is wrong with the entries of the newest reading.
  [[nodiscard]] const std::vector<std::string>& bad_entries() const { return bad_entries_; }

 private:
  void take(PeersFile file);
  void warn_once(const std::string& entry);

  FileSourceOptions options_;
  base::LogSink& log_;
  Resolver resolver_;
  CandidateBook book_;
  PeerSet set_;  // the book's, with what the file states
  std::uint32_t expect_ = 0;
  std::vector<std::string> bad_entries_;
  std::set<std::string> warned_;
};

// The text of a regular file of at most `bytes_max`; otherwise `problem` says why not.
struct FileText {
  std::string text;
  std::string problem;
};
[[nodiscard]] FileText read_small_file(const std::string& path, std::size_t bytes_max);

}  // namespace whitewater::discovery

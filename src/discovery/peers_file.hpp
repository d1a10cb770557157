// The peers file of kubernetes-guide.md option 3: {"peers": ["host:port", ...]}, written by an init container, with two
// optional members of our own: "expect" (how many found the cluster) and "cluster" (the release's token). Read with the
// damage that the guide's scripts do to it (kubernetes.md §3.12): empty elements, an address without a host, a
// resolver's error word for a host. One bad entry never hides the good ones. Pure; does not read files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/candidate.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t peers_file_bytes_max = 1UL << 20;
inline constexpr std::size_t bad_entries_max = 16;  // named one by one; the rest is only counted

struct PeersFile {
  std::vector<Candidate> peers;  // good entries, each address once, in the order of the file
  std::uint32_t expect = 0;
  std::string token;
  std::vector<std::string> bad;  // what is wrong with each other entry, which it names
  std::string problem;           // not empty: nothing in the file can be used, and why
};
// An entry is "host:port", "host" or "name=host:port". A file without any good entry is a `problem`.
[[nodiscard]] PeersFile parse_peers_file(std::string_view text, std::uint16_t default_port);
// What parse_peers_file reads, and what the guide's own readers do: {"peers":[...]}, one line.
[[nodiscard]] std::string format_peers_file(const std::vector<Candidate>& peers, std::uint32_t expect);

}  // namespace whitewater::discovery

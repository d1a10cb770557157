// The texts that options are written in: sizes ("64MiB"), durations ("500ms", "2s"), addresses ("host:port") and the
// search for the name that a misspelt one was meant to be. Pure; knows no option.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whitewater::server {

// Digits only, within 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text);
// A count of bytes with an optional unit: B, K/Ki/KiB, M/Mi/MiB, G/Gi/GiB, T/Ti/TiB (1024) or KB, MB, GB, TB (1000).
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);
// A count of milliseconds with an optional unit: ms, s, m, h.
[[nodiscard]] std::optional<std::uint64_t> parse_milliseconds(std::string_view text);
// true/false, yes/no, on/off, 1/0.
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text);

// The largest binary unit that divides the value: "64MiB", "1572864" stays "1536KiB".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};
// "host:port", "1.2.3.4:8090" or "[::1]:8090"; with a default port the port may be missing. A host is at most 253 bytes
// without blanks, slashes or '@'.
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text,
                                                      std::optional<std::uint16_t> port_default = std::nullopt);
[[nodiscard]] std::string describe(const HostPort& address);

// Parts between commas, blanks around them dropped, empty parts dropped.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

// The candidate with the fewest edits to `name`, if that is close enough to be what was meant.
[[nodiscard]] std::optional<std::string> nearest_name(std::string_view name,
                                                      const std::vector<std::string>& candidates);

}  // namespace whitewater::server

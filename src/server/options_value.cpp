#include "server/options_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace whitewater::server {
namespace {

constexpr std::size_t host_bytes_max = 253;
// A suggestion further away than this is more confusing than none.
constexpr std::size_t suggestion_edits_max = 4;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Unit {
  std::string_view name;  // lower case
  std::uint64_t factor;
};

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  text = trimmed(text);
  const std::size_t digits = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; }) - text.begin());
  const auto number = parse_count(text.substr(0, digits));
  if (!number) return std::nullopt;
  std::string suffix(trimmed(text.substr(digits)));
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), lower);
  for (const Unit& unit : units) {
    if (unit.name != suffix) continue;
    if (*number > std::numeric_limits<std::uint64_t>::max() / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

// Levenshtein's distance over two short names, case ignored, '-' and '_' equal.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto fold = [](char c) { return c == '-' ? '_' : lower(c); };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t replace = diagonal + (fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1);
      row[j] = std::min({above + 1, row[j - 1] + 1, replace});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::uint64_t k = 1024;
  static constexpr std::array<Unit, 18> units{{{"", 1},
                                               {"b", 1},
                                               {"k", k},
                                               {"ki", k},
                                               {"kib", k},
                                               {"kb", 1000},
                                               {"m", k * k},
                                               {"mi", k * k},
                                               {"mib", k * k},
                                               {"mb", 1000 * 1000},
                                               {"g", k * k * k},
                                               {"gi", k * k * k},
                                               {"gib", k * k * k},
                                               {"gb", 1000 * 1000 * 1000},
                                               {"t", k * k * k * k},
                                               {"ti", k * k * k * k},
                                               {"tib", k * k * k * k},
                                               {"tb", 1000ULL * 1000 * 1000 * 1000}}};
  return parse_with_unit(text, units);
}

std::optional<std::uint64_t> parse_milliseconds(std::string_view text) {
  static constexpr std::array<Unit, 5> units{{{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  return parse_with_unit(text, units);
}

std::optional<bool> parse_bool(std::string_view text) {
  std::string folded(trimmed(text));
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (folded == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (folded == no) return false;
  }
  return std::nullopt;
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> units{"", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes).append(units[unit]);
}

std::optional<HostPort> parse_host_port(std::string_view text, std::optional<std::uint16_t> port_default) {
  text = trimmed(text);
  std::string_view host;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;  // brackets belong to IPv6
  } else {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (host.empty() || host.size() > host_bytes_max) return std::nullopt;
  if (host.find_first_of(" \t\r\n/@,=[]") != std::string_view::npos) return std::nullopt;
  if (rest.empty()) {
    if (!port_default) return std::nullopt;
    return HostPort{std::string(host), *port_default};
  }
  if (rest.front() != ':') return std::nullopt;
  const auto port = parse_count(rest.substr(1));
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return HostPort{std::string(host), static_cast<std::uint16_t>(*port)};
}

std::string describe(const HostPort& address) {
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + address.host + "]" : address.host;
  return host + ":" + std::to_string(address.port);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const auto comma = text.find(',');
    const auto part = trimmed(text.substr(0, comma));
    if (!part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  constexpr std::size_t name_bytes_max = 128;  // bounds the work for a hostile environment
  if (name.size() > name_bytes_max) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_edits = suggestion_edits_max + 1;
  for (const std::string& candidate : candidates) {
    // A name that was cut short or has a tail is also a near miss: "--election-timeout" for "--election-timeout-ms".
    const bool is_part = name.size() >= 4 && candidate.find(name) != std::string::npos;
    const std::size_t edits = is_part ? 1 : edit_distance(name, candidate);
    if (edits < best_edits) {
      best = &candidate;
      best_edits = edits;
    }
  }
  if (best == nullptr || best_edits * 2 > std::max(name.size(), best->size())) return std::nullopt;
  return *best;
}

}  // namespace whitewater::server

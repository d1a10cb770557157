#include "discovery/candidate.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/assert.hpp"

namespace whitewater::discovery {

using base::Errc;
using base::Result;

namespace {

constexpr std::size_t ordinal_digits_max = 6;
constexpr std::size_t label_bytes_max = 63;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  if (!is_digits(text) || text.size() > 5) return Errc::malformed;
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (value == 0 || value > 65535) return Errc::malformed;
  return static_cast<std::uint16_t>(value);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

bool is_ip_literal(std::string_view host) {
  const std::string text(host);
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return inet_pton(AF_INET, text.c_str(), buffer.data()) == 1 || inet_pton(AF_INET6, text.c_str(), buffer.data()) == 1;
}

bool is_host_valid(std::string_view host) {
  if (host.empty() || host.size() > host_name_bytes_max) return false;
  if (is_ip_literal(host)) return true;
  std::size_t label = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    if (++label > label_bytes_max) return false;
  }
  return label > 0;
}

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  if (text.size() > host_name_bytes_max + 9) return Errc::limit_exceeded;
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return Errc::malformed;
    host = text.substr(1, end - 1);
    if (!is_ip_literal(host)) return Errc::malformed;
    const auto rest = text.substr(end + 1);
    if (!rest.empty()) {
      if (!rest.starts_with(':')) return Errc::malformed;
      has_port = true;
      port = rest.substr(1);
    }
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    // A second colon makes it an IPv6 address, which needs brackets to carry a port.
    if (text.find(':', colon + 1) == std::string_view::npos) {
      has_port = true;
      host = text.substr(0, colon);
      port = text.substr(colon + 1);
    }
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!is_host_valid(host)) return Errc::malformed;
  if (!has_port) {
    if (default_port == 0) return Errc::malformed;
    return HostPort{std::string(host), default_port};
  }
  const auto number = parse_port(port);
  if (!number) return number.error();
  return HostPort{std::string(host), *number};
}

std::string describe(const HostPort& address) {
  const bool needs_brackets = address.host.find(':') != std::string::npos;
  return (needs_brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::optional<std::uint32_t> ordinal_of(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const auto digits = name.substr(dash + 1);
  if (!is_digits(digits) || digits.size() > ordinal_digits_max) return std::nullopt;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

std::string_view stem_of(std::string_view name) { return ordinal_of(name) ? name.substr(0, name.rfind('-')) : name; }

std::string pod_name_of(std::string_view host) {
  if (is_ip_literal(host)) return std::string(host);
  return std::string(host.substr(0, host.find('.')));
}

Candidate make_candidate(std::string name, HostPort address, std::vector<std::string> addresses) {
  auto ordinal = ordinal_of(name);
  Candidate candidate;
  candidate.name = std::move(name);
  candidate.address = std::move(address);
  candidate.addresses = std::move(addresses);
  candidate.ordinal = ordinal;
  return candidate;
}

CandidateBook::CandidateBook(std::string source, std::string absence) {
  set_.source = std::move(source);
  set_.absence = std::move(absence);
}

bool CandidateBook::on_answer(base::Instant now, std::vector<Candidate> peers, base::Duration ttl) {
  if (peers.empty()) {
    on_failure("the answer held no peer");
    return false;
  }
  std::set<HostPort> before;
  for (const auto& [address, known] : known_) before.insert(address);
  std::set<HostPort> in_answer;
  for (auto& peer : peers) {
    if (in_answer.size() == candidates_max) break;
    in_answer.insert(peer.address);
    auto address = peer.address;
    known_.insert_or_assign(std::move(address), Known{std::move(peer), now});
  }
  newest_count_ = in_answer.size();
  std::erase_if(known_, [&](const auto& item) { return now - item.second.last_seen > candidate_keep; });
  // Above the limit the names that were not seen for the longest time go first; the newest answer alone always fits.
  while (known_.size() > candidates_max) {
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
      return a.second.last_seen < b.second.last_seen;
    }));
  }
  set_.as_of = now;
  set_.is_known = true;
  set_.last_error.clear();
  set_.ttl = ttl;
  rebuild(now);
  std::set<HostPort> after;
  for (const auto& [address, known] : known_) after.insert(address);
  WW_ASSERT(!set_.peers.empty());
  return before != after;
}

void CandidateBook::on_failure(std::string reason) {
  set_.is_stale = true;
  set_.last_error = std::move(reason);
}

void CandidateBook::rebuild(base::Instant now) {
  set_.peers.clear();
  set_.is_stale = false;
  for (const auto& [address, known] : known_) {
    set_.peers.push_back(known.candidate);
    set_.peers.back().is_current = known.last_seen == now;
    if (!set_.peers.back().is_current) set_.is_stale = true;
  }
}

Result<std::vector<Candidate>> parse_peer_list(std::string_view text, std::uint16_t default_port) {
  std::vector<Candidate> peers;
  std::set<std::string> names;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto entry = trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (entry.empty()) continue;
    std::string name;
    if (const auto equals = entry.find('='); equals != std::string_view::npos) {
      name = trim(entry.substr(0, equals));
      entry = trim(entry.substr(equals + 1));
      if (!is_host_valid(name)) return Errc::malformed;
    }
    auto address = parse_host_port(entry, default_port);
    if (!address) return address.error();
    if (name.empty()) name = pod_name_of(address->host);
    // Two entries without a name may share an address on different ports; named ones are told apart by their name.
    if (is_ip_literal(name)) name = describe(*address);
    if (!names.insert(name).second) return Errc::malformed;
    if (peers.size() == candidates_max) return Errc::limit_exceeded;
    peers.push_back(make_candidate(std::move(name), std::move(*address)));
  }
  if (peers.empty()) return Errc::malformed;
  return peers;
}

std::string describe(const Candidate& candidate) {
  auto text = candidate.name + " at " + describe(candidate.address);
  for (std::size_t i = 0; i < candidate.addresses.size(); ++i) text += (i == 0 ? " (" : ", ") + candidate.addresses[i];
  return candidate.addresses.empty() ? text : text + ")";
}

std::string describe(const PeerSet& set) {
  std::string text = set.source + ": ";
  std::string names;
  std::string guesses;
  std::size_t count = 0;
  for (const auto& peer : set.peers) {
    auto& list = peer.is_guess ? guesses : names;
    list += (list.empty() ? "" : ", ") + peer.name;
    if (!peer.is_guess) ++count;
  }
  if (!set.is_known) {
    text += "no answer yet";
  } else {
    text += std::to_string(count) + " candidates" + (names.empty() ? "" : ": ") + names;
    if (set.is_stale) text += " (partly or all from an older answer)";
  }
  if (!guesses.empty()) text += "; found under names guessed from the own one: " + guesses;
  if (!set.last_error.empty()) text += "; the last attempt failed: " + set.last_error;
  return text;
}

}  // namespace whitewater::discovery

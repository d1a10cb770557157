#include "discovery/guesses.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace whitewater::discovery {

namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  constexpr std::size_t words_max = 32;
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  while (words.size() < words_max) {
    const auto first = line.find_first_not_of(blanks);
    if (first == std::string_view::npos) break;
    line.remove_prefix(first);
    const auto end = std::min(line.find_first_of(blanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

}  // namespace

HostsEntry find_in_hosts(std::string_view hosts_file, std::string_view name, std::string_view preferred_address) {
  HostsEntry found;
  hosts_file = hosts_file.substr(0, hosts_file_bytes_max);
  while (!hosts_file.empty() && !name.empty()) {
    const auto end = std::min(hosts_file.find('\n'), hosts_file.size());
    const auto words = words_of(hosts_file.substr(0, end));
    hosts_file.remove_prefix(std::min(end + 1, hosts_file.size()));
    if (words.size() < 2 || !is_ip_literal(words[0]) || !is_host_valid(words[1])) continue;
    if (std::find(words.begin() + 1, words.end(), name) == words.end()) continue;
    if (found.host.empty() || words[0] == preferred_address) found = {std::string(words[0]), std::string(words[1])};
    if (found.address == preferred_address) break;
  }
  return found;
}

std::optional<GuessBasis> guess_basis_of(std::string_view full_name) {
  while (full_name.ends_with('.')) full_name.remove_suffix(1);
  if (!is_host_valid(full_name) || is_ip_literal(full_name)) return std::nullopt;
  const auto pod = pod_name_of(full_name);
  const auto ordinal = ordinal_of(pod);
  if (!ordinal || pod.size() == full_name.size()) return std::nullopt;
  const auto domain = full_name.substr(pod.size() + 1);
  // <service>.<namespace>.svc
  const auto service_end = domain.find('.');
  if (service_end == std::string_view::npos) return std::nullopt;
  const auto namespace_end = domain.find('.', service_end + 1);
  if (namespace_end == std::string_view::npos) return std::nullopt;
  const auto rest = domain.substr(namespace_end + 1);
  if (rest != "svc" && !rest.starts_with("svc.")) return std::nullopt;
  return GuessBasis{std::string(stem_of(pod)), *ordinal, std::string(domain)};
}

GuessFsm::GuessFsm(std::optional<GuessBasis> basis, std::uint16_t port, GuessOptions options)
    : basis_(std::move(basis)), port_(port), options_(options) {
  WW_ASSERT(options.retry_min > base::Duration(0));
  WW_ASSERT(options.retry_min <= options.retry_max);
}

std::uint32_t GuessFsm::highest(const std::vector<Candidate>& known) const {
  std::uint32_t highest = basis_->ordinal;
  for (const auto& peer : known) {
    if (peer.ordinal && stem_of(peer.name) == basis_->stem) highest = std::max(highest, *peer.ordinal);
  }
  for (const auto& [ordinal, guess] : guesses_) {
    if (!guess.addresses.empty()) highest = std::max(highest, ordinal);
  }
  return highest;
}

bool GuessFsm::is_known(std::uint32_t ordinal, const std::vector<Candidate>& known) const {
  const auto name = basis_->stem + "-" + std::to_string(ordinal);
  return std::any_of(known.begin(), known.end(), [&](const Candidate& peer) { return peer.name == name; });
}

std::vector<std::uint32_t> GuessFsm::due(base::Instant now, const std::vector<Candidate>& known) {
  std::vector<std::uint32_t> ordinals;
  if (!basis_) return ordinals;
  if (!since_) since_ = now;
  if (now - *since_ < options_.settle) return ordinals;
  const std::uint32_t above = known.size() > 1 ? 0 : 1;
  const std::uint32_t count = std::min(highest(known) + 1 + above, guesses_max);
  for (std::uint32_t ordinal = 0; ordinal < count; ++ordinal) {
    if (ordinal == basis_->ordinal || is_known(ordinal, known)) continue;
    const auto guess = guesses_.find(ordinal);
    if (guess == guesses_.end() || guess->second.ask_at <= now) ordinals.push_back(ordinal);
  }
  return ordinals;
}

void GuessFsm::on_addresses(base::Instant now, std::uint32_t ordinal, std::vector<std::string> addresses) {
  WW_ASSERT(ordinal < guesses_max);
  if (addresses.empty()) return on_denied(now, ordinal);
  Guess& guess = guesses_[ordinal];
  guess.addresses = std::move(addresses);
  guess.ask_at = now + options_.confirm_every;
  guess.retry = base::Duration(0);
}

void GuessFsm::on_denied(base::Instant now, std::uint32_t ordinal) {
  WW_ASSERT(ordinal < guesses_max);
  Guess& guess = guesses_[ordinal];
  guess.addresses.clear();
  back_off(now, guess);
}

void GuessFsm::on_failed(base::Instant now, std::uint32_t ordinal) {
  WW_ASSERT(ordinal < guesses_max);
  back_off(now, guesses_[ordinal]);
}

void GuessFsm::on_news(base::Instant now) {
  for (auto& [ordinal, guess] : guesses_) {
    if (!guess.addresses.empty()) continue;
    guess.ask_at = now;
    guess.retry = base::Duration(0);
  }
}

void GuessFsm::back_off(base::Instant now, Guess& guess) const {
  guess.retry = std::clamp(guess.retry * 2, options_.retry_min, options_.retry_max);
  guess.ask_at = now + guess.retry;
}

std::vector<Candidate> GuessFsm::candidates(const std::vector<Candidate>& known) const {
  std::vector<Candidate> peers;
  for (const auto& [ordinal, guess] : guesses_) {
    if (guess.addresses.empty() || is_known(ordinal, known)) continue;
    auto host = host_of(ordinal);
    auto name = pod_name_of(host);
    auto peer = make_candidate(std::move(name), {std::move(host), port_}, guess.addresses);
    peer.is_guess = true;
    peers.push_back(std::move(peer));
  }
  return peers;
}

std::string GuessFsm::host_of(std::uint32_t ordinal) const {
  WW_ASSERT(basis_.has_value());
  return basis_->stem + "-" + std::to_string(ordinal) + "." + basis_->domain;
}

}  // namespace whitewater::discovery

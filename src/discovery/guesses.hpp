// Guesses: peers under names that nobody told, derived from the own one. A pod of a StatefulSet knows its full name
// ("whitewater-1.whitewater-headless.default.svc.cluster.local", kubernetes.md §3.12), so its neighbours' names follow:
// the ordinals 0 to the highest that was seen, and one above it while hardly anybody is known. That heals a peers file
// of which every entry is garbage. A guess is asked in DNS and is a candidate only while its name has an address: what
// was never answered is never known.
// Pure; owned by a peer source. Does not resolve: ask_guesses (guess_resolver.hpp) does.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "discovery/candidate.hpp"

namespace whitewater::discovery {

inline constexpr std::size_t hosts_file_bytes_max = 64UL << 10;
inline constexpr std::uint32_t guesses_max = 64;  // ordinals 0..63: the members of the largest configuration

// The line of /etc/hosts that speaks of `name`, as the kubelet writes it: "10.244.0.7 <full name> <pod name>". Empty
// host: there is none. With several (dual stack) the one with `preferred_address`, else the first.
struct HostsEntry {
  std::string address;
  std::string host;  // the first, canonical name
};
[[nodiscard]] HostsEntry find_in_hosts(std::string_view hosts_file, std::string_view name,
                                       std::string_view preferred_address);

struct GuessBasis {
  std::string stem;  // "whitewater"
  std::uint32_t ordinal = 0;
  std::string domain;  // "whitewater-headless.default.svc.cluster.local"
};
// Nothing unless the name is <stem>-<n>.<service>.<namespace>.svc[.<domain>]: outside Kubernetes a host "web-1.example"
// says nothing about a "web-0.example".
[[nodiscard]] std::optional<GuessBasis> guess_basis_of(std::string_view full_name);

struct GuessOptions {
  // A name that is asked before it exists is denied for up to 30 s afterwards: not at once, and ever more rarely.
  base::Duration settle = base::seconds(2);
  base::Duration retry_min = base::seconds(1);
  base::Duration retry_max = base::seconds(300);
  base::Duration confirm_every = base::seconds(30);  // a name that has an address
};

class GuessFsm {
 public:
  GuessFsm(std::optional<GuessBasis> basis, std::uint16_t port, GuessOptions options = {});

  // The ordinals to ask for now, lowest first, without the own one and without those that `known` names. The one above
  // the highest is asked only while `known` holds nobody (but this member): later it would be denied again and again,
  // and a pod that is added under that name could not be dialled until the denial has left every cache.
  [[nodiscard]] std::vector<std::uint32_t> due(base::Instant now, const std::vector<Candidate>& known);
  void on_addresses(base::Instant now, std::uint32_t ordinal, std::vector<std::string> addresses);
  // DNS says that there is no such name.
  void on_denied(base::Instant now, std::uint32_t ordinal);
  // Nobody answered: says nothing about the name.
  void on_failed(base::Instant now, std::uint32_t ordinal);
  // What the source knows has changed: names that were denied are worth a question again.
  void on_news(base::Instant now);

  // Guesses that have an address and are not among `known`, all marked as guesses.
  [[nodiscard]] std::vector<Candidate> candidates(const std::vector<Candidate>& known) const;
  [[nodiscard]] std::string host_of(std::uint32_t ordinal) const;

 private:
  struct Guess {
    std::vector<std::string> addresses;  // empty: no answer yet, or denied
    base::Instant ask_at;
    base::Duration retry{0};
  };
  [[nodiscard]] std::uint32_t highest(const std::vector<Candidate>& known) const;
  [[nodiscard]] bool is_known(std::uint32_t ordinal, const std::vector<Candidate>& known) const;
  void back_off(base::Instant now, Guess& guess) const;

  std::optional<GuessBasis> basis_;
  std::uint16_t port_;
  GuessOptions options_;
  std::optional<base::Instant> since_;
  std::map<std::uint32_t, Guess> guesses_;  // by ordinal, at most guesses_max
};

}  // namespace whitewater::discovery

// Strong integer types of the protocol. None converts to another or to a plain integer without `.value`.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace whitewater::base {

template <class Tag>
struct StrongId {
  std::uint64_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(std::uint64_t v) : value(v) {}
  constexpr auto operator<=>(const StrongId&) const = default;
  [[nodiscard]] constexpr bool is_zero() const { return value == 0; }
};

// A counter on which stepping and distance make sense (Term, Index).
template <class Tag>
struct StrongCounter : StrongId<Tag> {
  using StrongId<Tag>::StrongId;
  constexpr auto operator<=>(const StrongCounter&) const = default;
  [[nodiscard]] constexpr StrongCounter next() const { return StrongCounter(this->value + 1); }
  [[nodiscard]] constexpr StrongCounter prev() const { return StrongCounter(this->value - 1); }
  constexpr StrongCounter operator+(std::uint64_t n) const { return StrongCounter(this->value + n); }
  constexpr StrongCounter operator-(std::uint64_t n) const { return StrongCounter(this->value - n); }
  constexpr std::uint64_t operator-(StrongCounter other) const { return this->value - other.value; }
};

using Term = StrongCounter<struct TermTag>;    // Raft term; 0 before the first election
using Index = StrongCounter<struct IndexTag>;  // position in the Raft log; the first entry is 1, 0 means "none"
using NodeId = StrongId<struct NodeIdTag>;     // random, made once per data directory; 0 means "none"
using ClusterId = StrongId<struct ClusterIdTag>;
using Incarnation = StrongCounter<struct IncarnationTag>;  // grows by one at each start of a member

// 16 lower-case hexadecimal digits, as etcdctl prints member ids.
[[nodiscard]] std::string to_hex(std::uint64_t value);
template <class Tag>
[[nodiscard]] std::string to_hex(StrongId<Tag> id) {
  return to_hex(id.value);
}

}  // namespace whitewater::base

template <class Tag>
struct std::hash<whitewater::base::StrongId<Tag>> {
  std::size_t operator()(whitewater::base::StrongId<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
template <class Tag>
struct std::hash<whitewater::base::StrongCounter<Tag>> {
  std::size_t operator()(whitewater::base::StrongCounter<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};

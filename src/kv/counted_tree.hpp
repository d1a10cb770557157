// CountedTree: an ordered set of IndexEntry in a B+-tree whose inner nodes know how many entries, and how many alive
// ones, lie below each child, so that the rank of a key costs one descent. Owned by KeyIndex; single-threaded,
// deterministic. Does not know revisions or histories.
//
// Leaves hold up to 64 entries and one bit each for "alive"; a rank inside a leaf is a population count and touches no
// entry. Keys that arrive in order fill their leaves completely (a split at the right edge moves nothing). Leaves and
// inner nodes that fall below a quarter are merged with a neighbour when the two fit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kv/index_entry.hpp"

namespace whitewater::kv {

class CountedTree {
 public:
  static constexpr unsigned fanout = 64;
  // 64 entries a leaf and at least two children a node hold more keys than memory does.
  static constexpr unsigned depth_max = 40;

  struct Node;
  struct Leaf;
  struct Inner;

  struct Rank {
    std::size_t alive = 0;
    std::size_t total = 0;
  };

  // The way from the root to a place in a leaf: where a key is or would be. Good until the next change by another Path.
  struct Path {
    std::array<Node*, depth_max> node{};
    std::array<unsigned, depth_max> position{};
    unsigned depth = 0;  // index of the leaf
  };

  // Walks entries in order; good until the next change of the tree.
  class Cursor {
   public:
    Cursor(const Leaf* leaf, unsigned position) : leaf_(leaf), position_(position) { settle(); }
    [[nodiscard]] bool is_valid() const { return leaf_ != nullptr; }
    [[nodiscard]] IndexEntry* entry() const;
    void next() {
      ++position_;
      settle();
    }

   private:
    void settle();
    const Leaf* leaf_;
    unsigned position_;
  };

  CountedTree();
  ~CountedTree();
  CountedTree(const CountedTree&) = delete;
  CountedTree& operator=(const CountedTree&) = delete;

  [[nodiscard]] Path locate(std::string_view key) const;
  // The entry at `path` when it has the key.
  [[nodiscard]] static IndexEntry* entry_at(const Path& path, std::string_view key);
  [[nodiscard]] IndexEntry* find(std::string_view key) const { return entry_at(locate(key), key); }

  // Adds a dead entry at `path` == locate(key), where the key is not; `path` then leads to it.
  IndexEntry* insert(Path& path, std::string_view key);
  void set_alive(const Path& path, bool alive);
  // Frees the entry at `path`.
  void erase(Path& path);

  // How many entries sort before `key`.
  [[nodiscard]] Rank rank(std::string_view key) const;
  [[nodiscard]] Rank size() const;
  [[nodiscard]] Cursor lower_bound(std::string_view key) const;
  [[nodiscard]] Cursor begin() const;

  // Order, counts, depth and links; aborts when one is broken.
  void check_basic() const;

 private:
  void add_counts(const Path& path, int alive, int total);
  unsigned split(Path& path, unsigned level);
  void shrink(Path& path);

  Node* root_;
};

}  // namespace whitewater::kv

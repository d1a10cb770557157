#include "kv/counted_tree.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "base/assert.hpp"

namespace whitewater::kv {

IndexEntry* IndexEntry::make(std::string_view key) {
  void* memory = ::operator new(sizeof(IndexEntry) + key.size());
  auto* entry = new (memory) IndexEntry;
  entry->key_bytes = static_cast<std::uint32_t>(key.size());
  std::copy(key.begin(), key.end(), reinterpret_cast<char*>(entry + 1));
  return entry;
}

void IndexEntry::destroy(IndexEntry* entry) {
  entry->~IndexEntry();
  ::operator delete(entry);
}

struct CountedTree::Node {
  std::uint16_t count = 0;
  bool is_leaf;
  explicit Node(bool leaf) : is_leaf(leaf) {}
};

struct CountedTree::Leaf : Node {
  Leaf() : Node(true) {}
  std::uint64_t alive = 0;  // bit i: entries[i] is alive
  Leaf* previous = nullptr;
  Leaf* next = nullptr;
  std::array<IndexEntry*, fanout> entries{};
};

struct CountedTree::Inner : Node {
  Inner() : Node(false) {}
  std::array<Node*, fanout> child{};
  std::array<const IndexEntry*, fanout> first{};  // the smallest entry below the child: the separator
  std::array<std::uint32_t, fanout> alive{};      // below the child
  std::array<std::uint32_t, fanout> total{};
};

namespace {

using Leaf = CountedTree::Leaf;
using Inner = CountedTree::Inner;
using Node = CountedTree::Node;

constexpr unsigned fanout = CountedTree::fanout;
constexpr unsigned sparse_below = fanout / 4;    // a node with fewer looks for a neighbour to merge with
constexpr unsigned merged_max = fanout * 3 / 4;  // leaves room, so that the next insert does not split again

std::uint64_t low_bits(unsigned n) { return n >= 64 ? ~0ULL : (1ULL << n) - 1; }

Leaf* as_leaf(Node* node) { return static_cast<Leaf*>(node); }
Inner* as_inner(Node* node) { return static_cast<Inner*>(node); }

CountedTree::Rank sum(const Node* node) {
  if (node->is_leaf) {
    const auto* leaf = static_cast<const Leaf*>(node);
    return {static_cast<std::size_t>(std::popcount(leaf->alive)), leaf->count};
  }
  const auto* inner = static_cast<const Inner*>(node);
  CountedTree::Rank rank;
  for (unsigned i = 0; i < inner->count; ++i) {
    rank.alive += inner->alive[i];
    rank.total += inner->total[i];
  }
  return rank;
}

const IndexEntry* first_of(const Node* node) {
  return node->is_leaf ? static_cast<const Leaf*>(node)->entries[0] : static_cast<const Inner*>(node)->first[0];
}

// The child that holds `key`, if any does: the last whose first entry is not greater, else the first child.
unsigned child_position(const Inner& inner, std::string_view key) {
  unsigned low = 1;
  unsigned high = inner.count;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    if (inner.first[middle]->key() <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}

unsigned leaf_position(const Leaf& leaf, std::string_view key) {
  unsigned low = 0;
  unsigned high = leaf.count;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    if (leaf.entries[middle]->key() < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

template <class T>
void open_gap(std::array<T, fanout>& array, unsigned count, unsigned position) {
  std::move_backward(array.begin() + position, array.begin() + count, array.begin() + count + 1);
}
template <class T>
void close_gap(std::array<T, fanout>& array, unsigned count, unsigned position) {
  std::move(array.begin() + position + 1, array.begin() + count, array.begin() + position);
}
// Appends from[begin, end) to `to`, which holds `count`.
template <class T>
void append(std::array<T, fanout>& to, unsigned count, const std::array<T, fanout>& from, unsigned begin,
            unsigned end) {
  std::copy(from.begin() + begin, from.begin() + end, to.begin() + count);
}

void set_child(Inner& inner, unsigned position, Node* child) {
  const auto counts = sum(child);
  inner.child[position] = child;
  inner.first[position] = child->count == 0 ? nullptr : first_of(child);
  inner.alive[position] = static_cast<std::uint32_t>(counts.alive);
  inner.total[position] = static_cast<std::uint32_t>(counts.total);
}

void insert_child(Inner& inner, unsigned position, Node* child) {
  WW_ASSERT(inner.count < fanout);
  open_gap(inner.child, inner.count, position);
  open_gap(inner.first, inner.count, position);
  open_gap(inner.alive, inner.count, position);
  open_gap(inner.total, inner.count, position);
  ++inner.count;
  set_child(inner, position, child);
}

void remove_child(Inner& inner, unsigned position) {
  WW_ASSERT(position < inner.count);
  close_gap(inner.child, inner.count, position);
  close_gap(inner.first, inner.count, position);
  close_gap(inner.alive, inner.count, position);
  close_gap(inner.total, inner.count, position);
  --inner.count;
}

// Moves [begin, count) of `from` behind what `to` holds.
void move_tail(Leaf& from, unsigned begin, Leaf& to) {
  const unsigned moved = from.count - begin;
  append(to.entries, to.count, from.entries, begin, from.count);
  const std::uint64_t bits = begin >= 64 ? 0 : from.alive >> begin;
  to.alive |= to.count >= 64 ? 0 : bits << to.count;
  from.alive &= low_bits(begin);
  to.count = static_cast<std::uint16_t>(to.count + moved);
  from.count = static_cast<std::uint16_t>(begin);
}
void move_tail(Inner& from, unsigned begin, Inner& to) {
  const unsigned moved = from.count - begin;
  append(to.child, to.count, from.child, begin, from.count);
  append(to.first, to.count, from.first, begin, from.count);
  append(to.alive, to.count, from.alive, begin, from.count);
  append(to.total, to.count, from.total, begin, from.count);
  to.count = static_cast<std::uint16_t>(to.count + moved);
  from.count = static_cast<std::uint16_t>(begin);
}

void unlink(Leaf* leaf) {
  if (leaf->previous != nullptr) leaf->previous->next = leaf->next;
  if (leaf->next != nullptr) leaf->next->previous = leaf->previous;
}

// Frees the node alone; its children or entries have moved elsewhere.
void free_node(Node* node) {
  if (node->is_leaf) {
    unlink(as_leaf(node));
    delete as_leaf(node);
  } else {
    delete as_inner(node);
  }
}

void free_tree(Node* node) {
  if (node->is_leaf) {
    auto* leaf = as_leaf(node);
    for (unsigned i = 0; i < leaf->count; ++i) IndexEntry::destroy(leaf->entries[i]);
    delete leaf;
    return;
  }
  auto* inner = as_inner(node);
  for (unsigned i = 0; i < inner->count; ++i) free_tree(inner->child[i]);
  delete inner;
}

void check_node(const Node* node, unsigned level, unsigned depth) {
  if (node->is_leaf) {
    const auto* leaf = static_cast<const Leaf*>(node);
    WW_ASSERT(level == depth);
    WW_ASSERT((leaf->alive & ~low_bits(leaf->count)) == 0);
    for (unsigned i = 0; i < leaf->count; ++i) {
      WW_ASSERT(i == 0 || leaf->entries[i - 1]->key() < leaf->entries[i]->key());
      WW_ASSERT(leaf->entries[i]->is_alive() == ((leaf->alive >> i & 1) == 1));
    }
    WW_ASSERT(leaf->next == nullptr || leaf->next->previous == leaf);
    return;
  }
  const auto* inner = static_cast<const Inner*>(node);
  WW_ASSERT(inner->count > 0);
  for (unsigned i = 0; i < inner->count; ++i) {
    const auto counts = sum(inner->child[i]);
    WW_ASSERT(inner->child[i]->count > 0);
    WW_ASSERT(inner->first[i] == first_of(inner->child[i]));
    WW_ASSERT(i == 0 || inner->first[i - 1]->key() < inner->first[i]->key());
    WW_ASSERT(inner->alive[i] == counts.alive);
    WW_ASSERT(inner->total[i] == counts.total);
    check_node(inner->child[i], level + 1, depth);
  }
}

}  // namespace

CountedTree::CountedTree() : root_(new Leaf) {}

CountedTree::~CountedTree() { free_tree(root_); }

IndexEntry* CountedTree::Cursor::entry() const { return leaf_->entries[position_]; }

void CountedTree::Cursor::settle() {
  while (leaf_ != nullptr && position_ >= leaf_->count) {
    leaf_ = leaf_->next;
    position_ = 0;
  }
}

CountedTree::Path CountedTree::locate(std::string_view key) const {
  Path path;
  Node* node = root_;
  unsigned level = 0;
  for (; !node->is_leaf; ++level) {
    WW_ASSERT(level + 1 < depth_max);
    path.node[level] = node;
    path.position[level] = child_position(*as_inner(node), key);
    node = as_inner(node)->child[path.position[level]];
  }
  path.node[level] = node;
  path.position[level] = leaf_position(*as_leaf(node), key);
  path.depth = level;
  return path;
}

IndexEntry* CountedTree::entry_at(const Path& path, std::string_view key) {
  const Leaf& leaf = *as_leaf(path.node[path.depth]);
  const unsigned position = path.position[path.depth];
  if (position >= leaf.count) return nullptr;
  IndexEntry* entry = leaf.entries[position];
  return entry->key() == key ? entry : nullptr;
}

void CountedTree::add_counts(const Path& path, int alive, int total) {
  for (unsigned level = 0; level < path.depth; ++level) {
    Inner& inner = *as_inner(path.node[level]);
    const unsigned position = path.position[level];
    inner.alive[position] = static_cast<std::uint32_t>(static_cast<int>(inner.alive[position]) + alive);
    inner.total[position] = static_cast<std::uint32_t>(static_cast<int>(inner.total[position]) + total);
  }
}

// Splits the full node at `level` and leaves `path` at the same place. Returns the node's level, one more when the root
// grew.
unsigned CountedTree::split(Path& path, unsigned level) {
  if (level == 0) {
    auto* root = new Inner;
    insert_child(*root, 0, root_);
    root_ = root;
    WW_ASSERT(path.depth + 1 < depth_max);
    std::copy_backward(path.node.begin(), path.node.begin() + path.depth + 1, path.node.begin() + path.depth + 2);
    std::copy_backward(path.position.begin(), path.position.begin() + path.depth + 1,
                       path.position.begin() + path.depth + 2);
    path.node[0] = root_;
    path.position[0] = 0;
    ++path.depth;
    level = 1;
  } else if (path.node[level - 1]->count == fanout) {
    level = split(path, level - 1) + 1;
  }

  Inner& parent = *as_inner(path.node[level - 1]);
  const unsigned parent_position = path.position[level - 1];
  const unsigned position = path.position[level];
  Node* node = path.node[level];
  Node* right = nullptr;
  bool goes_right = false;
  unsigned keep = fanout / 2;
  if (node->is_leaf) {
    auto* left_leaf = as_leaf(node);
    auto* right_leaf = new Leaf;
    if (position == fanout && left_leaf->next == nullptr) keep = fanout;
    move_tail(*left_leaf, keep, *right_leaf);
    right_leaf->previous = left_leaf;
    right_leaf->next = left_leaf->next;
    if (right_leaf->next != nullptr) right_leaf->next->previous = right_leaf;
    left_leaf->next = right_leaf;
    right = right_leaf;
    goes_right = position > keep || keep == fanout;
  } else {
    auto* right_inner = new Inner;
    if (position == fanout - 1) keep = fanout - 1;
    move_tail(*as_inner(node), keep, *right_inner);
    right = right_inner;
    goes_right = position >= keep;
  }
  set_child(parent, parent_position, node);
  insert_child(parent, parent_position + 1, right);
  if (goes_right) {
    path.node[level] = right;
    path.position[level] = position - keep;
    path.position[level - 1] = parent_position + 1;
  }
  return level;
}

IndexEntry* CountedTree::insert(Path& path, std::string_view key) {
  WW_ASSERT(entry_at(path, key) == nullptr);
  if (path.node[path.depth]->count == fanout) split(path, path.depth);
  Leaf& leaf = *as_leaf(path.node[path.depth]);
  const unsigned position = path.position[path.depth];
  WW_ASSERT(leaf.count < fanout);
  open_gap(leaf.entries, leaf.count, position);
  const std::uint64_t below = leaf.alive & low_bits(position);
  leaf.alive = ((leaf.alive & ~low_bits(position)) << 1) | below;
  ++leaf.count;
  IndexEntry* entry = IndexEntry::make(key);
  leaf.entries[position] = entry;
  add_counts(path, 0, 1);
  // A new smallest entry of a leaf is the separator of every ancestor for which the way is leftmost.
  for (unsigned level = path.depth; level > 0 && path.position[level] == 0; --level) {
    as_inner(path.node[level - 1])->first[path.position[level - 1]] = entry;
  }
  return entry;
}

void CountedTree::set_alive(const Path& path, bool alive) {
  Leaf& leaf = *as_leaf(path.node[path.depth]);
  const std::uint64_t bit = 1ULL << path.position[path.depth];
  if (((leaf.alive & bit) != 0) == alive) return;
  leaf.alive ^= bit;
  add_counts(path, alive ? 1 : -1, 0);
}

void CountedTree::erase(Path& path) {
  Leaf& leaf = *as_leaf(path.node[path.depth]);
  const unsigned position = path.position[path.depth];
  WW_ASSERT(position < leaf.count);
  set_alive(path, false);
  IndexEntry::destroy(leaf.entries[position]);
  close_gap(leaf.entries, leaf.count, position);
  const std::uint64_t below = leaf.alive & low_bits(position);
  leaf.alive = ((leaf.alive & ~low_bits(position + 1)) >> 1) | below;
  --leaf.count;
  add_counts(path, 0, -1);
  shrink(path);
}

// After a removal: drops empty nodes, merges sparse ones, renews separators, lowers the root.
void CountedTree::shrink(Path& path) {
  for (unsigned level = path.depth; level > 0; --level) {
    Node* node = path.node[level];
    Inner& parent = *as_inner(path.node[level - 1]);
    const unsigned position = path.position[level - 1];
    if (node->count == 0) {
      remove_child(parent, position);
      free_node(node);
      continue;
    }
    parent.first[position] = first_of(node);
    if (node->count >= sparse_below || parent.count < 2) continue;
    const unsigned left_position = position + 1 < parent.count ? position : position - 1;
    Node* left = parent.child[left_position];
    Node* right = parent.child[left_position + 1];
    if (left->count + right->count > static_cast<int>(merged_max)) continue;
    if (left->is_leaf) {
      move_tail(*as_leaf(right), 0, *as_leaf(left));
    } else {
      move_tail(*as_inner(right), 0, *as_inner(left));
    }
    remove_child(parent, left_position + 1);
    free_node(right);
    set_child(parent, left_position, left);
  }
  while (!root_->is_leaf && root_->count <= 1) {
    Inner* old = as_inner(root_);
    root_ = old->count == 1 ? old->child[0] : new Leaf;
    delete old;
  }
}

CountedTree::Rank CountedTree::rank(std::string_view key) const {
  Rank rank;
  const Node* node = root_;
  while (!node->is_leaf) {
    const auto& inner = *static_cast<const Inner*>(node);
    const unsigned position = child_position(inner, key);
    for (unsigned i = 0; i < position; ++i) {
      rank.alive += inner.alive[i];
      rank.total += inner.total[i];
    }
    node = inner.child[position];
  }
  const auto& leaf = *static_cast<const Leaf*>(node);
  const unsigned position = leaf_position(leaf, key);
  rank.alive += static_cast<std::size_t>(std::popcount(leaf.alive & low_bits(position)));
  rank.total += position;
  return rank;
}

CountedTree::Rank CountedTree::size() const { return sum(root_); }

CountedTree::Cursor CountedTree::lower_bound(std::string_view key) const {
  const Path path = locate(key);
  return {as_leaf(path.node[path.depth]), path.position[path.depth]};
}

CountedTree::Cursor CountedTree::begin() const {
  Node* node = root_;
  while (!node->is_leaf) node = as_inner(node)->child[0];
  return {as_leaf(node), 0};
}

void CountedTree::check_basic() const {
  unsigned depth = 0;
  for (Node* node = root_; !node->is_leaf; node = as_inner(node)->child[0]) ++depth;
  check_node(root_, 0, depth);
  const auto size_now = size();
  std::size_t walked = 0;
  for (auto cursor = begin(); cursor.is_valid(); cursor.next()) ++walked;
  WW_ASSERT(walked == size_now.total);
}

}  // namespace whitewater::kv

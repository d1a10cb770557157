#include "kv/counted_tree.hpp"

#include <map>
#include <string>

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::kv;

namespace {

// The tree beside a map that holds the same keys and whether they are alive.
class TreePair {
 public:
  void put(const std::string& key, bool alive) {
    auto path = tree_.locate(key);
    IndexEntry* entry = CountedTree::entry_at(path, key);
    REQUIRE((entry != nullptr) == keys_.contains(key));
    if (entry == nullptr) entry = tree_.insert(path, key);
    REQUIRE(CountedTree::entry_at(path, key) == entry);
    entry->version = alive ? 1 : 0;
    tree_.set_alive(path, alive);
    keys_[key] = alive;
  }
  void erase(const std::string& key) {
    auto path = tree_.locate(key);
    if (CountedTree::entry_at(path, key) == nullptr) {
      REQUIRE_FALSE(keys_.contains(key));
      return;
    }
    tree_.erase(path);
    keys_.erase(key);
  }
  void check(base::Rng& rng) {
    tree_.check_basic();
    std::size_t alive = 0;
    std::size_t total = 0;
    auto cursor = tree_.begin();
    for (const auto& [key, is_alive] : keys_) {
      REQUIRE(cursor.is_valid());
      REQUIRE(cursor.entry()->key() == key);
      if (rng.chance(1, 16)) {
        const auto rank = tree_.rank(key);
        REQUIRE(rank.alive == alive);
        REQUIRE(rank.total == total);
        REQUIRE(tree_.lower_bound(key).entry()->key() == key);
        REQUIRE(tree_.rank(key + '\0').total == total + 1);
      }
      alive += is_alive ? 1 : 0;
      ++total;
      cursor.next();
    }
    REQUIRE_FALSE(cursor.is_valid());
    REQUIRE(tree_.size().alive == alive);
    REQUIRE(tree_.size().total == total);
  }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] std::string some_key(base::Rng& rng) const {
    auto place = keys_.lower_bound(std::to_string(rng.in_range(0, 99999)));
    return place == keys_.end() ? keys_.begin()->first : place->first;
  }

 private:
  CountedTree tree_;
  std::map<std::string, bool> keys_;
};

std::string padded(std::uint64_t number) {
  auto text = std::to_string(number);
  return std::string(8 - text.size(), '0') + text;
}

}  // namespace

TEST_CASE("the counted tree agrees with a map under random insertions and removals") {
  base::Rng rng(41);
  TreePair pair;
  for (int phase = 0; phase < 6; ++phase) {
    // Grows in even phases and shrinks in odd ones, so that nodes split, empty and merge.
    for (int i = 0; i < 6000; ++i) {
      const auto key = std::to_string(rng.in_range(0, 99999));
      const bool grows = phase % 2 == 0 ? rng.chance(4, 5) : rng.chance(1, 6);
      if (grows || pair.size() == 0) {
        pair.put(key, rng.chance(3, 4));
      } else {
        pair.erase(pair.some_key(rng));
      }
      if (i % 1500 == 0) pair.check(rng);
    }
    pair.check(rng);
  }
}

TEST_CASE("the counted tree takes ascending and descending keys and gives all of them back") {
  base::Rng rng(42);
  for (const bool ascending : {true, false}) {
    TreePair pair;
    constexpr std::uint64_t keys = 20000;
    for (std::uint64_t i = 0; i < keys; ++i) pair.put(padded(ascending ? i : keys - i), true);
    pair.check(rng);
    for (std::uint64_t i = 0; i <= keys; ++i) pair.erase(padded(i));
    pair.check(rng);
    CHECK(pair.size() == 0);
    pair.put("again", true);
    pair.check(rng);
  }
}

TEST_CASE("a new smallest key becomes the separator on its way") {
  base::Rng rng(43);
  TreePair pair;
  for (std::uint64_t i = 5000; i > 0; --i) {
    pair.put(padded(i), i % 2 == 0);
    if (i % 500 == 0) pair.check(rng);
  }
  for (std::uint64_t i = 1; i < 5000; i += 3) pair.erase(padded(i));
  pair.check(rng);
}

TEST_CASE("ranks in an empty tree are zero") {
  CountedTree tree;
  CHECK(tree.rank("a").total == 0);
  CHECK(tree.size().alive == 0);
  CHECK_FALSE(tree.begin().is_valid());
  CHECK_FALSE(tree.lower_bound("").is_valid());
  CHECK(tree.find("a") == nullptr);
  tree.check_basic();
}

#include "kv/index.hpp"

#include <map>

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::kv;

namespace {

const std::string open_end("\0", 1);

struct ModelRecord {
  RecordId id;
  bool tombstone = false;
};

// Every record of every key, in a map; answers by looking at all of them.
class ModelIndex {
 public:
  void add(const std::string& key, RecordId id, bool tombstone) { keys_[key].push_back({id, tombstone}); }
  [[nodiscard]] bool is_alive(const std::string& key) const {
    const auto found = keys_.find(key);
    return found != keys_.end() && !found->second.back().tombstone;
  }
  [[nodiscard]] std::vector<RecordId> collect(const KeyRange& range, Revision at) const {
    std::vector<RecordId> out;
    for (const auto& [key, records] : keys_) {
      if (!range.contains(key)) continue;
      const ModelRecord* last = nullptr;
      for (const auto& record : records) {
        if (record.id.main <= at) last = &record;
      }
      if (last != nullptr && !last->tombstone) out.push_back(last->id);
    }
    return out;
  }
  // What a compaction leaves.
  void compact(Revision at) {
    for (auto place = keys_.begin(); place != keys_.end();) {
      auto& records = place->second;
      std::size_t upto = 0;
      while (upto < records.size() && records[upto].id.main <= at) ++upto;
      if (upto > 0) {
        const bool drops_last = records[upto - 1].tombstone && records[upto - 1].id.main < at;
        records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(drops_last ? upto : upto - 1));
      }
      place = records.empty() ? keys_.erase(place) : std::next(place);
    }
  }
  [[nodiscard]] std::vector<RecordId> all() const {
    std::vector<RecordId> out;
    for (const auto& [key, records] : keys_) {
      for (const auto& record : records) out.push_back(record.id);
    }
    return out;
  }

 private:
  std::map<std::string, std::vector<ModelRecord>> keys_;
};

std::vector<RecordId> all_of(const KeyIndex& index) {
  std::vector<RecordId> out;
  for (auto cursor = index.begin(); cursor.is_valid(); cursor.next()) {
    for (std::size_t i = 0; i < KeyIndex::mark_count(*cursor.entry()); ++i) {
      out.push_back(KeyIndex::mark(*cursor.entry(), i).id());
    }
  }
  return out;
}

std::string random_key(base::Rng& rng, std::uint64_t keys) {
  return "key/" + std::to_string(rng.in_range(0, keys - 1));
}

struct RandomRange {
  std::string begin;
  std::string end;
};
RandomRange random_range(base::Rng& rng, std::uint64_t keys) {
  switch (rng.in_range(0, 4)) {
    case 0:
      return {random_key(rng, keys), ""};
    case 1:
      return {random_key(rng, keys), open_end};
    case 2:
      return {open_end, open_end};
    default:
      return {random_key(rng, keys), random_key(rng, keys)};
  }
}

// Whole compaction in steps of a few records.
void compact(KeyIndex& index, Revision at, base::Rng& rng) {
  index.forget_counts(at);
  std::string cursor;
  for (bool has_more = true; has_more;) {
    std::vector<ObsoleteRecords> obsolete;
    has_more = index.collect_obsolete(cursor, at, rng.in_range(1, 5), rng.in_range(1, 40), obsolete);
    for (const auto& found : obsolete) index.drop(found);
  }
}

}  // namespace

TEST_CASE("the index agrees with a map of all records, at every revision and through compactions") {
  for (const std::uint64_t keys : {3, 40, 800}) {
    base::Rng rng(100 + keys);
    KeyIndex index;
    ModelIndex model;
    Revision current = 1;
    Revision compacted = 0;
    for (int round = 0; round < 4000; ++round) {
      ++current;
      for (std::uint32_t sub = 0, subs = static_cast<std::uint32_t>(rng.in_range(1, 3)); sub < subs; ++sub) {
        const auto key = random_key(rng, keys);
        const RecordId id{current, sub};
        if (rng.chance(1, 3)) {
          REQUIRE(index.remove(key, id) == model.is_alive(key));
          if (model.is_alive(key)) model.add(key, id, true);
        } else {
          index.put(key, id);
          model.add(key, id, false);
        }
      }
      const auto texts = random_range(rng, keys);
      const KeyRange range(texts.begin, texts.end);
      const auto at = static_cast<Revision>(rng.in_range(static_cast<std::uint64_t>(std::max<Revision>(compacted, 1)),
                                                         static_cast<std::uint64_t>(current)));
      const auto expected = model.collect(range, at);
      REQUIRE(index.collect(range, at) == expected);
      REQUIRE(index.count(range, at) == expected.size());
      REQUIRE(index.count(range, current) == model.collect(range, current).size());
      if (expected.size() > 2) {
        REQUIRE(index.collect(range, at, 2) == std::vector<RecordId>(expected.begin(), expected.begin() + 2));
      }
      if (rng.chance(1, 300)) {
        compacted = static_cast<Revision>(
            rng.in_range(static_cast<std::uint64_t>(compacted + 1), static_cast<std::uint64_t>(current)));
        compact(index, compacted, rng);
        model.compact(compacted);
        REQUIRE(all_of(index) == model.all());
        index.check_basic();
      }
    }
    index.check_basic();
  }
}

TEST_CASE("a rolled back change leaves no trace in order, history, counts or count log") {
  base::Rng rng(5);
  KeyIndex index;
  ModelIndex model;
  constexpr std::uint64_t keys = 100;
  Revision current = 1;
  for (int round = 0; round < 3000; ++round) {
    const bool is_kept = rng.chance(1, 2);
    index.begin_undo();
    auto after = model;
    for (std::uint32_t sub = 0, subs = static_cast<std::uint32_t>(rng.in_range(1, 6)); sub < subs; ++sub) {
      const auto key = random_key(rng, keys);
      if (rng.chance(1, 2)) {
        index.put(key, {current + 1, sub});
        after.add(key, {current + 1, sub}, false);
      } else if (index.remove(key, {current + 1, sub})) {
        after.add(key, {current + 1, sub}, true);
      }
    }
    if (is_kept) {
      index.commit_undo();
      model = after;
      ++current;
    } else {
      index.rollback();
    }
    REQUIRE(all_of(index) == model.all());
    const auto at = static_cast<Revision>(rng.in_range(1, static_cast<std::uint64_t>(current)));
    REQUIRE(index.count(KeyRange::everything(), at) == model.collect(KeyRange::everything(), at).size());
    if (round % 100 == 0) index.check_basic();
  }
}

TEST_CASE("a put counts versions and remembers the creation until the key is removed") {
  KeyIndex index;
  CHECK(index.put("a", {2, 0}).version == 1);
  CHECK(index.put("a", {3, 0}).version == 2);
  CHECK(index.put("a", {4, 0}).create_revision == 2);
  CHECK(index.remove("a", {5, 0}));
  CHECK_FALSE(index.remove("a", {6, 0}));
  CHECK(index.find_alive("a") == nullptr);
  const auto again = index.put("a", {7, 0});
  CHECK(again.version == 1);
  CHECK(again.create_revision == 7);
}

TEST_CASE("an index restored from its records answers like the original") {
  base::Rng rng(77);
  KeyIndex index;
  struct Restored {
    std::string key;
    RecordId id;
    PutOutcome outcome;
  };
  std::vector<Restored> log;
  for (Revision revision = 2; revision < 2000; ++revision) {
    const auto key = random_key(rng, 60);
    if (rng.chance(2, 3)) {
      log.push_back({key, {revision, 0}, index.put(key, {revision, 0})});
    } else if (index.remove(key, {revision, 0})) {
      log.push_back({key, {revision, 0}, {}});
    }
  }
  KeyIndex restored;
  for (const auto& record : log) {
    restored.restore(record.key, record.id, record.outcome.create_revision, record.outcome.version, -1);
  }
  restored.check_basic();
  for (Revision at = 1; at < 2000; at += 13) {
    REQUIRE(restored.collect(KeyRange::everything(), at) == index.collect(KeyRange::everything(), at));
    REQUIRE(restored.count(KeyRange::everything(), at) == index.count(KeyRange::everything(), at));
  }
}

TEST_CASE("a long history of one key is dropped in steps, oldest first") {
  KeyIndex index;
  for (Revision revision = 2; revision <= 101; ++revision) index.put("k", {revision, 0});
  index.forget_counts(101);
  std::string cursor;
  std::vector<ObsoleteRecords> obsolete;
  REQUIRE(index.collect_obsolete(cursor, 101, 30, 100, obsolete));
  REQUIRE(obsolete.size() == 1);
  CHECK(obsolete[0].count == 30);
  CHECK(cursor == "k");
  index.drop(obsolete[0]);
  CHECK(all_of(index).front() == RecordId{32, 0});
  obsolete.clear();
  CHECK_FALSE(index.collect_obsolete(cursor, 101, 1000, 100, obsolete));
  index.drop(obsolete.at(0));
  CHECK(all_of(index) == std::vector<RecordId>{{101, 0}});
}

TEST_CASE("a tombstone stays at exactly the compacted revision and goes with the next") {
  KeyIndex index;
  index.put("k", {2, 0});
  index.remove("k", {3, 0});
  base::Rng rng(1);
  compact(index, 3, rng);
  CHECK(all_of(index) == std::vector<RecordId>{{3, 0}});
  compact(index, 4, rng);
  CHECK(all_of(index).empty());
}

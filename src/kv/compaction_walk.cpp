#include "kv/compaction_walk.hpp"

namespace whitewater::kv {

CompactionWalk::Step CompactionWalk::step(KeyIndex& index, Backend& backend, std::size_t records_max) {
  std::string next = cursor_;
  std::vector<ObsoleteRecords> obsolete;
  const bool has_more = index.collect_obsolete(next, compacted_, records_max, records_max * keys_per_record, obsolete);
  std::vector<RecordId> ids;
  for (const auto& found : obsolete) {
    for (std::size_t i = 0; i < found.count; ++i) ids.push_back(KeyIndex::mark(*found.entry, i).id());
  }
  if (!ids.empty() || !has_more) {
    StoreMeta meta = backend.meta();
    if (!has_more) meta.compaction_finished = compacted_;
    if (!backend.write({{}, ids, meta}, WriteMode::may_refuse)) return Step::busy;
  }
  // The backend has let go of them: only now may the index, which would otherwise name records that are there no more.
  for (const auto& found : obsolete) index.drop(found);
  cursor_ = std::move(next);
  return has_more ? Step::more : Step::finished;
}

}  // namespace whitewater::kv

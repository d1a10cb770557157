#include "sim/revision_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "kv/command_codec.hpp"
#include "sim/failure.hpp"

namespace whitewater::sim {
namespace {

struct KeyChange {
  kv::Revision revision;
  Value value;
};

// The model: every change of every key, in order.
class Replay {
 public:
  explicit Replay(const std::vector<core::Entry>& committed) {
    for (const core::Entry& entry : committed) {
      if (entry.type != core::EntryType::command) continue;
      auto command = kv::decode_command(entry.payload.view());
      require(command.has_value(),
              [&] { return fmt::format("committed entry {} does not decode", entry.index.value); });
      std::visit([&](const auto& request) { run(request); }, *command);
    }
  }

  [[nodiscard]] Value at(const std::string& key, kv::Revision revision) const {
    const KeyChange* change = change_at(key, revision);
    return change == nullptr ? absent : change->value;
  }
  // The newest change of the key at or before the revision.
  [[nodiscard]] const KeyChange* change_at(const std::string& key, kv::Revision revision) const {
    const auto found = changes_.find(key);
    if (found == changes_.end()) return nullptr;
    const auto after = std::upper_bound(found->second.begin(), found->second.end(), revision,
                                        [](kv::Revision r, const KeyChange& change) { return r < change.revision; });
    return after == found->second.begin() ? nullptr : &*std::prev(after);
  }
  [[nodiscard]] kv::Revision revision() const { return revision_; }
  [[nodiscard]] kv::Revision compacted() const { return compacted_; }
  [[nodiscard]] const std::map<std::string, std::vector<KeyChange>>& changes() const { return changes_; }

 private:
  void change(const std::string& key, Value value) { changes_[key].push_back({++revision_, value}); }
  void run(const kv::PutRequest& request) {
    const Value value = value_of_text(request.value);
    require(written_.insert(value).second, [&] { return fmt::format("value {} was written twice (S53)", value); });
    change(request.key, value);
  }
  void run(const kv::DeleteRangeRequest& request) {
    if (at(request.key, revision_) != absent) change(request.key, absent);
  }
  void run(const kv::CompactionRequest& request) {
    if (request.revision <= revision_) compacted_ = std::max(compacted_, request.revision);
  }
  // The clients' transactions compare the value of one key (or its absence) and put that key.
  void run(const kv::TxnRequest& request) {
    const kv::Compare& compare = request.compare.at(0);
    const Value found = at(compare.key, revision_);
    const bool holds = compare.target == kv::CompareTarget::create
                           ? found == absent
                           : found != absent && value_of_text(compare.value) == found;
    if (holds) run(std::get<kv::PutRequest>(request.success.at(0).op));
  }

  kv::Revision revision_ = 1;
  kv::Revision compacted_ = 0;
  std::map<std::string, std::vector<KeyChange>> changes_;
  std::set<Value> written_;
};

void check_answer(const Replay& replay, const ClientRecord& record) {
  const Operation& op = record.operation;
  const std::string key = key_name(op.key);
  const kv::Revision revision = record.asked.value_or(*record.revision);
  const auto fail = [&](std::string_view why) {
    throw Failure(ExitClass::correctness, fmt::format("{} at revision {}: {}", describe(op), revision, why));
  };
  if (*record.revision > replay.revision()) fail("the committed log never gets that far");
  if (revision > *record.revision) fail("it comes from a store that has not got that far");
  const KeyChange* change = replay.change_at(key, revision);
  const Value value = change == nullptr ? absent : change->value;
  const bool wrote = op.kind == OpKind::put || (op.kind != OpKind::get && op.succeeded.value_or(false));
  if (wrote) {
    if (change == nullptr || change->revision != revision) fail("the acknowledged write is not in the committed log");
    if (value != (op.kind == OpKind::remove ? absent : op.argument)) fail("the revision holds another write");
    if (op.observed && *op.observed != replay.at(key, revision - 1)) fail("the value before is not what it saw");
    return;
  }
  if (op.kind == OpKind::remove && value != absent) fail("there was something to remove");
  if (op.observed && *op.observed != value) fail(fmt::format("the value at that revision is {}", value));
  if (record.mod_revision && (change == nullptr || change->revision != *record.mod_revision)) {
    fail("the modification revision is wrong");
  }
}

// What begins after an answer has a revision at least as high; a write, higher (read-your-revision among it).
void check_real_time(const History& history) {
  std::vector<const ClientRecord*> by_start;
  std::vector<const ClientRecord*> by_end;
  for (const ClientRecord& record : history) {
    if (!record.operation.completed || !record.revision) continue;
    by_start.push_back(&record);
    by_end.push_back(&record);
  }
  std::sort(by_start.begin(), by_start.end(),
            [](const auto* a, const auto* b) { return a->operation.invoked < b->operation.invoked; });
  std::sort(by_end.begin(), by_end.end(),
            [](const auto* a, const auto* b) { return *a->operation.completed < *b->operation.completed; });
  const ClientRecord* newest = nullptr;
  std::size_t ended = 0;
  for (const ClientRecord* record : by_start) {
    for (; ended < by_end.size() && *by_end[ended]->operation.completed < record->operation.invoked; ++ended) {
      if (newest == nullptr || *by_end[ended]->revision > *newest->revision) newest = by_end[ended];
    }
    if (newest == nullptr) continue;
    const Operation& op = record->operation;
    const bool wrote = op.kind == OpKind::put || (op.kind != OpKind::get && op.succeeded.value_or(false));
    require(*record->revision > *newest->revision || (!wrote && *record->revision == *newest->revision), [&] {
      return fmt::format("revisions go back in time: {} was answered at revision {}, and before it began {} at {}",
                         describe(op), *record->revision, describe(newest->operation), *newest->revision);
    });
  }
}

}  // namespace

std::string key_name(std::uint32_t key) { return "key-" + std::to_string(key); }

std::string value_text(Value value, std::size_t size_bytes) {
  std::string text = std::to_string(value);
  if (text.size() < size_bytes) text.append(size_bytes - text.size(), '.');
  return text;
}

Value value_of_text(std::string_view text) {
  Value value = absent;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  require(parsed.ec == std::errc{} && value != absent,
          [&] { return "a value that no client wrote: " + std::string(text.substr(0, 40)); });
  return value;
}

void check_revisions(const std::vector<core::Entry>& committed, const History& history) {
  const Replay replay(committed);
  for (const ClientRecord& record : history) {
    if (record.operation.completed && record.revision) check_answer(replay, record);
    require(!record.is_compacted || *record.asked < replay.compacted(), [&] {
      return fmt::format("{} at revision {} is said to be compacted, and compaction got only to {}",
                         describe(record.operation), *record.asked, replay.compacted());
    });
  }
  check_real_time(history);
}

std::vector<std::pair<std::string, Value>> final_content(const std::vector<core::Entry>& committed) {
  const Replay replay(committed);
  std::vector<std::pair<std::string, Value>> content;
  for (const auto& [key, changes] : replay.changes()) {
    if (changes.back().value != absent) content.emplace_back(key, changes.back().value);
  }
  return content;
}

}  // namespace whitewater::sim

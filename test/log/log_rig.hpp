// LogRig: the planner over a CrashDisk with a model beside it. The model is the list of records in the order they were
// appended; after a crash the recovered log must equal the model after some number of records that covers everything
// that was reported durable. Used by the planner's, recovery's and the crash tests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "log/crash_disk.hpp"
#include "log/planner.hpp"
#include "log/recovery.hpp"

namespace whitewater::log {

inline constexpr NodeId rig_node{0x1111};
inline constexpr std::uint64_t rig_log_id = 0x5eed5eed12345678ULL;

inline core::Entry make_entry(std::uint64_t index, std::uint64_t term, std::string payload = "x") {
  core::Entry entry;
  entry.index = Index(index);
  entry.term = Term(term);
  entry.type = core::EntryType::command;
  entry.request = {NodeId(7), index * 1000 + term};
  entry.payload = core::SharedBytes(std::move(payload));
  return entry;
}

struct ModelState {
  core::HardState hard_state;
  Index last;
  std::map<std::uint64_t, core::Entry> entries;

  void truncate_from(Index from) {
    entries.erase(entries.lower_bound(from.value), entries.end());
    last = from.prev();
  }
};
using ModelRecord = std::variant<core::HardState, TruncateRecord, LogReset, core::Entry>;

inline void advance(ModelState& state, const ModelRecord& record) {
  if (const auto* hard_state = std::get_if<core::HardState>(&record)) state.hard_state = *hard_state;
  if (const auto* truncate = std::get_if<TruncateRecord>(&record)) state.truncate_from(truncate->from);
  if (const auto* reset = std::get_if<LogReset>(&record)) {
    state.entries.clear();
    state.last = reset->next_index.prev();
  }
  if (const auto* entry = std::get_if<core::Entry>(&record)) {
    state.entries[entry->index.value] = *entry;
    state.last = entry->index;
  }
}

// Empty when the recovered log is exactly this state (from its first index on), else what differs.
inline std::string difference(const RecoveredLog& log, const ModelState& state) {
  if (log.hard_state != state.hard_state) return "hard state";
  if (log.last_index != state.last) return "last index";
  for (const auto& entry : log.entries) {
    const auto it = state.entries.find(entry.index.value);
    if (it == state.entries.end() || !(it->second == entry)) return "entry " + std::to_string(entry.index.value);
    if (log.terms.term_at(entry.index) != entry.term) return "term run";
    if (log.index.locate(entry.index) == nullptr) return "index";
  }
  const std::uint64_t count = log.last_index.next().value - log.first_index.value;
  if (log.entries.size() != count) return "count";
  return {};
}

class LogRig {
 public:
  explicit LogRig(PlannerLimits limits = small_limits(), Slot slots = 3)
      : limits_(limits),
        disk_(slots, limits.segment_bytes),
        pool_(limits.writes_in_flight_max + 2, limits.group_bytes_max) {
    start(RecoveredLog{});
  }
  static PlannerLimits small_limits() {
    PlannerLimits limits;
    limits.segment_bytes = 64 << 10;
    limits.segments_max = 8;
    limits.group_bytes_max = 16 << 10;
    return limits;
  }

  LogPlanner& planner() { return *planner_; }
  CrashDisk& disk() { return disk_; }
  const ModelState& durable() const { return durable_; }
  ModelState appended() const {
    ModelState state = durable_;
    for (std::size_t i = durable_records_; i < records_.size(); ++i) advance(state, records_[i]);
    return state;
  }

  std::uint64_t append(LogAppend append) {
    append.token = ++token_;
    Index last = appended().last;
    if (append.hard_state) records_.emplace_back(*append.hard_state);
    if (append.reset) {
      records_.emplace_back(*append.reset);
      last = append.reset->next_index.prev();
    }
    if (!append.entries.empty() && append.entries.front().index <= last) {
      records_.emplace_back(TruncateRecord{append.entries.front().index, Term(0)});
    }
    for (const auto& entry : append.entries) records_.emplace_back(entry);
    token_records_.emplace_back(token_, records_.size());
    planner_->on_append(std::move(append));
    move_output();
    return token_;
  }
  std::uint64_t append_entry(std::uint64_t index, std::uint64_t term, std::string payload = "x") {
    LogAppend append;
    append.entries.push_back(make_entry(index, term, std::move(payload)));
    return this->append(std::move(append));
  }
  std::uint64_t append_vote(std::uint64_t term, std::uint64_t vote) {
    LogAppend append;
    append.hard_state = core::HardState{Term(term), NodeId(vote)};
    return this->append(std::move(append));
  }
  void release(std::uint64_t upto) {
    released_ = std::max(released_, Index(upto));
    planner_->on_release(Index(upto));
    move_output();
  }
  void complete(std::uint64_t op_id) {
    disk_.complete(op_id);
    planner_->on_write_done(op_id);
    note_durable();
    move_output();
  }
  void complete_all() {
    while (!disk_.pending().empty()) complete(disk_.pending().front().id);
  }
  // Growth is granted at once unless this is off.
  void allow_growth(bool allow) { growth_allowed_ = allow; }

  // After disk().crash...: recovers, checks against the model and goes on with a new planner. Text says what is wrong.
  std::string recover_and_check() {
    auto result = recover(disk_, {rig_node, ClusterId(0), Index(0), 64U << 20});
    if (auto* refusal = std::get_if<RecoveryRefusal>(&result)) return describe(*refusal);
    auto& log = std::get<RecoveredLog>(result);
    if (log.first_index > released_.next()) return "an entry that is still needed is missing";
    ModelState state = durable_;
    std::optional<std::size_t> match;
    std::string why = difference(log, state);
    ModelState matched = state;
    if (why.empty()) match = durable_records_;
    for (std::size_t i = durable_records_; i < records_.size(); ++i) {
      advance(state, records_[i]);
      if (difference(log, state).empty()) match = i + 1, matched = state;
    }
    if (!match) {
      return "no prefix from the durable part on equals " + describe(log) + ": " + why + " (durable last " +
             std::to_string(durable_.last.value) + ")";
    }
    records_.resize(*match);
    durable_records_ = *match;
    durable_ = matched;
    token_records_.clear();
    last_recovered_ = log;
    start(log);
    return {};
  }
  const RecoveredLog& last_recovered() const { return last_recovered_; }

 private:
  void start(const RecoveredLog& log) {
    const LogIdentity identity{ClusterId(0), rig_node, log.is_fresh ? rig_log_id : log.log_id};
    planner_ = std::make_unique<LogPlanner>(identity, log.next_incarnation, limits_, log, disk_.slot_count(), pool_);
    token_ = 0;
    move_output();
  }
  void move_output() {
    PlannerOutput output;
    planner_->take_output(output);
    for (const auto& op : output.writes) disk_.submit(op);
    if (!output.grow) return;
    if (!growth_allowed_) {
      planner_->on_segment_add_failed(*output.grow);
      return;
    }
    disk_.add_slot();
    planner_->on_segment_added(*output.grow);
    move_output();
  }
  void note_durable() {
    while (!token_records_.empty() && token_records_.front().first <= planner_->durable_token()) {
      for (; durable_records_ < token_records_.front().second; ++durable_records_) {
        advance(durable_, records_[durable_records_]);
      }
      token_records_.erase(token_records_.begin());
    }
  }

  PlannerLimits limits_;
  CrashDisk disk_;
  BufferPool pool_;
  std::unique_ptr<LogPlanner> planner_;
  std::vector<ModelRecord> records_;
  std::vector<std::pair<std::uint64_t, std::size_t>> token_records_;
  std::size_t durable_records_ = 0;
  ModelState durable_;
  Index released_;
  std::uint64_t token_ = 0;
  bool growth_allowed_ = true;
  RecoveredLog last_recovered_;
};

}  // namespace whitewater::log

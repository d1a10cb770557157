#include "sim/linearizability.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/assert.hpp"

namespace whitewater::sim {
namespace {

constexpr std::uint32_t none = UINT32_MAX;

// The value after `op` took effect on `value`; nothing when its known answer contradicts that.
std::optional<Value> step(const Operation& op, Value value) {
  if (op.observed && *op.observed != value) return std::nullopt;
  switch (op.kind) {
    case OpKind::get:
      return value;
    case OpKind::put:
      return op.argument;
    case OpKind::remove:
      if (op.succeeded && *op.succeeded != (value != absent)) return std::nullopt;
      return absent;
    case OpKind::cas:
      if (op.succeeded && *op.succeeded != (value == op.expected)) return std::nullopt;
      return value == op.expected ? op.argument : value;
  }
  return std::nullopt;
}

// The search over one key. Calls and returns form a doubly linked list in time order; linearizing an operation takes
// both its nodes out, and backtracking puts them back (Lowe, "Testing for linearizability", section 3).
class KeySearch {
 public:
  KeySearch(std::vector<Operation> operations, std::uint64_t limit)
      : operations_(std::move(operations)), limit_(limit), done_((operations_.size() + 63) / 64, 0) {
    build();
  }

  Verdict run();
  // The completed operation at which the longest attempt ended.
  [[nodiscard]] std::optional<std::size_t> stuck_at() const { return stuck_at_; }
  [[nodiscard]] std::uint64_t configurations() const { return configurations_; }

 private:
  struct Node {
    std::uint32_t operation;
    bool is_call;
    std::uint32_t match = none;  // the return of a call; none for an unknown outcome
    std::uint32_t prev = none;
    std::uint32_t next = none;
  };
  struct Step {
    std::uint32_t call;
    Value before;
  };

  void build();
  void unlink(std::uint32_t node);
  void relink(std::uint32_t node);
  void lift(std::uint32_t call);
  void unlift(std::uint32_t call);
  bool is_new_configuration();
  void flip(std::uint32_t operation) { done_[operation / 64] ^= 1ULL << (operation % 64); }

  std::vector<Operation> operations_;
  std::uint64_t limit_;
  std::vector<Node> nodes_;  // node 0 is the head
  std::vector<std::uint64_t> done_;
  Value value_ = absent;
  std::set<std::pair<std::vector<std::uint64_t>, Value>> seen_;
  std::vector<Step> stack_;
  std::uint64_t configurations_ = 0;
  std::size_t longest_ = 0;
  std::optional<std::size_t> stuck_at_;
};

void KeySearch::build() {
  struct Event {
    std::uint64_t time;
    bool is_call;
    std::uint32_t operation;
  };
  std::vector<Event> events;
  for (std::uint32_t i = 0; i < operations_.size(); ++i) {
    WW_ASSERT(!operations_[i].completed || operations_[i].invoked < *operations_[i].completed);
    events.push_back({operations_[i].invoked, true, i});
    if (operations_[i].completed) events.push_back({*operations_[i].completed, false, i});
  }
  // At equal times a call comes first: the two operations count as concurrent, which can only excuse, never accuse.
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tuple(a.time, !a.is_call, a.operation) < std::tuple(b.time, !b.is_call, b.operation);
  });
  nodes_.push_back({none, false});
  std::vector<std::uint32_t> call_of(operations_.size(), none);
  for (const Event& event : events) {
    const auto id = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({event.operation, event.is_call, none, id - 1, none});
    nodes_[id - 1].next = id;
    if (event.is_call) {
      call_of[event.operation] = id;
    } else {
      nodes_[call_of[event.operation]].match = id;
    }
  }
}

void KeySearch::unlink(std::uint32_t node) {
  nodes_[nodes_[node].prev].next = nodes_[node].next;
  if (nodes_[node].next != none) nodes_[nodes_[node].next].prev = nodes_[node].prev;
}

void KeySearch::relink(std::uint32_t node) {
  nodes_[nodes_[node].prev].next = node;
  if (nodes_[node].next != none) nodes_[nodes_[node].next].prev = node;
}

void KeySearch::lift(std::uint32_t call) {
  unlink(call);
  if (nodes_[call].match != none) unlink(nodes_[call].match);
}

void KeySearch::unlift(std::uint32_t call) {
  if (nodes_[call].match != none) relink(nodes_[call].match);
  relink(call);
}

bool KeySearch::is_new_configuration() {
  ++configurations_;
  return seen_.emplace(done_, value_).second;
}

Verdict KeySearch::run() {
  std::uint32_t at = nodes_[0].next;
  while (at != none) {
    if (configurations_ > limit_) return Verdict::undecided;
    const Node& node = nodes_[at];
    if (node.is_call) {
      const auto after = step(operations_[node.operation], value_);
      bool taken = false;
      if (after) {
        const Value before = value_;
        value_ = *after;
        flip(node.operation);
        taken = is_new_configuration();
        if (taken) {
          stack_.push_back({at, before});
          lift(at);
          at = nodes_[0].next;
        } else {
          flip(node.operation);
          value_ = before;
        }
      }
      if (!taken) at = node.next;
      continue;
    }
    // A return whose call could not be placed before it: undo the last choice and try what comes after that one.
    if (!stuck_at_ || stack_.size() >= longest_) {
      longest_ = stack_.size();
      stuck_at_ = node.operation;
    }
    if (stack_.empty()) return Verdict::violation;
    const Step undo = stack_.back();
    stack_.pop_back();
    value_ = undo.before;
    flip(nodes_[undo.call].operation);
    unlift(undo.call);
    at = nodes_[undo.call].next;
  }
  // Only calls without a return can be left: they never took effect.
  return Verdict::linearizable;
}

// A write of unknown outcome whose value nobody ever saw may be taken to have never happened: whatever order has it in,
// has a legal order without it. That is not so where an answer tells only that some value, or some other value, was
// there. Runs with many lost answers would otherwise have far too many orders.
std::vector<Operation> without_unseen_writes(const std::vector<Operation>& operations) {
  std::set<Value> seen;
  for (const Operation& op : operations) {
    if (op.observed) seen.insert(*op.observed);
    if (op.kind == OpKind::cas && op.succeeded.value_or(true)) seen.insert(op.expected);
    const bool tells_presence = op.kind == OpKind::remove && op.succeeded.value_or(false) && !op.observed;
    const bool tells_difference = op.kind == OpKind::cas && !op.succeeded.value_or(true) && !op.observed;
    if (tells_presence || tells_difference) return operations;
  }
  std::vector<Operation> kept;
  for (const Operation& op : operations) {
    const bool is_write_of_value = op.kind == OpKind::put || op.kind == OpKind::cas;
    if (op.completed || !is_write_of_value || seen.contains(op.argument)) kept.push_back(op);
  }
  return kept;
}

std::string explain(const std::vector<Operation>& operations, std::optional<std::size_t> stuck_at) {
  constexpr std::size_t neighbours_max = 24;
  std::string text;
  if (stuck_at) text += "no place for: " + describe(operations[*stuck_at]) + "\n";
  std::vector<Operation> sorted = operations;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.invoked < b.invoked; });
  std::size_t first = 0;
  if (stuck_at) {
    while (first < sorted.size() && sorted[first].invoked < operations[*stuck_at].invoked) ++first;
    first = first > neighbours_max / 2 ? first - neighbours_max / 2 : 0;
  }
  const std::size_t end = std::min(sorted.size(), first + neighbours_max);
  for (std::size_t i = first; i < end; ++i) text += "  " + describe(sorted[i]) + "\n";
  return text;
}

}  // namespace

std::string describe(const Operation& op) {
  static constexpr const char* kinds[] = {"get", "put", "remove", "cas"};
  std::string text = fmt::format("[{} .. {}] client {} {} key {}", op.invoked,
                                 op.completed ? std::to_string(*op.completed) : "unknown", op.client,
                                 kinds[static_cast<int>(op.kind)], op.key);
  if (op.kind == OpKind::cas) text += fmt::format(" {} -> {}", op.expected, op.argument);
  if (op.kind == OpKind::put) text += fmt::format(" {}", op.argument);
  if (op.succeeded) text += *op.succeeded ? " succeeded" : " failed";
  if (op.observed) text += fmt::format(" saw {}", *op.observed);
  return text;
}

LinearizabilityResult check_linearizability(const std::vector<Operation>& history, std::uint64_t limit) {
  std::map<std::uint32_t, std::vector<Operation>> by_key;
  for (const Operation& op : history) {
    if (op.kind == OpKind::get && !op.completed) continue;
    by_key[op.key].push_back(op);
  }
  LinearizabilityResult result;
  for (auto& [key, operations] : by_key) {
    result.operations_checked += operations.size();
    operations = without_unseen_writes(operations);
    KeySearch search(operations, limit);
    const Verdict verdict = search.run();
    result.configurations += search.configurations();
    if (verdict == Verdict::violation) {
      return {verdict, key, explain(operations, search.stuck_at()), result.configurations, result.operations_checked};
    }
    if (verdict == Verdict::undecided) {
      result.verdict = verdict;
      result.key = key;
    }
  }
  return result;
}

}  // namespace whitewater::sim

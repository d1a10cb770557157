// The checker must accept every history that some order explains and refuse every one that none does.
#include "sim/linearizability.hpp"

#include <algorithm>

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::sim;

namespace {

Operation get(std::uint64_t from, std::uint64_t to, Value saw, std::uint32_t key = 1) {
  Operation op;
  op.key = key;
  op.invoked = from;
  op.completed = to;
  op.observed = saw;
  return op;
}

Operation put(std::uint64_t from, std::optional<std::uint64_t> to, Value value, std::uint32_t key = 1) {
  Operation op;
  op.kind = OpKind::put;
  op.key = key;
  op.argument = value;
  op.invoked = from;
  op.completed = to;
  return op;
}

Operation remove(std::uint64_t from, std::optional<std::uint64_t> to, std::optional<bool> succeeded) {
  Operation op;
  op.kind = OpKind::remove;
  op.key = 1;
  op.invoked = from;
  op.completed = to;
  op.succeeded = succeeded;
  return op;
}

Operation cas(std::uint64_t from, std::optional<std::uint64_t> to, Value expected, Value value,
              std::optional<bool> succeeded) {
  Operation op;
  op.kind = OpKind::cas;
  op.key = 1;
  op.expected = expected;
  op.argument = value;
  op.invoked = from;
  op.completed = to;
  op.succeeded = succeeded;
  return op;
}

Verdict verdict(const std::vector<Operation>& history) { return check_linearizability(history).verdict; }

// A history that a single register produced: operations of several clients overlap, each takes effect at one moment.
std::vector<Operation> random_good_history(base::Rng& rng, std::size_t count, std::uint64_t clients) {
  struct Planned {
    Operation op;
    std::uint64_t effect;
  };
  std::vector<Planned> planned;
  std::vector<std::uint64_t> free_at(clients, 1);
  for (std::size_t i = 0; i < count; ++i) {
    Planned p;
    p.op.client = static_cast<std::uint32_t>(rng.in_range(0, clients - 1));
    p.op.key = static_cast<std::uint32_t>(rng.in_range(0, 1));
    p.op.kind = static_cast<OpKind>(rng.in_range(0, 3));
    p.op.argument = i + 1;
    p.op.expected = rng.in_range(0, i);
    p.op.invoked = free_at[p.op.client] + rng.in_range(0, 20);
    p.effect = p.op.invoked + rng.in_range(1, 50);
    p.op.completed = p.effect + rng.in_range(1, 50);
    free_at[p.op.client] = *p.op.completed + 1;
    planned.push_back(p);
  }
  std::sort(planned.begin(), planned.end(), [](const Planned& a, const Planned& b) {
    return std::pair(a.effect, a.op.argument) < std::pair(b.effect, b.op.argument);
  });
  Value values[2] = {absent, absent};
  std::vector<Operation> history;
  for (Planned& p : planned) {
    Value& value = values[p.op.key];
    if (p.op.kind == OpKind::get || rng.chance(1, 3)) p.op.observed = value;
    if (p.op.kind == OpKind::remove) p.op.succeeded = value != absent;
    if (p.op.kind == OpKind::cas) p.op.succeeded = value == p.op.expected;
    if (p.op.kind == OpKind::put || (p.op.kind == OpKind::cas && value == p.op.expected)) value = p.op.argument;
    if (p.op.kind == OpKind::remove) value = absent;
    if (rng.chance(1, 15)) {  // the answer was lost
      p.op.completed.reset();
      p.op.observed.reset();
      p.op.succeeded.reset();
    }
    history.push_back(p.op);
  }
  return history;
}

}  // namespace

TEST_CASE("an empty history is linearizable") { CHECK(verdict({}) == Verdict::linearizable); }

TEST_CASE("a read sees the write that ended before it") {
  CHECK(verdict({put(1, 2, 7), get(3, 4, 7)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), get(3, 4, absent)}) == Verdict::violation);
}

TEST_CASE("a read beside a write sees the old or the new value") {
  CHECK(verdict({put(1, 2, 7), put(3, 10, 8), get(4, 5, 7)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), put(3, 10, 8), get(4, 5, 8)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), put(3, 10, 8), get(4, 5, 9)}) == Verdict::violation);
}

TEST_CASE("once a read saw the new value no later read sees the old one") {
  CHECK(verdict({put(1, 2, 7), put(3, 20, 8), get(4, 5, 8), get(6, 7, 7)}) == Verdict::violation);
  CHECK(verdict({put(1, 2, 7), put(3, 20, 8), get(4, 5, 7), get(6, 7, 8)}) == Verdict::linearizable);
}

TEST_CASE("a write of unknown outcome may take effect late or never") {
  CHECK(verdict({put(1, 2, 7), put(3, {}, 8), get(10, 11, 7)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), put(3, {}, 8), get(10, 11, 7), get(12, 13, 8)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), put(3, {}, 8), get(10, 11, 8), get(12, 13, 7)}) == Verdict::violation);
}

TEST_CASE("a write of unknown outcome takes no effect before it was asked for") {
  CHECK(verdict({get(1, 2, 8), put(3, {}, 8)}) == Verdict::violation);
}

TEST_CASE("a write takes effect once") {
  CHECK(verdict({put(1, {}, 7), remove(2, 3, true), remove(4, 5, true)}) == Verdict::violation);
  CHECK(verdict({put(1, {}, 7), get(2, 3, 7), put(4, 5, 8), get(6, 7, 7)}) == Verdict::violation);
}

TEST_CASE("a lost acknowledged write is found") {
  CHECK(verdict({put(1, 2, 7), put(3, 4, 8), get(5, 6, 7)}) == Verdict::violation);
}

TEST_CASE("remove tells whether something was there") {
  CHECK(verdict({remove(1, 2, true)}) == Verdict::violation);
  CHECK(verdict({remove(1, 2, false), put(3, 4, 7), remove(5, 6, true), get(7, 8, absent)}) == Verdict::linearizable);
  CHECK(verdict({put(3, 4, 7), remove(5, 6, true), get(7, 8, 7)}) == Verdict::violation);
}

TEST_CASE("of two compare-and-swaps from one value only one succeeds") {
  CHECK(verdict({put(1, 2, 7), cas(3, 9, 7, 8, true), cas(3, 9, 7, 9, true)}) == Verdict::violation);
  CHECK(verdict({put(1, 2, 7), cas(3, 9, 7, 8, true), cas(3, 9, 7, 9, false)}) == Verdict::linearizable);
}

TEST_CASE("a compare-and-swap fails only when another value was there") {
  CHECK(verdict({put(1, 2, 7), cas(3, 4, 7, 8, false)}) == Verdict::violation);
  CHECK(verdict({cas(1, 2, absent, 8, true), get(3, 4, 8)}) == Verdict::linearizable);
}

TEST_CASE("the value before a write is part of its answer") {
  Operation second = put(3, 4, 8);
  second.observed = 7;
  CHECK(verdict({put(1, 2, 7), second}) == Verdict::linearizable);
  second.observed = absent;
  CHECK(verdict({put(1, 2, 7), second}) == Verdict::violation);
}

TEST_CASE("keys are checked apart and the violating one is named") {
  const auto result = check_linearizability({put(1, 2, 7, 1), get(3, 4, 7, 1), put(1, 2, 9, 2), get(3, 4, absent, 2)});
  CHECK(result.verdict == Verdict::violation);
  CHECK(result.key == 2);
  CHECK_THAT(result.explanation, contains_text("no place for: [3 .. 4] client 0 get key 2"));
}

TEST_CASE("reads of unknown outcome say nothing") {
  Operation op = get(5, 6, 0);
  op.completed.reset();
  op.observed.reset();
  const auto result = check_linearizability({put(1, 2, 7), op});
  CHECK(result.verdict == Verdict::linearizable);
  CHECK(result.operations_checked == 1);
}

TEST_CASE("an unseen write of unknown outcome counts where an answer tells only that something was there") {
  CHECK(verdict({put(1, {}, 7), remove(2, 3, true)}) == Verdict::linearizable);
  CHECK(verdict({put(1, 2, 7), put(3, {}, 8), cas(4, 5, 7, 9, false)}) == Verdict::linearizable);
  Operation seen = remove(2, 3, true);
  seen.observed = 7;
  CHECK(verdict({put(1, {}, 7), seen}) == Verdict::linearizable);
}

TEST_CASE("many lost answers whose values nobody saw cost no search") {
  std::vector<Operation> history;
  for (Value v = 1; v <= 64; ++v) history.push_back(put(v, {}, v));
  history.push_back(put(200, 201, 1000));
  history.push_back(get(202, 203, 999));
  const auto result = check_linearizability(history);
  CHECK(result.verdict == Verdict::violation);
  CHECK(result.configurations < 100);
}

TEST_CASE("over its limit the search is undecided") {
  std::vector<Operation> history;
  for (Value v = 1; v <= 16; ++v) history.push_back(put(1, 100 + v, v));
  history.push_back(get(200, 201, 99));
  CHECK(check_linearizability(history, 1000).verdict == Verdict::undecided);
}

TEST_CASE("every history of a real register is accepted") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    base::Rng rng(seed);
    const auto history = random_good_history(rng, 120, 5);
    INFO("seed " << seed);
    REQUIRE(verdict(history) == Verdict::linearizable);
  }
}

TEST_CASE("a random history in which one read lies is refused") {
  // A read of a value that nobody wrote can never be explained; a read of a value of the far past almost never, and
  // then only when writes overlap, so that it is counted and not demanded.
  int stale_refused = 0;
  int stale_total = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    base::Rng rng(seed);
    auto history = random_good_history(rng, 120, 4);
    std::vector<std::size_t> reads;
    for (std::size_t i = 60; i < history.size(); ++i) {
      if (history[i].kind == OpKind::get && history[i].completed) reads.push_back(i);
    }
    if (reads.empty()) continue;
    const std::size_t liar = reads[rng.in_range(0, reads.size() - 1)];
    auto impossible = history;
    impossible[liar].observed = 1'000'000;
    INFO("seed " << seed);
    REQUIRE(verdict(impossible) == Verdict::violation);
    for (const Operation& op : history) {
      if (op.kind != OpKind::put || op.key != history[liar].key || !op.completed) continue;
      if (op.argument == history[liar].observed) break;
      ++stale_total;
      auto stale = history;
      stale[liar].observed = op.argument;
      stale_refused += verdict(stale) == Verdict::violation ? 1 : 0;
      break;
    }
  }
  CHECK(stale_total > 50);
  CHECK(stale_refused * 10 >= stale_total * 9);
}

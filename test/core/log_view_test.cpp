#include "core/log_view.hpp"

#include "catch.hpp"
#include "core/builders.hpp"

namespace whitewater::core::test {
namespace {

LogView make_view(const std::vector<std::uint64_t>& terms) {
  LogView view{LogStart{}};
  for (Entry& e : make_log(terms)) view.append(std::move(e));
  return view;
}

}  // namespace

TEST_CASE("an empty log has the index and the term zero, and nothing to slice") {
  const LogView view{LogStart{}};
  CHECK(view.first_index() == Index(1));
  CHECK(view.last_index() == Index(0));
  CHECK(view.last_term() == Term(0));
  CHECK(view.term_at(Index(0)) == Term(0));
  CHECK_FALSE(view.term_at(Index(1)).has_value());
  CHECK(view.slice(Index(1), 10, 1000).empty());
}

TEST_CASE("every retained index has its term and no other index has one") {
  const std::vector<std::uint64_t> terms{1, 1, 2, 4, 4, 4, 7};
  const LogView view = make_view(terms);
  for (std::uint64_t i = 1; i <= terms.size(); ++i) CHECK(view.term_at(Index(i)) == Term(terms[i - 1]));
  CHECK_FALSE(view.term_at(Index(8)).has_value());
  CHECK_FALSE(view.matches(Index(8), Term(0)));
}

TEST_CASE("a log is up to date by its last term first and its length second") {
  const LogView view = make_view({1, 3, 3});
  CHECK(view.is_up_to_date(Index(1), Term(4)));
  CHECK(view.is_up_to_date(Index(3), Term(3)));
  CHECK(view.is_up_to_date(Index(4), Term(3)));
  CHECK_FALSE(view.is_up_to_date(Index(2), Term(3)));
  CHECK_FALSE(view.is_up_to_date(Index(9), Term(2)));
}

TEST_CASE("the last index of at most a term is what a scan finds") {
  base::Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> terms;
    std::uint64_t term = 1;
    for (std::uint64_t i = rng.in_range(0, 12); i > 0; --i) terms.push_back(term += rng.in_range(0, 2));
    const LogView view = make_view(terms);
    const std::uint64_t from = rng.in_range(0, 14);
    const std::uint64_t at_most = rng.in_range(0, 20);
    std::uint64_t expected = std::min<std::uint64_t>(from, terms.size());
    while (expected > 0 && terms[expected - 1] > at_most) --expected;
    CHECK(view.last_index_at_most(Index(from), Term(at_most)) == Index(expected));
  }
}

TEST_CASE("a slice ends at the limit of entries or bytes, but holds one entry at least") {
  const LogView view = make_view({1, 1, 1, 1});
  CHECK(view.slice(Index(2), 2, 100000).size() == 2);
  CHECK(view.slice(Index(2), 100, 100000).size() == 3);
  CHECK(view.slice(Index(2), 100, 1).size() == 1);
  CHECK(view.slice(Index(2), 100, 1).front().index == Index(2));
  CHECK(view.slice(Index(5), 100, 1).empty());
}

TEST_CASE("truncation drops the suffix, its terms and its durability") {
  LogView view = make_view({1, 1, 2, 3});
  view.set_durable(Index(4));
  view.truncate_from(Index(3));
  CHECK(view.last_index() == Index(2));
  CHECK(view.last_term() == Term(1));
  CHECK(view.durable_index() == Index(2));
  CHECK_FALSE(view.term_at(Index(3)).has_value());
  view.append(make_command(5, 3));
  CHECK(view.term_at(Index(3)) == Term(5));
}

TEST_CASE("the durable index only grows") {
  LogView view = make_view({1, 1, 1});
  view.set_durable(Index(3));
  view.set_durable(Index(1));
  CHECK(view.durable_index() == Index(3));
}

TEST_CASE("what is released has no term any more, but the entry before the first retained one") {
  LogView view = make_view({1, 2, 2, 3, 3});
  view.release(Index(3));
  CHECK(view.first_index() == Index(4));
  CHECK(view.term_at(Index(3)) == Term(2));
  CHECK_FALSE(view.term_at(Index(2)).has_value());
  CHECK(view.term_at(Index(4)) == Term(3));
  CHECK(view.cached_from() == Index(4));
  view.release(Index(2));  // older than what is released already
  CHECK(view.first_index() == Index(4));
}

TEST_CASE("a log that is released to its end keeps its last term and goes on") {
  LogView view = make_view({1, 2, 2});
  view.release(Index(3));
  CHECK(view.first_index() == Index(4));
  CHECK(view.last_term() == Term(2));
  CHECK_FALSE(view.is_up_to_date(Index(9), Term(1)));
  view.append(make_command(2, 4));
  view.append(make_command(3, 5));
  CHECK(view.term_at(Index(3)) == Term(2));
  CHECK(view.term_at(Index(4)) == Term(2));
  CHECK(view.term_at(Index(5)) == Term(3));
}

TEST_CASE("a log whose retained entries are all replaced still knows its last term") {
  LogView view = make_view({1, 1, 1, 2});
  view.release(Index(3));
  view.truncate_from(Index(4));
  CHECK(view.last_index() == Index(3));
  CHECK(view.last_term() == Term(1));
  view.append(make_command(3, 4));
  CHECK(view.first_index() == Index(4));
  CHECK(view.term_at(Index(4)) == Term(3));
  CHECK(view.term_at(Index(3)) == Term(1));
}

TEST_CASE("a restarted log knows the term before its first retained entry") {
  LogStart start;
  start.terms = {{Index(11), Term(4)}};
  start.prev_term = Term(3);
  start.last_index = Index(12);
  start.entries = {make_command(4, 12)};
  const LogView view(start);
  CHECK(view.first_index() == Index(11));
  CHECK(view.term_at(Index(10)) == Term(3));
  CHECK_FALSE(view.term_at(Index(9)).has_value());
  CHECK(view.durable_index() == Index(12));
  CHECK(view.cached_from() == Index(12));
}

TEST_CASE("eviction drops the oldest cached entries, keeps their terms and stops where it must") {
  LogView view = make_view({1, 1, 1, 1});
  const std::size_t all = view.cached_bytes();
  view.evict(Index(2), 0);
  CHECK(view.cached_from() == Index(3));
  CHECK(view.term_at(Index(1)) == Term(1));
  CHECK(view.cached_bytes() == all / 2);
  view.evict(Index(4), all / 4);
  CHECK(view.cached_from() == Index(4));
  CHECK(view.at(Index(4)).index == Index(4));
}

}  // namespace whitewater::core::test

#include "replica/catch_up.hpp"

#include "catch.hpp"

namespace whitewater::replica {
namespace {

base::Instant at(int ms) { return base::Instant{base::milliseconds(ms)}; }

TEST_CASE("a member has caught up when it has applied what was committed as it first heard a leader") {
  CatchUp catch_up;
  CHECK_FALSE(catch_up.has_caught_up());
  catch_up.observe(at(10), base::Index(100), base::Index(2));
  catch_up.observe(at(500), base::Index(900), base::Index(99));
  CHECK_FALSE(catch_up.has_caught_up());
  CHECK(catch_up.lag(at(510)) == base::milliseconds(500));
  catch_up.observe(at(600), base::Index(1000), base::Index(100));
  CHECK(catch_up.has_caught_up());
  CHECK(catch_up.lag(at(610)) == base::milliseconds(10));
}

TEST_CASE("a stream of writes delays nobody that keeps up, and whoever stops applying is behind for as long") {
  CatchUp catch_up;
  for (int ms = 0; ms < 1000; ms += 10) {
    catch_up.observe(at(ms), base::Index(static_cast<std::uint64_t>(1000 + ms)),
                     base::Index(static_cast<std::uint64_t>(990 + ms)));
  }
  CHECK(catch_up.has_caught_up());
  CHECK(catch_up.lag(at(1000)) <= base::milliseconds(30));
  for (int ms = 1000; ms < 3000; ms += 10) {
    catch_up.observe(at(ms), base::Index(static_cast<std::uint64_t>(1000 + ms)), base::Index(1900));
  }
  CHECK(catch_up.has_caught_up());
  CHECK(catch_up.lag(at(3000)) >= base::milliseconds(1950));
}

}  // namespace
}  // namespace whitewater::replica

#include "base/crc32c.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater::base;

TEST_CASE("crc32c answers the check value of its definition") {
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c("") == 0);
}

TEST_CASE("the instruction and the table agree on every length and alignment") {
  // The fast version eats eight bytes at a time; the tail and an odd start are where it could go wrong.
  Rng rng(1);
  std::string bytes(300, '\0');
  for (char& c : bytes) c = static_cast<char>(rng.next());
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t n = 0; n + start <= bytes.size(); n += 7) {
      const std::string_view part = std::string_view(bytes).substr(start, n);
      CHECK(crc32c(part) == crc32c_by_table(part));
    }
  }
}

TEST_CASE("a crc continues over pieces") { CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789")); }

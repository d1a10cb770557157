#include "base/codec.hpp"

#include "catch.hpp"

using namespace whitewater::base;

TEST_CASE("a reader returns what a writer wrote") {
  std::string out;
  ByteWriter w(out);
  w.u8(7);
  w.u16(0x1234);
  w.u32(0xdeadbeef);
  w.u64(1ULL << 63);
  w.blob("payload");
  ByteReader r(out);
  CHECK(r.u8() == 7);
  CHECK(r.u16() == 0x1234);
  CHECK(r.u32() == 0xdeadbeef);
  CHECK(r.u64() == 1ULL << 63);
  CHECK(r.blob(100) == "payload");
  CHECK(r.at_end());
}

TEST_CASE("a reader that runs out of bytes latches the failure and yields zeros") {
  ByteReader r("abc");
  CHECK(r.u32() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);
  CHECK_FALSE(r.at_end());
}

TEST_CASE("a blob over its bound is refused before anything is read") {
  std::string out;
  ByteWriter(out).blob("0123456789");
  ByteReader r(out);
  CHECK(r.blob(9).empty());
  CHECK_FALSE(r.ok());
}

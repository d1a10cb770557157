#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

TEST_CASE("an empty store is at revision 1 and has never been compacted") {
  StoreHarness h;
  CHECK(h.store().current_revision() == 1);
  CHECK(h.store().compact_revision() == -1);
  CHECK(h.store().applied_index() == Index(0));
  CHECK(h.range(range_of("a")).header_revision == 1);
}

TEST_CASE("a put makes one revision and counts versions from creation") {
  StoreHarness h;
  CHECK(h.put("a", "1").header_revision == 2);
  CHECK(h.put("a", "1").header_revision == 3);
  CHECK(h.get("a") == KeyValue{"a", 2, 3, 2, "1", 0});
  CHECK(h.store().applied_index() == Index(2));
}

TEST_CASE("prev_kv is the pair before the put, if there was one") {
  StoreHarness h;
  auto put = put_of("a", "1");
  put.prev_kv = true;
  CHECK_FALSE(h.ok<PutResponse>(put).prev_kv);
  put.value = "2";
  CHECK(h.ok<PutResponse>(put).prev_kv == KeyValue{"a", 2, 2, 1, "1", 0});
  CHECK_FALSE(h.put("a", "3").prev_kv);
}

TEST_CASE("ignore_value and ignore_lease keep what the key has and need the key") {
  StoreHarness h;
  auto put = put_of("a", "");
  put.ignore_value = true;
  CHECK(h.error(put) == ErrorCode::key_not_found);
  CHECK(h.store().current_revision() == 1);
  CHECK(h.store().applied_index() == Index(1));
  h.put("a", "kept");
  h.ok<PutResponse>(put);
  CHECK(h.get("a") == KeyValue{"a", 2, 3, 2, "kept", 0});
  auto keep_lease = put_of("b", "v");
  keep_lease.ignore_lease = true;
  CHECK(h.error(keep_lease) == ErrorCode::key_not_found);
  keep_lease.key = "a";
  h.ok<PutResponse>(keep_lease);
  CHECK(h.get("a").value == "v");
  h.erase("a");
  CHECK(h.error(put) == ErrorCode::key_not_found);
}

TEST_CASE("a lease that was not granted is refused, before a missing key") {
  StoreHarness h;
  auto put = put_of("a", "");
  put.lease = 7;
  CHECK(h.error(put) == ErrorCode::lease_not_found);
  put.ignore_value = true;
  CHECK(h.error(put) == ErrorCode::lease_not_found);
  CHECK(h.store().current_revision() == 1);
}

TEST_CASE("a deletion counts its keys in one revision and restarts their versions") {
  StoreHarness h;
  for (const char* key : {"a", "b", "c", "d"}) h.put(key, key);
  auto erase = delete_of("b", "d");
  erase.prev_kv = true;
  const auto response = h.ok<DeleteRangeResponse>(erase);
  CHECK(response.header_revision == 6);
  CHECK(response.deleted == 2);
  REQUIRE(response.prev_kvs.size() == 2);
  CHECK(response.prev_kvs[0] == KeyValue{"b", 3, 3, 1, "b", 0});
  CHECK(response.prev_kvs[1].key == "c");
  CHECK(h.show(everything()) == "a=a d=d");
  h.put("b", "new");
  CHECK(h.get("b") == KeyValue{"b", 7, 7, 1, "new", 0});
}

TEST_CASE("a deletion of nothing makes no revision") {
  StoreHarness h;
  h.put("a", "1");
  CHECK(h.erase("x").deleted == 0);
  CHECK(h.erase("x", "z").header_revision == 2);
  CHECK(h.erase("b", "a").deleted == 0);
  CHECK(h.store().current_revision() == 2);
  CHECK(h.erase("a", from_key_end).deleted == 1);
  CHECK(h.erase("a").deleted == 0);
}

TEST_CASE("entries that are not commands advance the applied index alone") {
  StoreHarness h;
  h.store().advance(Index(1));
  CHECK(h.put("a", "1").header_revision == 2);
  CHECK(h.store().applied_index() == Index(2));
}

TEST_CASE("a command that does not decode is answered and counted as applied") {
  StoreHarness h;
  const auto hash = h.store().hash();
  for (const std::string& bytes : {std::string(), std::string("\7\1", 2), std::string("\1\1\377", 3)}) {
    const auto response = h.store().apply(h.store().applied_index().next(), bytes);
    CHECK(std::get<ErrorCode>(response) == ErrorCode::malformed_command);
  }
  CHECK(h.store().applied_index() == Index(3));
  CHECK(h.store().hash() == hash);
}

TEST_CASE("keys and values are bytes") {
  StoreHarness h;
  const std::string key("\0\xff\0", 3);
  const std::string value("\0\0", 2);
  h.put(key, value);
  h.put("empty", "");
  CHECK(h.get(key).value == value);
  CHECK(h.get("empty").value.empty());
  CHECK(h.range(everything()).count == 2);
}

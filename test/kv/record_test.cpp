#include "kv/record.hpp"

#include "base/rng.hpp"
#include "catch.hpp"

using namespace whitewater;
using namespace whitewater::kv;

TEST_CASE("names of records sort like their revisions") {
  const RecordId ids[] = {{1, 0},   {1, 1},   {1, 256},       {2, 0},
                          {255, 9}, {256, 0}, {1LL << 40, 3}, {1LL << 40, record_sub_meta}};
  for (std::size_t i = 0; i < std::size(ids); ++i) {
    const auto name = encode_name(ids[i]);
    CHECK(decode_name({name.data(), name.size()}) == ids[i]);
    if (i == 0) continue;
    const auto before = encode_name(ids[i - 1]);
    CHECK(std::string_view(before.data(), before.size()) < std::string_view(name.data(), name.size()));
  }
}

TEST_CASE("a record keeps everything of a key and its value") {
  RecordView put;
  put.key = std::string_view("k\0", 2);
  put.create_revision = 5;
  put.version = 3;
  put.lease = -9;
  put.value = std::string_view("\0v", 2);
  const auto bytes = encode_record(put);
  const auto back = decode_record(bytes);
  REQUIRE(back.has_value());
  const auto kv = to_key_value({7, 1}, *back);
  CHECK(kv == KeyValue{std::string("k\0", 2), 5, 7, 3, std::string("\0v", 2), -9});
  RecordView tombstone;
  tombstone.tombstone = true;
  tombstone.key = "gone";
  const auto erased_bytes = encode_record(tombstone);
  const auto erased = decode_record(erased_bytes);
  REQUIRE(erased.has_value());
  CHECK(erased->tombstone);
  CHECK(erased->key == "gone");
  CHECK(erased->version == 0);
}

TEST_CASE("bytes that are not a record are malformed") {
  RecordView put;
  put.key = "key";
  put.create_revision = 5;
  put.version = 3;
  const auto bytes = encode_record(put);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(decode_record(bytes.substr(0, size)).error() == base::Errc::malformed);
  }
  auto other_kind = bytes;
  other_kind[0] = 3;
  CHECK(decode_record(other_kind).error() == base::Errc::malformed);
  put.version = 0;
  CHECK(decode_record(encode_record(put)).error() == base::Errc::malformed);
  base::Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    auto damaged = bytes;
    damaged[rng.in_range(0, damaged.size() - 1)] = static_cast<char>(rng.next());
    (void)decode_record(damaged);
  }
}

namespace {

StoreMeta meta_of(Revision current, Revision compacted, Revision compaction_finished) {
  StoreMeta meta;
  meta.applied = Index(9);
  meta.current = current;
  meta.compacted = compacted;
  meta.compaction_finished = compaction_finished;
  return meta;
}

}  // namespace

TEST_CASE("the meta record keeps its numbers and the configuration, and refuses impossible ones") {
  auto meta = meta_of(8, 7, -1);
  meta.configuration = base::SharedBytes("members");
  const auto bytes = encode_meta(meta);
  REQUIRE(decode_meta(bytes).has_value());
  CHECK(*decode_meta(bytes) == meta);
  auto newer = bytes;
  newer[0] = 2;
  CHECK(decode_meta(newer).error() == base::Errc::unsupported_version);
  CHECK(decode_meta("").error() == base::Errc::malformed);
  CHECK(decode_meta(bytes + "x").error() == base::Errc::malformed);
  CHECK(decode_meta(encode_meta(meta_of(0, -1, -1))).error() == base::Errc::malformed);
  CHECK(decode_meta(encode_meta(meta_of(3, 4, -1))).error() == base::Errc::malformed);
  CHECK(decode_meta(encode_meta(meta_of(3, 2, 3))).error() == base::Errc::malformed);
  meta.configuration = base::SharedBytes(std::string(configuration_bytes_max + 1, 'x'));
  CHECK(decode_meta(encode_meta(meta)).error() == base::Errc::malformed);
}

#include "kv/command_codec.hpp"

#include "base/rng.hpp"
#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

// Every field of every kind of operation, nested.
TxnRequest full_txn() {
  RangeRequest range;
  range.key = std::string("k\0y", 3);
  range.range_end = "l";
  range.limit = -1;
  range.revision = 1LL << 40;
  range.sort_order = SortOrder::descend;
  range.sort_target = SortTarget::value;
  range.serializable = true;
  range.keys_only = true;
  range.count_only = true;
  range.min_mod_revision = 1;
  range.max_mod_revision = 2;
  range.min_create_revision = 3;
  range.max_create_revision = 4;
  PutRequest put;
  put.key = "p";
  put.value = std::string(1000, 'x');
  put.lease = -7;
  put.prev_kv = true;
  put.ignore_value = true;
  put.ignore_lease = true;
  DeleteRangeRequest erase;
  erase.key = "d";
  erase.range_end = from_key_end;
  erase.prev_kv = true;
  auto compare = value_compare_of("c", CompareResult::not_equal, "value");
  compare.range_end = "d";
  TxnRequest inner;
  inner.compare = {compare, compare_of("c", CompareTarget::lease, CompareResult::less, -1)};
  inner.success = {{range}, {put}};
  TxnRequest outer;
  outer.compare = {compare_of("c", CompareTarget::create, CompareResult::greater, 9)};
  outer.success = {{inner}, {erase}};
  outer.failure = {{range_of("r")}, {inner}};
  return outer;
}

bool same(const Command& a, const Command& b) { return encode_command(a) == encode_command(b); }

}  // namespace

TEST_CASE("a put survives the log with all its fields") {
  PutRequest put = put_of(std::string("a\0b", 3), std::string("\xff\0", 2));
  put.lease = 1LL << 62;
  put.prev_kv = true;
  const auto decoded = decode_command(encode_command(put));
  REQUIRE(decoded.has_value());
  const auto& back = std::get<PutRequest>(*decoded);
  CHECK(back.key == put.key);
  CHECK(back.value == put.value);
  CHECK(back.lease == put.lease);
  CHECK(back.prev_kv);
  CHECK_FALSE(back.ignore_value);
  CHECK_FALSE(back.ignore_lease);
}

TEST_CASE("a transaction survives the log with all its fields") {
  const auto decoded = decode_command(encode_command(full_txn()));
  REQUIRE(decoded.has_value());
  CHECK(same(*decoded, full_txn()));
  const auto& txn = std::get<TxnRequest>(*decoded);
  REQUIRE(txn.success.size() == 2);
  const auto& inner = std::get<TxnRequest>(txn.success[0].op);
  CHECK(inner.compare[0].value == "value");
  CHECK(inner.compare[0].range_end == "d");
  CHECK(inner.compare[1].number == -1);
  const auto& range = std::get<RangeRequest>(inner.success[0].op);
  CHECK(range.limit == -1);
  CHECK(range.revision == 1LL << 40);
  CHECK(range.sort_order == SortOrder::descend);
  CHECK(range.sort_target == SortTarget::value);
  CHECK((range.serializable && range.keys_only && range.count_only));
  CHECK(range.max_create_revision == 4);
  CHECK(std::get<PutRequest>(inner.success[1].op).lease == -7);
  CHECK(std::get<DeleteRangeRequest>(txn.success[1].op).range_end == from_key_end);
}

TEST_CASE("deletions and compactions survive the log") {
  const auto erase = decode_command(encode_command(delete_of("a", "b")));
  REQUIRE(erase.has_value());
  CHECK(std::get<DeleteRangeRequest>(*erase).range_end == "b");
  const auto compaction = decode_command(encode_command(CompactionRequest{.revision = 12, .physical = true}));
  REQUIRE(compaction.has_value());
  CHECK(std::get<CompactionRequest>(*compaction).revision == 12);
  CHECK(std::get<CompactionRequest>(*compaction).physical);
}

TEST_CASE("compare numbers that etcd does not declare stay undeclared") {
  TxnRequest txn;
  txn.compare = {compare_of("c", static_cast<CompareTarget>(77), static_cast<CompareResult>(-3), 1)};
  const auto decoded = decode_command(encode_command(txn));
  REQUIRE(decoded.has_value());
  const auto& compare = std::get<TxnRequest>(*decoded).compare.at(0);
  CHECK(compare.target > CompareTarget::lease);
  CHECK(compare.result > CompareResult::not_equal);
}

TEST_CASE("a put's encoding has a few bytes beside key and value") {
  CHECK(encode_command(put_of("key", "value")).size() == 2 + 1 + 4 + 3 + 4 + 5);
}

TEST_CASE("another version of the format is told apart from damage") {
  auto bytes = encode_command(put_of("k", "v"));
  bytes[0] = 2;
  CHECK(decode_command(bytes).error() == base::Errc::unsupported_version);
  CHECK(decode_command("").error() == base::Errc::malformed);
  bytes[0] = 1;
  bytes[1] = 9;
  CHECK(decode_command(bytes).error() == base::Errc::malformed);
}

TEST_CASE("a command that is cut short or goes on is malformed") {
  for (const auto& bytes : {encode_command(full_txn()), encode_command(CompactionRequest{.revision = 1}),
                            encode_command(delete_of("a", "b"))}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      REQUIRE(decode_command(std::string_view(bytes).substr(0, size)).error() == base::Errc::malformed);
    }
    CHECK(decode_command(bytes + 'x').error() == base::Errc::malformed);
  }
}

TEST_CASE("flags and bytes outside their range are malformed") {
  auto put = encode_command(put_of("k", "v"));
  put[2] = 16;
  CHECK(decode_command(put).error() == base::Errc::malformed);
  auto compaction = encode_command(CompactionRequest{.revision = 1});
  compaction.back() = 2;
  CHECK(decode_command(compaction).error() == base::Errc::malformed);
  TxnRequest txn;
  txn.success = {{range_of("k")}};
  txn.success[0].op.emplace<RangeRequest>().sort_order = SortOrder::ascend;
  auto sorted = encode_command(txn);
  sorted[sorted.size() - 4] = 3;  // the sort order, before the target and the empty failure list
  CHECK(decode_command(sorted).error() == base::Errc::malformed);
}

TEST_CASE("a command over the size limit is refused before it is read") {
  CHECK(decode_command(std::string(command_bytes_max + 1, '\1')).error() == base::Errc::limit_exceeded);
}

TEST_CASE("transactions nested deeper than the limit are refused") {
  const auto chain = [](std::size_t depth) {
    std::string bytes("\1\3", 2);
    const std::string one_op_of_txn("\0\0\1\0\4", 5);
    for (std::size_t i = 1; i < depth; ++i) bytes += one_op_of_txn;
    bytes += std::string("\0\0\0\0\0\0", 6);
    for (std::size_t i = 1; i < depth; ++i) bytes += std::string("\0\0", 2);
    return bytes;
  };
  CHECK(decode_command(chain(txn_depth_max)).has_value());
  CHECK(decode_command(chain(txn_depth_max + 1)).error() == base::Errc::limit_exceeded);
  CHECK(decode_command(chain(100000)).error() == base::Errc::limit_exceeded);
}

TEST_CASE("random bytes and random damage never crash the decoder, and what decodes encodes") {
  base::Rng rng(20240611);
  const auto good = encode_command(full_txn());
  std::size_t decoded_count = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string bytes;
    if (round % 2 == 0) {
      bytes = good;
      for (auto n = rng.in_range(1, 4); n > 0; --n)
        bytes[rng.in_range(0, bytes.size() - 1)] = static_cast<char>(rng.next());
    } else {
      const auto size = rng.in_range(0, 64);
      for (std::uint64_t i = 0; i < size; ++i)
        bytes += static_cast<char>(rng.chance(1, 2) ? rng.in_range(0, 4) : rng.next());
      if (rng.chance(3, 4) && bytes.size() > 2) bytes[0] = 1;
    }
    const auto decoded = decode_command(bytes);
    if (!decoded) continue;
    ++decoded_count;
    REQUIRE(same(*decoded, *decode_command(encode_command(*decoded))));
  }
  CHECK(decoded_count > 100);
}

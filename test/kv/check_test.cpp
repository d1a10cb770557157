#include "kv/check.hpp"

#include "store_harness.hpp"

using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

constexpr auto accepted = std::optional<ErrorCode>();

TxnRequest txn_of(std::vector<RequestOp> success, std::vector<RequestOp> failure = {}) {
  TxnRequest txn;
  txn.success = std::move(success);
  txn.failure = std::move(failure);
  return txn;
}
RequestOp put_op(const std::string& key) { return {put_of(key, "v")}; }
RequestOp delete_op(const std::string& key, const std::string& end = {}) { return {delete_of(key, end)}; }
RequestOp nested(TxnRequest txn) { return {std::move(txn)}; }
RequestOp bad_sort() {
  auto range = range_of("k");
  range.sort_order = static_cast<SortOrder>(7);
  return {range};
}
std::vector<RequestOp> puts(std::size_t count, const std::string& prefix) {
  std::vector<RequestOp> ops;
  for (std::size_t i = 0; i < count; ++i) ops.push_back(put_op(prefix + std::to_string(i)));
  return ops;
}

}  // namespace

TEST_CASE("an empty key is refused in every request") {
  CHECK(check_request(range_of("")) == ErrorCode::key_not_provided);
  CHECK(check_request(put_of("", "v")) == ErrorCode::key_not_provided);
  CHECK(check_request(delete_of("")) == ErrorCode::key_not_provided);
  TxnRequest txn;
  txn.compare.push_back({});
  CHECK(check_request(txn) == ErrorCode::key_not_provided);
  CHECK(check_request(txn_of({put_op("")})) == ErrorCode::key_not_provided);
  CHECK(check_request(txn_of({}, {delete_op("")})) == ErrorCode::key_not_provided);
}

TEST_CASE("a sort option that is not declared is refused, after an empty key") {
  auto range = range_of("k");
  CHECK(check_request(range) == accepted);
  range.sort_order = static_cast<SortOrder>(3);
  CHECK(check_request(range) == ErrorCode::invalid_sort_option);
  range.sort_order = static_cast<SortOrder>(-1);
  CHECK(check_request(range) == ErrorCode::invalid_sort_option);
  range.sort_order = SortOrder::descend;
  range.sort_target = static_cast<SortTarget>(5);
  CHECK(check_request(range) == ErrorCode::invalid_sort_option);
  range.key.clear();
  CHECK(check_request(range) == ErrorCode::key_not_provided);
}

TEST_CASE("ignore_value and ignore_lease refuse what they ignore") {
  auto put = put_of("k", "v");
  put.ignore_value = true;
  CHECK(check_request(put) == ErrorCode::value_provided);
  put.value.clear();
  CHECK(check_request(put) == accepted);
  put.lease = 7;
  CHECK(check_request(put) == accepted);
  put.ignore_lease = true;
  CHECK(check_request(put) == ErrorCode::lease_provided);
  put.value = "v";
  CHECK(check_request(put) == ErrorCode::value_provided);
}

TEST_CASE("an operation that is not given is answered as a missing key, as etcd does") {
  CHECK(check_request(txn_of({RequestOp{}})) == ErrorCode::key_not_found);
}

TEST_CASE("each list of a transaction holds 128 at most") {
  CHECK(check_request(txn_of(puts(128, "a"), puts(128, "b"))) == accepted);
  CHECK(check_request(txn_of(puts(129, "a"))) == ErrorCode::too_many_operations);
  CHECK(check_request(txn_of({}, puts(129, "a"))) == ErrorCode::too_many_operations);
  TxnRequest txn;
  txn.compare.assign(129, compare_of("k", CompareTarget::mod, CompareResult::equal, 0));
  CHECK(check_request(txn) == ErrorCode::too_many_operations);
  CHECK(check_request(txn_of(puts(3, "a")), 2) == ErrorCode::too_many_operations);
}

TEST_CASE("a nested transaction gets what the longest list of its parent leaves over") {
  auto parent = txn_of(puts(126, "a"));
  parent.success.push_back(nested(txn_of(puts(1, "b"))));
  CHECK(check_request(parent) == accepted);
  parent.success.back() = nested(txn_of(puts(2, "b")));
  CHECK(check_request(parent) == ErrorCode::too_many_operations);
  parent.success.back() = nested(txn_of(puts(127, "b")));
  CHECK(check_request(parent) == ErrorCode::too_many_operations);
  auto other_list_counts = txn_of({nested(txn_of(puts(2, "b")))}, puts(127, "a"));
  CHECK(check_request(other_list_counts) == ErrorCode::too_many_operations);
}

TEST_CASE("transactions nest as deep as their budget and no deeper") {
  TxnRequest chain;
  for (int i = 1; i < 129; ++i) chain = txn_of({nested(std::move(chain))});
  CHECK(check_request(chain) == accepted);
  CHECK(check_request(txn_of({nested(chain)})) == ErrorCode::too_many_operations);
  CHECK(check_request(txn_of({nested(std::move(chain))}), 1000) == ErrorCode::too_many_operations);
}

TEST_CASE("a key put twice in one branch is a duplicate, at any level") {
  CHECK(check_request(txn_of({put_op("a"), put_op("b")}, {put_op("a")})) == accepted);
  CHECK(check_request(txn_of({put_op("a"), put_op("a")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({}, {put_op("a"), put_op("a")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({put_op("a"), nested(txn_of({put_op("a")}))})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({nested(txn_of({}, {put_op("a")})), put_op("a")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({nested(txn_of({put_op("a")})), nested(txn_of({}, {put_op("a")}))})) ==
        ErrorCode::duplicate_key);
}

TEST_CASE("the branches of a nested transaction exclude each other and may put the same key") {
  CHECK(check_request(txn_of({nested(txn_of({put_op("a")}, {put_op("a")}))})) == accepted);
  CHECK(check_request(txn_of({nested(txn_of({put_op("a"), put_op("b"), put_op("c")}, {put_op("a")})), put_op("d")})) ==
        accepted);
}

TEST_CASE("a put inside a deleted range of its branch is a duplicate, whatever their order") {
  CHECK(check_request(txn_of({put_op("b"), delete_op("a", "c")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({delete_op("a", "c"), put_op("b")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({delete_op("b"), put_op("b")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({delete_op("a", "c"), put_op("c")})) == accepted);
  CHECK(check_request(txn_of({delete_op("b"), put_op("b2")})) == accepted);
  CHECK(check_request(txn_of({delete_op("a", "c")}, {put_op("b")})) == accepted);
  CHECK(check_request(txn_of({delete_op("a", "d"), delete_op("b", "c"), put_op("c")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({nested(txn_of({delete_op("b")})), put_op("b")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({nested(txn_of({put_op("b")})), delete_op("b")})) == ErrorCode::duplicate_key);
  CHECK(check_request(txn_of({nested(txn_of({delete_op("b")})), nested(txn_of({put_op("b")}))})) ==
        ErrorCode::duplicate_key);
}

TEST_CASE("what etcd does not see as an overlap is accepted") {
  CHECK(check_request(txn_of({delete_op("a", "z"), delete_op("b", "c"), delete_op("b")})) == accepted);
  CHECK(check_request(txn_of({delete_op("a", from_key_end), put_op("b")})) == accepted);
  CHECK(check_request(txn_of({delete_op("z", "a"), put_op("b")})) == accepted);
  CHECK(check_request(txn_of({delete_op("b", "b"), put_op("b")})) == accepted);
  // A nested put is held only against the deletions of nested transactions before it.
  CHECK(check_request(txn_of({nested(txn_of({put_op("b")})), nested(txn_of({delete_op("b")}))})) == accepted);
}

TEST_CASE("errors of a transaction come in etcd's order") {
  auto value_given = put_of("k", "v");
  value_given.ignore_value = true;
  CHECK(check_request(txn_of({put_op("a"), put_op("a"), put_op("")})) == ErrorCode::key_not_provided);
  CHECK(check_request(txn_of({put_op("a"), put_op("a"), {value_given}})) == ErrorCode::value_provided);
  CHECK(check_request(txn_of({put_op("a"), put_op("a")}, {bad_sort()})) == ErrorCode::invalid_sort_option);
  CHECK(check_request(txn_of({{value_given}, put_op("")})) == ErrorCode::value_provided);
  CHECK(check_request(txn_of({nested(txn_of({bad_sort()})), put_op("")})) == ErrorCode::invalid_sort_option);
  CHECK(check_request(txn_of({bad_sort()}, {put_op("")})) == ErrorCode::invalid_sort_option);
  auto compare_first = txn_of({bad_sort()});
  compare_first.compare.push_back({});
  CHECK(check_request(compare_first) == ErrorCode::key_not_provided);
  auto too_many_first = txn_of(puts(129, "a"));
  too_many_first.compare.push_back({});
  CHECK(check_request(too_many_first) == ErrorCode::too_many_operations);
}

TEST_CASE("a command is checked as the request that it holds") {
  CHECK(check_request(Command(put_of("", ""))) == ErrorCode::key_not_provided);
  CHECK(check_request(Command(CompactionRequest{.revision = -5, .physical = true})) == accepted);
}

TEST_CASE("a transaction without writes at any level is read-only") {
  CHECK(is_read_only(TxnRequest{}));
  CHECK(is_read_only(txn_of({{range_of("a")}, nested(txn_of({{range_of("b")}}))})));
  CHECK_FALSE(is_read_only(txn_of({}, {put_op("a")})));
  CHECK_FALSE(is_read_only(txn_of({nested(txn_of({}, {delete_op("a")}))})));
}

TEST_CASE("a transaction is serializable when it has ranges and all of them are") {
  auto stale = range_of("a");
  stale.serializable = true;
  CHECK(is_serializable(txn_of({{stale}})));
  CHECK(is_serializable(txn_of({{stale}}, {nested(txn_of({{stale}}))})));
  CHECK_FALSE(is_serializable(txn_of({{stale}}, {{range_of("a")}})));
  CHECK_FALSE(is_serializable(TxnRequest{}));
  CHECK_FALSE(is_serializable(txn_of({{stale}, put_op("a")})));
}

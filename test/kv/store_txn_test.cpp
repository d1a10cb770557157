#include "store_harness.hpp"

using namespace whitewater;
using namespace whitewater::kv;
using namespace whitewater::kv::test;

namespace {

TxnRequest txn_of(std::vector<Compare> compare, std::vector<RequestOp> success, std::vector<RequestOp> failure = {}) {
  TxnRequest txn;
  txn.compare = std::move(compare);
  txn.success = std::move(success);
  txn.failure = std::move(failure);
  return txn;
}
bool holds(StoreHarness& h, const Compare& compare) {
  const auto result = h.store().read_txn(txn_of({compare}, {}));
  return std::get<TxnResponse>(result).succeeded;
}
Compare over(Compare compare, std::string range_end) {
  compare.range_end = std::move(range_end);
  return compare;
}

}  // namespace

TEST_CASE("every compare target and result") {
  StoreHarness h;
  h.put("a", "m");
  h.put("a", "m");  // create 2, mod 3, version 2
  struct Row {
    CompareTarget target;
    std::int64_t actual;
  };
  for (const Row row : {Row{CompareTarget::create, 2}, Row{CompareTarget::mod, 3}, Row{CompareTarget::version, 2},
                        Row{CompareTarget::lease, 0}}) {
    CHECK(holds(h, compare_of("a", row.target, CompareResult::equal, row.actual)));
    CHECK_FALSE(holds(h, compare_of("a", row.target, CompareResult::equal, row.actual + 1)));
    CHECK(holds(h, compare_of("a", row.target, CompareResult::not_equal, row.actual + 1)));
    CHECK_FALSE(holds(h, compare_of("a", row.target, CompareResult::not_equal, row.actual)));
    CHECK(holds(h, compare_of("a", row.target, CompareResult::greater, row.actual - 1)));
    CHECK_FALSE(holds(h, compare_of("a", row.target, CompareResult::greater, row.actual)));
    CHECK(holds(h, compare_of("a", row.target, CompareResult::less, row.actual + 1)));
    CHECK_FALSE(holds(h, compare_of("a", row.target, CompareResult::less, row.actual)));
  }
  CHECK(holds(h, value_compare_of("a", CompareResult::equal, "m")));
  CHECK(holds(h, value_compare_of("a", CompareResult::greater, "l")));
  CHECK(holds(h, value_compare_of("a", CompareResult::less, "n")));
  CHECK(holds(h, value_compare_of("a", CompareResult::not_equal, "")));
}

TEST_CASE("numbers of a missing key are zero, its value matches nothing") {
  StoreHarness h;
  for (const auto target : {CompareTarget::version, CompareTarget::create, CompareTarget::mod, CompareTarget::lease}) {
    CHECK(holds(h, compare_of("x", target, CompareResult::equal, 0)));
    CHECK(holds(h, over(compare_of("x", target, CompareResult::equal, 0), "z")));
    CHECK_FALSE(holds(h, compare_of("x", target, CompareResult::greater, 0)));
  }
  for (const auto result : {CompareResult::equal, CompareResult::not_equal, CompareResult::less}) {
    CHECK_FALSE(holds(h, value_compare_of("x", result, "")));
    CHECK_FALSE(holds(h, over(value_compare_of("x", result, ""), "z")));
  }
}

TEST_CASE("a compare over a range must hold for every key") {
  StoreHarness h;
  h.put("a", "1");
  h.put("b", "1");
  h.put("c", "2");
  CHECK(holds(h, over(value_compare_of("a", CompareResult::equal, "1"), "c")));
  CHECK_FALSE(holds(h, over(value_compare_of("a", CompareResult::equal, "1"), from_key_end)));
  CHECK(holds(h, over(compare_of("a", CompareTarget::version, CompareResult::equal, 1), from_key_end)));
  CHECK_FALSE(holds(h, over(compare_of("a", CompareTarget::mod, CompareResult::greater, 2), "d")));
}

TEST_CASE("undeclared compare numbers behave as in etcd") {
  StoreHarness h;
  CHECK(holds(h, compare_of("a", CompareTarget::mod, static_cast<CompareResult>(9), 5)));
  CHECK(holds(h, compare_of("a", static_cast<CompareTarget>(9), CompareResult::equal, 5)));
  CHECK_FALSE(holds(h, compare_of("a", static_cast<CompareTarget>(9), CompareResult::greater, 5)));
}

TEST_CASE("a write transaction makes one revision, its operations see those before, numbers run in sub revisions") {
  StoreHarness h;
  h.put("a", "0");
  const auto response = h.txn(txn_of(
      {compare_of("a", CompareTarget::mod, CompareResult::equal, 2)},
      {{range_of("b")}, {put_of("b", "1")}, {range_of("b")}, {delete_of("a")}, {everything()}, {put_of("c", "2")}}));
  CHECK(response.succeeded);
  CHECK(response.header_revision == 3);
  REQUIRE(response.responses.size() == 6);
  const auto ranged = [&](std::size_t i) { return std::get<RangeResponse>(response.responses[i].op); };
  CHECK(ranged(0).header_revision == 2);
  CHECK(ranged(0).count == 0);
  CHECK(std::get<PutResponse>(response.responses[1].op).header_revision == 3);
  CHECK(ranged(2).header_revision == 3);
  CHECK(ranged(2).kvs.at(0) == KeyValue{"b", 3, 3, 1, "1", 0});
  CHECK(std::get<DeleteRangeResponse>(response.responses[3].op).deleted == 1);
  CHECK(ranged(4).count == 1);
  CHECK(h.store().current_revision() == 3);
  CHECK(h.get("c").mod_revision == 3);
}

TEST_CASE("a past revision inside a transaction does not see its writes") {
  StoreHarness h;
  h.put("a", "0");
  auto past = everything();
  past.revision = 2;
  const auto response = h.txn(txn_of({}, {{put_of("b", "1")}, {past}}));
  CHECK(std::get<RangeResponse>(response.responses[1].op).count == 1);
  CHECK(std::get<RangeResponse>(response.responses[1].op).header_revision == 3);
}

TEST_CASE("a transaction that changes nothing makes no revision") {
  StoreHarness h;
  h.put("a", "0");
  CHECK(h.txn(txn_of({}, {{delete_of("x")}, {range_of("a")}})).header_revision == 2);
  CHECK(h.txn(txn_of({compare_of("a", CompareTarget::mod, CompareResult::equal, 9)}, {{put_of("a", "1")}}))
            .header_revision == 2);
  CHECK(h.store().current_revision() == 2);
}

TEST_CASE("nested compares are evaluated up front, against the state before the outermost transaction") {
  StoreHarness h;
  const auto inner = txn_of({compare_of("a", CompareTarget::create, CompareResult::equal, 0)},
                            {{put_of("b", "absent")}}, {{put_of("b", "present")}});
  const auto response = h.txn(txn_of({}, {{put_of("a", "1")}, {inner}}));
  CHECK(h.get("b").value == "absent");
  const auto& nested = std::get<TxnResponse>(response.responses[1].op);
  CHECK(nested.succeeded);
  CHECK(nested.header_revision == 0);
  CHECK(std::get<PutResponse>(nested.responses[0].op).header_revision == 2);
}

TEST_CASE("several nested transactions each take their own branch") {
  StoreHarness h;
  h.put("a", "1");
  const auto choose = [&](const char* key, const char* out) {
    return txn_of(
        {compare_of(key, CompareTarget::version, CompareResult::greater, 0)}, {{put_of(out, "yes")}},
        {{txn_of({compare_of("a", CompareTarget::version, CompareResult::equal, 1)}, {{put_of(out, "deep")}})}});
  };
  h.txn(txn_of({}, {{choose("a", "o1")}, {choose("x", "o2")}, {choose("a", "o3")}}));
  CHECK(h.show(range_of("o", "p")) == "o1=yes o2=deep o3=yes");
}

TEST_CASE("a key put, removed and put again in nested transactions starts anew") {
  StoreHarness h;
  h.put("k", "old");
  h.txn(txn_of({}, {{txn_of({}, {{put_of("k", "1")}})}, {txn_of({}, {{delete_of("k")}})}}));
  CHECK(h.range(range_of("k")).count == 0);
  auto past = range_of("k");
  past.revision = 2;
  CHECK(h.show(past) == "k=old");
  h.put("k", "2");
  CHECK(h.get("k") == KeyValue{"k", 4, 4, 1, "2", 0});
}

TEST_CASE("errors of a transaction are found before it starts and leave no effect") {
  StoreHarness h;
  h.put("a", "1");
  h.put("a", "2");
  h.compact(3);
  const auto hash = h.store().hash();
  const auto refused = [&](RequestOp bad) {
    return h.error(txn_of({}, {{put_of("z", "1")}, {delete_of("a")}, std::move(bad)}));
  };
  auto range = range_of("a");
  range.revision = 4;
  CHECK(refused({range}) == ErrorCode::future_revision);
  range.revision = 2;
  CHECK(refused({range}) == ErrorCode::compacted);
  range.revision = -1;  // not "current" inside a transaction
  CHECK(refused({range}) == ErrorCode::compacted);
  auto put = put_of("missing", "");
  put.ignore_value = true;
  CHECK(refused({put}) == ErrorCode::key_not_found);
  put.lease = 5;
  CHECK(refused({put}) == ErrorCode::key_not_found);
  auto leased = put_of("b", "v");
  leased.lease = 5;
  CHECK(refused({leased}) == ErrorCode::lease_not_found);
  CHECK(refused({txn_of({}, {{leased}})}) == ErrorCode::lease_not_found);
  CHECK(h.store().hash() == hash);
  CHECK(h.store().current_revision() == 3);
  CHECK(h.show(everything()) == "a=2");
  h.store().check_invariants();
}

TEST_CASE("the first error in order wins, and the branch not taken is not looked at") {
  StoreHarness h;
  auto future = range_of("a");
  future.revision = 99;
  auto leased = put_of("b", "v");
  leased.lease = 5;
  CHECK(h.error(txn_of({}, {{future}, {leased}})) == ErrorCode::future_revision);
  CHECK(h.error(txn_of({}, {{txn_of({}, {{leased}})}, {future}})) == ErrorCode::lease_not_found);
  CHECK(h.txn(txn_of({}, {}, {{future}, {leased}})).succeeded);
}

TEST_CASE("a failure in the middle is rolled back whole") {
  StoreHarness h;
  h.put("a", "1");
  h.put("k", "kept");
  const auto hash = h.store().hash();
  // The key is there before the transaction, so that the checks pass, and gone when its turn comes.
  auto put = put_of("k", "");
  put.ignore_value = true;
  CHECK(h.error(txn_of({}, {{put_of("new", "1")}, {put_of("a", "2")}, {delete_of("b", from_key_end)}, {put}})) ==
        ErrorCode::key_not_found);
  CHECK(h.store().hash() == hash);
  CHECK(h.show(everything()) == "a=1 k=kept");
  CHECK(h.range(everything()).count == 2);
  h.store().check_invariants();
  CHECK(h.put("a", "3").header_revision == 4);
  CHECK(h.get("a").version == 2);
  h.compact_physically();
  CHECK(h.show(everything()) == "a=3 k=kept");
}

TEST_CASE("a read-only transaction answers like one through the log and changes nothing") {
  StoreHarness h;
  h.put("a", "1");
  auto future = range_of("a");
  future.revision = 3;
  const auto txn = txn_of({value_compare_of("a", CompareResult::equal, "1")},
                          {{range_of("a")}, {txn_of({}, {{everything()}})}}, {{future}});
  const auto read = std::get<TxnResponse>(h.store().read_txn(txn));
  CHECK(read.succeeded);
  CHECK(read.header_revision == 2);
  CHECK(std::get<RangeResponse>(read.responses[0].op).kvs.at(0).value == "1");
  CHECK(std::get<RangeResponse>(std::get<TxnResponse>(read.responses[1].op).responses[0].op).count == 1);
  CHECK(std::get<ErrorCode>(h.store().read_txn(txn_of({}, {{future}}))) == ErrorCode::future_revision);
  CHECK(h.txn(txn).header_revision == 2);
}

TEST_CASE("the store counts what was done, in transactions and out of them, and not what was refused") {
  StoreHarness h;
  h.put("a", "12");
  h.txn(txn_of({}, {{put_of("b", "345")}, {range_of("a")}, {txn_of({}, {{put_of("c", "")}, {range_of("b")}})}}));
  PutRequest refused = put_of("none", "");
  refused.ignore_value = true;
  CHECK(h.error(refused) == ErrorCode::key_not_found);
  h.erase("a", "c");
  CHECK(std::holds_alternative<RangeResponse>(h.store().range(everything())));
  CHECK(std::holds_alternative<TxnResponse>(h.store().read_txn(txn_of({}, {{range_of("c")}}))));
  const StoreCounters& counters = h.store().counters();
  CHECK(counters.puts == 3);
  CHECK(counters.put_bytes == 8);
  CHECK(counters.deletes == 2);
  CHECK(counters.ranges == 4);
  CHECK(counters.txns == 2);
}

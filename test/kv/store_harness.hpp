// A store with a log of its own: applies commands one after the other through their encoding and gives short names to
// what the tests do most.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "catch.hpp"
#include "kv/command_codec.hpp"
#include "kv/memory_backend.hpp"
#include "kv/store.hpp"

namespace whitewater::kv::test {

inline const std::string from_key_end("\0", 1);

inline RangeRequest range_of(std::string key, std::string range_end = {}) {
  RangeRequest request;
  request.key = std::move(key);
  request.range_end = std::move(range_end);
  return request;
}
inline RangeRequest everything() { return range_of(from_key_end, from_key_end); }
inline PutRequest put_of(std::string key, std::string value) {
  PutRequest request;
  request.key = std::move(key);
  request.value = std::move(value);
  return request;
}
inline DeleteRangeRequest delete_of(std::string key, std::string range_end = {}) {
  DeleteRangeRequest request;
  request.key = std::move(key);
  request.range_end = std::move(range_end);
  return request;
}
inline Compare compare_of(std::string key, CompareTarget target, CompareResult result, std::int64_t number) {
  Compare compare;
  compare.key = std::move(key);
  compare.target = target;
  compare.result = result;
  compare.number = number;
  return compare;
}
inline Compare value_compare_of(std::string key, CompareResult result, std::string value) {
  Compare compare;
  compare.key = std::move(key);
  compare.target = CompareTarget::value;
  compare.result = result;
  compare.value = std::move(value);
  return compare;
}

class StoreHarness {
 public:
  explicit StoreHarness(std::unique_ptr<Backend> backend = std::make_unique<MemoryBackend>())
      : store_(std::make_unique<Store>(std::move(backend))) {}

  Store& store() { return *store_; }
  CommandResponse apply(const Command& command) {
    return store_->apply(store_->applied_index().next(), encode_command(command));
  }
  // The response of the command's own kind; a refusal fails the test.
  template <class Response>
  Response ok(const Command& command) {
    auto response = apply(command);
    REQUIRE(std::holds_alternative<Response>(response));
    return std::get<Response>(std::move(response));
  }
  ErrorCode error(const Command& command) {
    const auto response = apply(command);
    REQUIRE(std::holds_alternative<ErrorCode>(response));
    return std::get<ErrorCode>(response);
  }
  PutResponse put(std::string key, std::string value) {
    return ok<PutResponse>(put_of(std::move(key), std::move(value)));
  }
  DeleteRangeResponse erase(std::string key, std::string range_end = {}) {
    return ok<DeleteRangeResponse>(delete_of(std::move(key), std::move(range_end)));
  }
  TxnResponse txn(const TxnRequest& request) { return ok<TxnResponse>(request); }
  void compact(Revision revision) {
    ok<CompactionResponse>(CompactionRequest{.revision = revision, .physical = false});
  }

  RangeResponse range(const RangeRequest& request) {
    auto result = store_->range(request);
    REQUIRE(std::holds_alternative<RangeResponse>(result));
    return std::get<RangeResponse>(std::move(result));
  }
  ErrorCode range_error(const RangeRequest& request) {
    const auto result = store_->range(request);
    REQUIRE(std::holds_alternative<ErrorCode>(result));
    return std::get<ErrorCode>(result);
  }
  // "k1=v1 k2=v2" of a range.
  std::string show(const RangeRequest& request) {
    std::string out;
    for (const auto& kv : range(request).kvs) {
      if (!out.empty()) out += ' ';
      out += kv.key + '=' + kv.value;
    }
    return out;
  }
  KeyValue get(std::string key) {
    const auto response = range(range_of(std::move(key)));
    REQUIRE(response.kvs.size() == 1);
    return response.kvs[0];
  }
  void compact_physically() {
    store_->persist_upto(store_->applied_index());
    while (store_->compact_step(16)) {
    }
  }

 private:
  std::unique_ptr<Store> store_;
};

}  // namespace whitewater::kv::test

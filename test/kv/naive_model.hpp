// NaiveModel: etcd's key-value semantics written the short way, as a whole map per revision, to hold the store against.
// Shares no code with it but the request and response types.
#pragma once

#include <map>
#include <string>

#include "kv/types.hpp"

namespace whitewater::kv::test {

class NaiveModel {
 public:
  NaiveModel() { states_[1] = {}; }
  CommandResponse apply(const Command& command);
  [[nodiscard]] RangeResult range(const RangeRequest& request) const;
  [[nodiscard]] std::variant<ErrorCode, TxnResponse> read_txn(const TxnRequest& request) const;
  [[nodiscard]] Revision current() const { return states_.rbegin()->first; }
  [[nodiscard]] Revision compacted() const { return compacted_; }

 private:
  using State = std::map<std::string, KeyValue>;
  struct Running;  // a transaction in progress

  [[nodiscard]] const State& now() const { return states_.rbegin()->second; }

  std::map<Revision, State> states_;
  Revision compacted_ = -1;
};

// Every field of a response, to compare and to read when they differ.
[[nodiscard]] std::string to_text(const CommandResponse& response);
[[nodiscard]] std::string to_text(const RangeResult& result);
[[nodiscard]] std::string to_text(const std::variant<ErrorCode, TxnResponse>& result);

}  // namespace whitewater::kv::test

#include "kv/txn.hpp"

#include <algorithm>
#include <memory>

#include "base/assert.hpp"

namespace whitewater::kv {
namespace {

// Which branch each transaction on the chosen path takes, outermost first, in the order in which operations are walked.
class Path {
 public:
  Path(const TxnRequest& request, const ReadView& view) { choose(request, view); }
  void rewind() { next_ = 0; }
  [[nodiscard]] bool take_next() {
    WW_ASSERT(next_ < choices_.size());
    return choices_[next_++];
  }

 private:
  void choose(const TxnRequest& request, const ReadView& view) {
    const bool succeeded = std::all_of(request.compare.begin(), request.compare.end(),
                                       [&](const Compare& compare) { return view.holds(compare); });
    choices_.push_back(succeeded);
    for (const auto& operation : succeeded ? request.success : request.failure) {
      if (const auto* nested = std::get_if<TxnRequest>(&operation.op)) choose(*nested, view);
    }
  }
  std::vector<bool> choices_;
  std::size_t next_ = 0;
};

// A revision inside a transaction is held to the letter: unlike in a plain range, a negative one is not "current".
std::optional<ErrorCode> check_range(const RangeRequest& range, const ReadView& view) {
  if (range.revision == 0) return std::nullopt;
  if (range.revision > view.current()) return ErrorCode::future_revision;
  if (range.revision < view.compacted()) return ErrorCode::compacted;
  return std::nullopt;
}

std::optional<ErrorCode> check_put(const PutRequest& put, const ReadView& view) {
  if (put.ignore_value || put.ignore_lease) {
    Compare exists;  // its version is greater than 0
    exists.result = CompareResult::greater;
    exists.key = put.key;
    if (!view.holds(exists)) return ErrorCode::key_not_found;
  }
  if (!is_lease_known(put.lease)) return ErrorCode::lease_not_found;
  return std::nullopt;
}

std::optional<ErrorCode> check_path(const TxnRequest& request, const ReadView& view, Path& path) {
  for (const auto& operation : path.take_next() ? request.success : request.failure) {
    std::optional<ErrorCode> refusal;
    if (const auto* range = std::get_if<RangeRequest>(&operation.op)) refusal = check_range(*range, view);
    if (const auto* put = std::get_if<PutRequest>(&operation.op)) refusal = check_put(*put, view);
    if (const auto* nested = std::get_if<TxnRequest>(&operation.op)) refusal = check_path(*nested, view, path);
    if (refusal) return refusal;
  }
  return std::nullopt;
}

class Executor {
 public:
  Executor(const ReadView& view, WriteTxn* writer, Path& path) : view_(view), writer_(writer), path_(path) {}

  std::variant<ErrorCode, TxnResponse> run(const TxnRequest& request) {
    TxnResponse response;
    response.succeeded = path_.take_next();
    const auto& operations = response.succeeded ? request.success : request.failure;
    response.responses.reserve(operations.size());
    for (const auto& operation : operations) {
      if (const auto refusal = run_operation(operation, response)) return *refusal;
    }
    return response;
  }

 private:
  std::optional<ErrorCode> run_operation(const RequestOp& operation, TxnResponse& out) {
    if (const auto* range = std::get_if<RangeRequest>(&operation.op)) {
      return keep((writer_ != nullptr ? writer_->view() : view_).range(*range), out);
    }
    if (const auto* nested = std::get_if<TxnRequest>(&operation.op)) return keep(run(*nested), out);
    WW_ASSERT_MSG(writer_ != nullptr, "a write in a read-only transaction");
    if (const auto* put = std::get_if<PutRequest>(&operation.op)) return keep(writer_->put(*put), out);
    const auto* erase = std::get_if<DeleteRangeRequest>(&operation.op);
    WW_ASSERT_MSG(erase != nullptr, "an empty operation passed the checks");
    out.responses.push_back({writer_->delete_range(*erase)});
    return std::nullopt;
  }
  template <class Response>
  static std::optional<ErrorCode> keep(std::variant<ErrorCode, Response> result, TxnResponse& out) {
    if (const auto* error = std::get_if<ErrorCode>(&result)) return *error;
    out.responses.push_back({std::get<Response>(std::move(result))});
    return std::nullopt;
  }

  const ReadView& view_;
  WriteTxn* writer_;
  Path& path_;
};

}  // namespace

std::variant<ErrorCode, TxnResponse> execute_txn(const TxnRequest& request, const ReadView& view, WriteTxn* writer) {
  Path path(request, view);
  if (const auto refusal = check_path(request, view, path)) return *refusal;
  path.rewind();
  auto result = Executor(view, writer, path).run(request);
  if (auto* response = std::get_if<TxnResponse>(&result)) {
    response->header_revision = writer != nullptr ? writer->revision() : view.current();
  }
  return result;
}

}  // namespace whitewater::kv

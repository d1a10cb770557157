#include "naive_model.hpp"

#include <algorithm>
#include <deque>

namespace whitewater::kv::test {
namespace {

using State = std::map<std::string, KeyValue>;
using Choices = std::deque<bool>;

bool is_inside(const std::string& key, const std::string& begin, const std::string& end) {
  if (end.empty()) return key == begin;
  if (end == std::string("\0", 1)) return key >= begin;
  return key >= begin && key < end;
}

std::vector<KeyValue> select(const State& state, const std::string& begin, const std::string& end) {
  std::vector<KeyValue> out;
  for (const auto& [key, kv] : state) {
    if (is_inside(key, begin, end)) out.push_back(kv);
  }
  return out;
}

// What an order puts first; for equal keys of the sort the key decides.
bool sorts_before(SortTarget target, bool is_descending, const KeyValue& a, const KeyValue& b) {
  const auto rank = [&](const auto& left, const auto& right) {
    if (left == right) return a.key < b.key;
    return is_descending ? left > right : left < right;
  };
  if (target == SortTarget::version) return rank(a.version, b.version);
  if (target == SortTarget::create) return rank(a.create_revision, b.create_revision);
  if (target == SortTarget::mod) return rank(a.mod_revision, b.mod_revision);
  if (target == SortTarget::value) return rank(a.value, b.value);
  return rank(a.key, b.key);
}

RangeResponse select_range(const State& state, const RangeRequest& request, Revision header) {
  RangeResponse response;
  response.header_revision = header;
  auto kvs = select(state, request.key, request.range_end);
  response.count = static_cast<std::int64_t>(kvs.size());
  if (request.count_only) return response;
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(request.limit, 0));
  const bool filters = request.min_mod_revision != 0 || request.max_mod_revision != 0 ||
                       request.min_create_revision != 0 || request.max_create_revision != 0;
  if (limit != 0 && !filters && request.sort_order == SortOrder::none && kvs.size() > limit + 1) kvs.resize(limit + 1);
  std::erase_if(kvs, [&](const KeyValue& kv) {
    return (request.min_mod_revision != 0 && kv.mod_revision < request.min_mod_revision) ||
           (request.max_mod_revision != 0 && kv.mod_revision > request.max_mod_revision) ||
           (request.min_create_revision != 0 && kv.create_revision < request.min_create_revision) ||
           (request.max_create_revision != 0 && kv.create_revision > request.max_create_revision);
  });
  std::sort(kvs.begin(), kvs.end(), [&](const KeyValue& a, const KeyValue& b) {
    return sorts_before(request.sort_target, request.sort_order == SortOrder::descend, a, b);
  });
  if (limit != 0 && kvs.size() > limit) {
    kvs.resize(limit);
    response.more = true;
  }
  if (request.keys_only) {
    for (auto& kv : kvs) kv.value.clear();
  }
  response.kvs = std::move(kvs);
  return response;
}

template <class T>
bool relates(CompareResult result, const T& a, const T& b) {
  if (result == CompareResult::equal) return a == b;
  if (result == CompareResult::not_equal) return a != b;
  if (result == CompareResult::greater) return a > b;
  return a < b;
}

bool holds(const State& state, const Compare& compare) {
  auto kvs = select(state, compare.key, compare.range_end);
  if (kvs.empty()) {
    if (compare.target == CompareTarget::value) return false;
    kvs.emplace_back();
  }
  return std::all_of(kvs.begin(), kvs.end(), [&](const KeyValue& kv) {
    switch (compare.target) {
      case CompareTarget::version:
        return relates(compare.result, kv.version, compare.number);
      case CompareTarget::create:
        return relates(compare.result, kv.create_revision, compare.number);
      case CompareTarget::mod:
        return relates(compare.result, kv.mod_revision, compare.number);
      case CompareTarget::lease:
        return relates(compare.result, kv.lease, compare.number);
      case CompareTarget::value:
        return relates(compare.result, kv.value, compare.value);
    }
    return false;
  });
}

void choose(const State& state, const TxnRequest& txn, Choices& out) {
  bool succeeded = true;
  for (const auto& compare : txn.compare) succeeded = succeeded && holds(state, compare);
  out.push_back(succeeded);
  for (const auto& request : succeeded ? txn.success : txn.failure) {
    if (const auto* nested = std::get_if<TxnRequest>(&request.op)) choose(state, *nested, out);
  }
}

}  // namespace

// Works on a copy of the newest state; the model keeps it only on success.
struct NaiveModel::Running {
  const NaiveModel& model;
  State state;
  Choices choices;
  bool has_changed = false;
  std::optional<ErrorCode> error;

  explicit Running(const NaiveModel& owner) : model(owner), state(owner.now()) {}
  [[nodiscard]] Revision next() const { return model.current() + 1; }
  [[nodiscard]] Revision revision() const { return has_changed ? next() : model.current(); }

  void check(const TxnRequest& txn, Choices& path) {
    const bool succeeded = path.front();
    path.pop_front();
    for (const auto& request : succeeded ? txn.success : txn.failure) {
      if (error) return;
      if (const auto* nested = std::get_if<TxnRequest>(&request.op)) check(*nested, path);
      if (const auto* range = std::get_if<RangeRequest>(&request.op)) {
        if (range->revision == 0) continue;
        if (range->revision > model.current()) error = ErrorCode::future_revision;
        if (range->revision < model.compacted_) error = ErrorCode::compacted;
      }
      if (const auto* put = std::get_if<PutRequest>(&request.op)) {
        if (put->lease != 0) error = ErrorCode::lease_not_found;
        if ((put->ignore_value || put->ignore_lease) && !model.now().contains(put->key))
          error = ErrorCode::key_not_found;
      }
    }
  }

  PutResponse put(const PutRequest& request) {
    PutResponse response;
    const auto found = state.find(request.key);
    const bool exists = found != state.end();
    if (request.lease != 0) error = ErrorCode::lease_not_found;
    if (!error && (request.ignore_value || request.ignore_lease) && !exists) error = ErrorCode::key_not_found;
    if (error) return response;
    KeyValue kv = exists ? found->second : KeyValue{request.key, next(), 0, 0, "", 0};
    if (request.prev_kv && exists) response.prev_kv = kv;
    kv.mod_revision = next();
    ++kv.version;
    if (!request.ignore_value) kv.value = request.value;
    if (!request.ignore_lease) kv.lease = request.lease;
    state[request.key] = kv;
    has_changed = true;
    response.header_revision = next();
    return response;
  }

  DeleteRangeResponse erase(const DeleteRangeRequest& request) {
    DeleteRangeResponse response;
    const auto kvs = select(state, request.key, request.range_end);
    for (const auto& kv : kvs) state.erase(kv.key);
    has_changed = has_changed || !kvs.empty();
    response.deleted = static_cast<std::int64_t>(kvs.size());
    if (request.prev_kv) response.prev_kvs = kvs;
    response.header_revision = revision();
    return response;
  }

  RangeResponse range(const RangeRequest& request) {
    const bool is_now = request.revision <= 0 || request.revision == next();
    const State& seen = is_now ? state : model.states_.find(request.revision)->second;
    return select_range(seen, request, revision());
  }

  TxnResponse txn(const TxnRequest& request) {
    TxnResponse response;
    response.succeeded = choices.front();
    choices.pop_front();
    for (const auto& operation : response.succeeded ? request.success : request.failure) {
      if (error) return response;
      if (const auto* nested = std::get_if<TxnRequest>(&operation.op)) response.responses.push_back({txn(*nested)});
      if (const auto* ranged = std::get_if<RangeRequest>(&operation.op)) response.responses.push_back({range(*ranged)});
      if (const auto* written = std::get_if<PutRequest>(&operation.op)) response.responses.push_back({put(*written)});
      if (const auto* erased = std::get_if<DeleteRangeRequest>(&operation.op))
        response.responses.push_back({erase(*erased)});
    }
    return response;
  }

  TxnResponse run(const TxnRequest& request) {
    choose(state, request, choices);
    auto path = choices;
    check(request, path);
    TxnResponse response;
    if (error) return response;
    response = txn(request);
    response.header_revision = revision();
    return response;
  }
};

CommandResponse NaiveModel::apply(const Command& command) {
  if (const auto* compaction = std::get_if<CompactionRequest>(&command)) {
    if (compaction->revision <= compacted_) return ErrorCode::compacted;
    if (compaction->revision > current()) return ErrorCode::future_revision;
    compacted_ = compaction->revision;
    states_.erase(states_.begin(), states_.lower_bound(compacted_));
    return CompactionResponse{current()};
  }
  Running running(*this);
  CommandResponse response;
  if (const auto* put = std::get_if<PutRequest>(&command)) response = running.put(*put);
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&command)) response = running.erase(*erase);
  if (const auto* txn = std::get_if<TxnRequest>(&command)) response = running.run(*txn);
  if (running.error) return *running.error;
  if (running.has_changed) states_.emplace(current() + 1, std::move(running.state));
  return response;
}

RangeResult NaiveModel::range(const RangeRequest& request) const {
  if (request.revision > current()) return ErrorCode::future_revision;
  if (request.revision > 0 && request.revision < compacted_) return ErrorCode::compacted;
  const State& seen = request.revision <= 0 ? now() : states_.find(request.revision)->second;
  return select_range(seen, request, current());
}

std::variant<ErrorCode, TxnResponse> NaiveModel::read_txn(const TxnRequest& request) const {
  Running running(*this);
  auto response = running.run(request);
  if (running.error) return *running.error;
  return response;
}

namespace {

std::string text(ErrorCode error) { return "error " + std::to_string(static_cast<int>(error)); }
std::string text(const KeyValue& kv) {
  return "{" + kv.key + "=" + kv.value + " c" + std::to_string(kv.create_revision) + " m" +
         std::to_string(kv.mod_revision) + " v" + std::to_string(kv.version) + " l" + std::to_string(kv.lease) + "}";
}
std::string text(const std::vector<KeyValue>& kvs) {
  std::string out;
  for (const auto& kv : kvs) out += text(kv);
  return out;
}
std::string head(const char* kind, Revision revision) {
  return std::string(kind) + "@" + std::to_string(revision) + " ";
}
std::string text(const RangeResponse& r) {
  return head("range", r.header_revision) + std::to_string(r.count) + (r.more ? "+" : "") + text(r.kvs);
}
std::string text(const PutResponse& r) {
  return head("put", r.header_revision) + (r.prev_kv ? text(*r.prev_kv) : std::string());
}
std::string text(const DeleteRangeResponse& r) {
  return head("delete", r.header_revision) + std::to_string(r.deleted) + text(r.prev_kvs);
}
std::string text(const CompactionResponse& r) { return head("compact", r.header_revision); }
std::string text(const TxnResponse& r) {
  std::string out = head("txn", r.header_revision) + (r.succeeded ? "then(" : "else(");
  for (const auto& response : r.responses) {
    out += std::visit([](const auto& inner) { return text(inner); }, response.op) + ";";
  }
  return out + ")";
}

}  // namespace

std::string to_text(const CommandResponse& response) {
  return std::visit([](const auto& r) { return text(r); }, response);
}
std::string to_text(const RangeResult& result) {
  return std::visit([](const auto& r) { return text(r); }, result);
}
std::string to_text(const std::variant<ErrorCode, TxnResponse>& result) {
  return std::visit([](const auto& r) { return text(r); }, result);
}

}  // namespace whitewater::kv::test

#include "sim/client.hpp"

#include <fmt/format.h>

#include "kv/command_codec.hpp"
#include "sim/failure.hpp"

namespace whitewater::sim {
namespace {

constexpr base::Duration retry_pause_max = base::milliseconds(20);

std::optional<Value> seen_value(const std::optional<kv::KeyValue>& kv) {
  return kv ? value_of_text(kv->value) : absent;
}

}  // namespace

SimClient::SimClient(SimWorld& world, std::vector<std::unique_ptr<SimMember>>& members, std::uint32_t number,
                     base::Rng rng, Value& next_value, History& history)
    : world_(world), members_(members), number_(number), rng_(rng), next_value_(next_value), history_(history) {}

void SimClient::start() { begin_later(); }

void SimClient::begin_later() {
  const base::Duration pause = base::microseconds(rng_.in_range(1, world_.options.think_ms_max * 1000));
  world_.scheduler.after(pause, [this] {
    if (!is_stopped_) begin();
  });
}

base::Duration SimClient::draw_hop() { return base::microseconds(rng_.in_range(20, 400)); }

// A value always has the same text, so that comparing texts compares values.
std::string SimClient::text_of(Value value) const {
  constexpr Value scatter = 0x9e3779b97f4a7c15ULL;
  return value_text(value, (value * scatter >> 32) % (world_.options.value_bytes_max + 1));
}

kv::Command SimClient::make_command(Operation& op) {
  const std::string key = key_name(op.key);
  const bool wants_previous = rng_.chance(1, 2);
  switch (op.kind) {
    case OpKind::put: {
      kv::PutRequest put;
      put.key = key;
      put.value = text_of(op.argument);
      put.prev_kv = wants_previous;
      return put;
    }
    case OpKind::remove: {
      kv::DeleteRangeRequest remove;
      remove.key = key;
      remove.prev_kv = true;
      return remove;
    }
    default: {
      op.expected = last_seen_[op.key];
      kv::TxnRequest txn;
      kv::Compare compare;
      compare.key = key;
      compare.target = op.expected == absent ? kv::CompareTarget::create : kv::CompareTarget::value;
      if (op.expected != absent) compare.value = text_of(op.expected);
      txn.compare.push_back(compare);
      kv::PutRequest put;
      put.key = key;
      put.value = text_of(op.argument);
      txn.success.push_back({put});
      kv::RangeRequest range;
      range.key = key;
      txn.failure.push_back({range});
      return txn;
    }
  }
}

// Also the newest that this client has seen: whoever answers must have got that far.
kv::Revision SimClient::draw_past_revision() {
  return std::max<kv::Revision>(1, newest_revision_ - static_cast<kv::Revision>(rng_.in_range(0, 50)));
}

SimClient::Request SimClient::draw_request() {
  const SimOptions& o = world_.options;
  Request request{next_request_++, std::nullopt, {}, false, is_healed_};
  std::uint64_t draw =
      rng_.in_range(1, o.get_weight + o.put_weight + o.remove_weight + o.cas_weight + o.compact_weight);
  if (draw <= o.compact_weight) {
    kv::CompactionRequest compaction;
    compaction.revision = draw_past_revision();
    request.command = kv::encode_command(compaction);
    return request;
  }
  draw -= o.compact_weight;
  Operation op;
  op.client = number_;
  op.key = static_cast<std::uint32_t>(rng_.in_range(1, o.keys));
  op.invoked = now_ns();
  if (draw <= o.get_weight) {
    op.kind = OpKind::get;
  } else if (draw <= o.get_weight + o.put_weight) {
    op.kind = OpKind::put;
  } else {
    op.kind = draw <= o.get_weight + o.put_weight + o.remove_weight ? OpKind::remove : OpKind::cas;
  }
  if (op.kind == OpKind::put || op.kind == OpKind::cas) op.argument = next_value_++;
  if (op.kind != OpKind::get) request.command = kv::encode_command(make_command(op));
  ClientRecord record;
  record.operation = op;
  if (op.kind == OpKind::get && rng_.chance(o.past_get_percent, 100)) record.asked = draw_past_revision();
  request.record = record;
  return request;
}

void SimClient::begin() {
  WW_ASSERT(!current_);
  current_ = draw_request();
  world_.scheduler.after(base::milliseconds(world_.options.client_timeout_ms),
                         [this, number = current_->number] { on_timeout(number); });
  attempt();
}

void SimClient::attempt_later() {
  ++stats_.retries;
  const base::Duration pause = base::Duration(rng_.in_range(1, static_cast<std::uint64_t>(retry_pause_max.count())));
  world_.scheduler.after(pause, [this, number = current_->number] {
    if (is_current(number)) attempt();
  });
}

// Any member; once all is healed one that follows a leader, which a member that was removed never does again.
SimMember& SimClient::draw_member() {
  std::vector<SimMember*> useful;
  for (const auto& member : members_) {
    if (is_healed_ && member->is_up() && !member->replica().node().leader().is_zero()) useful.push_back(member.get());
  }
  if (useful.empty()) return *members_[rng_.in_range(0, members_.size() - 1)];
  return *useful[rng_.in_range(0, useful.size() - 1)];
}

void SimClient::attempt() {
  SimMember& member = draw_member();
  world_.scheduler.after(draw_hop(), [this, &member, number = current_->number] {
    if (!is_current(number)) return;
    if (!member.is_up()) {
      attempt_later();  // the connection is refused
    } else if (current_->command.empty()) {
      send_read(member);
    } else {
      current_->may_be_applied = true;
      send_write(member);
    }
  });
}

void SimClient::send_write(SimMember& member) {
  const std::uint64_t number = current_->number;
  const bool is_sent = member.propose(base::SharedBytes(current_->command), [this, number](const WriteAnswer& answer) {
    world_.scheduler.after(draw_hop(), [this, number, answer] { on_write_answer(number, answer); });
  });
  WW_ASSERT(is_sent);
}

void SimClient::send_read(SimMember& member) {
  const std::uint64_t number = current_->number;
  kv::RangeRequest request;
  request.key = key_name(current_->record->operation.key);
  request.revision = current_->record->asked.value_or(0);
  const bool is_sent = member.read([this, number, &member, request](const ReadAnswer& answer) {
    // The server reads the store as soon as the read is confirmed.
    std::optional<kv::RangeResult> result;
    if (answer && *answer) result = member.replica().store().range(request);
    world_.scheduler.after(draw_hop(), [this, number, answer, result] { on_read_answer(number, answer, result); });
  });
  WW_ASSERT(is_sent);
}

void SimClient::on_refusal(std::uint64_t number, boost::system::error_code error) {
  if (!is_current(number)) return;
  if (base::is_outcome_unknown(error) && !current_->command.empty()) {
    finish_unknown();
    return;
  }
  current_->may_be_applied = false;
  attempt_later();
}

void SimClient::on_write_answer(std::uint64_t number, const WriteAnswer& answer) {
  if (!is_current(number)) return;
  if (!answer) {
    finish_unknown();
  } else if (!*answer) {
    on_refusal(number, answer->error());
  } else {
    if (current_->record) record_write(**answer);
    ++stats_.answered;
    if (current_->is_after_heal) ++stats_.writes_after_heal;
    finish();
  }
}

void SimClient::record_write(const kv::CommandResponse& response) {
  ClientRecord record = *current_->record;
  Operation& op = record.operation;
  op.completed = now_ns();
  if (const auto* put = std::get_if<kv::PutResponse>(&response)) {
    record.revision = put->header_revision;
    if (put->prev_kv) op.observed = seen_value(put->prev_kv);
  } else if (const auto* removed = std::get_if<kv::DeleteRangeResponse>(&response)) {
    record.revision = removed->header_revision;
    op.succeeded = removed->deleted != 0;
    if (!removed->prev_kvs.empty()) op.observed = value_of_text(removed->prev_kvs.front().value);
  } else if (const auto* txn = std::get_if<kv::TxnResponse>(&response)) {
    record.revision = txn->header_revision;
    op.succeeded = txn->succeeded;
    if (!txn->succeeded) {
      const auto& range = std::get<kv::RangeResponse>(txn->responses.at(0).op);
      op.observed = range.kvs.empty() ? absent : value_of_text(range.kvs.front().value);
    }
  } else {
    throw Failure(ExitClass::correctness, "a write is answered with something else: " + describe(op));
  }
  newest_revision_ = std::max(newest_revision_, *record.revision);
  const bool has_failed = op.kind == OpKind::cas && !*op.succeeded;
  last_seen_[op.key] = op.kind == OpKind::remove ? absent : has_failed ? *op.observed : op.argument;
  history_.push_back(record);
  world_.hash.mix_all(op.invoked, *op.completed, op.argument, *record.revision);
}

void SimClient::on_read_answer(std::uint64_t number, const ReadAnswer& answer,
                               const std::optional<kv::RangeResult>& result) {
  if (!is_current(number)) return;
  if (!answer) {
    attempt_later();
    return;
  }
  if (!*answer) {
    on_refusal(number, answer->error());
    return;
  }
  record_read(*result);
  ++stats_.answered;
  finish();
}

void SimClient::record_read(const kv::RangeResult& result) {
  ClientRecord record = *current_->record;
  Operation& op = record.operation;
  op.completed = now_ns();
  if (const auto* range = std::get_if<kv::RangeResponse>(&result)) {
    op.observed = range->kvs.empty() ? absent : value_of_text(range->kvs.front().value);
    record.revision = range->header_revision;
    if (!range->kvs.empty()) record.mod_revision = range->kvs.front().mod_revision;
    newest_revision_ = std::max(newest_revision_, *record.revision);
    if (!record.asked) last_seen_[op.key] = *op.observed;
  } else {
    record.is_compacted = std::get<kv::ErrorCode>(result) == kv::ErrorCode::compacted;
    require(record.asked && record.is_compacted, [&] {
      return fmt::format("{} at revision {} is refused by a store that has not got that far", sim::describe(op),
                         record.asked.value_or(0));
    });
  }
  history_.push_back(record);
  world_.hash.mix_all(op.invoked, *op.completed, op.observed.value_or(absent), record.revision.value_or(0));
}

void SimClient::on_timeout(std::uint64_t number) {
  if (!is_current(number)) return;
  if (current_->may_be_applied) {
    finish_unknown();
  } else {
    ++stats_.refused;
    finish();
  }
}

void SimClient::finish_unknown() {
  ++stats_.unknown;
  if (current_->record) history_.push_back(*current_->record);
  finish();
}

void SimClient::finish() {
  current_.reset();
  begin_later();
}

}  // namespace whitewater::sim

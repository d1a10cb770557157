#include "server/client_api.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/version.hpp"
#include "discovery/candidate.hpp"
#include "kv/check.hpp"
#include "kv/command_codec.hpp"
#include "server/options.hpp"

namespace whitewater::server {
namespace {

// A client that sends this field gets the stages of its request back as Server-Timing.
constexpr std::string_view timing_field = "whitewater-timing";
constexpr base::Duration physical_compaction_limit = base::seconds(6);

double milliseconds_of(base::Duration duration) { return static_cast<double>(duration.count()) * 1e-6; }

net::HttpResponse to_response(api::HttpAnswer answer) {
  net::HttpResponse response;
  response.status = static_cast<unsigned>(answer.status);
  response.content_type = std::string(answer.content_type);
  response.body = std::move(answer.body);
  if (answer.is_rpc) response.headers.emplace_back("Grpc-Metadata-Content-Type", "application/grpc");
  for (api::HttpHeader& header : answer.headers) response.headers.emplace_back(header.name, std::move(header.value));
  return response;
}

std::optional<kv::Command> to_command(api::Call& call) {
  if (auto* put = std::get_if<kv::PutRequest>(&call)) return std::move(*put);
  if (auto* erase = std::get_if<kv::DeleteRangeRequest>(&call)) return std::move(*erase);
  if (auto* txn = std::get_if<kv::TxnRequest>(&call)) return std::move(*txn);
  if (auto* compaction = std::get_if<kv::CompactionRequest>(&call)) return *compaction;
  return std::nullopt;
}

std::optional<kv::ErrorCode> check_call(const api::Call& call, std::size_t max_txn_ops) {
  if (const auto* range = std::get_if<kv::RangeRequest>(&call)) return kv::check_request(*range);
  if (const auto* put = std::get_if<kv::PutRequest>(&call)) return kv::check_request(*put);
  if (const auto* erase = std::get_if<kv::DeleteRangeRequest>(&call)) return kv::check_request(*erase);
  if (const auto* txn = std::get_if<kv::TxnRequest>(&call)) return kv::check_request(*txn, max_txn_ops);
  return std::nullopt;
}

}  // namespace

// When one request passed each stage.
struct ClientApi::RequestClock {
  base::Instant received;
  base::Instant parsed;
  api::GrpcCode code = api::GrpcCode::ok;
  bool is_write = false;  // went through the log; the fields below are set
  replica::StageTimes times;
  base::Instant applied;
  base::Instant answered;
};

ClientApi::ClientApi(ClientApiOptions options, ServerView& view, api::Registry& registry, api::ServerMetrics& metrics)
    : options_(std::move(options)), view_(view), registry_(registry), metrics_(metrics) {}

net::Awaitable<net::HttpResponse> ClientApi::handle(net::HttpRequest request) {
  if (request.is_body_too_large) {
    co_return to_response(api::body_too_large(request.content_length.value_or(api::http_body_bytes_max)));
  }
  RequestClock clock;
  clock.received = request.received_at;
  api::Route route = api::route(request.method, request.target, request.body, options_.version);
  clock.parsed = net::now();
  api::HttpAnswer answer;
  if (auto* wanted = std::get_if<api::Call>(&route)) {
    answer = co_await call(std::move(*wanted), &clock);
  } else if (auto* wanted_probe = std::get_if<api::Probe>(&route)) {
    answer = co_await probe(std::move(*wanted_probe));
  } else if (std::holds_alternative<api::MetricsPage>(route)) {
    answer = api::answer_metrics(registry_.expose());
  } else if (std::holds_alternative<api::MemberTablePage>(route)) {
    std::vector<api::MemberRow> rows;
    if (request.query() == "self=1") {
      rows.push_back(view_.own_row());
    } else {
      rows = co_await view_.all_rows();
    }
    answer = api::answer_json(api::encode_member_table(rows));
  } else if (auto* wanted_report = std::get_if<api::DoctorPage>(&route)) {
    api::DoctorInput facts = co_await view_.doctor();
    facts.members_wanted = wanted_report->members_wanted;
    answer = api::answer_json(api::encode_doctor(facts, api::diagnose(facts)));
  } else if (std::holds_alternative<api::MembershipPage>(route)) {
    answer = api::answer_json(view_.membership_history());
  } else if (auto* wanted_drain = std::get_if<api::DrainRequest>(&route)) {
    answer = co_await drain(*wanted_drain);
  } else {
    answer = std::move(std::get<api::HttpAnswer>(route));
  }
  net::HttpResponse response = to_response(std::move(answer));
  for (const api::HttpHeader& field : api::cors_headers()) response.headers.emplace_back(field.name, field.value);
  if (clock.is_write) {
    clock.answered = net::now();
    record_stages(clock);
    if (request.headers.contains(timing_field)) {
      const auto& t = clock.times;
      const auto since = [&](std::optional<base::Instant> end) {
        return end ? milliseconds_of(*end - t.proposed) : -1.0;
      };
      response.headers.emplace_back(
          "Server-Timing",
          fmt::format("accept;dur={:.4f}, queue;dur={:.4f}, log_write;dur={:.4f}, replicate;dur={:.4f}, "
                      "commit;dur={:.4f}, apply;dur={:.4f}, reply;dur={:.4f}, total;dur={:.4f}",
                      milliseconds_of(clock.parsed - clock.received), milliseconds_of(t.proposed - clock.parsed),
                      since(t.log_written), since(t.replicated), since(t.committed),
                      t.committed ? milliseconds_of(clock.applied - *t.committed) : -1.0,
                      milliseconds_of(clock.answered - clock.applied),
                      milliseconds_of(clock.answered - clock.received)));
    }
  }
  co_return response;
}

void ClientApi::record_stages(const RequestClock& clock) {
  const auto record = [&](api::Stage stage, base::Instant from, std::optional<base::Instant> to) {
    if (to) metrics_.stage(stage).record_ns((*to - from).count());
  };
  record(api::Stage::accept, clock.received, clock.parsed);
  record(api::Stage::queue, clock.parsed, clock.times.proposed);
  record(api::Stage::log_write, clock.times.proposed, clock.times.log_written);
  record(api::Stage::replicate, clock.times.proposed, clock.times.replicated);
  record(api::Stage::commit, clock.times.proposed, clock.times.committed);
  if (clock.times.committed) record(api::Stage::apply, *clock.times.committed, clock.applied);
  record(api::Stage::reply, clock.applied, clock.answered);
}

api::ResponseHeader ClientApi::header() const {
  api::ResponseHeader header;
  header.cluster_id = view_.cluster().value;
  header.member_id = view_.node().value;
  if (const Member* member = view_.member()) {
    header.revision = member->store().current_revision();
    header.raft_term = member->node().term().value;
  }
  return header;
}

std::string ClientApi::no_member_reason() {
  const std::string reason = view_.health().phase_text;
  return reason.empty() ? "this member belongs to no cluster yet" : reason;
}

api::HttpAnswer ClientApi::refuse(const api::Status& status, RequestClock* clock) {
  clock->code = status.code;
  return api::to_answer(status);
}

net::Awaitable<api::HttpAnswer> ClientApi::call(api::Call call, RequestClock* clock) {
  const std::string_view rpc = api::rpc_name(call);
  metrics_.on_started(rpc);
  const base::Instant started = net::now();
  api::HttpAnswer answer;
  if (const auto refused = check_call(call, options_.max_txn_ops)) {
    answer = refuse(api::to_status(*refused), clock);
  } else if (view_.member() == nullptr) {
    answer = refuse({api::GrpcCode::unavailable, "etcdserver: no leader: " + no_member_reason()}, clock);
  } else if (auto too_large = api::check_proposal_size(call)) {
    answer = refuse(*too_large, clock);
  } else if (auto* range = std::get_if<kv::RangeRequest>(&call)) {
    answer = co_await read(std::move(*range), clock);
  } else if (auto* txn = std::get_if<kv::TxnRequest>(&call); txn != nullptr && kv::is_read_only(*txn)) {
    answer = co_await read_txn(std::move(*txn), clock);
  } else if (auto* members = std::get_if<api::MemberListRequest>(&call)) {
    answer = co_await member_list(*members, clock);
  } else if (auto* added = std::get_if<api::MemberAddRequest>(&call)) {
    answer = co_await member_add(std::move(*added), clock);
  } else if (auto* removed = std::get_if<api::MemberRemoveRequest>(&call)) {
    answer = co_await member_change(core::ChangeKind::remove, removed->id, clock);
  } else if (auto* promoted = std::get_if<api::MemberPromoteRequest>(&call)) {
    answer = co_await member_change(core::ChangeKind::promote, promoted->id, clock);
  } else if (std::holds_alternative<api::StatusRequest>(call)) {
    answer = status();
  } else {
    auto command = to_command(call);
    WW_ASSERT(command.has_value());
    answer = co_await write(std::move(*command), clock);
  }
  metrics_.request_duration(rpc).record_ns((net::now() - started).count());
  metrics_.on_handled(rpc, clock->code);
  co_return answer;
}

net::Awaitable<api::HttpAnswer> ClientApi::read(kv::RangeRequest request, RequestClock* clock) {
  Member& member = *view_.member();
  if (!request.serializable) {
    const auto barrier = co_await member.read_barrier();
    if (!barrier) co_return refuse(api::to_status(barrier.error()), clock);
  }
  const kv::RangeResult result = member.store().range(request);
  if (const auto* refused = std::get_if<kv::ErrorCode>(&result)) co_return refuse(api::to_status(*refused), clock);
  co_return api::to_answer(header(), result);
}

net::Awaitable<api::HttpAnswer> ClientApi::read_txn(kv::TxnRequest request, RequestClock* clock) {
  Member& member = *view_.member();
  if (!kv::is_serializable(request)) {
    const auto barrier = co_await member.read_barrier();
    if (!barrier) co_return refuse(api::to_status(barrier.error()), clock);
  }
  kv::ReadTxnResult result = member.store().read_txn(request);
  if (const auto* refused = std::get_if<kv::ErrorCode>(&result)) co_return refuse(api::to_status(*refused), clock);
  co_return api::to_answer(api::encode_response(header(), std::get<kv::TxnResponse>(result)));
}

net::Awaitable<api::HttpAnswer> ClientApi::write(kv::Command command, RequestClock* clock) {
  Member& member = *view_.member();
  const auto* compaction = std::get_if<kv::CompactionRequest>(&command);
  const std::optional<kv::Revision> wait_for =
      compaction != nullptr && compaction->physical ? std::optional(compaction->revision) : std::nullopt;
  std::string encoded = kv::encode_command(command);
  if (encoded.size() > options_.max_request_bytes) {
    co_return refuse(api::to_status(api::Error::request_too_large), clock);
  }
  WriteOutcome outcome = co_await member.write(clock->received, std::move(encoded));
  clock->is_write = true;
  clock->times = outcome.times;
  clock->applied = outcome.applied;
  if (!outcome.response) co_return refuse(api::to_status(outcome.response.error()), clock);
  if (const auto* refused = std::get_if<kv::ErrorCode>(&*outcome.response)) {
    co_return refuse(api::to_status(*refused), clock);
  }
  if (wait_for && std::holds_alternative<kv::CompactionResponse>(*outcome.response)) {
    co_await member.physical_compaction(*wait_for, physical_compaction_limit);
  }
  co_return api::to_answer(header(), *outcome.response);
}

net::Awaitable<api::HttpAnswer> ClientApi::member_list(api::MemberListRequest request, RequestClock* clock) {
  Member& member = *view_.member();
  if (request.linearizable) {
    const auto barrier = co_await member.read_barrier();
    if (!barrier) co_return refuse(api::to_status(barrier.error()), clock);
  }
  co_return api::to_answer(api::encode_member_list(header(), members()));
}

std::vector<api::Member> ClientApi::members() const {
  std::vector<api::Member> members;
  const core::Configuration& configuration = view_.member()->node().configuration();
  for (const core::Member& known : configuration.members()) {
    const std::string url = "http://" + known.name;
    members.push_back({known.id.value,
                       known.name.substr(0, known.name.find_first_of(".:")),
                       {url},
                       {url},
                       configuration.is_learner(known.id)});
  }
  return members;
}

// The process at the address joins by itself once it knows of this cluster; it begins as a learner in any case.
net::Awaitable<api::HttpAnswer> ClientApi::member_add(api::MemberAddRequest request, RequestClock* clock) {
  if (request.peer_urls.size() != 1) co_return refuse(api::to_status(api::Error::invalid_member_urls), clock);
  std::string address = std::move(request.peer_urls.front());
  if (address.starts_with("http://")) address.erase(0, 7);
  while (address.ends_with('/')) address.pop_back();
  if (!discovery::parse_host_port(address, raft_port_default)) {
    co_return refuse(api::to_status(api::Error::invalid_member_urls), clock);
  }
  const auto added = co_await view_.invite(address);
  if (!added) {
    co_return refuse(
        {api::GrpcCode::failed_precondition, "etcdserver: " + address + " does not join: " + added.error().message()},
        clock);
  }
  const std::vector<api::Member> all = members();
  const auto row = std::find_if(all.begin(), all.end(), [&](const api::Member& m) { return m.id == added->value; });
  if (row == all.end()) co_return refuse(api::to_status(api::Error::member_not_found), clock);
  co_return api::to_answer(api::encode_member_added(header(), *row, all));
}

net::Awaitable<api::HttpAnswer> ClientApi::member_change(core::ChangeKind kind, std::uint64_t id, RequestClock* clock) {
  if (id == 0) co_return refuse(api::to_status(api::Error::member_not_found), clock);
  core::ConfigurationChange change;
  change.changes.push_back({kind, {base::NodeId(id), {}}});
  change.reason = kind == core::ChangeKind::remove ? "member remove, by command" : "member promote, by command";
  const auto changed = co_await view_.member()->change(std::move(change));
  const bool is_voter_already =
      kind == core::ChangeKind::promote && changed.has_error() && changed.error() == base::Errc::member_exists;
  if (is_voter_already) co_return refuse(api::to_status(api::Error::member_not_learner), clock);
  if (!changed) co_return refuse(api::to_status(changed.error()), clock);
  co_return api::to_answer(api::encode_member_list(header(), members()));
}

net::Awaitable<api::HttpAnswer> ClientApi::drain(api::DrainRequest request) {
  const bool is_drained = co_await view_.drain(base::milliseconds(request.timeout_ms));
  if (is_drained) co_return api::answer_json("{\"drained\":true}\n");
  co_return api::to_answer(api::Status{
      api::GrpcCode::unavailable, "this member is not ready any more, but nobody took over its leadership in time"});
}

api::HttpAnswer ClientApi::status() const {
  const Member& member = *view_.member();
  const core::Node& node = member.node();
  const kv::StoreSize size = member.store().size();
  api::StatusResponse status;
  status.version = api::emulated_etcd_version;
  status.storage_version = api::emulated_storage_version;
  status.db_size_bytes = static_cast<std::int64_t>(size.backend.total_bytes);
  status.db_size_in_use_bytes = static_cast<std::int64_t>(size.backend.in_use_bytes);
  status.leader = node.leader().value;
  status.raft_index = node.committed().value;
  status.raft_term = node.term().value;
  status.raft_applied_index = member.store().applied_index().value;
  status.is_learner = node.configuration().is_learner(node.id());
  return api::to_answer(api::encode_status(header(), status));
}

net::Awaitable<api::HttpAnswer> ClientApi::probe(api::Probe wanted) {
  api::HealthInput input = view_.health();
  if (wanted.need != api::ProbeNeed::nothing) {
    Member* member = view_.member();
    if (member == nullptr) {
      input.proof_error = no_member_reason();
    } else if (!input.is_leader_known) {
      // A probe does not wait for an election: its caller would give up first and learn nothing.
      input.proof_error = api::to_status(api::Error::no_leader).message;
    } else if (wanted.need == api::ProbeNeed::linearizable_read) {
      const auto barrier = co_await member->read_barrier();
      input.proof_error = barrier ? "" : api::to_status(barrier.error()).message;
    } else {
      // A delete of a key that cannot exist commits an entry and changes nothing.
      const kv::Command nothing = kv::DeleteRangeRequest{std::string(1, '\0') + "whitewater/probe", "", false};
      const WriteOutcome outcome = co_await member->write(net::now(), kv::encode_command(nothing));
      input.proof_error = outcome.response ? "" : api::to_status(outcome.response.error()).message;
    }
  }
  const api::HttpAnswer answer = api::answer_probe(wanted, input);
  if (wanted.kind == api::ProbeKind::health) {
    (answer.status == 200 ? metrics_.health_success : metrics_.health_failures).add();
  }
  co_return answer;
}

}  // namespace whitewater::server

// What the server says about itself: probes, the members' table, metrics.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <ctime>
#include <fstream>

#include "server/server.hpp"

namespace whitewater::server {
namespace {

constexpr base::Duration row_timeout = base::milliseconds(500);

std::int64_t milliseconds_of(base::Duration duration) { return duration / base::milliseconds(1); }

std::int64_t unix_ms_now() {
  using std::chrono::system_clock;
  return std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::uint64_t count_open_fds() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::uint64_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count < 3 ? 0 : count - 3;  // ".", ".." and the directory itself
}

std::int64_t volume_bytes(const std::string& path) {
  struct statvfs volume{};
  if (::statvfs(path.c_str(), &volume) != 0) return 0;
  return static_cast<std::int64_t>(volume.f_blocks) * static_cast<std::int64_t>(volume.f_frsize);
}

void fill_process(api::ServerSnapshot& snapshot) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  snapshot.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  snapshot.virtual_bytes = total_pages * page_bytes;
  snapshot.resident_bytes = resident_pages * page_bytes;
  snapshot.open_fds = count_open_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) snapshot.max_fds = limit.rlim_cur;
}

std::string text_of(const boost::json::object& row, std::string_view key) {
  const auto* value = row.if_contains(key);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : std::string();
}

std::uint64_t number_of(const boost::json::object& row, std::string_view key) {
  const auto* value = row.if_contains(key);
  if (value == nullptr) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

// A member's own row as it came over the network; false when it is none.
bool parse_row(const std::string& body, api::MemberRow& row) {
  boost::system::error_code error;
  const boost::json::value parsed = boost::json::parse(body, error);
  if (error || !parsed.is_array() || parsed.get_array().empty() || !parsed.get_array()[0].is_object()) return false;
  const boost::json::object& object = parsed.get_array()[0].get_object();
  if (text_of(object, "id") != base::to_hex(row.id)) return false;  // somebody else answers at this address now
  row.name = text_of(object, "name");
  row.role = text_of(object, "role");
  row.term = number_of(object, "term");
  row.commit_index = number_of(object, "commit_index");
  row.applied_index = number_of(object, "applied_index");
  row.address = text_of(object, "address");
  row.log_strategy = text_of(object, "log_strategy");
  row.reactor = text_of(object, "reactor");
  row.leader = std::strtoull(text_of(object, "leader").c_str(), nullptr, 16);
  const auto* healthy = object.if_contains("healthy");
  row.healthy = healthy != nullptr && healthy->is_bool() && healthy->get_bool();
  row.reason = text_of(object, "reason");
  row.unix_ms = static_cast<std::int64_t>(number_of(object, "unix_ms"));
  return true;
}

}  // namespace

api::HealthInput Server::health() {
  api::HealthInput input;
  input.phase = phase_;
  input.is_draining = is_draining_;
  input.disk_stalled_ms = milliseconds_of(log_->stats().oldest_write_age);
  if (!member_) {
    input.phase_text = bootstrap_->status().reason;
    return input;
  }
  const core::Node& node = member_->node();
  if (node.configuration().is_voter(node.id())) {
    input.member = api::MemberState::voter;
  } else if (node.configuration().is_learner(node.id())) {
    input.member = api::MemberState::learner;
    input.is_learner_by_intent = membership_ && !membership_->waits_for_vote();
  } else {
    input.phase_text = bootstrap_->status().reason;
  }
  input.is_leader = member_->replica().is_leader();
  input.is_leader_known = !node.leader().is_zero();
  input.disk_stall_limit_ms = static_cast<std::int64_t>(options_.disk_stall_ms);
  input.has_caught_up = member_->catch_up().has_caught_up();
  input.applied_lag_ms = milliseconds_of(member_->catch_up().lag(net::now()));
  input.applied_index = member_->store().applied_index().value;
  input.committed_index = node.known_committed().value;
  input.event_loop_gap_ms = milliseconds_of(net::now() - member_->last_tick());
  if (log_->stats().is_full) {
    input.disk_error =
        "the log's size budget is used up: a member is away or the store cannot flush; "
        "bring the member back or raise --log-budget-bytes";
  }
  return input;
}

api::MemberRow Server::own_row() {
  api::MemberRow row;
  row.name = options_.name;
  row.id = identity_->node().value;
  row.address = advertise_;
  row.log_strategy = log::describe(log_->stats().strategy);
  row.reactor = net::reactor_name();
  row.role = "joining";
  row.unix_ms = unix_ms_now();
  if (member_) {
    const core::Node& node = member_->node();
    const bool is_learner = node.configuration().is_learner(node.id());
    const bool is_voter = node.configuration().is_voter(node.id());
    row.role = is_learner ? "learner" : is_voter ? core::describe(node.role()) : "joining";
    row.term = node.term().value;
    row.commit_index = node.committed().value;
    row.applied_index = member_->store().applied_index().value;
    row.leader = node.leader().value;
  }
  for (const api::CheckResult& check : api::run_checks(api::ProbeKind::readyz, health())) {
    if (!check.error.empty())
      row.reason += (row.reason.empty() ? "" : "; ") + std::string(check.name) + ": " + check.error;
  }
  row.healthy = row.reason.empty();
  return row;
}

std::string Server::membership_history() {
  std::string text = "[";
  if (membership_) {
    for (const MembershipEvent& event : membership_->history().events()) {
      text += (text.size() > 1 ? ",\n" : "\n") + encode(event);
    }
  }
  return text + "]\n";
}

net::Awaitable<std::vector<api::MemberRow>> Server::all_rows() {
  std::vector<api::MemberRow> rows;
  if (!member_ || member_->node().configuration().members().empty()) {
    rows.push_back(own_row());
    co_return rows;
  }
  const std::vector<core::Member> members = member_->node().configuration().members();
  rows.resize(members.size());
  net::TaskGroup questions(executor_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].id == node()) {
      rows[i] = own_row();
    } else {
      questions.spawn(ask_row(members[i], &rows[i]));
    }
  }
  co_await questions.join();
  std::sort(rows.begin(), rows.end(), [](const api::MemberRow& a, const api::MemberRow& b) { return a.name < b.name; });
  co_return rows;
}

net::Awaitable<void> Server::ask_row(core::Member member, api::MemberRow* row) {
  row->id = member.id.value;
  row->name = discovery::pod_name_of(member.name.substr(0, member.name.rfind(':')));
  row->address = member.name;
  row->role = "unreachable";
  row->reason = "does not answer";
  const auto endpoints = co_await resolve_address(*source_, peers_->address_of(member));
  if (!endpoints || endpoints->empty()) {
    row->reason = "its name does not resolve";
    co_return;
  }
  net::HttpClientOptions options;
  options.connect_timeout = row_timeout;
  options.request_timeout = row_timeout;
  options.body_bytes_max = 64UL << 10;
  net::HttpClient client(executor_, endpoints->front(), member.name, options);
  net::HttpCall question;
  question.method = "GET";
  question.target = "/whitewater/members?self=1";
  const std::int64_t asked_ms = unix_ms_now();
  const auto reply = co_await client.call(std::move(question));
  if (!reply) {
    row->reason = "does not answer: " + reply.error().message();
  } else if (reply->status != 200 || !parse_row(reply->body, *row)) {
    row->reason = "another process answers at its address";
  } else if (row->unix_ms != 0) {
    // It looked at its clock about halfway.
    row->clock_offset_ms = row->unix_ms - (asked_ms + (unix_ms_now() - asked_ms) / 2);
  }
}

api::ServerSnapshot Server::snapshot() {
  api::ServerSnapshot snapshot;
  const log::LogStats log = log_->stats();
  snapshot.log_bytes_written = log.written_bytes;
  snapshot.log_batches = log.batches;
  snapshot.log_segments_used = log.segments - log.segments_free;
  snapshot.log_segments_max = log.segments_max;
  snapshot.snapshots_sent = snapshot_counters_.sent;
  snapshot.snapshots_failed = snapshot_counters_.failed;
  snapshot.snapshots_installed = snapshot_counters_.installed;
  snapshot.snapshot_sent_bytes = snapshot_counters_.sent_bytes;
  snapshot.snapshot_received_bytes = snapshot_counters_.received_bytes;
  const base::Duration age = net::now() - started_;
  snapshot.start_time_seconds = static_cast<double>(std::time(nullptr)) - static_cast<double>(age.count()) * 1e-9;
  snapshot.discovery_stale_seconds = static_cast<double>(discovery_age().count()) * 1e-9;
  snapshot.is_expect_inferred = bootstrap_->status().is_inferred;
  snapshot.is_data_volatile = identity_->directory().filesystem().is_volatile;
  fill_process(snapshot);
  snapshot.quota_bytes = volume_bytes(identity_->directory().path());
  snapshot.connections_opened = http_->counters().connections;
  snapshot.connections = http_->counters().open_connections;
  snapshot.connections_refused = listener_->counters().refused_full;
  snapshot.client_sent_bytes = http_->counters().sent_bytes;
  snapshot.client_received_bytes = http_->counters().received_bytes;
  for (const auto& [peer, traffic] : peers_->traffic()) {
    metrics_->peer_sent_bytes(base::to_hex(peer)).set(static_cast<double>(traffic.sent_bytes));
    metrics_->peer_sent_failures(base::to_hex(peer)).set(static_cast<double>(traffic.dropped_messages));
    snapshot.heartbeat_send_failures += traffic.dropped_messages;
  }
  for (const auto& [peer, bytes] : acceptor_->received_bytes()) {
    metrics_->peer_received_bytes(base::to_hex(peer)).set(static_cast<double>(bytes));
  }
  if (!member_) return snapshot;
  const core::Node& node = member_->node();
  const kv::StoreSize size = member_->store().size();
  snapshot.has_leader = !node.leader().is_zero();
  snapshot.is_leader = member_->replica().is_leader();
  snapshot.is_learner = node.configuration().is_learner(node.id());
  snapshot.leader_changes = member_->counters().leader_changes;
  snapshot.event_loop_stalls = member_->counters().loop_stalls;
  snapshot.disk_stalls = member_->counters().disk_stalls;
  snapshot.proposals_committed = node.committed().value;
  snapshot.proposals_applied = member_->store().applied_index().value;
  snapshot.proposals_pending = member_->replica().pending_proposals();
  snapshot.proposals_failed = member_->replica().proposals_failed();
  snapshot.read_indexes_failed = member_->counters().reads_failed;
  snapshot.term = node.term().value;
  snapshot.db_size_bytes = static_cast<std::int64_t>(size.backend.total_bytes);
  snapshot.db_size_in_use_bytes = static_cast<std::int64_t>(size.backend.in_use_bytes);
  snapshot.current_revision = member_->store().current_revision();
  snapshot.compact_revision = member_->store().compact_revision();
  snapshot.keys = size.keys;
  snapshot.log_entries = member_->counters().entries_logged;
  const kv::StoreCounters& store = member_->store().counters();
  snapshot.puts = store.puts;
  snapshot.deletes = store.deletes;
  snapshot.ranges = store.ranges;
  snapshot.txns = store.txns;
  snapshot.put_bytes = store.put_bytes;
  return snapshot;
}

}  // namespace whitewater::server

#include "server/membership_history.hpp"

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <map>

namespace whitewater::server {
namespace {

namespace json = boost::json;

enum class Standing : std::uint8_t { voter, learner };

std::map<base::NodeId, std::pair<Standing, std::string>> standings(const core::Configuration& configuration) {
  std::map<base::NodeId, std::pair<Standing, std::string>> all;
  for (const core::Member& member : configuration.learners) all[member.id] = {Standing::learner, member.name};
  for (const core::Member& member : configuration.next_learners) all[member.id] = {Standing::learner, member.name};
  for (const core::Member& member : configuration.voters) all[member.id] = {Standing::voter, member.name};
  return all;
}

std::string text_of(const json::object& line, std::string_view key) {
  const json::value* value = line.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t number_of(const json::object& line, std::string_view key) {
  const json::value* value = line.if_contains(key);
  boost::system::error_code error;
  const auto number = value != nullptr ? value->to_number<std::uint64_t>(error) : 0;
  return error ? 0 : number;
}

bool parse_line(const std::string& text, MembershipEvent& event) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return false;
  const json::object& line = parsed.get_object();
  event.index = number_of(line, "index");
  event.term = number_of(line, "term");
  event.unix_seconds = static_cast<std::int64_t>(number_of(line, "time"));
  event.kind = text_of(line, "kind");
  event.id = text_of(line, "id");
  event.name = text_of(line, "name");
  event.reason = text_of(line, "reason");
  return event.index != 0 && !event.kind.empty();
}

}  // namespace

std::vector<MembershipEvent> changes_between(const core::Configuration& before, const core::Configuration& after) {
  const auto old_standings = standings(before);
  const auto new_standings = standings(after);
  std::vector<MembershipEvent> events;
  const auto add = [&](const char* kind, base::NodeId id, const std::string& name) {
    MembershipEvent event;
    event.kind = kind;
    event.id = base::to_hex(id);
    event.name = name;
    event.reason = after.reason;
    events.push_back(std::move(event));
  };
  for (const auto& [id, now] : new_standings) {
    const auto was = old_standings.find(id);
    if (was == old_standings.end()) {
      add(before.voters.empty() ? "founded" : "joined", id, now.second);
    } else if (was->second.first != now.first) {
      add(now.first == Standing::voter ? "promoted" : "demoted", id, now.second);
    } else if (was->second.second != now.second) {
      add("address", id, now.second);
    }
  }
  for (const auto& [id, was] : old_standings) {
    if (!new_standings.contains(id)) add("removed", id, was.second);
  }
  return events;
}

std::string encode(const MembershipEvent& event) {
  return json::serialize(json::object{{"index", event.index},
                                      {"term", event.term},
                                      {"time", event.unix_seconds},
                                      {"kind", event.kind},
                                      {"id", event.id},
                                      {"name", event.name},
                                      {"reason", event.reason}});
}

MembershipHistory::MembershipHistory(std::string path) : path_(std::move(path)) {
  std::ifstream in(path_);
  std::string line;
  for (std::size_t bytes = 0; bytes < history_file_bytes_max && std::getline(in, line); bytes += line.size()) {
    ++lines_in_file_;
    MembershipEvent event;
    if (!parse_line(line, event)) continue;
    last_index_ = std::max(last_index_, event.index);
    events_.push_back(std::move(event));
    if (events_.size() > history_events_max) events_.pop_front();
  }
}

std::vector<MembershipEvent> MembershipHistory::on_configuration(const replica::AppliedConfiguration& applied,
                                                                 std::int64_t unix_seconds) {
  if (applied.configuration.is_joint()) return {};
  std::vector<MembershipEvent> events = changes_between(last_, applied.configuration);
  last_ = applied.configuration;
  if (applied.index.value <= last_index_) return {};
  last_index_ = applied.index.value;
  for (MembershipEvent& event : events) {
    event.index = applied.index.value;
    event.term = applied.term.value;
    event.unix_seconds = unix_seconds;
    if (event.reason.empty()) event.reason = event.kind == "founded" ? "the founders of the cluster" : "by request";
    events_.push_back(event);
    if (events_.size() > history_events_max) events_.pop_front();
    append(event);
  }
  return events;
}

// The file may grow to twice what is kept before it is written anew.
void MembershipHistory::append(const MembershipEvent& event) {
  if (path_.empty()) return;
  if (++lines_in_file_ > 2 * history_events_max) return rewrite();
  std::ofstream out(path_, std::ios::app);
  out << encode(event) << '\n';
}

void MembershipHistory::rewrite() {
  const std::string temporary = path_ + ".new";
  {
    std::ofstream out(temporary, std::ios::trunc);
    for (const MembershipEvent& event : events_) out << encode(event) << '\n';
    if (!out.flush()) return;
  }
  if (std::rename(temporary.c_str(), path_.c_str()) == 0) lines_in_file_ = events_.size();
}

}  // namespace whitewater::server

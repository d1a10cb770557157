#include "server/cli_print.hpp"

#include <algorithm>
#include <array>

namespace whitewater::server {
namespace {

std::string shown(std::string_view text) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out.push_back(c);
    } else {
      out.append("\\x").push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 0xF]);
    }
  }
  return out;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void append_row(std::string& out, const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line.append(cells[i]);
    if (i + 1 < cells.size()) line.append(widths[i] - width_of(cells[i]) + 2, ' ');
  }
  while (line.ends_with(' ')) line.pop_back();
  out.append(line).append("\n");
}

std::string joined(const std::vector<std::string>& cells) {
  std::string line;
  for (const auto& cell : cells) line.append(line.empty() ? "" : ", ").append(shown(cell));
  return line + "\n";
}

std::string format(CliOutput output, const std::vector<std::string>& header,
                   const std::vector<std::vector<std::string>>& rows) {
  if (output == CliOutput::table) return format_table(header, rows);
  std::string lines;
  for (const auto& row : rows) lines.append(joined(row));
  return lines;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

std::string format_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& cell : header) widths.push_back(width_of(cell));
  std::vector<std::vector<std::string>> printable;
  for (const auto& row : rows) {
    auto& cells = printable.emplace_back();
    for (std::size_t i = 0; i < header.size(); ++i) {
      cells.push_back(i < row.size() ? shown(row[i]) : std::string{});
      widths[i] = std::max(widths[i], width_of(cells.back()));
    }
  }
  std::string out;
  append_row(out, header, widths);
  for (const auto& cells : printable) append_row(out, cells, widths);
  return out;
}

std::string format_range(const CliCommand& command, const CliRange& range) {
  if (command.count_only) return std::to_string(range.count) + "\n";
  std::string out;
  if (command.output == CliOutput::table) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& kv : range.kvs) {
      rows.push_back({kv.key, kv.value, std::to_string(kv.version), std::to_string(kv.create_revision),
                      std::to_string(kv.mod_revision)});
    }
    return format_table({"KEY", "VALUE", "VERSION", "CREATED", "MODIFIED"}, rows);
  }
  for (const auto& kv : range.kvs) {
    if (!command.values_only) out.append(kv.key).append("\n");
    if (!command.keys_only) out.append(kv.value).append("\n");
  }
  return out;
}

std::string format_members(CliOutput output, const std::vector<CliMember>& members) {
  const bool has_reason = std::any_of(members.begin(), members.end(), [](const auto& m) { return !m.reason.empty(); });
  std::vector<std::string> header{"NAME",    "ID",      "ROLE",         "TERM",    "COMMIT",
                                  "APPLIED", "ADDRESS", "LOG STRATEGY", "REACTOR", "HEALTHY"};
  if (has_reason) header.emplace_back("REASON");
  std::vector<std::vector<std::string>> rows;
  for (const auto& m : members) {
    rows.push_back({or_dash(m.name), m.id, m.role, std::to_string(m.term), std::to_string(m.commit_index),
                    std::to_string(m.applied_index), m.address, or_dash(m.log_strategy), or_dash(m.reactor),
                    m.healthy ? "yes" : "no"});
    if (has_reason) rows.back().push_back(m.reason);
  }
  return format(output, header, rows);
}

std::string format_statuses(CliOutput output, const std::vector<EndpointStatus>& statuses) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [endpoint, status, problem] : statuses) {
    if (!status) {
      rows.push_back({endpoint, "-", "-", "-", "-", "-", "-", "-", problem});
      continue;
    }
    std::string errors;
    for (const auto& error : status->errors) errors.append(errors.empty() ? "" : "; ").append(error);
    const bool is_leader = !status->leader.empty() && status->leader == status->member_id;
    rows.push_back({endpoint, status->member_id, status->version,
                    format_bytes(static_cast<std::uint64_t>(status->db_size_bytes)), is_leader ? "yes" : "no",
                    std::to_string(status->raft_term), std::to_string(status->raft_index),
                    std::to_string(status->raft_applied_index), errors});
  }
  return format(output, {"ENDPOINT", "ID", "API VERSION", "SIZE", "LEADER", "TERM", "INDEX", "APPLIED", "ERRORS"},
                rows);
}

}  // namespace whitewater::server

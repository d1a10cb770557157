// Members and status: the messages of /v3/cluster/member/list and /v3/maintenance/status (etcd-v3-api §1.2, §1.7), and
// the table behind `whitewater members`, GET /whitewater/members, which is JSON of our own. Structs in, text out; the
// server layer fills them from the replica. Also the requests that change the membership. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/response_header.hpp"

namespace whitewater::api {

struct MemberListRequest {
  bool linearizable = false;  // etcd's clients ask for true; then a linearizable read comes first
  bool operator==(const MemberListRequest&) const = default;
};

struct Member {
  std::uint64_t id = 0;
  std::string name;  // empty: added but never started
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
};

// Asks the process at one of these URLs to join; it becomes a voter by itself once it has caught up.
struct MemberAddRequest {
  std::vector<std::string> peer_urls;
  bool is_learner = false;  // every member joins as a learner, so that nothing depends on it
  bool operator==(const MemberAddRequest&) const = default;
};
struct MemberRemoveRequest {
  std::uint64_t id = 0;
  bool operator==(const MemberRemoveRequest&) const = default;
};
struct MemberPromoteRequest {
  std::uint64_t id = 0;
  bool operator==(const MemberPromoteRequest&) const = default;
};

struct StatusRequest {
  bool operator==(const StatusRequest&) const = default;
};

struct StatusResponse {
  std::string version;  // emulated etcd version, digits and dots only: clients parse it
  std::int64_t db_size_bytes = 0;
  std::uint64_t leader = 0;  // 0: none; then `errors` holds "etcdserver: no leader"
  std::uint64_t raft_index = 0;
  std::uint64_t raft_term = 0;
  std::uint64_t raft_applied_index = 0;
  std::vector<std::string> errors;
  std::int64_t db_size_in_use_bytes = 0;
  bool is_learner = false;
  std::string storage_version;
  std::int64_t db_size_quota_bytes = 0;
};

// The header's revision is sent as 0 whatever `header` holds: etcd does so for everything about the cluster (§1.3).
[[nodiscard]] std::string encode_member_list(const ResponseHeader& header, std::span<const Member> members);
// `added` is among the members, too. MemberRemove and MemberPromote are answered by the list as it is afterwards.
[[nodiscard]] std::string encode_member_added(const ResponseHeader& header, const Member& added,
                                              std::span<const Member> members);
// Adds "etcdserver: no leader" to the errors when `leader` is 0 and the list lacks it.
[[nodiscard]] std::string encode_status(const ResponseHeader& header, const StatusResponse& status);

// One line of the members' table. Numbers are JSON numbers; ids are 16 hexadecimal digits.
struct MemberRow {
  std::string name;
  std::uint64_t id = 0;
  std::string role;  // leader, follower, candidate, learner, unreachable, ...
  std::uint64_t term = 0;
  std::uint64_t commit_index = 0;
  std::uint64_t applied_index = 0;
  std::string address;
  std::string log_strategy;  // uring, thread, buffered
  std::string reactor;       // io_uring, epoll
  std::uint64_t leader = 0;  // the leader as this member sees it; 0 prints as ""
  bool healthy = false;
  std::string reason;        // why not, in words; empty when healthy
  std::int64_t unix_ms = 0;  // its clock when it made the row; 0: it was not reached
  // Its clock minus the asking member's; not part of the table.
  std::optional<std::int64_t> clock_offset_ms;
};
// [{"name":…,"id":…,"role":…,"term":…,"commit_index":…,"applied_index":…,"address":…,"log_strategy":…,"reactor":…,
//   "leader":…,"healthy":…,"reason":…,"unix_ms":…},…] followed by a newline. Every key is always there.
[[nodiscard]] std::string encode_member_table(std::span<const MemberRow> rows);

}  // namespace whitewater::api

#include "api/gateway_paths.hpp"

#include <array>

namespace whitewater::api {
namespace {

constexpr std::string_view kv = "etcdserverpb.KV";
constexpr std::string_view watch = "etcdserverpb.Watch";
constexpr std::string_view lease = "etcdserverpb.Lease";
constexpr std::string_view cluster = "etcdserverpb.Cluster";
constexpr std::string_view maintenance = "etcdserverpb.Maintenance";
constexpr std::string_view auth = "etcdserverpb.Auth";
constexpr std::string_view lock = "v3lockpb.Lock";
constexpr std::string_view election = "v3electionpb.Election";

// The most frequent first: the search is linear.
constexpr std::array<GatewayPath, 51> paths{{
    {"/v3/kv/put", kv, "Put", Rpc::put},
    {"/v3/kv/range", kv, "Range", Rpc::range},
    {"/v3/kv/txn", kv, "Txn", Rpc::txn},
    {"/v3/kv/deleterange", kv, "DeleteRange", Rpc::delete_range},
    {"/v3/kv/compaction", kv, "Compact", Rpc::compact},
    {"/v3/watch", watch, "Watch"},
    {"/v3/lease/grant", lease, "LeaseGrant"},
    {"/v3/lease/revoke", lease, "LeaseRevoke"},
    {"/v3/lease/keepalive", lease, "LeaseKeepAlive"},
    {"/v3/lease/timetolive", lease, "LeaseTimeToLive"},
    {"/v3/lease/leases", lease, "LeaseLeases"},
    {"/v3/kv/lease/revoke", lease, "LeaseRevoke"},
    {"/v3/kv/lease/timetolive", lease, "LeaseTimeToLive"},
    {"/v3/kv/lease/leases", lease, "LeaseLeases"},
    {"/v3/cluster/member/add", cluster, "MemberAdd", Rpc::member_add},
    {"/v3/cluster/member/remove", cluster, "MemberRemove", Rpc::member_remove},
    {"/v3/cluster/member/update", cluster, "MemberUpdate"},
    {"/v3/cluster/member/list", cluster, "MemberList", Rpc::member_list},
    {"/v3/cluster/member/promote", cluster, "MemberPromote", Rpc::member_promote},
    {"/v3/maintenance/alarm", maintenance, "Alarm"},
    {"/v3/maintenance/status", maintenance, "Status", Rpc::status},
    {"/v3/maintenance/defragment", maintenance, "Defragment"},
    {"/v3/maintenance/hash", maintenance, "Hash"},
    {"/v3/maintenance/hashkv", maintenance, "HashKV"},
    {"/v3/maintenance/snapshot", maintenance, "Snapshot"},
    {"/v3/maintenance/transfer-leadership", maintenance, "MoveLeader"},
    {"/v3/maintenance/downgrade", maintenance, "Downgrade"},
    {"/v3/auth/enable", auth, "AuthEnable"},
    {"/v3/auth/disable", auth, "AuthDisable"},
    {"/v3/auth/status", auth, "AuthStatus"},
    {"/v3/auth/authenticate", auth, "Authenticate"},
    {"/v3/auth/user/add", auth, "UserAdd"},
    {"/v3/auth/user/get", auth, "UserGet"},
    {"/v3/auth/user/list", auth, "UserList"},
    {"/v3/auth/user/delete", auth, "UserDelete"},
    {"/v3/auth/user/changepw", auth, "UserChangePassword"},
    {"/v3/auth/user/grant", auth, "UserGrantRole"},
    {"/v3/auth/user/revoke", auth, "UserRevokeRole"},
    {"/v3/auth/role/add", auth, "RoleAdd"},
    {"/v3/auth/role/get", auth, "RoleGet"},
    {"/v3/auth/role/list", auth, "RoleList"},
    {"/v3/auth/role/delete", auth, "RoleDelete"},
    {"/v3/auth/role/grant", auth, "RoleGrantPermission"},
    {"/v3/auth/role/revoke", auth, "RoleRevokePermission"},
    {"/v3/lock/lock", lock, "Lock"},
    {"/v3/lock/unlock", lock, "Unlock"},
    {"/v3/election/campaign", election, "Campaign"},
    {"/v3/election/proclaim", election, "Proclaim"},
    {"/v3/election/leader", election, "Leader"},
    {"/v3/election/observe", election, "Observe"},
    {"/v3/election/resign", election, "Resign"},
}};

}  // namespace

std::span<const GatewayPath> gateway_paths() { return paths; }

const GatewayPath* find_gateway_path(std::string_view path) {
  for (const GatewayPath& row : paths) {
    if (row.path == path) return &row;
  }
  return nullptr;
}

}  // namespace whitewater::api

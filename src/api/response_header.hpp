// ResponseHeader: what etcd puts in front of every response (etcd-v3-api §1.3). Filled by the server layer once per
// answer. Plain data.
#pragma once

#include <cstdint>

namespace whitewater::api {

struct ResponseHeader {
  std::uint64_t cluster_id = 0;
  std::uint64_t member_id = 0;  // the member that answers
  std::int64_t revision = 0;  // the store's current revision; responses of kv carry their own, which is printed instead
  std::uint64_t raft_term = 0;  // never goes backwards on one member: Patroni discards answers by it
};

}  // namespace whitewater::api

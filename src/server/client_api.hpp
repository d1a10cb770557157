// ClientApi: what the client port answers. Turns each HTTP request into a call (api::route), brings it through the
// member where it needs the cluster, and measures every stage on the way. Owned by the server; reactor thread. Holds no
// rule of the API itself: those are api's and kv's.
#pragma once

#include <functional>
#include <string>

#include <vector>

#include "api/doctor.hpp"
#include "api/router.hpp"
#include "api/server_metrics.hpp"
#include "net/http_server.hpp"
#include "server/member.hpp"

namespace whitewater::server {

// What ClientApi needs to know of the process around it.
class ServerView {
 public:
  virtual ~ServerView() = default;
  // Null until this process belongs to a cluster.
  [[nodiscard]] virtual Member* member() = 0;
  [[nodiscard]] virtual api::HealthInput health() = 0;
  [[nodiscard]] virtual base::ClusterId cluster() const = 0;
  [[nodiscard]] virtual base::NodeId node() const = 0;
  // This member as one row of the table.
  [[nodiscard]] virtual api::MemberRow own_row() = 0;
  // All members' rows, each asked from the member itself.
  virtual net::Awaitable<std::vector<api::MemberRow>> all_rows() = 0;
  // What there is to know about this member's condition; asks the other members.
  virtual net::Awaitable<api::DoctorInput> doctor() = 0;
  // What changed in the membership, as JSON.
  [[nodiscard]] virtual std::string membership_history() = 0;
  // Asks the process at this address to join, and waits until it is in the configuration: its node id.
  virtual net::Awaitable<base::Result<base::NodeId>> invite(std::string address) = 0;
  // Not ready any more, and not the leader: true when that was done within `limit`.
  virtual net::Awaitable<bool> drain(base::Duration limit) = 0;
};

struct ClientApiOptions {
  std::string version;
  std::size_t max_request_bytes = 1'572'864;
  std::size_t max_txn_ops = 128;
};

class ClientApi final : public net::HttpHandler {
 public:
  ClientApi(ClientApiOptions options, ServerView& view, api::Registry& registry, api::ServerMetrics& metrics);

  net::Awaitable<net::HttpResponse> handle(net::HttpRequest request) override;

 private:
  struct RequestClock;
  net::Awaitable<api::HttpAnswer> call(api::Call call, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> read(kv::RangeRequest request, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> read_txn(kv::TxnRequest request, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> write(kv::Command command, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> member_list(api::MemberListRequest request, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> member_add(api::MemberAddRequest request, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> member_change(core::ChangeKind kind, std::uint64_t id, RequestClock* clock);
  net::Awaitable<api::HttpAnswer> drain(api::DrainRequest request);
  net::Awaitable<api::HttpAnswer> probe(api::Probe probe);
  [[nodiscard]] std::vector<api::Member> members() const;
  [[nodiscard]] api::HttpAnswer status() const;
  [[nodiscard]] api::ResponseHeader header() const;
  [[nodiscard]] std::string no_member_reason();
  static api::HttpAnswer refuse(const api::Status& status, RequestClock* clock);
  void record_stages(const RequestClock& clock);

  ClientApiOptions options_;
  ServerView& view_;
  api::Registry& registry_;
  api::ServerMetrics& metrics_;
};

}  // namespace whitewater::server

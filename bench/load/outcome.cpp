#include "load/outcome.hpp"

namespace whitewater::bench {
namespace {

constexpr unsigned request_timeout = 408;
constexpr unsigned client_closed_request = 499;  // gRPC's "canceled"
constexpr unsigned not_implemented = 501;
constexpr unsigned unavailable = 503;

}  // namespace

Outcome outcome_of(unsigned http_status, std::string_view body) {
  if (http_status == 200) return Outcome::acknowledged;
  if (http_status == request_timeout || http_status == client_closed_request) return Outcome::unknown;
  const bool is_refusal = (http_status >= 300 && http_status < 500) || http_status == not_implemented;
  // Of etcd's messages for 503 this one alone says that nothing was proposed; "leader changed", "server stopped" and
  // "request timed out" do not.
  const bool has_no_leader = http_status == unavailable && body.find("etcdserver: no leader") != std::string_view::npos;
  return is_refusal || has_no_leader ? Outcome::failed : Outcome::unknown;
}

}  // namespace whitewater::bench

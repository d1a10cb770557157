// The table of errors against etcd's own declarations (rpctypes.tsv) and the codes of etcd-v3-api §2.4.
#include "api/errors.hpp"

#include <fstream>
#include <map>
#include <set>

#include "base/error.hpp"
#include "catch.hpp"

using namespace whitewater;
using api::Error;
using api::GrpcCode;
using api::to_status;

TEST_CASE("every message and code is the one that etcd's clients know") {
  std::ifstream file(WHITEWATER_API_TEST_DIR "/rpctypes.tsv");
  REQUIRE(file);
  std::map<std::string, std::string> declared;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t tab = line.find('\t');
    REQUIRE(tab != std::string::npos);
    declared[line.substr(tab + 1)] = line.substr(0, tab);
  }
  REQUIRE(declared.size() == 63);
  std::set<std::string> ours;
  for (const auto& row : api::error_table()) {
    const std::string message(row.message);
    INFO(message);
    CHECK(ours.insert(message).second);
    if (!message.starts_with("etcdserver: ")) continue;
    REQUIRE(declared.count(message) == 1);
    CHECK(declared[message] == describe(row.code));
  }
  // Constants of the client only: nothing on the wire carries them.
  const std::set<std::string> client_side{"etcdserver: request canceled", "etcdserver: watch canceled",
                                          "etcdserver: context deadline exceeded"};
  for (const auto& [message, code] : declared) {
    INFO(message);
    CHECK(ours.count(message) + client_side.count(message) == 1);
  }
}

TEST_CASE("each gRPC code has etcd's HTTP status") {
  const int expected[] = {200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401};
  for (std::size_t i = 0; i < api::grpc_code_count; ++i) {
    const auto code = static_cast<GrpcCode>(i);
    INFO(describe(code));
    CHECK(http_status(code) == expected[i]);
    CHECK(api::http_reason(expected[i]) != "Unknown");
  }
}

TEST_CASE("every refusal of the store has its message") {
  const std::pair<kv::ErrorCode, Error> rows[] = {
      {kv::ErrorCode::key_not_provided, Error::key_not_provided},
      {kv::ErrorCode::key_not_found, Error::key_not_found},
      {kv::ErrorCode::value_provided, Error::value_provided},
      {kv::ErrorCode::lease_provided, Error::lease_provided},
      {kv::ErrorCode::too_many_operations, Error::too_many_operations},
      {kv::ErrorCode::duplicate_key, Error::duplicate_key},
      {kv::ErrorCode::invalid_sort_option, Error::invalid_sort_option},
      {kv::ErrorCode::compacted, Error::compacted},
      {kv::ErrorCode::future_revision, Error::future_revision},
      {kv::ErrorCode::lease_not_found, Error::lease_not_found},
  };
  for (const auto& [code, error] : rows) CHECK(to_status(code) == to_status(error));
  CHECK(to_status(kv::ErrorCode::malformed_command).code == GrpcCode::internal);
}

TEST_CASE("every error of this process has a status") {
  using base::Errc;
  const std::pair<Errc, Error> rows[] = {
      {Errc::no_leader, Error::no_leader},
      {Errc::not_leader, Error::leader_changed},
      {Errc::leader_changed, Error::leader_changed},
      {Errc::too_many_requests, Error::too_many_requests},
      {Errc::request_too_large, Error::request_too_large},
      {Errc::timed_out, Error::timed_out},
      {Errc::dropped, Error::timed_out_leader_failure},
      {Errc::stopped, Error::stopped},
      {Errc::no_space, Error::no_space},
      {Errc::cancelled, Error::canceled},
      {Errc::connection_lost, Error::timed_out_connection_lost},
      {Errc::wrong_cluster, Error::cluster_id_mismatch},
  };
  for (const auto& [code, error] : rows) {
    INFO(make_error_code(code).message());
    CHECK(to_status(make_error_code(code)) == to_status(error));
  }
  for (const Errc code : {Errc::malformed, Errc::checksum_mismatch, Errc::unsupported_version, Errc::limit_exceeded,
                          Errc::wrong_receiver, Errc::stale_incarnation, Errc::not_found}) {
    CHECK(to_status(make_error_code(code)).code == GrpcCode::internal);
    CHECK(to_status(make_error_code(code)).message.starts_with("etcdserver: "));
  }
  const auto system = boost::system::errc::make_error_code(boost::system::errc::io_error);
  CHECK(to_status(system).code == GrpcCode::unknown);
}

TEST_CASE("an unknown outcome is never told in words that invite a retry") {
  using base::Errc;
  for (const Errc code : {Errc::timed_out, Errc::dropped, Errc::stopped, Errc::connection_lost}) {
    const auto status = to_status(make_error_code(code));
    CHECK(status.code == GrpcCode::unavailable);
    CHECK(status.message.find("no address available") == std::string::npos);
    CHECK(status.message.find("no leader") == std::string::npos);
    CHECK(status.message.find("leader changed") == std::string::npos);
  }
}

TEST_CASE("the body of an error suits the clients of etcd 3.5 and of 3.6") {
  const auto status = to_status(Error::compacted);
  CHECK(api::encode_error(status) == R"({"error":"etcdserver: mvcc: required revision has been compacted","code":11,)"
                                     R"("message":"etcdserver: mvcc: required revision has been compacted"})");
  CHECK(
      api::encode_stream_error(status) ==
      R"({"error":{"grpc_code":11,"http_code":400,"message":"etcdserver: mvcc: required revision has been compacted",)"
      R"("http_status":"Bad Request","code":11}})");
  CHECK(api::encode_error({GrpcCode::unknown, "a \"b\"\n\xff"}) ==
        "{\"error\":\"a \\\"b\\\"\\n\xef\xbf\xbd\",\"code\":2,\"message\":\"a \\\"b\\\"\\n\xef\xbf\xbd\"}");
  const auto answer = api::to_answer(to_status(Error::invalid_auth_token));
  CHECK(answer.status == 401);
  REQUIRE(answer.headers.size() == 1);
  CHECK(answer.headers[0] == api::HttpHeader{"WWW-Authenticate", "etcdserver: invalid auth token"});
  CHECK(api::to_answer(to_status(Error::no_leader)).status == 503);
}

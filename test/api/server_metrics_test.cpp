// The member's metrics by name: valid exposition, the families that etcd's dashboard and alerts read, etcd's buckets.
#include "api/server_metrics.hpp"

#include "catch.hpp"
#include "exposition_validator.hpp"

using namespace whitewater;

namespace {

// etcd's own names against the linter's rules on "_total".
const std::set<std::string> exempt{
    "etcd_server_proposals_committed_total", "etcd_server_proposals_applied_total", "etcd_debugging_mvcc_keys_total",
    "etcd_disk_wal_write_bytes_total",       "etcd_server_health_success",          "etcd_server_health_failures"};

struct Fixture {
  api::Registry registry;
  api::ServerSnapshot snapshot;
  api::ServerMetrics metrics{registry,
                             {.member_id_hex = "00000000000000ab",
                              .whitewater_version = "0.1.0",
                              .reactor = "io_uring",
                              .log_strategy = "uring",
                              .reactor_reason = "the probe said \"yes\""},
                             [this] { return snapshot; }};
};

}  // namespace

TEST_CASE("the member's exposition is valid, used and unused") {
  Fixture fixture;
  CHECK(test::ExpositionValidator(exempt).validate(fixture.registry.expose()) == std::vector<std::string>{});
  auto& metrics = fixture.metrics;
  metrics.on_started("/etcdserverpb.KV/Put");
  metrics.on_handled("/etcdserverpb.KV/Put", api::GrpcCode::ok);
  metrics.on_handled("/etcdserverpb.KV/Put", api::GrpcCode::unavailable);
  metrics.peer_sent_bytes("ab").add(10);
  metrics.peer_received_bytes("ab").add(10);
  metrics.peer_sent_failures("ab").add();
  metrics.peer_round_trip("ab").record(0.001);
  metrics.request_duration("/etcdserverpb.KV/Put").record(0.001);
  for (std::size_t i = 0; i < api::stage_count; ++i) metrics.stage(static_cast<api::Stage>(i)).record(0.001);
  const std::string text = fixture.registry.expose();
  CHECK(test::ExpositionValidator(exempt).validate(text) == std::vector<std::string>{});
  for (const char* line :
       {"grpc_server_started_total{grpc_type=\"unary\",grpc_service=\"etcdserverpb.KV\",grpc_method=\"Put\"} 1\n",
        "grpc_server_handled_total{grpc_type=\"unary\",grpc_service=\"etcdserverpb.KV\",grpc_method=\"Put\",grpc_code="
        "\"OK\"} 1\n",
        "grpc_code=\"Unavailable\"} 1\n", "etcd_network_peer_sent_bytes_total{To=\"ab\"} 10\n",
        "whitewater_request_stage_duration_seconds_count{stage=\"log_write\"} 1\n",
        "whitewater_build_info{version=\"0.1.0\",reactor=\"io_uring\",log_strategy=\"uring\"} 1\n",
        "whitewater_io_backend{backend=\"io_uring\",reason=\"the probe said \\\"yes\\\"\"} 1\n",
        "etcd_server_version{server_version=\"3.6.14\"} 1\n", "etcd_cluster_version{cluster_version=\"3.6\"} 1\n",
        "etcd_server_id{server_id=\"00000000000000ab\"} 1\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("the families of etcd's dashboard and alerts are there") {
  Fixture fixture;
  fixture.metrics.on_handled("/etcdserverpb.KV/Put", api::GrpcCode::ok);
  fixture.metrics.peer_sent_bytes("ab");
  fixture.metrics.peer_received_bytes("ab");
  fixture.metrics.peer_sent_failures("ab");
  fixture.metrics.peer_round_trip("ab");
  const std::string text = fixture.registry.expose();
  for (const std::string name : {"etcd_server_has_leader",
                                 "etcd_server_leader_changes_seen_total",
                                 "etcd_server_proposals_failed_total",
                                 "etcd_server_proposals_committed_total",
                                 "etcd_server_proposals_applied_total",
                                 "etcd_server_proposals_pending",
                                 "etcd_server_quota_backend_bytes",
                                 "etcd_mvcc_db_total_size_in_bytes",
                                 "etcd_mvcc_db_total_size_in_use_in_bytes",
                                 "etcd_disk_wal_fsync_duration_seconds",
                                 "etcd_disk_backend_commit_duration_seconds",
                                 "etcd_network_peer_round_trip_time_seconds",
                                 "etcd_network_peer_sent_bytes_total",
                                 "etcd_network_peer_received_bytes_total",
                                 "etcd_network_peer_sent_failures_total",
                                 "etcd_network_client_grpc_sent_bytes_total",
                                 "etcd_network_client_grpc_received_bytes_total",
                                 "grpc_server_started_total",
                                 "grpc_server_handled_total",
                                 "process_resident_memory_bytes",
                                 "etcd_mvcc_put_total",
                                 "etcd_mvcc_delete_total",
                                 "etcd_debugging_mvcc_keys_total",
                                 "etcd_server_is_learner",
                                 "etcd_server_version"}) {
    INFO(name);
    CHECK(text.find("# TYPE " + name + " ") != std::string::npos);
  }
}

TEST_CASE("a scrape shows one snapshot of the server") {
  Fixture fixture;
  fixture.snapshot.has_leader = true;
  fixture.snapshot.proposals_committed = 12;
  fixture.snapshot.resident_bytes = 1 << 20;
  fixture.snapshot.cpu_seconds = 0.25;
  fixture.snapshot.discovery_stale_seconds = 1.5;
  fixture.snapshot.is_data_volatile = true;
  const std::string text = fixture.registry.expose();
  CHECK(text.find("\netcd_server_has_leader 1\n") != std::string::npos);
  CHECK(text.find("\netcd_server_proposals_committed_total 12\n") != std::string::npos);
  CHECK(text.find("\nprocess_resident_memory_bytes 1048576\n") != std::string::npos);
  CHECK(text.find("\nprocess_cpu_seconds_total 0.25\n") != std::string::npos);
  CHECK(text.find("\nwhitewater_discovery_stale_seconds 1.5\n") != std::string::npos);
  CHECK(text.find("\nwhitewater_data_volatile 1\n") != std::string::npos);
  CHECK(text.find("\nwhitewater_bootstrap_expect_inferred 0\n") != std::string::npos);
}

TEST_CASE("histograms under etcd's names have etcd's buckets") {
  Fixture fixture;
  const auto bounds = fixture.metrics.log_sync.upper_bounds();
  REQUIRE(bounds.size() == 14);
  CHECK(bounds.front() == Approx(0.001));
  CHECK(bounds.back() == Approx(8.192));
  const auto round_trip = fixture.metrics.peer_round_trip("ab").upper_bounds();
  REQUIRE(round_trip.size() == 16);
  CHECK(round_trip.front() == Approx(0.0001));
  CHECK(round_trip.back() == Approx(3.2768));
}

TEST_CASE("a durable write counts under etcd's name and under ours; an apply over 100 ms is slow") {
  Fixture fixture;
  fixture.metrics.on_log_written(base::milliseconds(3));
  fixture.metrics.on_applied(base::milliseconds(100));
  fixture.metrics.on_applied(base::milliseconds(101));
  fixture.metrics.on_handled("/etcdserverpb.KV/Put", api::GrpcCode::resource_exhausted);
  fixture.metrics.on_handled("/etcdserverpb.KV/Put", api::GrpcCode::unavailable);
  const std::string text = fixture.registry.expose();
  for (const char* line :
       {"etcd_disk_wal_fsync_duration_seconds_count 1\n", "whitewater_log_write_duration_seconds_count 1\n",
        "whitewater_apply_duration_seconds_count 2\n", "etcd_server_slow_apply_total 1\n",
        "whitewater_requests_refused_total 1\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

// What the API layer adds to a request: reading and printing of put and range, one call of a histogram, one exposition.
#include <benchmark/benchmark.h>

#include "api/base64.hpp"
#include "api/json_gateway.hpp"
#include "api/metrics.hpp"
#include "api/server_metrics.hpp"

using namespace whitewater;

namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t value_bytes = 256;
const api::ResponseHeader header{
    .cluster_id = 0x9d3a7f2210b4c6e1, .member_id = 0x3fe1b2c3d4e5f607, .revision = 1, .raft_term = 7};

std::string base64(std::size_t size) {
  std::string out;
  api::append_base64(out, std::string(size, 'x'));
  return out;
}

void parse_put(benchmark::State& state) {
  const std::string body = R"({"key":")" + base64(key_bytes) + R"(","value":")" + base64(value_bytes) + "\"}";
  for (auto _ : state) benchmark::DoNotOptimize(api::parse_call("POST", "/v3/kv/put", body));
}
BENCHMARK(parse_put);

void encode_put(benchmark::State& state) {
  const kv::CommandResponse response = kv::PutResponse{.header_revision = 123456789};
  for (auto _ : state) benchmark::DoNotOptimize(api::to_answer(header, response));
}
BENCHMARK(encode_put);

void parse_range(benchmark::State& state) {
  const std::string body = R"({"key":")" + base64(key_bytes) + R"(","range_end":"eHg=","limit":"100"})";
  for (auto _ : state) benchmark::DoNotOptimize(api::parse_call("POST", "/v3/kv/range", body));
}
BENCHMARK(parse_range);

void encode_range(benchmark::State& state) {
  kv::RangeResponse range{.header_revision = 123456789, .count = state.range(0)};
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    range.kvs.push_back({.key = std::string(key_bytes, 'k'),
                         .create_revision = 1000 + i,
                         .mod_revision = 123456 + i,
                         .version = 3,
                         .value = std::string(value_bytes, 'v')});
  }
  const kv::RangeResult response = std::move(range);
  for (auto _ : state) benchmark::DoNotOptimize(api::to_answer(header, response));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_range)->Arg(1)->Arg(100);

void parse_txn(benchmark::State& state) {
  const std::string body =
      R"({"compare":[{"key":"Zm9v","target":"MOD","mod_revision":"12"}],"success":[{"request_put":{"key":"Zm9v","value":")" +
      base64(value_bytes) + R"("}}],"failure":[{"request_range":{"key":"Zm9v"}}]})";
  for (auto _ : state) benchmark::DoNotOptimize(api::parse_call("POST", "/v3/kv/txn", body));
}
BENCHMARK(parse_txn);

void histogram_record(benchmark::State& state) {
  api::Histogram histogram(api::latency_buckets_seconds());
  double value = 1e-6;
  for (auto _ : state) {
    value = value > 1 ? 1e-6 : value * 1.37;  // a different bucket each time: no help from branch prediction
    histogram.record(value);
  }
  benchmark::DoNotOptimize(histogram.sum());
}
BENCHMARK(histogram_record);

void counter_add(benchmark::State& state) {
  api::Counter counter;
  for (auto _ : state) {
    counter.add();
    benchmark::DoNotOptimize(counter);
  }
}
BENCHMARK(counter_add);

void exposition(benchmark::State& state) {
  api::Registry registry;
  api::ServerMetrics metrics(registry, {}, [] { return api::ServerSnapshot{}; });
  for (auto _ : state) benchmark::DoNotOptimize(registry.expose());
}
BENCHMARK(exposition);

}  // namespace

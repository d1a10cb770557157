// What a message costs on its way to the wire and back: appends of 1 and 64 entries of 256 bytes, and a heartbeat.
#include <benchmark/benchmark.h>

#include <cstring>

#include "net/frame.hpp"
#include "net/frame_batch.hpp"

namespace {

using namespace whitewater;
using namespace whitewater::net;

constexpr std::size_t payload_bytes = 256;

core::Message append_of(std::int64_t entry_count) {
  core::AppendRequest body{
      .prev_index = core::Index(1000), .prev_term = core::Term(3), .commit = core::Index(1000), .entries = {}};
  for (std::int64_t i = 1; i <= entry_count; ++i) {
    body.entries.push_back({.term = core::Term(3),
                            .index = core::Index(1000 + static_cast<std::uint64_t>(i)),
                            .type = core::EntryType::command,
                            .request = {.node = core::NodeId(7), .sequence = static_cast<std::uint64_t>(i)},
                            .payload = core::SharedBytes(std::string(payload_bytes, 'v'))});
  }
  return {.from = core::NodeId(1), .to = core::NodeId(2), .term = core::Term(3), .body = std::move(body)};
}

void fill(FrameBatch& batch, const core::Message& message) {
  batch.clear();
  batch.add_message(message);
  batch.seal();
}

void encode_append(benchmark::State& state) {
  const auto message = append_of(state.range(0));
  FrameBatch batch;
  for (auto _ : state) {
    fill(batch, message);
    benchmark::DoNotOptimize(batch.buffers().data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(batch.size_bytes()));
}
BENCHMARK(encode_append)->Arg(0)->Arg(1)->Arg(64);

void decode_append(benchmark::State& state) {
  FrameBatch batch;
  fill(batch, append_of(state.range(0)));
  std::string stream;
  for (const auto part : batch.buffers()) stream.append(part);
  FrameDecoder decoder(frame_payload_bytes_max);
  std::vector<core::Message> out;
  for (auto _ : state) {
    decoder.feed(stream);
    const auto frame = decoder.next();
    out.clear();
    const auto decoded = decode_messages((*frame)->payload, (*frame)->owner, out);
    if (decoded.has_error() || out.size() != 1) state.SkipWithError("the frame does not decode");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
}
BENCHMARK(decode_append)->Arg(0)->Arg(1)->Arg(64);

}  // namespace

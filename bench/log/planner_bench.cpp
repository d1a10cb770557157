// The planner alone: what one entry costs the loop before any device is asked. Completions arrive at once.
#include <benchmark/benchmark.h>

#include "log/planner.hpp"

using namespace whitewater;
using namespace whitewater::log;

namespace {

// Appends of `entries_per_append` entries of 256 bytes; a batch is formed from whatever one append brings.
void planner_append(benchmark::State& state) {
  const auto entries_per_append = static_cast<std::uint64_t>(state.range(0));
  PlannerLimits limits;
  BufferPool pool(limits.writes_in_flight_max + 2, limits.group_bytes_max);
  LogPlanner planner({ClusterId(1), NodeId(1), 1}, Incarnation(1), limits, RecoveredLog{}, 8, pool);
  PlannerOutput output;
  const core::SharedBytes payload(std::string(256, 'p'));
  std::uint64_t token = 0;
  Index last;
  std::uint64_t bytes = 0;
  const auto complete = [&] {
    planner.take_output(output);
    if (output.grow) planner.on_segment_added(*output.grow);
    while (!output.writes.empty()) {
      const auto writes = output.writes;
      for (const auto& op : writes) {
        bytes += op.bytes.size();
        planner.on_write_done(op.id);
      }
      planner.take_output(output);
      if (output.grow) planner.on_segment_added(*output.grow);
    }
  };
  complete();
  for (auto _ : state) {
    LogAppend append;
    append.token = ++token;
    append.entries.reserve(entries_per_append);
    for (std::uint64_t i = 0; i < entries_per_append; ++i) {
      core::Entry entry;
      entry.index = last = last.next();
      entry.term = Term(1);
      entry.type = core::EntryType::command;
      entry.payload = payload;
      append.entries.push_back(std::move(entry));
    }
    planner.on_append(std::move(append));
    complete();
    if (token % 1024 == 0) planner.on_release(last);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(last.value));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(planner_append)->Arg(1)->Arg(16)->Arg(128)->Arg(512);

}  // namespace

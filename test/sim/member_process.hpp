// The part of a simulated member that a crash takes: planner, store, replica and the requests that wait for an answer.
// Private to member.cpp and member_log.cpp.
#pragma once

#include "sim/member.hpp"

namespace whitewater::sim {

// What a crash takes.
struct SimMember::Process {
  Process(const log::LogIdentity& identity, base::Incarnation run, const log::PlannerLimits& limits,
          log::RecoveredLog& recovered, log::Slot slots)
      : pool(limits.writes_in_flight_max, limits.group_bytes_max),
        planner(identity, run, limits, recovered, slots, pool) {}

  log::BufferPool pool;
  log::LogPlanner planner;
  log::PlannerOutput planner_output;
  std::uint64_t durable_token = 0;
  bool has_growth_failed = false;
  kv::MemoryBackend* backend = nullptr;
  std::unique_ptr<replica::Replica> replica;
  std::map<replica::Ticket, std::function<void(WriteAnswer)>> writes;
  std::map<replica::Ticket, std::function<void(ReadAnswer)>> reads;
};

}  // namespace whitewater::sim
